"""Simulate the adaptive-exponential mean field on a network: one run, or an ensemble."""

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from virtualbrain.errors import ModelError
from virtualbrain.models.mean_field import AdExMeanField
from virtualbrain.models.mean_field_loop import Fixed, Memory, advance
from virtualbrain.models.parallel import members_within, run_chunks
from virtualbrain.models.stimulus import Stimulus
from virtualbrain.network import Network

Array = NDArray[np.float64]

DEFAULT_STEP_S = 1e-4
INITIAL: Mapping[str, ArrayLike] = {"W_e": 100.0}
MEMORY_LIMIT_BYTES = 2**31
_CHUNK = 2000  # steps between two draws of noise


def simulate_mean_field(
    network: Network,
    model: AdExMeanField,
    *,
    duration: float,
    n_members: int = 1,
    dt: float = DEFAULT_STEP_S,
    seed: int | np.random.Generator | None = None,
    noise: float = 0.0,
    initial: Mapping[str, ArrayLike] | None = None,
    stimulus: Stimulus | None = None,
    speed_m_per_s: float | None = 4.0,
    sample_rate: float | None = 1000.0,
    keep: Sequence[str] = ("E",),
    n_threads: int | None = None,
) -> xr.Dataset:
    r"""Simulate the adaptive-exponential mean field on a network, by Heun's method.

    Parameters
    ----------
    network : Network
        Normalised weights, and tract lengths for delays.
    model : AdExMeanField
        Parameters; arrays hold one value per region, or per member and region.
    duration : float
        Seconds.
    n_members : int
        Number of runs; they differ in noise and, if given, in parameters and initial states.
    dt : float
        Longest step in seconds. The step is shortened so that a whole number of steps makes a
        sample.
    seed : int or numpy.random.Generator, optional
        Seed of the noise; required with noise. Each member has its own generator.
    noise : float
        Intensity D of the noise of ou_drift: :math:`dx = f\,dt + \sqrt{2D}\,dW` in ms, as ``nsig``
        of The Virtual Brain; 1 in the published simulations.
    initial : mapping of state to array_like, optional
        Initial states: a number, one per region, or one per member and region. By default zero,
        and 100 pA for W_e, as published: from W_e = 0 regions may jump to a saturated state near
        190 Hz. With delays they are also the past.
    stimulus : Stimulus, optional
        Current that is added to the derivative of E, kHz per ms.
    speed_m_per_s : float, optional
        Transmission speed; delays are tract lengths divided by it. None: no delays.
    sample_rate : float or None
        Samples per second; None keeps every step.
    keep : sequence of str
        States to keep.
    n_threads : int, optional
        Threads; all usable cores by default.

    Returns
    -------
    xarray.Dataset
        Dims member, time (seconds) and region; the kept states with their units. The first sample
        is at the end of the first sampling interval.

    Raises
    ------
    ModelError
        A value is invalid, shapes do not match, the samples need more than the memory limit, or the
        run diverges.
    """
    if not (duration > 0 and dt > 0 and n_members > 0 and noise >= 0 and np.isfinite(duration)):
        raise ModelError(
            f"duration {duration}, dt {dt}, n_members {n_members}, noise {noise}",
            expected="positive numbers, and noise of zero or more",
        )
    step, every = _step(dt, sample_rate)
    n_samples = max(1, round(duration / (step * every)))
    numbers = _kept_numbers(keep)
    n_regions = network.n_regions
    members_within(
        MEMORY_LIMIT_BYTES, 8 * n_members * len(keep) * n_samples * n_regions, "ensemble"
    )
    n_steps = n_samples * every
    edges = _edges(network, speed_m_per_s, step)
    waves, sites = _stimulus(stimulus, step, n_steps, n_regions)
    parameters = model.packed(n_members, n_regions)
    start = _initial(initial, n_members, n_regions)
    generators = _generators(seed, n_members) if noise > 0 else None
    scale = np.sqrt(2.0 * noise * step * 1e3)
    out = np.empty((n_members, len(keep), n_samples, n_regions))

    def run(part: slice) -> None:
        for m in range(part.start, part.stop):
            own = parameters[min(m, len(parameters) - 1)]
            fixed = Fixed(
                own, np.array(model.P_e), np.array(model.P_i), *edges, waves, sites, numbers
            )
            rng = None if generators is None else generators[m]
            _run_member(fixed, start[m], rng, scale, (step * 1e3, every, n_steps), out[m])

    run_chunks(run, n_members, 1, n_threads)
    time = (np.arange(n_samples) + 1) * every * step
    return xr.Dataset(
        {
            name: (("member", "time", "region"), out[:, k], {"units": model.units[name]})
            for k, name in enumerate(keep)
        },
        coords={
            "member": np.arange(n_members),
            "time": ("time", time, {"units": "s"}),
            "region": list(network.regions),
        },
        attrs={
            "model": type(model).__name__,
            "integrator": "heun",
            "normalisation": network.normalisation,
            "dt_s": step,
            "noise": noise,
            "speed_m_per_s": np.inf if speed_m_per_s is None else speed_m_per_s,
        },
    )


