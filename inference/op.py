"""The log likelihood of the envelopes as a PyTensor Op with its own gradient."""

from typing import Any

import numpy as np
import pytensor.tensor as pt
from pytensor.gradient import DisconnectedType, disconnected_type
from pytensor.graph.basic import Apply
from pytensor.graph.op import Op
from pytensor.link.numba.dispatch.basic import numba_njit, register_funcify_default_op_cache_key

from inference import kernels

# Number of dimensions of each input of `LogLikelihood`.
_RANKS = {
    "x0": 1, "x_init": 2, "z_init": 2, "coupling": 1, "tau0": 1, "amplitude": 0, "offset": 1,
    "noise": 0, "weights": 2, "gain": 2, "envelope": 3, "mask": 2,
}  # fmt: skip


class LogLikelihood(Op):
    """Log likelihood of the envelopes, with its gradient.

    Value and gradient are computed together by `kernels.log_likelihood`. The gradients are further
    outputs of the node; reverse-mode differentiation scales them.

    Parameters
    ----------
    options : kernels.LikelihoodOptions
        Settings of the likelihood.
    """

    __props__ = ("options",)
    N_FITTED = 8

    def __init__(self, options: kernels.LikelihoodOptions) -> None:
        self.options = options

    def make_node(self, *inputs: Any) -> Apply:
        """Take the eight fitted inputs, then weights, gain, envelope and mask."""
        checked = _as_inputs(inputs)
        gradients = [
            pt.TensorType("float64", shape=item.type.shape)() for item in checked[: self.N_FITTED]
        ]
        return Apply(self, checked, [pt.dscalar(), *gradients])

    def perform(self, node: Apply, inputs: list[Any], outputs: list[Any]) -> None:
        """Compute value and gradient."""
        arrays = [np.ascontiguousarray(i) if np.ndim(i) else float(i) for i in inputs]
        values = kernels.log_likelihood(*arrays, self.options)
        for slot, value in zip(outputs, values, strict=True):
            slot[0] = np.asarray(value)

    def pullback(self, inputs: Any, outputs: Any, cotangents: Any) -> list[Any]:
        """Scale the gradients; second derivatives are not available."""
        for bar in cotangents[1:]:
            if not isinstance(bar.type, DisconnectedType):
                raise NotImplementedError("LogLikelihood has no second derivatives")
        scaled = [cotangents[0] * gradient for gradient in outputs[1:]]
        return scaled + [disconnected_type() for _ in inputs[self.N_FITTED :]]

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        """Declare weights, gain, envelope and mask as constants."""
        n_outputs = 1 + self.N_FITTED
        fitted = [[True] * n_outputs] * self.N_FITTED
        return fitted + [[False] * n_outputs] * (len(node.inputs) - self.N_FITTED)


def _as_inputs(inputs: tuple[Any, ...]) -> list[Any]:
    """Return the inputs as float64 tensors, and check their numbers of dimensions."""
    if len(inputs) != len(_RANKS):
        raise TypeError(f"{len(inputs)} inputs, expected {len(_RANKS)}")
    tensors = [pt.as_tensor(item).astype("float64") for item in inputs]
    for tensor, (name, rank) in zip(tensors, _RANKS.items(), strict=True):
        if tensor.type.ndim != rank:
            raise TypeError(f"{name} has {tensor.type.ndim} dims, expected {rank}")
    return tensors


@register_funcify_default_op_cache_key(LogLikelihood)
def _compile_log_likelihood(op: LogLikelihood, **_: Any) -> Any:
    options = op.options

    @numba_njit
    def log_likelihood(  # type: ignore[no-untyped-def]
        x0, x_init, z_init, coupling, tau0, amplitude, offset, noise, weights, gain, envelope, mask
    ):
        bar = kernels.log_likelihood(
            np.ascontiguousarray(x0), np.ascontiguousarray(x_init), np.ascontiguousarray(z_init),
            np.ascontiguousarray(coupling), np.ascontiguousarray(tau0), amplitude.item(),
            np.ascontiguousarray(offset), noise.item(), np.ascontiguousarray(weights),
            np.ascontiguousarray(gain), np.ascontiguousarray(envelope),
            np.ascontiguousarray(mask), options,
        )  # fmt: skip
        return (
            np.asarray(bar.value), bar.x0, bar.x_init, bar.z_init, bar.coupling, bar.tau0,
            np.asarray(bar.amplitude), bar.offset, np.asarray(bar.noise),
        )  # fmt: skip

    return log_likelihood, 1
