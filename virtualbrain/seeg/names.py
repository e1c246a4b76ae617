"""Match names of channels and contacts that are spelt differently.

Spaces, a prefix (EEG, SEEG, POL, ...), a suffix that names the reference (-Ref, -Avg, ...),
separators before the number (``A_1``, ``A-1``) and its leading zeros are removed. All kinds of
apostrophe and hyphen are equal, and so are upper and lower case. ``A1-A2`` and ``A1-2`` are the
bipolar channel of two contacts. A reference that could be a contact (``A1-M1``) is removed by
`montage.recorded_table`, which knows the contacts.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

_SAME_MARKS = str.maketrans(dict.fromkeys("’‘`´′ʹʼ", "'") | dict.fromkeys("‐‑‒–—−", "-"))
_PREFIX = re.compile(r"^(?:s?eeg|ieeg|ecog|pol|dc)[\s_.:-]+", re.IGNORECASE)
_SUFFIX = re.compile(
    r"[\s_:/-]+(?:ref\d*|reference|avg|average|car|g2|gnd|le|re|org)$", re.IGNORECASE
)
_SEPARATOR = re.compile(r"([^\W\d_]'?)[\s_-]+(?=\d)")
_SCALP = re.compile(
    r"(?:fp|af|f|ft|fc|c|t|tp|cp|p|po|o|n|i)(?:z|\d{1,2})|[am][12]|(?:lm|rm|nose|chin|ear|ears)",
    re.IGNORECASE,
)
_CONTACT = re.compile(r"^(?P<electrode>.*?[^\d])(?P<number>\d+)$")
_PAIR = re.compile(r"^(?P<first>[^-]*\D\d+)-(?P<second>[^-]*\d+)$")


@dataclass(frozen=True)
class ChannelName:
    """The contacts of a channel; `cathode` is None for a common reference."""

    anode: str
    cathode: str | None


@lru_cache(maxsize=4096)  # every channel is compared with every contact
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
    text = name
    while (shorter := _shortened(text)) != text:  # a part removed may uncover another
        text = shorter
    return text


def _shortened(name: str) -> str:
    text = " ".join(name.translate(_SAME_MARKS).split())
    text = _SEPARATOR.sub(r"\1", _PREFIX.sub("", text))
    text = _SUFFIX.sub("", text).replace(" ", "")
    return "-".join(_without_zeros(part) for part in text.split("-"))


def is_scalp_name(name: str) -> bool:
    """Return whether a bare name is that of a scalp electrode, mastoid or ear (``CPz``, ``A1``)."""
    return _SCALP.fullmatch(name) is not None


def has_scalp_prefix(name: str) -> bool:
    """Return whether a channel's name begins with ``EEG``."""
    return name.strip().upper().startswith("EEG")


def is_scalp_channel(name: str) -> bool:
    """Return whether a channel looks like the scalp's: ``EEG`` before one or two scalp names."""
    bare = bare_name(name)
    head, _, tail = bare.rpartition("-")
    without_reference = head if is_scalp_name(tail) and head else bare
    return has_scalp_prefix(name) and is_scalp_name(without_reference)


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


def of_all(kind: str, names: Sequence[str], one: str, many: str) -> str:
    """Return a sentence on one or several names, with all of them.

    Parameters
    ----------
    kind : str
        What they are, for example ``channel``.
    names : sequence of str
        The names.
    one, many : str
        The rest of the sentence in singular and plural.

    Returns
    -------
    str
        For example ``the channel A1 has no unit``, or ``2 channels have no unit: A1, A2``.
    """
    if len(names) == 1:
        return f"the {kind} {names[0]} {one}"
    return f"{len(names)} {kind}s {many}: {', '.join(names)}"


def rows_of(rows: Sequence[int]) -> str:
    """Return row numbers as text, for example ``rows 4, 7``."""
    return f"row{'s' if len(rows) > 1 else ''} {', '.join(map(str, rows))}"


def by_key(names: Sequence[str]) -> dict[str, list[int]]:
    """Return the positions of the names by their keys."""
    found: dict[str, list[int]] = {}
    for position, name in enumerate(names):
        found.setdefault(key_of(name), []).append(position)
    return found


def tidy(name: str) -> str:
    """Return a name as written, without spaces at its ends and repeated spaces."""
    return " ".join(name.split())
