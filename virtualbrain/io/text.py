"""Read text files of any encoding, and say which are not UTF-8."""

from collections.abc import Iterable
from pathlib import Path

_MARKS = (
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),  # after utf-32, which begins alike
    (b"\xfe\xff", "utf-16"),
)
_HEAD_BYTES = 2**20
_NULL_SHARE = 0.7
"""Smallest fraction of zeros among the high bytes of text in UTF-16 without a mark."""
_NOTED = (".tsv", ".json", ".csv", ".txt", ".bval", ".bvec")


def decode(content: bytes) -> tuple[str, str]:
    """Return the text of a file and the name of its encoding.

    UTF-16 and UTF-32 are known by their first bytes, UTF-16 without them by its zeros. Text that
    is not UTF-8 is read as Windows Latin-1, in which ASCII characters keep their meaning.

    Parameters
    ----------
    content : bytes
        Content of the file.
    """
    for mark, name in _MARKS:
        if content.startswith(mark):
            return content.decode(name, errors="replace"), name.upper()
    if (unmarked := _unmarked_utf16(content)) is not None:
        return content.decode(unmarked, errors="replace"), "UTF-16"
    for name, shown in (("utf-8-sig", "UTF-8"), ("cp1252", "Latin-1")):
        try:
            return content.decode(name), shown
        except UnicodeDecodeError:
            continue
    return content.decode("latin-1"), "Latin-1"


def _unmarked_utf16(content: bytes) -> str | None:
    """Return the encoding of text in UTF-16 that begins without a mark; None for other text."""
    head = content[:1000]
    if b"\x00" not in head or len(head) < 4:
        return None
    first, second = (half.count(0) / len(half) for half in (head[::2], head[1::2]))
    if second >= _NULL_SHARE and first == 0:
        return "utf-16-le"
    return "utf-16-be" if first >= _NULL_SHARE and second == 0 else None


def read_text(path: Path) -> str:
    """Return the text of a file of any encoding."""
    return decode(path.read_bytes())[0]


def is_single_byte(path: Path) -> bool:
    """Return whether a text file is UTF-8 or Latin-1: its ASCII characters are single bytes."""
    return decode(path.read_bytes())[1] in ("UTF-8", "Latin-1")


def encoding_notes(paths: Iterable[Path]) -> list[str]:
    """Return one note per encoding with the names of the text files that are not UTF-8.

    Looks at the first MiB of each file.

    Parameters
    ----------
    paths : iterable of Path
        Files of a patient; those that are no text are ignored.
    """
    found: dict[str, list[str]] = {}
    for path in paths:
        if path.suffix.lower() not in _NOTED or not path.is_file():
            continue
        with path.open("rb") as stream:
            head = stream.read(_HEAD_BYTES)
        # The end may cut a character.
        encoding = decode(head if len(head) < _HEAD_BYTES else head[: head.rfind(b"\n")])[1]
        if encoding != "UTF-8":
            found.setdefault(encoding, []).append(path.name)
    return [
        f"not UTF-8, read as {encoding} (check letters with accents): {', '.join(names)}"
        for encoding, names in found.items()
    ]
