"""Names of the scenarios: how the seizures of a validation patient start.

early
    The regions of the zone start within three seconds of each other.
late
    The last region of the zone is weakly connected with the others, more than 50 mm away, and
    starts after at least two recruited regions.
fast
    Half of the recruited regions start before, or within two seconds after, the zone's last
    region.
hidden
    No channel sees the zone.
several
    Two or three seizures; the second starts in another part of the zone than the first.
"""

from typing import Literal, get_args

Scenario = Literal["early", "late", "fast", "hidden", "several"]
SCENARIOS: tuple[Scenario, ...] = get_args(Scenario)
