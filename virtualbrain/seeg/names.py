"""Names of channels and contacts: how two spellings of the same contact are matched.

Spaces, a prefix (EEG, SEEG, POL, ...), a suffix that names the reference (-Ref, -Avg, ...) and
zeros before the number are dropped; every kind of apostrophe is one; upper and lower case count
as the same. ``A1-A2`` and ``A1-2`` are the bipolar channel of two contacts.
"""

import re
from collections.abc import Iterable, Mapping
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
    """The contacts behind a channel's name; `cathode` is None for a common reference."""

    anode: str
    cathode: str | None


def bare_name(name: str) -> str:
    """Return a name without prefix, reference, spaces and leading zeros.

    Parameters
    ----------
    name : str
        As in the file, for example ``POL A'01-Ref``.

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
    """Return what two spellings of one contact share."""
    return bare_name(name).casefold()


def split_contact(name: str) -> tuple[str, int | None]:
    """Return a contact's electrode and its number on it (None without a number)."""
    match = _CONTACT.match(bare_name(name))
    if match is None:
        return bare_name(name), None
    return match["electrode"].rstrip("_"), int(match["number"])


def parse_channel(name: str) -> ChannelName:
    """Return the contact or the two contacts that a channel's name stands for.

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
    """Return the names that stand twice once they are spelt alike."""
    seen: set[str] = set()
    twice = []
    for name in names:
        if key_of(name) in seen:
            twice.append(name)
        seen.add(key_of(name))
    return tuple(twice)


def by_key(names: Iterable[str]) -> Mapping[str, str]:
    """Return each name under its key."""
    return {key_of(name): name for name in names}
