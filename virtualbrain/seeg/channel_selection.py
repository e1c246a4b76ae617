"""Match recorded channels to contacts, and collect the channels marked as bad."""

from dataclasses import dataclass

import pandas as pd

from virtualbrain.errors import InputError
from virtualbrain.io.bids import Recording
from virtualbrain.io.recordings import RecordingHeader, read_channels_table
from virtualbrain.seeg.montage import recorded_table
from virtualbrain.seeg.names import by_key, key_of, last_row, repeated
from virtualbrain.seeg.settings import SeegSettings


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
        Problems that the user must correct.
    notes : tuple of str
        Channels that were left out, with the reason.
    """

    recorded: pd.DataFrame
    bad: dict[str, str]
    problems: tuple[InputError, ...]
    notes: tuple[str, ...]


def select_channels(
    recording: Recording,
    header: RecordingHeader,
    contacts: pd.DataFrame,
    settings: SeegSettings,
) -> Selection:
    """Match a recording's channels to the contacts.

    With a channels.tsv, the channels of `settings.channel_types` are taken. Each must have a
    contact in electrodes.tsv unless its status is bad. Without a channels.tsv, the channels whose
    names match contacts are taken. Micro contacts are left out.

    Parameters
    ----------
    recording : Recording
        The recording and its tables.
    header : RecordingHeader
        Header of the recording.
    contacts : pandas.DataFrame
        Table as from `contacts.read_contacts`.
    settings : SeegSettings
        Sets the channel types.
    """
    table = read_channels_table(recording)
    if table is None:
        matched = recorded_table(header.names, contacts)
        notes = [f"{recording.signal.name}: no channels.tsv, channels matched to contacts by name"]
        return _finish(recording, contacts, matched, bad={}, problems=[], notes=notes)
    assert recording.channels is not None
    where = recording.channels.name
    problems = _repeated_channels(table, where)
    selected = table[table["type"].isin([t.upper() for t in settings.channel_types])]
    spelling = by_key(header.names)
    names, bad = [], {}
    for row, name, status in zip(selected.index, selected["name"], selected["status"], strict=True):
        in_recording = spelling.get(key_of(name))
        if in_recording is None:
            if status != "bad":
                problems.append(_not_recorded(name, f"{where}, row {row + 2}", recording))
            continue
        names.append(in_recording)
        if status == "bad":
            bad[in_recording] = _reason(selected.loc[row])
    matched = recorded_table(names, contacts)
    problems += _without_contact(matched, selected, bad, where)
    left_out = len(table) - len(selected)
    notes = [f"{recording.signal.name}: {left_out} channels of other types left out"]
    return _finish(
        recording,
        contacts,
        matched,
        bad=bad,
        problems=problems,
        notes=notes if left_out else [],
    )


def _finish(
    recording: Recording,
    contacts: pd.DataFrame,
    matched: pd.DataFrame,
    *,
    bad: dict[str, str],
    problems: list[InputError],
    notes: list[str],
) -> Selection:
    """Leave out micro contacts; a recording without any contact is a problem."""
    matched = matched.dropna(subset=["anode"])
    micro = set(contacts.loc[contacts["micro"], "name"])
    is_micro = matched["anode"].isin(micro) | matched["cathode"].isin(micro)
    if is_micro.any():
        notes = [*notes, f"{recording.signal.name}: {int(is_micro.sum())} micro contacts left out"]
    matched = matched[~is_micro].reset_index(drop=True)
    if matched.empty and not problems:
        problems = [
            InputError(
                "no channel belongs to a contact",
                where=recording.signal.name,
                expected="channels of type SEEG whose names are in electrodes.tsv",
                hint="correct the types in channels.tsv or the names in electrodes.tsv",
            )
        ]
    return Selection(matched, bad, tuple(problems), tuple(notes))


def _repeated_channels(table: pd.DataFrame, where: str) -> list[InputError]:
    names = list(table["name"])
    return [
        InputError(
            f"the channel {name} occurs twice",
            where=f"{where}, row {last_row(names, name)}",
            expected="one row per channel",
            hint="rename one of the channels, in the recording and in channels.tsv",
        )
        for name in repeated(names)
    ]


def _not_recorded(name: str, where: str, recording: Recording) -> InputError:
    return InputError(
        f"the channel {name} is not in {recording.signal.name}",
        where=where,
        expected="a channel of the recording",
        hint="correct the name, or remove the row",
    )


def _without_contact(
    matched: pd.DataFrame, selected: pd.DataFrame, bad: dict[str, str], where: str
) -> list[InputError]:
    rows = {key_of(name): row for row, name in zip(selected.index, selected["name"], strict=True)}
    return [
        InputError(
            f"the channel {name} has no contact",
            where=f"{where}, row {rows[key_of(name)] + 2}",
            expected="a row for its contact in electrodes.tsv (x, y, z n/a if unknown)",
            hint="add the contact, or set the channel's status to bad or its type to MISC",
        )
        for name, anode in zip(matched["recorded"], matched["anode"], strict=True)
        if anode is None and name not in bad
    ]


def _reason(row: pd.Series) -> str:
    """Return the reason for a bad status, with the table's description if there is one."""
    text = row.get("status_description")
    return f"marked bad ({text})" if isinstance(text, str) and text else "marked bad"
