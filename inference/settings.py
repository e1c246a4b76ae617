"""How the fit is done: the section `inference` of the configuration."""

from dataclasses import dataclass, fields
from typing import Literal, get_args

from virtualbrain.errors import ConfigError
from virtualbrain.network import Normalisation

Method = Literal["nuts", "laplace"]
Observation = Literal["logpower", "linear"]
NoiseFamily = Literal["student", "normal"]
Integrator = Literal["euler", "heun"]
Initial = Literal["rest", "free"]
Engine = Literal["fused", "pymc"]


@dataclass(frozen=True)
class Settings:
    """Choices of the fit that are not beliefs about the patient (those are the priors).

    Parameters
    ----------
    method : {"nuts", "laplace"}
        NUTS, or the quick mode: Laplace around the best modes, labelled as such.
    chains, tune, draws : int
        Chains, and transitions of each before and after adaptation ends.
    seed : int
        Same seed, same result.
    n_steps : int
        Model steps that span a seizure's envelope.
    dt : float
        Model time per step.
    integrator : {"euler", "heun"}
        Of the fitted 2D model.
    observation : {"logpower", "linear"}
        log(1 + w (G e^(amplitude (x - x(0))) - 1)) with w the logistic of offset, or amplitude
        G x + offset.
    noise_family : {"student", "normal"}
        Of the envelope's residuals.
    degrees_of_freedom : float
        Of the Student t.
    initial : {"rest", "free"}
        Regions start at rest, shifted by z_init; or from x_init and z_init of their own.
    tempering : float
        Share of the samples that count as independent (the likelihood is raised to this
        power); 0 estimates it from the residuals' correlations, in time and between
        channels, at the best mode.
    starts : int
        Starts of the screening ensemble.
    exchange_rounds : int
        Rounds of switching leading regions off and on.
    target_accept, max_depth
        Of NUTS.
    cores : int
        Chains and starts at a time.
    engine : {"fused", "pymc"}
        What NUTS calls: the fused density, or the same one compiled from the PyMC model.
    normalisation : str
        Of the connection weights.
    """

    method: Method = "nuts"
    chains: int = 4
    tune: int = 400
    draws: int = 1000
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
        for name in ("chains", "tune", "draws", "starts", "cores", "max_depth"):
            if getattr(self, name) < 1:
                raise ConfigError(
                    f"{name} is {getattr(self, name)}", where="inference", expected="1 or more"
                )
        if self.n_steps < 20 or self.dt <= 0:
            raise ConfigError(
                f"n_steps is {self.n_steps} and dt {self.dt}",
                where="inference",
                expected="20 steps or more, dt above zero",
            )
        if not 0 <= self.tempering <= 1:
            raise ConfigError(
                f"tempering is {self.tempering}",
                where="inference",
                expected="0 (estimate it) to 1",
            )


def setting_names() -> tuple[str, ...]:
    """Return the names of all settings."""
    return tuple(item.name for item in fields(Settings))
