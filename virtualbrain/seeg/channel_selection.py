"""Which recorded channels are contacts in the brain, and which of them are bad."""

from dataclasses import dataclass

import pandas as pd

from virtualbrain.errors import InputError
from virtualbrain.io.bids import Recording
from virtualbrain.io.recordings import RecordingHeader, read_channels_table
from virtualbrain.seeg.montage import recorded_table
from virtualbrain.seeg.names import by_key, key_of, repeated
from virtualbrain.seeg.settings import SeegSettings


@dataclass(frozen=True)
class Selection:
    """Recorded channels that are contacts.

    Parameters
    ----------
    recorded : pandas.DataFrame
        ``recorded anode cathode``, as `montage.recorded_table`.
    bad : dict
        Reason of each bad channel.
    problems : tuple of InputError
        What the user must mend.
    notes : tuple of str
        What was left out and why.
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

    With a channels.tsv, the channels of `settings.channel_types` are taken, and each must be
    a contact of electrodes.tsv unless its status is bad. Without one, the channels whose names
    are contacts are taken. Micro contacts are left out.

    Parameters
    ----------
    recording : Recording
        The recording and its tables.
    header : RecordingHeader
        Its header.
    contacts : pandas.DataFrame
        As `contacts.read_contacts`.
    settings : SeegSettings
        Types of channels.
    """
    table = read_channels_table(recording)
    if table is None:
        matched = recorded_table(header.names, contacts)
        notes = [f"{recording.signal.name} has no channels.tsv: its channels are taken by name"]
        return _finish(recording, matched.dropna(subset=["anode"]), {}, [], notes, contacts)
    assert recording.channels is not None
    where = recording.channels.name
    problems = _repeated(table, where)
    wanted = table[table["type"].isin([t.upper() for t in settings.channel_types])]
    in_file = by_key(header.names)
    names, bad = [], {}
    for row, name, status in zip(wanted.index, wanted["name"], wanted["status"], strict=True):
        here = in_file.get(key_of(name))
        if here is None:
            if status != "bad":
                problems.append(_not_recorded(name, f"{where}, row {row + 2}", recording))
            continue
        names.append(here)
        if status == "bad":
            bad[here] = _reason(wanted.loc[row])
    matched = recorded_table(names, contacts)
    problems += _without_contact(matched, wanted, bad, where)
    left_out = len(table) - len(wanted)
    notes = [f"{recording.signal.name}: {left_out} channels of other types left out"]
    return _finish(
        recording,
        matched.dropna(subset=["anode"]),
        bad,
        problems,
        notes if left_out else [],
        contacts,
    )


def _finish(
    recording: Recording,
    matched: pd.DataFrame,
    bad: dict[str, str],
    problems: list[InputError],
    notes: list[str],
    contacts: pd.DataFrame,
) -> Selection:
    """Leave out micro contacts, and refuse a recording without any contact."""
    micro = set(contacts.loc[contacts["micro"], "name"])
    is_micro = matched["anode"].isin(micro) | matched["cathode"].isin(micro)
    if is_micro.any():
        notes = [*notes, f"{recording.signal.name}: {int(is_micro.sum())} micro contacts left out"]
    matched = matched[~is_micro].reset_index(drop=True)
    if matched.empty and not problems:
        problems = [
            InputError(
                "no channel is a contact",
                where=recording.signal.name,
                expected="channels of type SEEG whose names stand in electrodes.tsv",
                hint="correct the types in channels.tsv or the names in electrodes.tsv",
            )
        ]
    return Selection(matched, bad, tuple(problems), tuple(notes))


def _repeated(table: pd.DataFrame, where: str) -> list[InputError]:
    names = list(table["name"])
    return [
        InputError(
            f"the channel {name} stands twice",
            where=f"{where}, row {len(names) - names[::-1].index(name) + 1}",
            expected="one row per channel",
            hint="rename the channels in the recording and in channels.tsv",
        )
        for name in repeated(names)
    ]


def _not_recorded(name: str, where: str, recording: Recording) -> InputError:
    return InputError(
        f"the channel {name} is not in {recording.signal.name}",
        where=where,
        expected="the channels of the recording",
        hint="correct the name, or remove the row",
    )


def _without_contact(
    matched: pd.DataFrame, wanted: pd.DataFrame, bad: dict[str, str], where: str
) -> list[InputError]:
    rows = {key_of(name): row for row, name in zip(wanted.index, wanted["name"], strict=True)}
    return [
        InputError(
            f"the channel {name} has no contact",
            where=f"{where}, row {rows[key_of(name)] + 2}",
            expected="its contact in electrodes.tsv (n/a where its place is unknown)",
            hint="add the contact, or set the channel's status to bad or its type to MISC",
        )
        for name, anode in zip(matched["recorded"], matched["anode"], strict=True)
        if anode is None and name not in bad
    ]


def _reason(row: pd.Series) -> str:
    """Take the reason for a bad status from the table, where it gives one."""
    text = row.get("status_description")
    return f"marked bad ({text})" if isinstance(text, str) and text else "marked bad"
