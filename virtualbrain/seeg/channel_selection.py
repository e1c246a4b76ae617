"""Match recorded channels to contacts, and collect the channels marked as bad."""

from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from virtualbrain.errors import InputError
from virtualbrain.io.bids import Recording
from virtualbrain.io.recordings import (
    RecordingHeader,
    read_channels_table,
    read_signal,
    volts_per_unit,
)
from virtualbrain.seeg.contacts import REPEATED
from virtualbrain.seeg.montage import recorded_table
from virtualbrain.seeg.names import (
    bare_name,
    has_scalp_prefix,
    is_scalp_channel,
    key_of,
    of_all,
    rows_of,
    tidy,
)
from virtualbrain.seeg.settings import SeegSettings

_SLOW_HZ = 200.0
"""A few channels slower than this are left out beside faster ones."""

Signal = NDArray[np.float64]


@dataclass(frozen=True)
class Selection:
    """Recorded channels that belong to contacts.

    Parameters
    ----------
    recorded : pandas.DataFrame
        Table ``recorded anode cathode`` as from `montage.recorded_table`.
    bad : dict
        Reason, keyed by bad channel.
    problems : tuple of InputError
        Problems that the user must correct, one of a kind.
    notes : tuple of str
        Channels that were left out, with the reason.
    rate_hz : float
        Sampling rate at which the channels are read.
    volts : dict
        Volts per unit of channels whose unit is stated in channels.tsv only.
    """

    recorded: pd.DataFrame
    bad: dict[str, str]
    problems: tuple[InputError, ...]
    notes: tuple[str, ...]
    rate_hz: float
    volts: dict[str, float]

    def read(
        self, recording: Recording, names: Sequence[str], start_s: float, stop_s: float
    ) -> tuple[Signal, Signal]:
        """Read channels in volts at the common rate; see `recordings.read_signal`."""
        signal, times_s = read_signal(recording.signal, names, start_s, stop_s, self.rate_hz)
        return signal * np.array([self.volts.get(name, 1.0) for name in names])[:, None], times_s


@dataclass
class _Draft:
    """A selection in the making: chosen channels by name in the file."""

    names: list[str] = field(default_factory=list)
    bad: dict[str, str] = field(default_factory=dict)
    units: dict[str, str] = field(default_factory=dict)
    problems: list[InputError] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def good(self, matched: pd.DataFrame) -> list[str]:
        """Return the matched channels that are not bad."""
        return [name for name in matched["recorded"] if name not in self.bad]


def select_channels(
    recording: Recording,
    header: RecordingHeader,
    contacts: pd.DataFrame,
    settings: SeegSettings,
) -> Selection:
    """Match a recording's channels to the contacts.

    With a channels.tsv, the channels of `settings.channel_types` are taken; without one, the
    channels whose names match contacts. An exact name is preferred to other spellings. Channels
    without coordinates and micro contacts are left out.

    Parameters
    ----------
    recording : Recording
        The recording and its tables.
    header : RecordingHeader
        Header of the recording.
    contacts : pandas.DataFrame
        Table as from `contacts.read_contacts`.
    settings : SeegSettings
        Sets the channel types, and the smallest fraction of channels with coordinates.
    """
    draft = _Draft()
    where = _choose(draft, recording, header, settings)
    matched = recorded_table(draft.names, contacts)
    if recording.channels is not None:
        _require_coordinates(draft, matched, contacts, where, settings)
    matched = matched.dropna(subset=["anode"])
    if recording.channels is None:
        matched = _without_scalp(draft, matched)
    matched = _without_micro(draft, matched, contacts)
    matched = _one_channel_per_contact(draft, matched, contacts, where)
    _require_distinct(draft, matched, header, contacts)
    rate_hz = _common_rate(draft, matched, header)
    volts = _volts(draft, matched, header)
    if matched.empty and not draft.problems:
        draft.problems.append(
            InputError(
                "no channel belongs to a contact",
                where=recording.signal.name,
                expected="channels of type SEEG whose names are in electrodes.tsv",
                hint="correct the types in channels.tsv or the names in electrodes.tsv",
            )
        )
    return Selection(
        recorded=matched.reset_index(drop=True),
        bad=draft.bad,
        problems=tuple(draft.problems),
        notes=tuple(f"{recording.signal.name}: {note}" for note in draft.notes),
        rate_hz=rate_hz,
        volts=volts,
    )


