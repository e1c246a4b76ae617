"""Form the channels of a montage as weighted sums of recorded channels."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from virtualbrain.errors import InputError
from virtualbrain.seeg.names import (
    bare_name,
    by_key,
    is_scalp_name,
    key_of,
    parse_channel,
    split_contact,
    tidy,
)
from virtualbrain.seeg.settings import Montage

_FEWEST_COMMON = 3
_COMMON_SHARE = 0.8

Row = dict[str, str | None]


@dataclass(frozen=True)
class Channel:
    """One channel of the montage.

    Parameters
    ----------
    name, anode : str
        Name in the montage, and first contact.
    cathode : str, optional
        Second contact; None for a common reference.
    electrode : str
        Electrode of the anode; channels of one electrode are read together.
    recorded : dict
        Weight of each recorded channel, keyed by its name in the file or by its contacts.
    contacts : dict
        Weight of each contact in the channel's potential.
    status, reason : str
        ``good`` or ``bad``, and the reason.
    """

    name: str
    anode: str
    cathode: str | None
    electrode: str
    recorded: dict[str, float]
    contacts: dict[str, float]
    status: str
    reason: str


def recorded_table(names: Sequence[str], contacts: pd.DataFrame) -> pd.DataFrame:
    """Match recorded channels to contacts.

    A contact's exact name is preferred to other spellings. The last part of a name is a reference
    and no contact if nearly all channels share it, or if it is a scalp electrode (``A1-CPz``).

    Parameters
    ----------
    names : sequence of str
        Recorded channels, spelt as in the file.
    contacts : pandas.DataFrame
        Table as from `contacts.read_contacts`.

    Returns
    -------
    pandas.DataFrame
        ``recorded anode cathode``: contacts by their bare names; None if a channel belongs to
        no contact.
    """
    find = _finder(contacts)
    references = _common_references(names)
    rows = [(name, *_match(name, find, references)) for name in names]
    return pd.DataFrame(rows, columns=["recorded", "anode", "cathode"], dtype=object)


def _finder(contacts: pd.DataFrame) -> Callable[[str], str | None]:
    """Return a function from a name to a contact.

    It looks for the exact name, then for the name without prefix and reference, then for a name
    that differs in upper and lower case only.
    """
    names = [str(name) for name in contacts["name"]]
    written = [str(name) for name in contacts["written"]]
    exact = dict(zip([*names, *written], [*names, *names], strict=True))
    bare = dict(zip(map(bare_name, reversed(written)), reversed(names), strict=True))
    spelt = {key: names[places[0]] for key, places in by_key(names).items()}
    return lambda name: (
        exact.get(tidy(name)) or bare.get(bare_name(name)) or spelt.get(key_of(name))
    )


def _match(
    name: str, find: Callable[[str], str | None], references: set[str]
) -> tuple[str | None, str | None]:
    """Return anode and cathode of a channel; None for both if it belongs to no contact."""
    if (direct := find(name)) is not None:
        return direct, None
    head, _, tail = bare_name(name).rpartition("-")
    if tail.casefold() in references:
        return find(head), None
    parsed = parse_channel(name)
    anode = find(parsed.anode)
    cathode = None if parsed.cathode is None else find(parsed.cathode)
    if anode is not None and (parsed.cathode is None or cathode is not None):
        return anode, cathode
    # `C3-C4` is a pair although C4 has no coordinates; `A3-CPz` has a reference on the scalp.
    if is_scalp_name(tail) and split_contact(tail)[0] != split_contact(head)[0]:
        return find(head), None
    return None, None


def _common_references(names: Sequence[str]) -> set[str]:
    """Return the last part of the names if nearly all channels share it (``A1-X9``, ``B1-X9``)."""
    tails = [bare_name(name).rpartition("-")[2].casefold() for name in names if "-" in name]
    tails = [tail for tail in tails if not tail.isdigit()]
    counts = Counter(tails)
    return {
        tail
        for tail, count in counts.items()
        if count >= _FEWEST_COMMON and count >= _COMMON_SHARE * len(tails)
    }


def contact_labels(recorded: pd.DataFrame) -> dict[str, str]:
    """Return the contact or pair of contacts of each recorded channel, ``A1`` or ``A1-A2``."""
    return {
        str(row["recorded"]): "-".join(str(row[k]) for k in ("anode", "cathode") if row[k])
        for row in recorded.to_dict("records")
    }


def build_montage(
    recorded: pd.DataFrame, bad: dict[str, str], kind: Montage
) -> tuple[Channel, ...]:
    """Return the channels of a montage.

    Channels that were recorded as bipolar channels are kept, unless both contacts were recorded
    too. New bipolar channels are the difference of the contacts n and n + 1 of an electrode; a
    missing contact is not bridged. A
    channel is bad if one of its contacts is bad. Bad contacts do not enter an electrode's mean.

    Parameters
    ----------
    recorded : pandas.DataFrame
        Table as from `recorded_table`, without rows that have no contact.
    bad : dict
        Reason, keyed by the name of the bad channel in the file.
    kind : {"bipolar", "shaft-average", "monopolar"}
        The montage.

    Raises
    ------
    InputError
        No channel can be formed (an electrode average of bipolar channels, or no two
        neighbouring contacts).
    """
    rows: list[Row] = [{str(k): v for k, v in row.items()} for row in recorded.to_dict("records")]
    single = [row for row in rows if row["cathode"] is None]
    paired = [row for row in rows if row["cathode"] is not None]
    channels = [_as_recorded(row, bad) for row in paired]
    if kind == "bipolar":
        channels = _without_repetition([*_bipolar(single, bad), *channels])
    elif kind == "monopolar":
        channels += [_as_recorded(row, bad) for row in single]
    else:
        channels += _shaft_average(single, bad)
    if not channels:
        raise InputError(
            f"no channel can be formed for the montage {kind}",
            where="seeg.montage",
            expected="contacts numbered along their electrodes, such as A1, A2",
            hint="set seeg.montage: monopolar, or correct the names of the contacts",
        )
    return tuple(sorted(channels, key=_order))


def _without_repetition(channels: Sequence[Channel]) -> list[Channel]:
    """Return one channel per pair of contacts: the first that is good, or else the first."""
    chosen: dict[frozenset[str], Channel] = {}
    for channel in sorted(channels, key=lambda c: c.status != "good"):
        chosen.setdefault(frozenset(channel.contacts), channel)
    return list(chosen.values())


def _order(channel: Channel) -> tuple[str, int]:
    electrode, number = split_contact(channel.anode)
    return electrode, -1 if number is None else number


def _as_recorded(row: Row, bad: dict[str, str]) -> Channel:
    """Return one channel as it was recorded."""
    recorded, anode, cathode = str(row["recorded"]), str(row["anode"]), row["cathode"]
    contacts = {anode: 1.0} if cathode is None else {anode: 1.0, cathode: -1.0}
    return _channel(anode, cathode, {recorded: 1.0}, contacts, bad)


def _bipolar(rows: list[Row], bad: dict[str, str]) -> list[Channel]:
    """Return the differences of neighbouring contacts on each electrode."""
    at = {split_contact(str(row["anode"])): row for row in rows}
    channels = []
    for (electrode, number), row in at.items():
        other = at.get((electrode, number + 1)) if number is not None else None
        if other is None:
            continue
        anode, cathode = str(row["anode"]), str(other["anode"])
        weights = {str(row["recorded"]): 1.0, str(other["recorded"]): -1.0}
        channels.append(_channel(anode, cathode, weights, {anode: 1.0, cathode: -1.0}, bad))
    return channels


def _shaft_average(rows: list[Row], bad: dict[str, str]) -> list[Channel]:
    """Return each contact minus the mean of its electrode's good contacts."""
    shafts: dict[str, list[Row]] = {}
    for row in rows:
        shafts.setdefault(split_contact(str(row["anode"]))[0], []).append(row)
    channels = []
    for shaft in shafts.values():
        good = [row for row in shaft if row["recorded"] not in bad]
        if len(good) < 2:
            continue
        for row in shaft:
            weights = {str(r["recorded"]): -1.0 / len(good) for r in good}
            contacts = {str(r["anode"]): -1.0 / len(good) for r in good}
            weights[str(row["recorded"])] = weights.get(str(row["recorded"]), 0.0) + 1.0
            contacts[str(row["anode"])] = contacts.get(str(row["anode"]), 0.0) + 1.0
            channels.append(_channel(str(row["anode"]), None, weights, contacts, bad))
    return channels


def _channel(
    anode: str,
    cathode: str | None,
    recorded: dict[str, float],
    contacts: dict[str, float],
    bad: dict[str, str],
) -> Channel:
    """Return a channel with its name and status."""
    electrode, _ = split_contact(anode)
    reasons = [f"{name}: {bad[name]}" for name in recorded if name in bad]
    return Channel(
        name=anode if cathode is None else f"{anode}-{cathode}",
        anode=anode,
        cathode=cathode,
        electrode=electrode,
        recorded=recorded,
        contacts=contacts,
        status="bad" if reasons else "good",
        reason="; ".join(reasons),
    )


def weight_matrix(rows: Sequence[dict[str, float]], names: Sequence[str]) -> NDArray[np.float64]:
    """Return the weights as a matrix, channels by `names`."""
    position = {name: j for j, name in enumerate(names)}
    matrix = np.zeros((len(rows), len(names)))
    for i, weights in enumerate(rows):
        for name, weight in weights.items():
            matrix[i, position[name]] = weight
    return matrix
