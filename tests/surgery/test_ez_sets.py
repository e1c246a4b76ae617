"""Sets that hold the epileptogenic zone of every draw."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from virtualbrain.surgery.ez_sets import p_holds_ez, smallest_holding
from virtualbrain.surgery.resection_constraints import ResectionConstraints
from virtualbrain.surgery.settings import SurgerySettings

NAMES = ("a", "b", "c", "d")
# Zone of ten draws: {a}, {a, b}, {c} and none.
IN_EZ = np.array([[1, 0, 0, 0]] * 4 + [[1, 1, 0, 0]] * 4 + [[0, 0, 1, 0]] + [[0] * 4], dtype=bool)
DRAWS = SimpleNamespace(regions=NAMES, in_ez=IN_EZ)
REGIONS = pd.DataFrame({"name": NAMES, "volume": 1000.0})


@pytest.mark.parametrize(
    ("regions", "held"), [(("a",), 0.4), (("a", "b"), 0.8), (NAMES, 0.9), (("d",), 0.0)]
)
def test_a_set_holds_the_zones_within_it(regions, held):
    assert p_holds_ez(regions, DRAWS) == pytest.approx(held)


@pytest.mark.parametrize(
    ("target", "largest", "forbidden", "expected"),
    [
        (0.8, 4, (), ("a", "b")),
        (0.85, 4, (), ("a", "b", "c")),
        (0.95, 4, (), ("a", "b", "c")),
        (0.85, 2, (), ("a", "b")),
        (0.85, 4, ("b",), ("a", "c")),
        (0.85, 4, NAMES, ()),
    ],
)
def test_the_smallest_set_with_the_target_is_found(target, largest, forbidden, expected):
    constraints = ResectionConstraints(REGIONS, forbidden=forbidden)
    settings = SurgerySettings(target=target, largest=largest)
    assert smallest_holding(NAMES, DRAWS, settings, constraints) == expected
