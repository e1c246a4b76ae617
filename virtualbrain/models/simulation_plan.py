"""Plan a simulation: options, step, samples, delays, and the inputs of each ensemble member."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from virtualbrain.errors import ModelError
from virtualbrain.models.epileptor import Model
from virtualbrain.models.simd_layout import LANES
from virtualbrain.models.stimulus import Stimulus
from virtualbrain.network import Network

Array = NDArray[np.float64]

DEFAULT_STEP = 0.05  # model time


@dataclass(frozen=True)
class Options:
    """Integration method, and the quantities to keep.

    Parameters
    ----------
    integrator : {"heun", "euler"}
        Integration method. With noise: Euler-Maruyama, or Heun with the same noise in both stages.
    coupling : {"held", "exact"}
        Coupling in Heun's method. ``held``, the default, uses the same coupling in both stages of
        a step, as The Virtual Brain and published results do. It needs one matrix product per
        step in place of two; the slow variable, on which the coupling acts, changes by a few
        millionths per step. ``exact`` evaluates the coupling in both stages and is of second
        order in the coupling too.
    speed_m_per_s : float, optional
        Transmission speed; delays are tract lengths divided by it. No delays by default.
    keep : sequence of str
        ``lfp`` and names of states.
    average : bool
        Keep the mean of all steps since the last sample, not the value at the last step.
    dtype : {"float64", "float32"}
        Precision of the samples; the integration is always in double precision.
    memory_limit_bytes : int
        Limit of memory for samples and working arrays together.
    n_threads : int, optional
        Threads of an ensemble; all usable cores by default.
    """

    integrator: Literal["heun", "euler"] = "heun"
    coupling: Literal["held", "exact"] = "held"
    speed_m_per_s: float | None = None
    keep: Sequence[str] | None = None
    average: bool = False
    dtype: Literal["float64", "float32"] = "float64"
    memory_limit_bytes: int = 2**31
    n_threads: int | None = None


@dataclass(frozen=True)
class Members:
    """Initial states, remaining fractions and noise of the members, as the caller gave them."""

    n: int
    initial: ArrayLike | Mapping[str, ArrayLike] | None
    present: ArrayLike | None
    generators: list[np.random.Generator] | None
    noise: Mapping[str, ArrayLike] | None
    stimulus: Stimulus | None

    def remaining(self, n_regions: int) -> Array:
        """Return the fraction of each region that remains, shape (n or 1, n_regions)."""
        fraction = np.atleast_2d(
            np.asarray(1.0 if self.present is None else self.present, dtype=float)
        )
        if fraction.shape[0] not in (1, self.n) or fraction.shape[1] not in (1, n_regions):
            raise ModelError(
                f"present has the shape {fraction.shape}", expected=f"({self.n}, {n_regions})"
            )
        if not ((fraction >= 0) & (fraction <= 1)).all():
            raise ModelError("present has values outside 0 to 1", expected="fractions from 0 to 1")
        return np.ascontiguousarray(np.broadcast_to(fraction, (len(fraction), n_regions)))

    def start(self, model: Model, n_regions: int) -> Array:
        """Return the initial states, shape (n, n_states, n_regions)."""
        states = np.array(
            np.broadcast_to(model.rest(self.n, n_regions), (self.n, len(model.states), n_regions))
        )
        try:
            if isinstance(self.initial, Mapping):
                for name, value in self.initial.items():
                    states[:, state_index(model, name)] = np.asarray(value)
            elif self.initial is not None:
                states[:] = np.asarray(self.initial)
        except ValueError:
            raise ModelError(
                "initial has the wrong shape",
                expected=f"({len(model.states)}, {n_regions}) or a mapping of states",
            ) from None
        if not np.isfinite(states).all():
            raise ModelError("initial has values that are not finite", expected="finite states")
        return states

    def amplitudes(
        self, model: Model, dt: float, n_regions: int
    ) -> tuple[NDArray[np.int64], Array]:
        """Return the noisy states and their noise per step, shape (1, n_noisy, n_regions)."""
        given = {state_index(model, name): value for name, value in (self.noise or {}).items()}
        noisy = sorted(k for k, value in given.items() if np.any(np.asarray(value) != 0))
        intensity = np.zeros((1, len(noisy), n_regions))
        for row, k in enumerate(noisy):
            intensity[0, row] = np.asarray(given[k], dtype=np.float64)
        if (intensity < 0).any():
            raise ModelError("negative noise", expected="intensities of zero or more")
        return np.array(noisy, dtype=np.int64), np.sqrt(2.0 * intensity * dt)


def state_index(model: Model, name: str) -> int:
    """Return the number of a state.

    Raises
    ------
    ModelError
        The model has no such state.
    """
    if name not in model.states:
        raise ModelError(f"unknown state {name!r}", expected="one of " + ", ".join(model.states))
    return model.states.index(name)


@dataclass(frozen=True)
class Plan:
    """Steps, samples and kept quantities of a simulation.

    Parameters
    ----------
    network, model, options, n_members
        As given to the simulation.
    dt_s : float
        Step in seconds.
    n_steps, every : int
        Number of steps, and of steps per sample.
    keep : tuple of str
        Names of the kept quantities.
    """

    network: Network
    model: Model
    options: Options
    n_members: int
    dt_s: float
    n_steps: int
    every: int
    keep: tuple[str, ...]

    @property
    def n_samples(self) -> int:
        """Number of samples."""
        return self.n_steps // self.every

    @property
    def dt(self) -> float:
        """Step in model time."""
        return self.dt_s / self.model.seconds_per_unit

    @property
    def bytes_kept(self) -> int:
        """Memory for the samples of a member."""
        size = np.dtype(self.options.dtype).itemsize
        return size * len(self.keep) * self.n_samples * self.network.n_regions

    @property
    def bytes_working(self) -> int:
        """Approximate working memory of a member."""
        states, parameters = len(self.model.states), len(self.model.parameters)
        slots = self.delays().max(initial=0) + 2
        per_region = 5 * states + parameters + 3 * (slots + 1) + len(self.keep) + 8
        return int(8 * (self.network.n_regions + LANES) * per_region)

    def delays(self) -> NDArray[np.int64]:
        """Return the delays in steps, shape (n_regions, n_regions); empty without delays."""
        speed = self.options.speed_m_per_s
        if speed is None:
            return np.zeros((0, 0), dtype=np.int64)
        if self.network.lengths is None:
            raise ModelError("delays without tract lengths", hint="give the network its lengths")
        if not speed > 0:
            raise ModelError(f"a speed of {speed} m/s", expected="above zero")
        seconds = self.network.lengths * 1e-3 / speed
        return np.asarray(np.rint(seconds / self.dt_s), dtype=np.int64)

    def dataset(
        self, samples: Array, dims: tuple[str, ...], attributes: Mapping[str, Any]
    ) -> xr.Dataset:
        """Return samples, shape (..., n_kept, n_samples, n_regions), as a named dataset."""
        shift = 0.5 if self.options.average else 1.0
        time = (np.arange(self.n_samples) + shift) * self.every * self.dt_s
        return xr.Dataset(
            {name: (dims, samples[..., k, :, :]) for k, name in enumerate(self.keep)},
            coords={"time": ("time", time, {"units": "s"}), "region": list(self.network.regions)},
            attrs={
                "model": type(self.model).__name__,
                "integrator": self.options.integrator,
                "coupling": self.options.coupling,
                "normalisation": self.network.normalisation,
                "dt_s": self.dt_s,
                "seconds_per_unit": self.model.seconds_per_unit,
                "average": int(self.options.average),
                **attributes,
            },
        )


def plan_simulation(
    network: Network,
    model: Model,
    duration: float,
    dt: float | None,
    sample_rate: float | None,
    options: Options,
    n_members: int = 1,
) -> Plan:
    """Choose step and samples.

    Raises
    ------
    ModelError
        An unknown option, or a duration or step that is not positive.
    """
    if options.integrator not in ("heun", "euler") or options.coupling not in ("held", "exact"):
        raise ModelError(
            f"unknown integrator {options.integrator!r} or coupling {options.coupling!r}",
            expected="heun or euler; held or exact",
        )
    step, every, n_samples = choose_steps(model, duration, dt, sample_rate)
    return Plan(
        network, model, options, n_members, step, n_samples * every, every,
        _kept_names(model, options),
    )  # fmt: skip


def choose_steps(
    model: Model, duration: float, dt: float | None, sample_rate: float | None
) -> tuple[float, int, int]:
    """Return the step in seconds, the steps per sample and the number of samples.

    Raises
    ------
    ModelError
        A duration or step that is not positive.
    """
    fastest = float(np.max(np.asarray(model.tt)))
    longest = DEFAULT_STEP / fastest * model.seconds_per_unit if dt is None else float(dt)
    if not (duration > 0 and longest > 0 and np.isfinite(duration)):
        raise ModelError("duration and dt must be positive", expected="seconds above zero")
    if sample_rate is None:
        every, step = 1, longest
    else:
        every = max(1, int(np.ceil(1.0 / (sample_rate * longest) - 1e-9)))
        step = 1.0 / (sample_rate * every)
    n_samples = max(1, round(duration / (step * every)))
    return step, every, n_samples


def _kept_names(model: Model, options: Options) -> tuple[str, ...]:
    """Return the names of the quantities to keep; all by default."""
    names: tuple[str, ...] = (
        tuple(options.keep) if options.keep is not None else ("lfp", *model.states)
    )
    for name in names:
        if name != "lfp":
            state_index(model, name)
    return names
