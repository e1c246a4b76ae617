"""Settings of the simulation on the cortical surface."""

from dataclasses import dataclass

from virtualbrain.errors import ConfigError

NAME = "seizure"
"""Name of a run of the command without a stated one."""
WORKFLOW_NAME = "workflow"
"""Name of the run of the workflow."""


@dataclass(frozen=True)
class CortexSettings:
    """Mesh, local coupling and ensemble of the surface model.

    Parameters
    ----------
    enabled : bool
        Run at the end of the workflow, beside the report.
    n_vertices : int
        Vertices of both hemispheres, with the medial wall.
    draws : int
        Posterior draws that are simulated.
    local : float
        Strength of the local coupling: input of a vertex whose surroundings seize completely, in
        units of x'. A straight front gives half of it. With the default, fronts run at 0.6 to 0.9
        mm/s in cortex that is at most 0.1 below the threshold, about as in recordings; below 0.5
        there is no front (`tests/benchmarks/measure_cortex.py speed`).
    x0_sd : float
        Standard deviation of x0 within a region, a smooth field in each draw; 0: uniform.
    width_mm : float
        Width of the local kernel; 0: 1.5 times the spacing of the vertices.
    cutoff_mm : float
        Largest geodesic distance of the local coupling.
    step : float
        Longest step, in model time of the fit.
    sample_hz : float
        Samples per second of the time series.

    Raises
    ------
    ConfigError
        A value that is not possible.
    """

    enabled: bool = False
    n_vertices: int = 20_000
    draws: int = 30
    local: float = 0.8
    x0_sd: float = 0.0
    width_mm: float = 0.0
    cutoff_mm: float = 10.0
    step: float = 0.05
    sample_hz: float = 5.0

    def __post_init__(self) -> None:
        for name, least in (("n_vertices", 200), ("draws", 1)):
            if getattr(self, name) < least:
                raise ConfigError(
                    f"cortex.{name} is {getattr(self, name)}",
                    expected=f"a whole number from {least}",
                )
        for name in ("cutoff_mm", "step", "sample_hz"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"cortex.{name} is {getattr(self, name)}", expected="above 0")
        for name in ("local", "x0_sd", "width_mm"):
            if not getattr(self, name) >= 0:
                raise ConfigError(f"cortex.{name} is {getattr(self, name)}", expected="0 or more")
