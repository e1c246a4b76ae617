# mypy: allow-untyped-defs, allow-untyped-calls
# The compiler of the loops infers their types.
"""A barrier for compiled threads: each waits until all have arrived at the same point.

Every thread writes the number of its last barrier to its own cache line. Waiting threads read the
lines of the others, and give way to other processes if that takes long.
"""

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numpy.typing import NDArray

from virtualbrain.models.compile import inner

_LINE = 8  # numbers in a cache line
_PATIENCE = 4096  # reads before a waiting thread gives way

_give_way = types.ExternalFunction("sched_yield", types.int32())


def arrivals(n_threads: int) -> NDArray[np.int64]:
    """Return the shared memory of a barrier for `n_threads` threads."""
    return np.zeros(n_threads * _LINE, dtype=np.int64)


@inner()
def wait_for_all(arrived, n_threads, thread, number):
    """Announce barrier `number`, above zero and rising, and wait for all other threads."""
    if n_threads == 1:
        return
    _publish(arrived, thread * _LINE, number)
    for other in range(n_threads):
        reads = 0
        while _read(arrived, other * _LINE) < number:
            reads += 1
            if reads > _PATIENCE:
                _give_way()


def _pointer(context, builder, array_type, array, index):
    """Return the address of an element of a contiguous array."""
    data = context.make_array(array_type)(context, builder, array)
    return cgutils.gep_inbounds(builder, data.data, index)


@intrinsic
def _read(typing_context, array, index):
    """Read an element after everything that another thread wrote before it published it."""

    def generate(context, builder, signature, arguments):
        address = _pointer(context, builder, signature.args[0], *arguments)
        return builder.load_atomic(address, "acquire", 8, typ=ir.IntType(64))

    return types.int64(types.Array(types.int64, 1, "C"), types.intp), generate


@intrinsic
def _publish(typing_context, array, index, value):
    """Write an element after everything that this thread has written before."""

    def generate(context, builder, signature, arguments):
        place, where, content = arguments
        address = _pointer(context, builder, signature.args[0], place, where)
        builder.store_atomic(content, address, "release", 8)
        return context.get_dummy_value()

    return types.void(types.Array(types.int64, 1, "C"), types.intp, types.int64), generate
