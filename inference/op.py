"""The fitted network as PyTensor Ops: compiled by numba, with their own reverse mode."""

from typing import Any

import numpy as np
import pytensor.tensor as pt
from pytensor.gradient import DisconnectedType, disconnected_type
from pytensor.graph.basic import Apply
from pytensor.graph.op import Op
from pytensor.link.numba.dispatch.basic import numba_njit, register_funcify_default_op_cache_key

from inference import kernels


class Trajectory(Op):
    r"""x and z of the network, ``(S, T, n)``, from x0, x(0), z(0), coupling, tau0 and weights.

    The coupling is one number per region that is coupled into, so the gradient for a common K,
    or for a connectome whose rows have scales of their own, is a sum over it.

    Parameters
    ----------
    n_steps : int
        Time steps, the start included.
    dt : float
        Model time per step.
    heun : bool
        Heun's method instead of Euler's.
    """

    __props__ = ("n_steps", "dt", "heun")

    def __init__(self, n_steps: int, dt: float = 0.1, heun: bool = False) -> None:
        self.n_steps, self.dt, self.heun = n_steps, dt, heun

    def make_node(self, *inputs: Any) -> Apply:
        """Take x0 (n), x_init (S, n), z_init (S, n), coupling (n), tau0 (S), weights (n, n)."""
        checked = _as_inputs(inputs, (1, 2, 2, 1, 1, 2))
        n_seizures, n = checked[2].type.shape
        kind = pt.TensorType("float64", shape=(n_seizures, self.n_steps, n))
        return Apply(self, checked, [kind(), kind()])

    def perform(self, node: Apply, inputs: list[Any], outputs: list[Any]) -> None:
        """Integrate."""
        x0, x_init, z_init, coupling, tau0, weights = (np.ascontiguousarray(i) for i in inputs)
        outputs[0][0], outputs[1][0] = kernels.sweep(
            x0, x_init, z_init, coupling, tau0, weights, self.n_steps, self.dt, int(self.heun)
        )

    def pullback(self, inputs: Any, outputs: Any, cotangents: Any) -> list[Any]:
        """Return the cotangents of the inputs; none flows into the weights."""
        bars = [
            pt.zeros_like(out) if isinstance(bar.type, DisconnectedType) else bar
            for out, bar in zip(outputs, cotangents, strict=True)
        ]
        x0, _, _, coupling, tau0, weights = inputs
        adjoint = TrajectoryAdjoint(self.dt, self.heun)
        return [*adjoint(*outputs, *bars, x0, coupling, tau0, weights), disconnected_type()]

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        """Say that the weights are constants."""
        return [[True, True]] * 5 + [[False, False]]


class TrajectoryAdjoint(Op):
    """Cotangents of x0, x(0), z(0), coupling and tau0 from those of a `Trajectory`."""

    __props__ = ("dt", "heun")

    def __init__(self, dt: float, heun: bool) -> None:
        self.dt, self.heun = dt, heun

    def make_node(self, *inputs: Any) -> Apply:
        """Take x, z, their cotangents, x0, coupling, tau0 and weights."""
        checked = _as_inputs(inputs, (3, 3, 3, 3, 1, 1, 1, 2))
        vector, matrix, taus = (
            pt.TensorType("float64", shape=shape) for shape in ((None,), (None, None), (None,))
        )
        return Apply(self, checked, [vector(), matrix(), matrix(), vector(), taus()])

    def perform(self, node: Apply, inputs: list[Any], outputs: list[Any]) -> None:
        """Sweep backwards."""
        arrays = [np.ascontiguousarray(i) for i in inputs]
        values = kernels.sweep_adjoint(*arrays, self.dt, int(self.heun))
        for slot, value in zip(outputs, values, strict=True):
            slot[0] = value


