"""Settings of virtual surgery: the section `surgery` of the configuration."""

from dataclasses import dataclass, field
from typing import Literal, get_args

from virtualbrain.errors import ConfigError
from virtualbrain.models.reduced_physics import SEIZING_X_2D

Rest = Literal["unchanged", "healthy"]
Eloquent = Literal["forbidden", "priced"]


@dataclass(frozen=True)
class ApproachSettings:
    """What one operation can reach; zero means no limit.

    Parameters
    ----------
    one_side : bool
        Whether all regions of a plan must lie in one hemisphere.
    contiguous : bool
        Whether they must touch: centres no further apart than the sum of both radii (of balls
        of the regions' volumes) and 10 mm.
    radius_mm : float
        Most distance of a region's centre from the plan's middle.
    volume_mm3 : float
        Most tissue that is taken out.
    """

    one_side: bool = False
    contiguous: bool = False
    radius_mm: float = 0.0
    volume_mm3: float = 0.0

    def __post_init__(self) -> None:
        for name in ("radius_mm", "volume_mm3"):
            if getattr(self, name) < 0:
                raise ConfigError(
                    f"surgery.approach.{name} is {getattr(self, name)}", expected="0 or more"
                )


@dataclass(frozen=True)
class StimulationSettings:
    """A train of biphasic pulses, and the responsive stimulation that uses it.

    Parameters
    ----------
    amplitude_ma : float
        Current of a phase.
    frequency_hz : float
        Pulses per second.
    width_s : float
        Length of one phase.
    duration_s : float
        Length of the train.
    delay_s : float
        Seconds from a detected onset to the responsive train.
    """

    amplitude_ma: float = 2.0
    frequency_hz: float = 50.0
    width_s: float = 0.001
    duration_s: float = 5.0
    delay_s: float = 0.5

    def __post_init__(self) -> None:
        for name in ("amplitude_ma", "frequency_hz", "width_s", "duration_s"):
            if not getattr(self, name) > 0:
                raise ConfigError(
                    f"surgery.stimulation.{name} is {getattr(self, name)}", expected="above 0"
                )


@dataclass(frozen=True)
class SurgerySettings:
    """What is tried and on how many posterior draws.

    Parameters
    ----------
    draws : int
        Posterior draws every plan is simulated on.
    leading : int
        How many of the first-ranked regions enter plans.
    largest : int
        Most regions in a searched plan.
    suspicion : float
        Least probability of seizing by itself that makes a region a possible start of seizures.
    target : float
        Probability of no seizure that the search for the smallest plan aims at.
    sham : int
        Random plans behind each sham row.
    interval : float
        Share of the draws inside the reported interval.
    seizing_threshold : float
        A region seizes when its x exceeds this.
    gone_share : float
        Share of a region from which on, taken out, nothing of the region is left.
    rest_of_region : {"unchanged", "healthy"}
        Excitability of what is left of a region of which less is taken.
    eloquent : {"forbidden", "priced"}
        Whether eloquent regions stay out of all searched plans, or only cost.
    confirm : int
        Leading plans that are simulated again with the six-dimensional model.
    confirm_draws : int
        Posterior draws of that.
    """

    draws: int = 200
    leading: int = 8
    largest: int = 6
    suspicion: float = 0.05
    target: float = 0.9
    sham: int = 20
    interval: float = 0.9
    seizing_threshold: float = SEIZING_X_2D
    gone_share: float = 0.5
    rest_of_region: Rest = "unchanged"
    eloquent: Eloquent = "forbidden"
    confirm: int = 3
    confirm_draws: int = 10
    approach: ApproachSettings = field(default_factory=ApproachSettings)
    stimulation: StimulationSettings = field(default_factory=StimulationSettings)

    def __post_init__(self) -> None:
        for name in ("draws", "leading", "largest", "sham", "confirm_draws"):
            if getattr(self, name) < 1:
                raise ConfigError(f"surgery.{name} is {getattr(self, name)}", expected="1 or more")
        if self.confirm < 0:
            raise ConfigError(f"surgery.confirm is {self.confirm}", expected="0 or more")
        for name in ("suspicion", "target", "interval"):
            if not 0 < getattr(self, name) < 1:
                raise ConfigError(
                    f"surgery.{name} is {getattr(self, name)}", expected="more than 0, less than 1"
                )
        if not 0 < self.gone_share <= 1:
            raise ConfigError(
                f"surgery.gone_share is {self.gone_share}", expected="more than 0, at most 1"
            )
        for name, kind in (("rest_of_region", Rest), ("eloquent", Eloquent)):
            if getattr(self, name) not in get_args(kind):
                raise ConfigError(
                    f"surgery.{name} is {getattr(self, name)!r}",
                    expected=" or ".join(get_args(kind)),
                )