def _choose(
    draft: _Draft, recording: Recording, header: RecordingHeader, settings: SeegSettings
) -> str:
    """Choose the channels, by channels.tsv or all; return the file to name in messages."""
    table = read_channels_table(recording)
    if table is None or recording.channels is None:
        draft.names += dict.fromkeys(header.names)
        draft.notes.append("no channels.tsv, channels matched to contacts by name")
        return recording.signal.name
    where = recording.channels.name
    is_used = table["type"].isin([kind.upper() for kind in settings.channel_types])
    claimed = {tidy(name) for name in table["name"]} & {tidy(name) for name in header.names}
    missing, repeated, unclear = [], [], []
    exact = {tidy(name): name for name in reversed(header.names)}
    for position, cells in enumerate(table.to_dict("records")):
        if not is_used.iloc[position]:
            continue
        name, is_bad = str(cells["name"]), cells["status"] == "bad"
        if cells["status"] not in ("good", "bad"):
            unclear.append((f"{name} ({cells['status']})", position + 2))
        found = exact.get(tidy(name)) or _spelt_otherwise(name, header.names, claimed)
        if found is None:
            missing += [] if is_bad else [(name, position + 2)]
        elif found in draft.names:
            repeated.append((name, position + 2))
        else:
            draft.names.append(found)
            draft.units[found] = str(cells.get("units", ""))
            if is_bad:
                draft.bad[found] = _reason(cells)
    if unclear:
        draft.problems.append(_unclear_status(unclear, where))
    if missing:
        draft.problems.append(_not_recorded(missing, where, recording))
    if repeated:
        draft.problems.append(_repeated_rows(repeated, where))
    if not is_used.all():
        draft.notes.append(f"{int((~is_used).sum())} channels of other types left out")
    return where


def _spelt_otherwise(name: str, recorded: Sequence[str], claimed: Collection[str]) -> str | None:
    """Return the recorded channel of a row whose exact name was not recorded.

    Channels that other rows name exactly (`claimed`) are theirs; scalp channels come last.
    """
    spelt = [one for one in recorded if key_of(one) == key_of(name)]
    spelt = [one for one in spelt if tidy(one) not in claimed] or spelt
    return min(
        spelt,
        key=lambda one: (is_scalp_channel(one), bare_name(one) != bare_name(name)),
        default=None,
    )


def _not_recorded(
    missing: Sequence[tuple[str, int]], where: str, recording: Recording
) -> InputError:
    names, rows = [name for name, _ in missing], [row for _, row in missing]
    file = recording.signal.name
    return InputError(
        of_all("channel", names, f"is not in {file}", f"are not in {file}"),
        where=f"{where}, {rows_of(rows)}",
        expected="channels of the recording",
        hint="correct the names, or remove the rows",
    )


def _unclear_status(unclear: Sequence[tuple[str, int]], where: str) -> InputError:
    names, rows = [name for name, _ in unclear], [row for _, row in unclear]
    has, have = "has a status that is", "have a status that is"
    return InputError(
        of_all("channel", names, f"{has} neither good nor bad", f"{have} neither good nor bad"),
        where=f"{where}, {rows_of(rows)}",
        expected="good or bad in the column status",
        hint="write bad for channels that must not be used, and the reason in status_description",
    )


def _repeated_rows(repeated: Sequence[tuple[str, int]], where: str) -> InputError:
    names, rows = [name for name, _ in repeated], [row for _, row in repeated]
    return InputError(
        of_all("channel", names, "occurs twice", "occur twice"),
        where=f"{where}, {rows_of(rows)}",
        expected="one row for each channel that is used",
        hint="remove the rows, or rename the channels in the recording and in channels.tsv",
    )


