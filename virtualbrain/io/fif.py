"""Check the chain of tags of a FIF file, which MNE would follow forever if it has a loop."""

import struct
from pathlib import Path

from virtualbrain.errors import InputError

_TAG = struct.Struct(">iIii")  # kind, type, size of the data, place of the next tag
_MOST_TAGS = 1_000_000


def require_tags_in_order(path: Path) -> None:
    """Reject a FIF file whose tags do not follow one another.

    Raises
    ------
    InputError
        A tag points to itself or to an earlier tag, or there are more than a million.
    """
    place = 0
    with path.open("rb") as stream:
        for _ in range(_MOST_TAGS):
            stream.seek(place)
            header = stream.read(_TAG.size)
            if len(header) < _TAG.size:
                return
            _, _, size, stated = _TAG.unpack(header)
            if stated < 0:
                return
            following = stated or place + _TAG.size + size
            if following <= place:
                break
            place = following
    raise InputError(
        f"the recording is damaged at byte {place}",
        where=path.name,
        expected="a FIF file whose tags follow one another",
        hint="check that the file was copied completely",
    )
