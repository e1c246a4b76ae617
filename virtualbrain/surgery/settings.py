"""Settings of virtual surgery: the section `surgery` of the configuration."""

from dataclasses import dataclass

from virtualbrain.errors import ConfigError


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
    target : float
        Probability of no seizure that the search for the smallest plan aims at.
    sham : int
        Random plans behind each sham row.
    interval : float
        Share of the draws inside the reported interval.
    seizing_threshold : float
        A region seizes when its x exceeds this.
    """

    draws: int = 200
    leading: int = 6
    largest: int = 4
    target: float = 0.9
    sham: int = 20
    interval: float = 0.9
    seizing_threshold: float = 0.0

    def __post_init__(self) -> None:
        for name in ("draws", "leading", "largest", "sham"):
            if getattr(self, name) < 1:
                raise ConfigError(f"surgery.{name} is {getattr(self, name)}", expected="1 or more")
        for name in ("target", "interval"):
            if not 0 < getattr(self, name) < 1:
                raise ConfigError(
                    f"surgery.{name} is {getattr(self, name)}", expected="more than 0, less than 1"
                )
