# mypy: allow-untyped-defs
# The compiler of the loops infers their types.
"""The two-dimensional cubic Epileptor that is fitted to patients, many members at once."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from virtualbrain.errors import ModelError
from virtualbrain.models.compile import compiled, inner
from virtualbrain.models.parallel import members_within, run_chunks, usable_cores
from virtualbrain.models.simd_layout import TILE, at, multiply, pack_weights
from virtualbrain.models.stability import REST_CURRENT, critical_x0, equilibrium

__all__ = ["ReducedMembers", "ReducedRun", "critical_x0", "equilibrium", "run_reduced"]

Array = NDArray[np.float64]
_CACHE_BYTES = 512 * 1024


@dataclass(frozen=True)
class ReducedMembers:
    """What differs between the members of an ensemble of one network.

    Every array broadcasts against (n_members, n_regions).

    Parameters
    ----------
    x0 : array_like, shape (n_members, n_regions)
        Excitability.
    K : array_like, shape (n_members,)
        Global coupling, K > 0: a seizing neighbour pushes a region towards seizure.
    tau0 : array_like, shape (n_members,)
        Time-scale separation.
    x_init, z_init : array_like, shape (n_members, n_regions), optional
        Start; the equilibrium of each region alone where missing.
    present : array_like, shape (n_members, n_regions), optional
        Share of each region that is left, 0 to 1: connections become
        :math:`p_i C_{ij} p_j`. Everything where missing.
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
        First step at which x exceeds the threshold, 0 for the start; infinity where never.
    x : numpy.ndarray or None, shape (n_members, n_steps + 1, n_regions)
        Traces, the start included, where they were asked for.
    """

    onset_step: Array
    x: Array | None = None


def run_reduced(
    weights: Array,
    members: ReducedMembers,
    *,
    n_steps: int,
    dt: float,
    I1: float = REST_CURRENT,
    integrator: Literal["euler", "heun"] = "euler",
    threshold: float = 0.0,
    keep_traces: bool = False,
    memory_limit_bytes: int = 2**31,
) -> ReducedRun:
    r"""Run the fitted dynamics for every member of an ensemble.

    .. math::
        x_i' &= 1 - x_i^3 - 2 x_i^2 - z_i + I_1 \\
        z_i' &= \frac{1}{\tau_0}\Big(4 (x_i - x_{0,i}) - z_i
               - K \sum_j p_i C_{ij} p_j (x_j - x_i)\Big)

    The coupling of all members of a chunk is one matrix product per evaluation; chunks run on all
    cores. Heun evaluates the coupling at both stages. A region of which nothing is left
    (p = 0) runs on by itself: the caller drops it from the counts.

    Parameters
    ----------
    weights : numpy.ndarray, shape (n_regions, n_regions)
        Normalised weights, row i = into region i.
    members : ReducedMembers
        Parameters and starts.
    n_steps : int
        Steps taken after the start.
    dt : float
        Step, model time.
    I1 : float
        Rest current.
    integrator : {"euler", "heun"}
        The scheme, the one of the fit.
    threshold : float
        A region seizes when x exceeds it.
    keep_traces : bool
        Whether to return x over time.
    memory_limit_bytes : int
        Most memory the kept traces may take.

    Returns
    -------
    ReducedRun
        Onsets, and traces if asked for.

    Raises
    ------
    ModelError
        Shapes that do not fit, a step that diverges, or traces beyond the memory limit.
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