def _require_coordinates(
    draft: _Draft,
    matched: pd.DataFrame,
    contacts: pd.DataFrame,
    where: str,
    settings: SeegSettings,
) -> None:
    """Note the good channels without coordinates; it is a problem if too many have none."""
    known = contacts[["x", "y", "z"]].notna().all(axis=1)
    if not known.any():
        return  # reported with the contacts
    located = set(contacts.loc[known, "name"])
    good = matched[~matched["recorded"].isin(draft.bad)]
    has_cathode = good["cathode"].isna() | good["cathode"].isin(located)
    has_place = good["anode"].isin(located) & has_cathode
    names = [str(name) for name in good.loc[~has_place, "recorded"]]
    if not names:
        return
    sentence = of_all("channel", names, "has no coordinates", "have no coordinates")
    if has_place.mean() >= settings.located_share_min and has_place.any():
        draft.notes.append(f"left out: {sentence}")
        return
    draft.problems.append(
        InputError(
            f"only {int(has_place.sum())} of {len(good)} good channels have coordinates; "
            f"{sentence}",
            where=where,
            expected=f"coordinates of {settings.located_share_min:.0%} of the good channels",
            hint="add the contacts to electrodes.tsv, correct the names, set the status of the "
            "channels to bad, or lower seeg.located_share_min",
        )
    )


def _without_scalp(draft: _Draft, matched: pd.DataFrame) -> pd.DataFrame:
    """Leave out channels that look like the scalp's, if the prefixes of the file distinguish them.

    A depth electrode may be called A, C, F, O, P or T, like electrodes of the scalp.
    """
    names = [str(name) for name in matched["recorded"]]
    scalp = [name for name in names if is_scalp_channel(name)]
    if not scalp or all(has_scalp_prefix(name) for name in names):
        return matched
    draft.notes.append(
        f"left out, because the names look like the scalp's and other channels have no EEG before "
        f"their names: {', '.join(scalp)}"
    )
    return matched[~matched["recorded"].isin(scalp)]


def _without_micro(draft: _Draft, matched: pd.DataFrame, contacts: pd.DataFrame) -> pd.DataFrame:
    """Leave out micro contacts."""
    micro = set(contacts.loc[contacts["micro"], "name"])
    is_micro = matched["anode"].isin(micro) | matched["cathode"].isin(micro)
    if is_micro.any():
        draft.notes.append(f"{int(is_micro.sum())} micro contacts left out")
    return matched[~is_micro]


def _one_channel_per_contact(
    draft: _Draft, matched: pd.DataFrame, contacts: pd.DataFrame, where: str
) -> pd.DataFrame:
    """Keep one channel of those that record the same contact or pair of contacts.

    Preferred are channels that are not bad, then the exact name of the contact, then channels
    that do not look like the scalp's. If several remain, the user must choose.
    """
    written = set(contacts["written"]) | set(contacts["name"])
    groups: dict[frozenset[str], list[str]] = {}
    for row in matched.to_dict("records"):
        pair = frozenset(str(row[k]) for k in ("anode", "cathode") if row[k] is not None)
        groups.setdefault(pair, []).append(str(row["recorded"]))
    dropped: list[str] = []
    unclear: list[str] = []
    for pair, names in groups.items():
        if len(names) < 2:
            continue
        chosen = _preferred(names, draft.bad, written)
        if len(chosen) > 1:
            unclear.append(f"{'-'.join(sorted(pair))} ({', '.join(chosen)})")
        dropped += [name for name in names if name not in chosen[:1]]
    if unclear:
        draft.problems.append(
            InputError(
                of_all("contact", unclear, "has several channels", "have several channels"),
                where=where,
                expected="one channel of a contact, or channels.tsv with the types of all channels",
                hint="set the type of the other channels in channels.tsv to EEG or MISC",
            )
        )
    elif dropped:
        draft.notes.append(
            f"left out, because other channels match their contacts better: {', '.join(dropped)}"
        )
    return matched[~matched["recorded"].isin(dropped)]


def _preferred(names: Sequence[str], bad: dict[str, str], written: Collection[str]) -> list[str]:
    """Return the channels that remain after each rule that distinguishes them."""
    chosen = [name for name in names if name not in bad] or list(names)
    chosen = [name for name in chosen if tidy(name) in written] or chosen
    return [name for name in chosen if not is_scalp_channel(name)] or chosen


