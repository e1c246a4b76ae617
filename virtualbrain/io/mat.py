"""Check sizes and types in a MATLAB file before scipy trusts them.

The elements of a cell or struct array take 8 bytes or more each in the file. A damaged size would
otherwise make scipy create millions of empty elements, and a damaged type ends the process. Source:
MathWorks, MAT-File Format, level 5.
"""

import math
import mmap
import struct
import zlib
from contextlib import suppress
from pathlib import Path

from virtualbrain.errors import InputError

_HEADER_BYTES, _TAG_BYTES = 128, 8
_MATRIX, _COMPRESSED = 14, 15
_TYPES = frozenset((*range(1, 8), 9, *range(12, 19)))
_CELL, _STRUCT, _OBJECT, _LAST_NUMBERS = 1, 2, 3, 15
_DIMENSION_BYTES = 4
_PEEK_BYTES = 2**26  # of a compressed variable, as much is read
_LARGEST_RATIO = 1032  # of zlib

type Buffer = bytes | mmap.mmap


class _UnsoundError(Exception):
    """A size that the file cannot contain, an unknown type, or fewer than two dimensions."""


def require_sound_mat(path: Path) -> None:
    """Reject a MATLAB file of level 5 with an array that does not fit into it or an unknown type.

    Other files are not judged.

    Raises
    ------
    InputError
        An array states more elements than the file can contain, or a type is unknown.
    """
    if path.stat().st_size <= _HEADER_BYTES:
        return
    try:
        with (
            path.open("rb") as stream,
            mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content,
        ):
            order = {b"IM": "<", b"MI": ">"}.get(content[126:128])
            if order is not None:
                _check_elements(content, _HEADER_BYTES, len(content), order, 1)
    except (_UnsoundError, struct.error, zlib.error, RecursionError):
        raise InputError(
            "the file is damaged: an array has an unknown type, or more elements than the file",
            where=path.name,
            expected="a complete MATLAB file",
            hint="copy or save the file again",
        ) from None


def _check_elements(content: Buffer, at: int, end: int, order: str, ratio: int) -> None:
    """Check the elements between two places; `ratio` is that of the bytes that are not read."""
    while at + _TAG_BYTES <= end:
        kind, size = struct.unpack_from(f"{order}II", content, at)
        if (kind & 0xFFFF if kind >> 16 else kind) not in _TYPES:
            raise _UnsoundError
        if kind >> 16:  # data of four bytes or less are in the tag
            at += _TAG_BYTES
            continue
        first = at + _TAG_BYTES
        if first + size > end:
            raise _UnsoundError
        if kind == _COMPRESSED:
            raw = content[first : min(first + size, end)]
            part = zlib.decompressobj().decompress(raw, _PEEK_BYTES)
            with suppress(*([_UnsoundError, struct.error] if len(part) == _PEEK_BYTES else [])):
                _check_elements(part, 0, len(part), order, _LARGEST_RATIO)
        elif kind == _MATRIX and size:
            _check_matrix(content, first, min(first + size, end), order, ratio)
        at = first + size + (0 if kind == _COMPRESSED else -size % 8)


def _check_matrix(content: Buffer, at: int, end: int, order: str, ratio: int) -> None:
    """Check the elements of an array, and that a cell or struct array fits between two places."""
    (flags,) = struct.unpack_from(f"{order}I", content, at + _TAG_BYTES)
    kind = flags & 0xFF
    if not _CELL <= kind <= _LAST_NUMBERS:
        return
    shape, at = _sub_element(content, at + 2 * _TAG_BYTES, order)
    if len(shape) < 2 * _DIMENSION_BYTES:
        raise _UnsoundError
    dimensions = struct.unpack(f"{order}{len(shape) // 4}i", shape[: len(shape) & ~3])
    count = math.prod(dimensions)
    _, at = _sub_element(content, at, order)  # name
    if kind == _OBJECT:
        _, at = _sub_element(content, at, order)  # class
    if kind in (_STRUCT, _OBJECT):
        width, at = _sub_element(content, at, order)
        names, at = _sub_element(content, at, order)
        longest = max(struct.unpack(f"{order}i", width[:4])[0], 1)
        count *= max(len(names) // longest, 1)
    if kind <= _OBJECT and count * _TAG_BYTES > max(end - at, 0) * ratio:
        raise _UnsoundError
    _check_elements(content, at, end, order, ratio)


def _sub_element(content: Buffer, at: int, order: str) -> tuple[bytes, int]:
    """Return the data of an element, and the place after it."""
    kind, size = struct.unpack_from(f"{order}II", content, at)
    if kind >> 16:
        return content[at + 4 : at + 4 + min(kind >> 16, 4)], at + _TAG_BYTES
    first = at + _TAG_BYTES
    if first + size > len(content):
        raise _UnsoundError
    return content[first : first + size], first + size + -size % 8