def _chunk_size(n_members: int, n_regions: int) -> int:
    """Return how many members share a matrix product: what fits the cache, all cores busy."""
    fitting = max(16, _CACHE_BYTES // (8 * 8 * n_regions))
    return max(1, min(fitting, -(-n_members // usable_cores())))


def _require_finite(finite: NDArray[np.bool_], dt: float) -> None:
    if not finite.all():
        raise ModelError(
            f"{np.count_nonzero(~finite)} of {finite.size} runs diverged with a step of {dt:g}",
            expected="finite states",
            hint="use a smaller step, or starts within about [-3, 2] for x",
        )


@dataclass(frozen=True)
class _Arrays:
    """The members' arrays, broadcast and contiguous."""

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
        left = wide[3]
        if not ((left >= 0) & (left <= 1)).all():
            raise ModelError("a share of a region outside 0 to 1", expected="present from 0 to 1")
        return cls(
            weights=weights,
            x0=wide[0],
            K=_broadcast(K, shape[:1], "K"),
            tau0=_broadcast(tau0, shape[:1], "tau0"),
            x_init=wide[1],
            z_init=wide[2],
            present=left,
            strength=left @ weights.T,
        )

    def of(self, part: slice) -> tuple[Array, ...]:
        """Return the arrays of a chunk of members in the order of the kernel."""
        return (
            self.x0[part], self.K[part], self.tau0[part], self.x_init[part], self.z_init[part],
            self.present[part], self.strength[part],
        )  # fmt: skip


def _broadcast(value: ArrayLike, shape: tuple[int, ...], name: str) -> Array:
    array = np.asarray(value, dtype=np.float64)
    try:
        return np.ascontiguousarray(np.broadcast_to(array, shape))
    except ValueError:
        raise ModelError(f"{name} of the shape {array.shape}", expected=f"{shape}") from None


@inner(inline="always")
def reduced_rates(x, z, x0, tau0, drive, I1):
    """Return (x', z') of one region; `drive` is K times its coupling sum."""
    return 1.0 + I1 - x * x * (x + 2.0) - z, (4.0 * (x - x0) - z - drive) / tau0


@inner(fastmath={"contract"})
def _couple(packed, x, present, strength, sent, received, sums):
    """Fill `sums` with the coupling of all members: one matrix product."""
    n_members, n_regions = x.shape
    n_padded = sent.size // n_members
    for m in range(n_members):
        for i in range(n_regions):
            sent[m * n_padded + i] = present[m, i] * x[m, i]
    multiply(packed, sent, 0, received, n_members, n_padded)
    for m in range(n_members):
        for i in range(n_regions):
            k = (i // TILE * n_members + m) * TILE + i % TILE
            sums[m, i] = present[m, i] * (received[at(k)] - strength[m, i] * x[m, i])


@inner()
def _note(x, step, threshold, onset, traces):
    """Record onsets, and the traces where they are kept."""
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
    """Run one chunk of members."""
    n_members, n_regions = x0.shape
    x, z = x_init.copy(), z_init.copy()
    x_next, z_next = np.empty_like(x), np.empty_like(x)
    sums = np.empty_like(x)
    sent = np.zeros(n_members * (packed.size // (-(-n_regions // TILE) * TILE)))
    received = np.zeros(-(-n_regions // TILE) * n_members * TILE)
    onset[:] = np.inf
    _note(x, 0, threshold, onset, traces)
    for step in range(1, n_steps + 1):
        _couple(packed, x, present, strength, sent, received, sums)
        for m in range(n_members):
            for i in range(n_regions):
                dx, dz = reduced_rates(x[m, i], z[m, i], x0[m, i], tau0[m], K[m] * sums[m, i], I1)
                x_next[m, i] = x[m, i] + dt * dx
                z_next[m, i] = z[m, i] + dt * dz
        if heun:
            _couple(packed, x_next, present, strength, sent, received, sums)
            for m in range(n_members):
                for i in range(n_regions):
                    dx, dz = reduced_rates(
                        x_next[m, i], z_next[m, i], x0[m, i], tau0[m], K[m] * sums[m, i], I1
                    )
                    # Heun's mean of both slopes, written from the Euler point.
                    x_next[m, i] = 0.5 * (x[m, i] + x_next[m, i] + dt * dx)
                    z_next[m, i] = 0.5 * (z[m, i] + z_next[m, i] + dt * dz)
        x, x_next = x_next, x
        z, z_next = z_next, z
        _note(x, step, threshold, onset, traces)
    for m in range(n_members):
        finite[m] = np.isfinite(x[m]).all() and np.isfinite(z[m]).all()