class LogLikelihood(Op):
    """Log likelihood of the envelopes, fused with its gradient.

    Sweep, observation, residuals and their adjoint run once for value and gradient together:
    the gradients are further outputs of the same node, and the reverse mode only scales them.
    """

    __props__ = ()

    N_FITTED = 8

    def make_node(self, *inputs: Any) -> Apply:
        """Take the arguments of `kernels.log_likelihood` in its order."""
        checked = _as_inputs(inputs, (1, 2, 2, 1, 1, 0, 1, 0, 2, 2, 3, 2, 1))
        gradients = [
            pt.TensorType("float64", shape=item.type.shape)() for item in checked[: self.N_FITTED]
        ]
        return Apply(self, checked, [pt.dscalar(), *gradients])

    def perform(self, node: Apply, inputs: list[Any], outputs: list[Any]) -> None:
        """Compute value and gradient."""
        arrays = [np.ascontiguousarray(i) if np.ndim(i) else float(i) for i in inputs]
        for slot, value in zip(outputs, kernels.log_likelihood(*arrays), strict=True):
            slot[0] = np.asarray(value)

    def pullback(self, inputs: Any, outputs: Any, cotangents: Any) -> list[Any]:
        """Scale the gradients; second derivatives are not offered."""
        for bar in cotangents[1:]:
            if not isinstance(bar.type, DisconnectedType):
                raise NotImplementedError("LogLikelihood has no second derivatives")
        scaled = [cotangents[0] * gradient for gradient in outputs[1:]]
        return scaled + [disconnected_type() for _ in inputs[self.N_FITTED :]]

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        """Say that connectome, gain, data and options are constants."""
        n_outputs = 1 + self.N_FITTED
        fitted = [[True] * n_outputs] * self.N_FITTED
        return fitted + [[False] * n_outputs] * (len(node.inputs) - self.N_FITTED)


def _as_inputs(inputs: tuple[Any, ...], ranks: tuple[int, ...]) -> list[Any]:
    """Return float64 tensors of the stated ranks."""
    if len(inputs) != len(ranks):
        raise TypeError(f"{len(inputs)} inputs, expected {len(ranks)}")
    tensors = [pt.as_tensor(item).astype("float64") for item in inputs]
    for position, (tensor, rank) in enumerate(zip(tensors, ranks, strict=True)):
        if tensor.type.ndim != rank:
            raise TypeError(f"input {position} has {tensor.type.ndim} dims, expected {rank}")
    return tensors


@register_funcify_default_op_cache_key(Trajectory)
def _compile_trajectory(op: Trajectory, **_: Any) -> Any:
    n_steps, dt, heun = op.n_steps, op.dt, int(op.heun)

    @numba_njit
    def trajectory(x0, x_init, z_init, coupling, tau0, weights):  # type: ignore[no-untyped-def]
        return kernels.sweep(
            np.ascontiguousarray(x0), np.ascontiguousarray(x_init), np.ascontiguousarray(z_init),
            np.ascontiguousarray(coupling), np.ascontiguousarray(tau0),
            np.ascontiguousarray(weights), n_steps, dt, heun,
        )  # fmt: skip

    return trajectory, 1


@register_funcify_default_op_cache_key(TrajectoryAdjoint)
def _compile_trajectory_adjoint(op: TrajectoryAdjoint, **_: Any) -> Any:
    dt, heun = op.dt, int(op.heun)

    @numba_njit
    def trajectory_adjoint(x, z, bar_x, bar_z, x0, coupling, tau0, weights):  # type: ignore[no-untyped-def]
        return kernels.sweep_adjoint(
            np.ascontiguousarray(x), np.ascontiguousarray(z), np.ascontiguousarray(bar_x),
            np.ascontiguousarray(bar_z), np.ascontiguousarray(x0), np.ascontiguousarray(coupling),
            np.ascontiguousarray(tau0), np.ascontiguousarray(weights), dt, heun,
        )  # fmt: skip

    return trajectory_adjoint, 1


@register_funcify_default_op_cache_key(LogLikelihood)
def _compile_log_likelihood(op: LogLikelihood, **_: Any) -> Any:
    @numba_njit
    def log_likelihood(  # type: ignore[no-untyped-def]
        x0, x_init, z_init, coupling, tau0, amplitude, offset, noise, weights, gain, envelope,
        mask, options,
    ):  # fmt: skip
        value, b0, bx, bz, bk, bt, ba, bo, bn = kernels.log_likelihood(
            np.ascontiguousarray(x0), np.ascontiguousarray(x_init), np.ascontiguousarray(z_init),
            np.ascontiguousarray(coupling), np.ascontiguousarray(tau0), amplitude.item(),
            np.ascontiguousarray(offset), noise.item(), np.ascontiguousarray(weights),
            np.ascontiguousarray(gain), np.ascontiguousarray(envelope),
            np.ascontiguousarray(mask), np.ascontiguousarray(options),
        )  # fmt: skip
        return np.asarray(value), b0, bx, bz, bk, bt, np.asarray(ba), bo, np.asarray(bn)

    return log_likelihood, 1
