"""Define the settings of the fit: the section `inference` of the configuration."""

from dataclasses import dataclass
from typing import Literal, get_args

from virtualbrain.errors import ConfigError
from virtualbrain.network import Normalisation

Method = Literal["onsets", "nuts", "laplace"]
Observation = Literal["logpower", "linear"]
NoiseFamily = Literal["student", "normal"]
Integrator = Literal["euler", "heun"]
Initial = Literal["rest", "free"]
Engine = Literal["fused", "pymc"]
MOVES_PER_DRAW = 3


@dataclass(frozen=True)
class Settings:
    """Settings of the fit. The priors are separate; see `inference.priors`.

    Parameters
    ----------
    method : {"onsets", "nuts", "laplace"}
        The onset model (`inference.onsets`); the 2D network sampled with NUTS; or a Laplace
        approximation around the best modes of the 2D network.
    moves : int
        Moves of each replica of the onset model; a chain has six.
    extension : float
        Chains of the onset model that have not converged after `moves` (R-hat of x0 above 1.01 or a
        Monte Carlo error of p_ez above 0.02) are continued once, by so many times as many moves.
        0: never.
    chains, tune, draws : int
        Number of chains, of warm-up transitions and of draws per chain.
    seed : int
        Seed of the random numbers; the same seed gives the same result.
    n_steps : int
        Number of model steps per seizure.
    dt : float
        Model time per step.
    integrator : {"euler", "heun"}
        Integrator of the 2D model.
    observation : {"logpower", "linear"}
        log(1 + w (G e^(amplitude (x - x(0))) - 1)) with w the logistic of offset, or amplitude
        G x + offset.
    noise_family : {"student", "normal"}
        Distribution of the residuals of the envelope.
    degrees_of_freedom : float
        Degrees of freedom of the Student t.
    initial : {"rest", "free"}
        Initial states: at rest, shifted by z_init; or x_init and z_init, both fitted.
    tempering : float
        Exponent of the likelihood, between 0 and 1, that corrects for correlated samples. With 0
        it is estimated at the best mode from the correlations of the residuals in time and
        between channels.
    starts : int
        Number of starting points of the search for modes.
    exchange_rounds : int
        Rounds in which single regions are switched between silent and seizing.
    target_accept : float
        Target acceptance rate of NUTS.
    max_depth : int
        Maximum tree depth of NUTS.
    cores : int
        Number of chains or starting points computed in parallel.
    engine : {"fused", "pymc"}
        Density that NUTS uses: the fused one, or the same density compiled from PyMC.
    normalisation : {"strength", "max", "p95", "none"}
        Normalisation of the connection weights; `fit` takes that of its problem.
    evoked_responses : bool
        Change the weights where evoked responses were measured, see
        `inference.with_evoked_responses`; `fit` takes the weights of its problem.
    components : bool
        Separate the recording into independent components, which the onset model and the source
        evidence then use (``virtualbrain/seeg/components.py``); `fit` takes those of its problem
        or none.

    Raises
    ------
    ConfigError
        A value is unknown or outside its range.
    """

    method: Method = "onsets"
    moves: int = 60_000
    extension: float = 1.5
    chains: int = 4
    tune: int = 400
    draws: int = 500
    seed: int = 1
    n_steps: int = 100
    dt: float = 0.1
    integrator: Integrator = "euler"
    observation: Observation = "linear"
    noise_family: NoiseFamily = "student"
    degrees_of_freedom: float = 4.0
    initial: Initial = "rest"
    tempering: float = 0.0
    starts: int = 32
    exchange_rounds: int = 3
    target_accept: float = 0.8
    max_depth: int = 8
    cores: int = 2
    engine: Engine = "fused"
    normalisation: Normalisation = "strength"
    evoked_responses: bool = False
    components: bool = True

    def __post_init__(self) -> None:
        choices = {
            "method": Method,
            "observation": Observation,
            "noise_family": NoiseFamily,
            "integrator": Integrator,
            "initial": Initial,
            "engine": Engine,
            "normalisation": Normalisation,
        }
        for name, kind in choices.items():
            if getattr(self, name) not in get_args(kind):
                raise ConfigError(
                    f"{name} is {getattr(self, name)!r}",
                    where="inference",
                    expected=" or ".join(get_args(kind)),
                )
        for name in ("moves", "chains", "tune", "draws", "starts", "cores", "max_depth"):
            if getattr(self, name) < 1:
                raise ConfigError(
                    f"{name} is {getattr(self, name)}", where="inference", expected="1 or more"
                )
        if self.extension != 0 and self.extension < 1:
            raise ConfigError(
                f"extension is {self.extension}", where="inference", expected="0, or 1 or more"
            )
        if self.n_steps < 20 or self.dt <= 0:
            raise ConfigError(
                f"n_steps is {self.n_steps} and dt {self.dt}",
                where="inference",
                expected="20 steps or more, dt above zero",
            )
        if self.method == "onsets" and self.moves < MOVES_PER_DRAW * self.draws:
            raise ConfigError(
                f"moves is {self.moves} for {self.draws} draws",
                where="inference",
                expected=f"at least {MOVES_PER_DRAW} moves per draw",
                hint="raise moves or lower draws",
            )
        if not 0 <= self.tempering <= 1:
            raise ConfigError(
                f"tempering is {self.tempering}",
                where="inference",
                expected="0 to 1; 0 estimates it",
            )
