# mypy: allow-untyped-defs
# The compiler of the loops infers their types.
"""Lay out arrays in memory so that loops over regions compile to vector instructions.

Regions are padded to whole blocks of `LANES`. Within a block every variable is a run of `LANES`
numbers at a fixed offset, so the compiler can prove that no two variables overlap.
"""

import numpy as np
from numpy.typing import NDArray

from virtualbrain.models.compile import inner

LANES = 16
TILE = 256

Array = NDArray[np.float64]


@inner(forceinline=True)
def at(index):
    """Return an unsigned index; numba then skips the check for a negative one."""
    return np.uint64(index)


def n_blocks(n_regions: int) -> int:
    """Return the number of blocks that hold the regions."""
    return -(-n_regions // LANES)


def to_blocks(values: Array, padding: str = "edge") -> Array:
    """Return values in blocks.

    Parameters
    ----------
    values : numpy.ndarray, shape (n_members, n_variables, n_regions)
        Values by region.
    padding : {"edge", "constant"}
        Content of unused lanes: the values of the last region, or zero.

    Returns
    -------
    numpy.ndarray, shape (n_members, n_blocks, n_variables, LANES)
        A contiguous copy.
    """
    n_members, n_variables, n_regions = values.shape
    blocks = n_blocks(n_regions)
    spare = ((0, 0), (0, 0), (0, blocks * LANES - n_regions))
    padded = np.pad(values, spare, mode="edge" if padding == "edge" else "constant")
    split = padded.reshape(n_members, n_variables, blocks, LANES)
    return np.ascontiguousarray(split.transpose(0, 2, 1, 3))


def from_blocks(blocks: Array, n_regions: int) -> Array:
    """Undo `to_blocks`: return shape (n_members, n_variables, n_regions)."""
    n_members, _, n_variables, _ = blocks.shape
    flat = blocks.transpose(0, 2, 1, 3).reshape(n_members, n_variables, -1)
    return np.ascontiguousarray(flat[..., :n_regions])


def pack_weights(weights: Array) -> Array:
    """Return the weights in the layout of `multiply`: (n_tiles, n_padded, TILE).

    Entry (t, j, l) is the weight from region j into region t * TILE + l.
    """
    n_regions = len(weights)
    n_padded = n_blocks(n_regions) * LANES
    n_tiles = -(-n_padded // TILE)
    packed = np.zeros((n_tiles * TILE, n_padded))
    packed[:n_regions, :n_regions] = weights
    return np.ascontiguousarray(packed.reshape(n_tiles, TILE, n_padded).transpose(0, 2, 1))


@inner(fastmath={"contract"})
def multiply(packed, sent, first, received, n_rows, n_regions):
    """Fill `received` with the matrix product of `sent` and the packed weights.

    All arrays are flat. `sent`, from entry `first`, is (n_rows, n_padded); `received` is
    (n_tiles, n_rows, TILE). Padding has no weight and is left out. Each sum runs over the senders
    in the same order for any number of rows, so a member of an ensemble gets the same bits as in
    a single run.
    """
    n_padded = (n_regions + LANES - 1) // LANES * LANES
    n_tiles = (n_padded + TILE - 1) // TILE
    n_used = (n_regions + 7) // 8 * 8
    for t in range(n_tiles):
        width = min(TILE, n_used - t * TILE)
        start = t * n_rows * TILE
        for k in range(start, start + n_rows * TILE):
            received[at(k)] = 0.0
        together = n_rows - n_rows % 4
        for j in range(0, n_regions, 4):
            w = (t * n_padded + j) * TILE
            for row in range(0, together, 4):
                sender = first + row * n_padded + j
                _four_rows(packed, w, sent, sender, n_padded, received, start + row * TILE, width)
        for row in range(together, n_rows):
            for j in range(0, n_regions, 8):
                w, sender = (t * n_padded + j) * TILE, first + row * n_padded + j
                _one_row(packed, w, sent, sender, received, start + row * TILE, width)


@inner(fastmath={"contract"}, forceinline=True)
def _one_row(packed, w, sent, s, received, r, width):
    """Add the contribution of eight senders to one row."""
    a0, a1, a2, a3 = sent[at(s)], sent[at(s + 1)], sent[at(s + 2)], sent[at(s + 3)]
    a4, a5, a6, a7 = sent[at(s + 4)], sent[at(s + 5)], sent[at(s + 6)], sent[at(s + 7)]
    for lane in range(width):
        total = received[at(r + lane)]
        total = total + a0 * packed[at(w + lane)]
        total = total + a1 * packed[at(w + TILE + lane)]
        total = total + a2 * packed[at(w + 2 * TILE + lane)]
        total = total + a3 * packed[at(w + 3 * TILE + lane)]
        total = total + a4 * packed[at(w + 4 * TILE + lane)]
        total = total + a5 * packed[at(w + 5 * TILE + lane)]
        total = total + a6 * packed[at(w + 6 * TILE + lane)]
        received[at(r + lane)] = total + a7 * packed[at(w + 7 * TILE + lane)]


@inner(fastmath={"contract"}, forceinline=True)
def _four_rows(packed, w, sent, s, stride, received, r, width):
    """Add the contribution of four senders to four rows; each weight is loaded once for four."""
    a0, a1, a2, a3 = sent[at(s)], sent[at(s + 1)], sent[at(s + 2)], sent[at(s + 3)]
    s += stride
    b0, b1, b2, b3 = sent[at(s)], sent[at(s + 1)], sent[at(s + 2)], sent[at(s + 3)]
    s += stride
    c0, c1, c2, c3 = sent[at(s)], sent[at(s + 1)], sent[at(s + 2)], sent[at(s + 3)]
    s += stride
    d0, d1, d2, d3 = sent[at(s)], sent[at(s + 1)], sent[at(s + 2)], sent[at(s + 3)]
    for lane in range(width):
        w0, w1 = packed[at(w + lane)], packed[at(w + TILE + lane)]
        w2, w3 = packed[at(w + 2 * TILE + lane)], packed[at(w + 3 * TILE + lane)]
        i, j = at(r + lane), at(r + TILE + lane)
        k, m = at(r + 2 * TILE + lane), at(r + 3 * TILE + lane)
        received[i] = received[i] + a0 * w0 + a1 * w1 + a2 * w2 + a3 * w3
        received[j] = received[j] + b0 * w0 + b1 * w1 + b2 * w2 + b3 * w3
        received[k] = received[k] + c0 * w0 + c1 * w1 + c2 * w2 + c3 * w3
        received[m] = received[m] + d0 * w0 + d1 * w1 + d2 * w2 + d3 * w3
