"""Settings of virtual surgery: the section `surgery` of the configuration."""

from dataclasses import dataclass, field
from typing import Literal, get_args

from virtualbrain.errors import ConfigError
from virtualbrain.models.reduced_physics import SEIZING_X_2D

Rest = Literal["unchanged", "healthy"]
Eloquent = Literal["forbidden", "priced"]
# Each further region doubles the number of subsets.
MOST_EXPLORED = 8


@dataclass(frozen=True)
class ApproachSettings:
    """Limits of one operation; 0 means no limit.

    Parameters
    ----------
    one_side : bool
        All resected regions in one hemisphere.
    contiguous : bool
        All resected regions adjacent: gap between spheres of the regions' volumes at most 10 mm.
    radius_mm : float
        Largest distance between a region's centre and the centre of the plan.
    volume_mm3 : float
        Largest resected volume.
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
    """Train of biphasic pulses, also used for responsive stimulation.

    Parameters
    ----------
    amplitude_ma : float
        Current of a phase.
    frequency_hz : float
        Pulses per second.
    width_s : float
        Duration of one phase.
    duration_s : float
        Duration of the train.
    delay_s : float
        Delay of responsive stimulation after the detected onset.
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
class HypothesisSettings:
    """Draws of networks from a hypothesis, without a fit: the section `hypothesis`.

    Parameters
    ----------
    draws : int
        Number of drawn networks.
    connectomes : int
        Number of drawn connectomes among them.
    weight_sd_log : float
        Standard deviation of the logarithm of each weight.
    ez_above, ez_sd : float
        Distance of x0 above the threshold in the EZ: mean and standard deviation.
    pz_below, pz_sd : float
        Distance below the threshold in the PZ.
    others_below, others_sd : float
        Distance below the threshold in all other regions.
    K_median, K_sd_log : float
        Coupling: LogNormal.
    tau0_median, tau0_sd_log : float
        Time scale of the slow variable: LogNormal.
    duration_s : float
        Simulated time.
    full_model_draws : int
        Draws that are simulated with the full (6D) model.
    """

    draws: int = 200
    connectomes: int = 8
    weight_sd_log: float = 0.5
    ez_above: float = 0.45
    ez_sd: float = 0.15
    pz_below: float = 0.15
    pz_sd: float = 0.1
    others_below: float = 0.55
    others_sd: float = 0.2
    K_median: float = 2.0
    K_sd_log: float = 0.6
    tau0_median: float = 15.0
    tau0_sd_log: float = 0.5
    duration_s: float = 60.0
    full_model_draws: int = 16

    def __post_init__(self) -> None:
        for name in ("draws", "connectomes", "full_model_draws"):
            if getattr(self, name) < 1:
                raise ConfigError(
                    f"hypothesis.{name} is {getattr(self, name)}", expected="1 or more"
                )
        for name in ("weight_sd_log", "ez_sd", "pz_sd", "others_sd", "K_sd_log", "tau0_sd_log"):
            if getattr(self, name) < 0:
                raise ConfigError(
                    f"hypothesis.{name} is {getattr(self, name)}", expected="0 or more"
                )
        for name in ("ez_above", "pz_below", "others_below", "K_median", "tau0_median",
                     "duration_s"):  # fmt: skip
            if not getattr(self, name) > 0:
                raise ConfigError(f"hypothesis.{name} is {getattr(self, name)}", expected="above 0")


@dataclass(frozen=True)
class SurgerySettings:
    """Settings of virtual surgery.

    Parameters
    ----------
    draws : int
        Posterior draws on which every plan is simulated.
    leading : int
        Number of leading regions that plans may contain.
    largest : int
        Largest number of regions in a plan found by search.
    explore : int
        Number of leading regions of which all subsets are simulated, for plans chosen by hand in
        the report; 0: none.
    suspicion : float
        Smallest p_ez of a region that is suspected to start seizures.
    target : float
        Probability of seizure freedom that the search for the smallest plan aims at.
    sham : int
        Random plans per sham row.
    interval : float
        Probability mass of the reported intervals.
    seizing_threshold : float
        Threshold of x above which a region counts as seizing.
    gone_share : float
        Resected fraction above which a region counts as removed.
    rest_of_region : {"unchanged", "healthy"}
        Excitability of the rest of a partly resected region.
    eloquent : {"forbidden", "priced"}
        Whether plans found by search exclude eloquent regions, or allow them at a cost.
    confirm : int
        Leading plans that are simulated again with the full (6D) model.
    confirm_draws : int
        Posterior draws per plan in the full model.
    """

    draws: int = 200
    leading: int = 8
    largest: int = 6
    explore: int = 6
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
        if not 0 <= self.explore <= MOST_EXPLORED:
            raise ConfigError(
                f"surgery.explore is {self.explore}", expected=f"0 to {MOST_EXPLORED}"
            )
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
