"""Settings of the diffusion stages; the section ``diffusion`` of the configuration."""

from dataclasses import dataclass
from typing import Literal

from virtualbrain.errors import ConfigError


@dataclass(frozen=True)
class DiffusionSettings:
    """Choices from the diffusion series to the connectome.

    Parameters
    ----------
    streamlines : int
        Streamlines kept.
    seed : int
        Seed of every random choice of these stages.
    denoise, unring : bool
        Remove thermal noise (MP-PCA) and Gibbs ringing.
    motion : {"auto", "eddy", "registration", "none"}
        ``eddy`` is FSL's; ``auto`` takes it where it is installed and the series allow it, and
        registration to predicted volumes elsewhere.
    susceptibility : {"auto", "none"}
        ``auto`` unwarps where two opposite phase-encoding directions are there.
    bias : bool
        Remove the receive field (N4 on the mean b0).
    motion_floor_mm : float
        Volumes that moved less than this are left uninterpolated.
    act : {"auto", "always", "never"}
        Tissue constraint; ``auto`` uses it where tissues are known.
    seeding : {"white_matter", "gmwmi", "dynamic"}
        Where streamlines start. ``gmwmi``, the border to grey matter, is faster, but long
        connections come out weaker; it needs the tissue constraint, without which
        ``white_matter`` is used.
    step_mm, angle_deg, cutoff : float
        Step, largest turn per step and amplitude threshold of iFOD2; zero takes MRtrix's default.
    min_length_mm, max_length_mm : float
        Lengths of streamlines that are kept.
    parts : int
        Independent pieces of the tractography; they give the same streamlines on any number
        of cores, of which no more than this many are used.
    search_radius_mm : float
        How far from a streamline's end its region is looked for.
    resamples : int
        Bootstrap samples of the streamlines behind the reliability of each connection.
    reference : str
        A connectome of the same regions to compare with: a folder as for a ready connectome,
        or a TVB zip; empty for none.
    """

    streamlines: int = 1_000_000
    seed: int = 1
    denoise: bool = True
    unring: bool = True
    motion: Literal["auto", "eddy", "registration", "none"] = "auto"
    susceptibility: Literal["auto", "none"] = "auto"
    bias: bool = True
    motion_floor_mm: float = 0.3
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

    def __post_init__(self) -> None:
        for name in ("streamlines", "parts", "resamples"):
            if getattr(self, name) < 1:
                raise ConfigError(
                    f"{name} is {getattr(self, name)}",
                    where="configuration, diffusion",
                    expected="1 or more",
                )
        if not 0 <= self.min_length_mm < self.max_length_mm:
            raise ConfigError(
                "min_length_mm is not below max_length_mm", where="configuration, diffusion"
            )
