"""Marks of channels belong to contacts, whatever the spelling; they never reach the fit's input."""

import numpy as np
import pandas as pd
import pytest

from virtualbrain.seeg.clinical_marks import contact_marks, unplaced_note
from virtualbrain.seeg.contacts import contact_table, read_contacts
from virtualbrain.seeg.run import run_seeg
from virtualbrain.seeg.settings import SeegSettings


@pytest.mark.parametrize(
    ("names", "marked"),
    [
        (["EEG A 01-Ref", "EEG A 02-Ref", "EEG B 01-Ref"], {"A1", "B1"}),
        (["A1-A2", "A2-A3", "B1-B2"], {"A1", "A2", "B1", "B2"}),
    ],
)
def test_a_mark_belongs_to_the_contacts_of_its_channel(patient, tmp_path, names, marked):
    patient.channels["status_description"] = "n/a"
    files = patient.write(tmp_path)
    table = pd.DataFrame({"name": names, "type": "SEEG", "soz": [1, 0, 1]})
    files.recordings[0].channels.write_text(table.to_csv(sep="\t", index=False))
    contacts = read_contacts(files)
    found = contact_marks(files, contacts)
    assert set(contacts.loc[found.columns["soz"] == "yes", "name"]) == marked
    assert "resected" not in found.columns
    assert f"{len(marked)} contacts marked as seizure onset zone" in found.notes[0]


def test_a_marked_channel_without_contact_is_noted(patient, tmp_path):
    files = patient.write(tmp_path)
    table = pd.DataFrame({"name": ["A1", "Z9"], "type": "SEEG", "rz": ["yes", "yes"]})
    files.recordings[0].channels.write_text(table.to_csv(sep="\t", index=False))
    notes = contact_marks(files, read_contacts(files)).notes
    assert any("the channel Z9 belongs to no contact" in note for note in notes)


def test_marks_change_the_contacts_only(patient, tmp_path, regions, labels):
    settings = SeegSettings(exclude_proposed_bad=False)
    plain = run_seeg(patient.write(tmp_path / "plain"), regions, labels, None, None, settings)
    patient.channels["status_description"] = ["soz"] * 3 + ["resect"] * 2 + ["n/a"] * 11
    patient.contacts["resected"] = [0] * 15 + [1]
    marked = run_seeg(patient.write(tmp_path / "marked"), regions, labels, None, None, settings)
    assert (marked.contacts["soz"] == "yes").sum() == 3
    assert (marked.contacts["resected"] == "yes").sum() == 3
    columns = list(plain.contacts.columns)
    pd.testing.assert_frame_equal(plain.contacts, marked.contacts[columns])
    pd.testing.assert_frame_equal(plain.channels, marked.channels)
    pd.testing.assert_frame_equal(plain.gain, marked.gain)
    np.testing.assert_array_equal(plain.envelopes[0], marked.envelopes[0])


def test_marked_contacts_outside_all_regions_are_noted():
    table = contact_table(["A1", "A2"], np.zeros((2, 3))).assign(
        region_probabilities=["a=1.00", None], soz=["yes", "yes"], resected=["yes", "no"]
    )
    (note,) = unplaced_note(table)
    assert note == ("marked as seizure onset zone, but not used: the contact A2 is in no region")
