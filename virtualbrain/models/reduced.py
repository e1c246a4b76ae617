# mypy: allow-untyped-defs
# The compiler of the loops infers their types.
"""Simulate ensembles of the two-dimensional Epileptor that is fitted to patients."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from virtualbrain.errors import ModelError
from virtualbrain.models.compile import compiled, inner
from virtualbrain.models.parallel import members_within, run_chunks, usable_cores
from virtualbrain.models.reduced_physics import (
    REST_CURRENT,
    SEIZING_X_2D,
    equilibrium,
    fast_rate,
    slow_drift,
)
from virtualbrain.models.simd_layout import TILE, at, multiply, pack_weights

Array = NDArray[np.float64]
_CACHE_BYTES = 512 * 1024

_fast_rate = inner(inline="always")(fast_rate)
_slow_drift = inner(inline="always")(slow_drift)


@dataclass(frozen=True)
class ReducedMembers:
    """Parameters and initial states of the members of an ensemble on one network.

    Every array broadcasts against (n_members, n_regions).

    Parameters
    ----------
    x0 : array_like, shape (n_members, n_regions)
        Excitability.
    K : array_like, shape (n_members,)
        Global coupling, K > 0: a seizing neighbour pushes a region towards seizure.
    tau0 : array_like, shape (n_members,)
        Time scale of the slow variable.
    x_init, z_init : array_like, shape (n_members, n_regions), optional
        Initial states; by default the equilibrium of each region without coupling.
    present : array_like, shape (n_members, n_regions), optional
        Fraction of each region that remains, 0 to 1: connections become
        :math:`p_i C_{ij} p_j`. 1 by default.
    """

    x0: ArrayLike
    K: ArrayLike
    tau0: ArrayLike
    x_init: ArrayLike | None = None
    z_init: ArrayLike | None = None
    present: ArrayLike | None = None


@dataclass(frozen=True)
class ReducedRun:
    """Result of `run_reduced`.

    Parameters
    ----------
    onset_step : numpy.ndarray, shape (n_members, n_regions)
        First step at which x exceeds the threshold, 0 for the initial state; infinite if never.
    x : numpy.ndarray or None, shape (n_members, n_steps + 1, n_regions)
        Traces, initial state included, if requested.
    """

    onset_step: Array
    x: Array | None = None

    @property
    def traces(self) -> Array:
        """The traces of a run that kept them."""
        if self.x is None:
            raise RuntimeError("a run without keep_traces has no traces")
        return self.x


def run_reduced(
    weights: Array,
    members: ReducedMembers,
    *,
    n_steps: int,
    dt: float,
    I1: float = REST_CURRENT,
    integrator: Literal["euler", "heun"] = "euler",
    threshold: float = SEIZING_X_2D,
    keep_traces: bool = False,
    memory_limit_bytes: int = 2**31,
) -> ReducedRun:
    r"""Simulate the fitted model for every member of an ensemble.

    .. math::
        x_i' &= 1 - x_i^3 - 2 x_i^2 - z_i + I_1 \\
        z_i' &= \frac{1}{\tau_0}\Big(4 (x_i - x_{0,i}) - z_i
               - K \sum_j p_i C_{ij} p_j (x_j - x_i)\Big)

    The coupling of all members of a chunk is one matrix product per evaluation; chunks run on all
    cores. Heun's method evaluates the coupling at both stages. A region that is removed (p = 0) is
    simulated without connections: the caller has to exclude it.

    Parameters
    ----------
    weights : numpy.ndarray, shape (n_regions, n_regions)
        Normalised weights, row i = into region i.
    members : ReducedMembers
        Parameters and initial states.
    n_steps : int
        Number of steps.
    dt : float
        Step in model time.
    I1 : float
        Rest current.
    integrator : {"euler", "heun"}
        Integration method; the one of the fit.
    threshold : float
        A region seizes when x exceeds it.
    keep_traces : bool
        Return x over time.
    memory_limit_bytes : int
        Limit of memory for the traces.

    Returns
    -------
    ReducedRun
        Onsets, and traces if requested.

    Raises
    ------
    ModelError
        Shapes do not match, a run diverges, or the traces exceed the memory limit.
    """
    arrays = _Arrays.from_members(weights, members, I1)
    n_members, n_regions = arrays.x0.shape
    if keep_traces:
        per_member = 8 * (n_steps + 1) * n_regions
        if members_within(memory_limit_bytes, per_member, "member's trace") < n_members:
            raise ModelError(
                f"the traces of {n_members} members need {n_members * per_member / 2**20:.0f} MiB",
                expected=f"at most {memory_limit_bytes / 2**20:.0f} MiB",
                hint="run fewer members at a time, or raise memory_limit_bytes",
            )
    onset = np.empty((n_members, n_regions))
    traces = np.empty((n_members if keep_traces else 0, n_steps + 1, n_regions))
    finite = np.ones(n_members, dtype=np.bool_)
    packed = pack_weights(arrays.weights).ravel()

    def work(part: slice) -> None:
        kept = traces[part] if keep_traces else traces
        _integrate(
            packed, *arrays.of(part), n_steps, dt, I1, integrator == "heun", threshold,
            onset[part], kept, finite[part],
        )  # fmt: skip

    run_chunks(work, n_members, _chunk_size(n_members, n_regions))
    _require_finite(finite, dt)
    return ReducedRun(onset_step=onset, x=traces if keep_traces else None)


def first_step_with_input(
    received: Array,
    strength: Array,
    members: ReducedMembers,
    *,
    dt: float,
    I1: float = REST_CURRENT,
    threshold: float = SEIZING_X_2D,
) -> Array:
    r"""Return when a region seizes, given what it receives from the others over time.

    The equations are those of `run_reduced`, with :math:`\sum_j C_{ij} x_j(t)` known; Euler's
    method. Member m is one region of one network.

    Parameters
    ----------
    received : numpy.ndarray, shape (n_members, n_steps)
        :math:`\sum_j C_{ij} x_j` before each step.
    strength : numpy.ndarray, shape (n_members,)
        :math:`\sum_j C_{ij}`.
    members : ReducedMembers
        Parameters and initial states, none left out, one region each: x0, x_init and z_init of
        the shape (n_members,).
    dt : float
        Step in model time.
    I1 : float
        Rest current.
    threshold : float
        The region seizes when x exceeds it.

    Returns
    -------
    numpy.ndarray, shape (n_members,)
        First step at which x exceeds the threshold, 0 for the initial state; infinite if never.

    Raises
    ------
    ModelError
        Shapes do not match, or an initial state is left out.
    """
    if members.x_init is None or members.z_init is None:
        raise ModelError("no initial states", expected="x_init and z_init of every region")
    shape = (len(received),)
    values = [
        _broadcast(value, shape, name)
        for value, name in (
            (members.x0, "x0"),
            (members.K, "K"),
            (members.tau0, "tau0"),
            (members.x_init, "x_init"),
            (members.z_init, "z_init"),
        )
    ]
    onset = np.empty(shape)
    _integrate_driven(received, strength, *values, dt, I1, threshold, onset)
    return onset


def _chunk_size(n_members: int, n_regions: int) -> int:
    """Return the number of members per matrix product: they fit the cache and use all cores."""
    fitting = max(16, _CACHE_BYTES // (8 * 8 * n_regions))
    return max(1, min(fitting, -(-n_members // usable_cores())))


def _require_finite(finite: NDArray[np.bool_], dt: float) -> None:
    if not finite.all():
        raise ModelError(
            f"{np.count_nonzero(~finite)} of {finite.size} runs diverged with a step of {dt:g}",
            expected="finite states",
            hint="use a smaller step, or initial x between -3 and 2",
        )


@dataclass(frozen=True)
class _Arrays:
    """Arrays of all members, broadcast and contiguous."""

    weights: Array
    x0: Array
    K: Array
    tau0: Array
    x_init: Array
    z_init: Array
    present: Array
    strength: Array

    @classmethod
    def from_members(cls, weights: Array, members: ReducedMembers, I1: float) -> "_Arrays":
        weights = np.array(weights, dtype=np.float64)
        if weights.ndim != 2 or weights.shape[0] != weights.shape[1]:
            raise ModelError(f"weights of the shape {weights.shape}", expected="a square matrix")
        np.fill_diagonal(weights, 0.0)
        x0 = np.atleast_2d(np.asarray(members.x0, dtype=np.float64))
        K, tau0 = (
            np.atleast_1d(np.asarray(v, dtype=np.float64)) for v in (members.K, members.tau0)
        )
        shape = (max(len(x0), len(K), len(tau0)), len(weights))
        x_rest, z_rest = equilibrium(x0, I1)
        present = np.ones(()) if members.present is None else members.present
        wide = [
            _broadcast(value, shape, name)
            for value, name in (
                (x0, "x0"),
                (x_rest if members.x_init is None else members.x_init, "x_init"),
                (z_rest if members.z_init is None else members.z_init, "z_init"),
                (present, "present"),
            )
        ]
        remaining = wide[3]
        if not ((remaining >= 0) & (remaining <= 1)).all():
            raise ModelError("present has values outside 0 to 1", expected="fractions from 0 to 1")
        return cls(
            weights=weights,
            x0=wide[0],
            K=_broadcast(K, shape[:1], "K"),
            tau0=_broadcast(tau0, shape[:1], "tau0"),
            x_init=wide[1],
            z_init=wide[2],
            present=remaining,
            strength=remaining @ weights.T,
        )

    def of(self, part: slice) -> tuple[Array, ...]:
        """Return the arrays of a chunk of members, in the order of `_integrate`."""
        return (
            self.x0[part], self.K[part], self.tau0[part], self.x_init[part], self.z_init[part],
            self.present[part], self.strength[part],
        )  # fmt: skip


def _broadcast(value: ArrayLike, shape: tuple[int, ...], name: str) -> Array:
    array = np.asarray(value, dtype=np.float64)
    try:
        # A copy, because compiled code has another type for a view that cannot be written.
        return np.array(np.broadcast_to(array, shape), order="C")
    except ValueError:
        raise ModelError(f"{name} of the shape {array.shape}", expected=f"{shape}") from None


@inner(inline="always")
def _rates(x, z, x0, tau0, drive, I1):
    """Return (x', z') of one region; `drive` is K times its coupling sum."""
    return _fast_rate(x, z, I1), _slow_drift(x, z, x0, drive) / tau0


@inner(fastmath={"contract"})
def _couple(packed, x, present, strength, sent, received, sums):
    """Write the coupling sums of all members to `sums`, by one matrix product."""
    n_members, n_regions = x.shape
    n_padded = sent.size // n_members
    for m in range(n_members):
        for i in range(n_regions):
            sent[m * n_padded + i] = present[m, i] * x[m, i]
    multiply(packed, sent, 0, received, n_members, n_regions)
    for m in range(n_members):
        for i in range(n_regions):
            k = (i // TILE * n_members + m) * TILE + i % TILE
            sums[m, i] = present[m, i] * (received[at(k)] - strength[m, i] * x[m, i])


@inner()
def _record(x, step, threshold, onset, traces):
    """Record onsets, and traces if requested."""
    n_members, n_regions = x.shape
    for m in range(n_members):
        for i in range(n_regions):
            if x[m, i] > threshold:
                onset[m, i] = min(onset[m, i], step)
    if traces.shape[0] > 0:
        for m in range(n_members):
            for i in range(n_regions):
                traces[m, step, i] = x[m, i]


@compiled()
def _integrate(
    packed, x0, K, tau0, x_init, z_init, present, strength,
    n_steps, dt, I1, heun, threshold, onset, traces, finite,
):  # fmt: skip
    """Simulate one chunk of members."""
    n_members, n_regions = x0.shape
    x, z = x_init.copy(), z_init.copy()
    x_next, z_next = np.empty_like(x), np.empty_like(x)
    sums = np.empty_like(x)
    sent = np.zeros(n_members * (packed.size // (-(-n_regions // TILE) * TILE)))
    received = np.zeros(-(-n_regions // TILE) * n_members * TILE)
    onset[:] = np.inf
    _record(x, 0, threshold, onset, traces)
    for step in range(1, n_steps + 1):
        _couple(packed, x, present, strength, sent, received, sums)
        for m in range(n_members):
            for i in range(n_regions):
                dx, dz = _rates(x[m, i], z[m, i], x0[m, i], tau0[m], K[m] * sums[m, i], I1)
                x_next[m, i] = x[m, i] + dt * dx
                z_next[m, i] = z[m, i] + dt * dz
        if heun:
            _couple(packed, x_next, present, strength, sent, received, sums)
            for m in range(n_members):
                for i in range(n_regions):
                    dx, dz = _rates(
                        x_next[m, i], z_next[m, i], x0[m, i], tau0[m], K[m] * sums[m, i], I1
                    )
                    # Mean of both slopes, computed from the Euler step.
                    x_next[m, i] = 0.5 * (x[m, i] + x_next[m, i] + dt * dx)
                    z_next[m, i] = 0.5 * (z[m, i] + z_next[m, i] + dt * dz)
        x, x_next = x_next, x
        z, z_next = z_next, z
        _record(x, step, threshold, onset, traces)
    for m in range(n_members):
        finite[m] = np.isfinite(x[m]).all() and np.isfinite(z[m]).all()


@compiled(allocates=False)
def _integrate_driven(received, strength, x0, K, tau0, x_init, z_init, dt, I1, threshold, onset):
    """Simulate one region per member until it seizes."""
    for m in range(len(received)):
        x, z = x_init[m], z_init[m]
        onset[m] = 0.0 if x > threshold else np.inf
        for step in range(received.shape[1]):
            if onset[m] <= step:
                break
            drive = K[m] * (received[m, step] - strength[m] * x)
            dx, dz = _rates(x, z, x0[m], tau0[m], drive, I1)
            x, z = x + dt * dx, z + dt * dz
            if x > threshold:
                onset[m] = step + 1.0