def _run_member(
    fixed: Fixed,
    start: Array,
    rng: np.random.Generator | None,
    scale: float,
    steps: tuple[float, int, int],
    out: Array,
) -> None:
    """Run one member; draw its noise in chunks."""
    dt_ms, every, n_steps = steps
    n_regions = len(start)
    n_slots = int(fixed.delays.max(initial=0)) + 1
    memory = Memory(start.copy(), np.tile(start[:, 0], (n_slots, 1)), np.zeros(n_regions))
    for first in range(0, n_steps, _CHUNK):
        shape = (min(_CHUNK, n_steps - first), n_regions)
        noise = np.zeros(shape) if rng is None else scale * rng.standard_normal(shape)
        advance(fixed, memory, dt_ms, every, first, noise, out)
        if not np.isfinite(memory.states).all():
            raise ModelError(
                f"the run diverges before {(first + shape[0]) * dt_ms * 1e-3:g} s",
                expected="finite states",
                hint="give a smaller dt, weaker coupling or a weaker stimulus",
            )


def _step(dt: float, sample_rate: float | None) -> tuple[float, int]:
    """Return the step in seconds, and the number of steps per sample."""
    if sample_rate is None:
        return dt, 1
    if not sample_rate > 0:
        raise ModelError(f"a sample rate of {sample_rate}", expected="above zero, or None")
    every = max(1, int(np.ceil(1.0 / (sample_rate * dt) - 1e-9)))
    return 1.0 / (sample_rate * every), every


def _kept_numbers(keep: Sequence[str]) -> NDArray[np.int64]:
    for name in keep:
        if name not in AdExMeanField.states:
            raise ModelError(
                f"unknown state {name!r}", expected="one of " + ", ".join(AdExMeanField.states)
            )
    return np.array([AdExMeanField.states.index(name) for name in keep], dtype=np.int64)


def _edges(
    network: Network, speed: float | None, step: float
) -> tuple[NDArray[np.int64], NDArray[np.int64], Array, NDArray[np.int64]]:
    """Return first edge of each receiver, senders, weights and delays in steps."""
    receivers, senders = np.nonzero(network.weights)
    first = np.searchsorted(receivers, np.arange(network.n_regions + 1))
    delays = np.zeros(len(receivers), dtype=np.int64)
    if speed is not None:
        if network.lengths is None:
            raise ModelError(
                "delays without tract lengths",
                hint="give the network its lengths, or speed_m_per_s=None",
            )
        if not speed > 0:
            raise ModelError(f"a speed of {speed} m/s", expected="above zero")
        seconds = network.lengths[receivers, senders] * 1e-3 / speed
        delays = np.rint(seconds / step).astype(np.int64)
    return first.astype(np.int64), senders, network.weights[receivers, senders], delays


def _stimulus(
    stimulus: Stimulus | None, step: float, n_steps: int, n_regions: int
) -> tuple[Array, Array]:
    if stimulus is None:
        return np.zeros((0, 1)), np.zeros((1, n_regions))
    sites = np.ascontiguousarray(stimulus.sites, dtype=np.float64)
    if sites.shape != (stimulus.waveforms.shape[1], n_regions):
        raise ModelError(
            f"the stimulus has sites of shape {sites.shape}",
            expected=f"({stimulus.waveforms.shape[1]}, {n_regions})",
        )
    return np.ascontiguousarray(stimulus.at_steps(step, n_steps)), sites


def _initial(initial: Mapping[str, ArrayLike] | None, n_members: int, n_regions: int) -> Array:
    """Return the initial states, shape (n_members, n_regions, n_states)."""
    states = np.zeros((n_members, n_regions, len(AdExMeanField.states)))
    for name, value in {**INITIAL, **(initial or {})}.items():
        (number,) = _kept_numbers([name])
        try:
            states[:, :, number] = np.asarray(value, dtype=np.float64)
        except ValueError:
            raise ModelError(
                f"the initial {name} has the shape {np.shape(value)}",
                expected=f"a number, ({n_regions},) or ({n_members}, {n_regions})",
            ) from None
    if not np.isfinite(states).all() or (states[:, :, :2] < 0).any():
        raise ModelError(
            "an initial state is not finite, or a rate is negative", expected="finite states"
        )
    return states


def _generators(
    seed: int | np.random.Generator | None, n_members: int
) -> list[np.random.Generator]:
    if seed is None:
        raise ModelError("noise without a seed", hint="give seed=1 or a numpy Generator")
    return np.random.default_rng(seed).spawn(n_members)
