"""Match the clinicians' marks to contacts."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from virtualbrain.io.bids import PatientFiles
from virtualbrain.io.clinical_marks import KINDS, WORDS_OF_KIND, Kind, TableMarks, read_marks
from virtualbrain.io.marked_regions import YES, is_marked
from virtualbrain.seeg.montage import recorded_table
from virtualbrain.seeg.names import of_all


@dataclass(frozen=True)
class ContactMarks:
    """Marks of the contacts.

    Parameters
    ----------
    columns : pandas.DataFrame
        ``yes`` or ``no`` for each kind that a table states, in the order of the contacts.
    notes : tuple of str
        What was read, from which table, and what cannot be used.
    """

    columns: pd.DataFrame
    notes: tuple[str, ...] = ()


def contact_marks(files: PatientFiles, contacts: pd.DataFrame) -> ContactMarks:
    """Return the clinicians' marks of the contacts.

    A contact is marked if any table marks it. A bipolar channel marks both of its contacts.

    Parameters
    ----------
    files : PatientFiles
        The patient's files.
    contacts : pandas.DataFrame
        Table as from `contacts.read_contacts`.
    """
    tables = read_marks(files)
    notes = [note for table in tables for note in table.notes]
    columns = {}
    for kind in KINDS:
        stated = [table for table in tables if kind in table.marked]
        if not stated:
            continue
        marked, lost = _matched(stated, kind, contacts)
        columns[kind] = [YES if name in marked else "no" for name in contacts["name"]]
        notes += _notes(stated, kind, marked, lost, files)
    return ContactMarks(pd.DataFrame(columns, index=contacts.index), tuple(notes))


def _matched(
    tables: Sequence[TableMarks], kind: Kind, contacts: pd.DataFrame
) -> tuple[set[str], list[str]]:
    """Return the marked contacts, and the marked names that belong to no contact."""
    marked: set[str] = set()
    lost: list[str] = []
    for table in tables:
        rows = recorded_table(table.marked[kind], contacts)
        for name, anode, cathode in rows.itertuples(index=False):
            marked |= {end for end in (anode, cathode) if end is not None}
            lost += [] if anode is not None else [name]
    return marked, list(dict.fromkeys(lost))


def _notes(
    tables: Sequence[TableMarks],
    kind: Kind,
    marked: set[str],
    lost: Sequence[str],
    files: PatientFiles,
) -> list[str]:
    words, names = WORDS_OF_KIND[kind], ", ".join(table.path.name for table in tables)
    notes = [f"{names}: {len(marked)} contacts marked as {words}"]
    if lost:
        sentence = of_all("channel", lost, "belongs to no contact", "belong to no contact")
        notes.append(f"{names}: marked as {words}, but not used: {sentence}")
    given = files.hypothesis if kind == "soz" else files.resected
    if given is not None and marked:
        notes.append(f"{given.name} is used; the contacts marked as {words} are not")
    return notes


def unplaced_note(contacts: pd.DataFrame) -> list[str]:
    """Return a note on marked contacts that are in no region.

    Parameters
    ----------
    contacts : pandas.DataFrame
        Contacts with ``region_probabilities`` and their marks.
    """
    notes = []
    for kind in KINDS:
        chosen = contacts[is_marked(contacts, kind)]
        outside = [str(name) for name in chosen.loc[chosen["region_probabilities"].isna(), "name"]]
        if outside:
            sentence = of_all("contact", outside, "is in no region", "are in no region")
            notes.append(f"marked as {WORDS_OF_KIND[kind]}, but not used: {sentence}")
    return notes
