"""Match names of channels and contacts that are spelt differently.

Spaces, a prefix (EEG, SEEG, POL, ...), a suffix that names the reference (-Ref, -Avg, ...) and
leading zeros of the number are removed. All kinds of apostrophe are equal, and so are upper and
lower case. ``A1-A2`` and ``A1-2`` are the bipolar channel of two contacts.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

_APOSTROPHES = str.maketrans(dict.fromkeys("’‘`´′ʹʼ", "'"))
_PREFIX = re.compile(r"^(?:s?eeg|ieeg|ecog|pol|dc)[\s_.:-]+", re.IGNORECASE)
_SUFFIX = re.compile(
    r"[\s_-]+(?:ref\d*|reference|avg|average|car|g2|gnd|le|re|org)$", re.IGNORECASE
)
_CONTACT = re.compile(r"^(?P<electrode>.*?[^\d])(?P<number>\d+)$")
_PAIR = re.compile(r"^(?P<first>[^-]*\D\d+)-(?P<second>[^-]*\d+)$")


@dataclass(frozen=True)
class ChannelName:
    """The contacts of a channel; `cathode` is None for a common reference."""

    anode: str
    cathode: str | None


def bare_name(name: str) -> str:
    """Return a name without prefix, reference, spaces and leading zeros.

    Parameters
    ----------
    name : str
        Name in the file, for example ``POL A'01-Ref``.

    Returns
    -------
    str
        For example ``A'1``. Case is kept.
    """
    text = " ".join(name.translate(_APOSTROPHES).split())
    text = _SUFFIX.sub("", _PREFIX.sub("", text)).replace(" ", "")
    return "-".join(_without_zeros(part) for part in text.split("-"))


def _without_zeros(part: str) -> str:
    return re.sub(r"(?<!\d)0+(?=\d+$)", "", part)


def key_of(name: str) -> str:
    """Return the key that is equal for all spellings of one contact."""
    return bare_name(name).casefold()


def split_contact(name: str) -> tuple[str, int | None]:
    """Return a contact's electrode and its number on it (None without a number)."""
    match = _CONTACT.match(bare_name(name))
    if match is None:
        return bare_name(name), None
    return match["electrode"].rstrip("_"), int(match["number"])


def parse_channel(name: str) -> ChannelName:
    """Return the contact, or the two contacts, of a channel's name.

    Parameters
    ----------
    name : str
        ``A1``, ``A1-A2`` or ``A1-2``, with or without prefix.
    """
    bare = bare_name(name)
    match = _PAIR.match(bare)
    if match is None:
        return ChannelName(bare, None)
    second = match["second"]
    if second.isdigit():
        second = split_contact(match["first"])[0] + second
    return ChannelName(match["first"], second)


def repeated(names: Iterable[str]) -> tuple[str, ...]:
    """Return the names that occur again, in any spelling."""
    known: set[str] = set()
    duplicates = []
    for name in names:
        if key_of(name) in known:
            duplicates.append(name)
        known.add(key_of(name))
    return tuple(duplicates)


def last_row(names: Sequence[str], name: str) -> int:
    """Return the row of the last occurrence of a name in a table whose header is row 1."""
    return len(names) - names[::-1].index(name) + 1


def by_key(names: Iterable[str]) -> Mapping[str, str]:
    """Return the names by their keys."""
    return {key_of(name): name for name in names}