def _require_distinct(
    draft: _Draft, matched: pd.DataFrame, header: RecordingHeader, contacts: pd.DataFrame
) -> None:
    """Report used channels whose name is repeated in the recording or among the contacts."""
    good = draft.good(matched)
    repeated = [name for name in good if header.names.count(name) > 1]
    if repeated:
        draft.problems.append(
            InputError(
                of_all("channel", repeated, "occurs twice", "occur twice"),
                where=header.path.name,
                expected="one name for each channel that is used",
                hint="rename the channels, in the recording and in channels.tsv",
            )
        )
    rows = matched[matched["recorded"].isin(good)]
    used = set(rows["anode"]) | set(rows["cathode"].dropna())
    keys = set(contacts.loc[contacts["name"].isin(used) & (contacts["shared"] != ""), "shared"])
    groups = [contacts[contacts["shared"] == key] for key in sorted(keys)]
    unclear = [group for group in groups if not _are_distinct(group, header.names)]
    if unclear:
        names = [str(group["written"].iloc[-1]) for group in unclear]
        draft.problems.append(
            InputError(
                of_all("contact", names, "occurs twice", "occur twice"),
                where=f"electrodes.tsv, {rows_of([int(group['row'].max()) for group in unclear])}",
                expected="one row per contact (A1, A01 and POL A1 are the same contact)",
                hint="remove or rename one of the rows",
            )
        )


def _are_distinct(group: pd.DataFrame, recorded: Sequence[str]) -> bool:
    """Return whether the recording has a channel of its own for each of several contacts.

    Their names as written must be recorded, or at least be different without prefix and reference
    (``A1`` and ``a1``).
    """
    if group["shared"].str.contains(REPEATED).any():
        return False
    written = [str(name) for name in group["written"]]
    bare = {bare_name(name) for name in written}
    return set(written) <= {tidy(name) for name in recorded} or (
        len(bare) == len(written) and bare <= {bare_name(name) for name in recorded}
    )


def _common_rate(draft: _Draft, matched: pd.DataFrame, header: RecordingHeader) -> float:
    """Return the sampling rate at which the channels are read, the lowest of the good channels.

    A minority of slow channels (less than 200 Hz) is marked as bad.
    """
    rates = dict(zip(header.names, header.rates_hz, strict=True))
    good = draft.good(matched)
    slow = [name for name in good if rates[name] < _SLOW_HZ]
    if 0 < len(slow) < len(good) / 2:
        sentence = of_all("channel", slow, "is sampled", "are sampled")
        draft.notes.append(f"left out: {sentence} below {_SLOW_HZ:g} Hz")
        draft.bad |= {name: f"sampled at {rates[name]:g} Hz" for name in slow}
        good = draft.good(matched)
    found = {rates[name] for name in good}
    if len(found) > 1:
        texts = ", ".join(f"{rate:g}" for rate in sorted(found))
        draft.notes.append(f"channels of {texts} Hz resampled to {min(found):g} Hz")
    return min(found, default=header.rate_hz)


def _volts(draft: _Draft, matched: pd.DataFrame, header: RecordingHeader) -> dict[str, float]:
    """Return volts per unit where only channels.tsv states a voltage; report unknown units."""
    volts: dict[str, float] = {}
    unknown: list[str] = []
    for name in draft.good(matched):
        if volts_per_unit(header.units.get(name, "V")) is not None:
            continue
        stated = volts_per_unit(draft.units.get(name, ""))
        if stated is None:
            unknown.append(name)
        else:
            volts[name] = stated
    if volts:
        draft.notes.append(
            f"unit of {len(volts)} channels from channels.tsv (in the file: "
            f"{_listed_units(header, list(volts))})"
        )
    if unknown:
        units = _listed_units(header, unknown)
        draft.problems.append(
            InputError(
                of_all("channel", unknown, f"has the unit {units}", f"have the unit {units}"),
                where=header.path.name,
                expected="V, mV, µV or nV",
                hint="state the unit in the column units of channels.tsv, or export the recording "
                "again",
            )
        )
    return volts


def _listed_units(header: RecordingHeader, names: Sequence[str]) -> str:
    return ", ".join(dict.fromkeys(repr(header.units[name]) for name in names))


def _reason(row: Mapping[Hashable, Any]) -> str:
    """Return the reason for a bad status, with the table's description if there is one."""
    text = row.get("status_description")
    return f"marked bad ({text})" if isinstance(text, str) and text else "marked bad"
