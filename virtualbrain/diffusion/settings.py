"""Define the settings of the diffusion stages: section ``diffusion`` of the configuration."""

from dataclasses import dataclass
from typing import Literal

from virtualbrain.errors import ConfigError


@dataclass(frozen=True)
class DiffusionSettings:
    """Settings of the stages from the diffusion series to the connectome.

    Parameters
    ----------
    streamlines : int
        Largest number of streamlines.
    agreement : float
        Tracking ends before that number if the connectome repeats so well: expected rank
        correlation of the streamline counts with those of as many new streamlines
        (`split_half_agreement`). 0: all streamlines are tracked.
    seed : int
        Seed of all random numbers of these stages.
    denoise, unring : bool
        Remove thermal noise (MP-PCA) and Gibbs ringing.
    motion : {"auto", "eddy", "registration", "none"}
        ``eddy`` is FSL's. ``auto`` uses eddy if it is installed and the series allow it, else
        registration to predicted volumes.
    susceptibility : {"auto", "none"}
        ``auto`` corrects susceptibility distortion if there are two opposite phase encodings.
    bias : bool
        Correct the bias field (N4 on the mean b = 0 volume).
    motion_floor_mm : float
        Volumes that moved less than this are not interpolated.
    fod_order : int
        Largest harmonic order of the fibre orientations: even; 0: MRtrix's default. 6 takes a
        fifth of the time of 8, and resolves crossing fibres less well.
    act : {"auto", "always", "never"}
        Anatomically constrained tractography; ``auto`` uses it if there is a five-tissue image.
    seeding : {"white_matter", "gmwmi", "dynamic"}
        Seed points of the streamlines. ``gmwmi``, the border of grey and white matter, is faster
        but weakens long connections. It requires the five-tissue image; without one,
        ``white_matter`` is used.
    step_mm, angle_deg, cutoff : float
        Step size, largest angle per step and amplitude threshold of iFOD2; 0: MRtrix's default.
    min_length_mm, max_length_mm : float
        Shortest and longest streamline.
    parts : int
        Number of independent parts of the tractography. They give the same streamlines on any
        number of cores; at most this many cores are used.
    search_radius_mm : float
        Largest distance between the end of a streamline and its region.
    resamples : int
        Bootstrap samples for the reliability of the connections.
    reference : str
        Connectome of the same regions to compare with: the folder of a ready connectome or a TVB
        zip; empty for none.
    group_connectome : str
        Connectome of a group, for a patient without diffusion series and ready connectome:
        ``auto`` (that of the installed package tvboptim), ``none`` (such a patient is refused), or
        a path like that of `reference`.
    """

    streamlines: int = 1_000_000
    agreement: float = 0.95
    seed: int = 1
    denoise: bool = True
    unring: bool = True
    motion: Literal["auto", "eddy", "registration", "none"] = "auto"
    susceptibility: Literal["auto", "none"] = "auto"
    bias: bool = True
    motion_floor_mm: float = 0.3
    fod_order: int = 0
    act: Literal["auto", "always", "never"] = "auto"
    seeding: Literal["white_matter", "gmwmi", "dynamic"] = "white_matter"
    step_mm: float = 0.0
    angle_deg: float = 0.0
    cutoff: float = 0.0
    min_length_mm: float = 6.0
    max_length_mm: float = 250.0
    parts: int = 8
    search_radius_mm: float = 4.0
    resamples: int = 100
    reference: str = ""
    group_connectome: str = "auto"

    def __post_init__(self) -> None:
        for name in ("streamlines", "parts", "resamples"):
            if getattr(self, name) < 1:
                raise ConfigError(
                    f"{name} is {getattr(self, name)}",
                    where=f"configuration, diffusion.{name}",
                    expected="1 or more",
                )
        if self.fod_order not in range(0, 21, 2):
            raise ConfigError(
                f"fod_order is {self.fod_order}",
                where="configuration, diffusion.fod_order",
                expected="an even number of 2 to 20, or 0 for MRtrix's default",
            )
        if not 0 <= self.agreement < 1:
            raise ConfigError(
                f"agreement is {self.agreement:g}",
                where="configuration, diffusion.agreement",
                expected="0 or more and less than 1",
            )
        if not 0 <= self.min_length_mm < self.max_length_mm:
            raise ConfigError(
                f"min_length_mm is {self.min_length_mm:g} and max_length_mm is "
                f"{self.max_length_mm:g}",
                where="configuration, diffusion",
                expected="0 or more, and min_length_mm below max_length_mm",
            )
