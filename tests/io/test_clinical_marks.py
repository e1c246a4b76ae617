"""The clinicians' marks of contacts: all spellings are read, unclear cells are refused."""

import numpy as np
import pandas as pd
import pytest

from virtualbrain.io.clinical import check_clinical, hypothesis_regions
from virtualbrain.io.clinical_marks import marks_of
from virtualbrain.io.layout import PatientLayout
from virtualbrain.io.marked_regions import (
    contact_probabilities,
    marked_regions,
    resection_of_contacts,
    zone_of_contacts,
)
from virtualbrain.io.patient_search import find_patient
from virtualbrain.io.tables import read_table, write_table


def marks(tmp_path, text):
    path = tmp_path / "sub-1_channels.tsv"
    path.write_text(text)
    return marks_of(read_table(path), path)


@pytest.mark.parametrize(
    ("column", "cells"),
    [
        ("soz", ("1", "0", "1")),
        ("SOZ", ("yes", "no", "Yes")),
        ("seizure_onset_zone", ("true", "False", "TRUE")),
        ("soz", ("soz", "n/a", "soz")),
        ("soz", ("1", "n/a", "1")),
        ("status_description", ("soz", "n/a", "resect,soz")),
        ("status_description", ("SOZ; noisy", "not resected", "resected and soz")),
    ],
)
def test_every_spelling_of_the_onset_zone_is_read(tmp_path, column, cells):
    rows = "".join(f"A{i}\t{cell}\n" for i, cell in enumerate(cells, start=1))
    found = marks(tmp_path, f"name\t{column}\n{rows}")
    assert found.marked["soz"] == ("A1", "A3")
    assert found.problems == ()


@pytest.mark.parametrize(
    ("column", "cells"),
    [
        ("resected", ("1", "0")),
        ("resect", ("y", "n")),
        ("rz", ("T", "F")),
        ("Resection Zone", ("rz", "n/a")),
        ("status_description", ("resect", "n/a")),
        ("status_description", ("soz, resected", "soz")),
    ],
)
def test_every_spelling_of_the_resection_is_read(tmp_path, column, cells):
    rows = "".join(f"A{i}\t{cell}\n" for i, cell in enumerate(cells, start=1))
    assert marks(tmp_path, f"name\t{column}\n{rows}").marked["resected"] == ("A1",)


@pytest.mark.parametrize("cell", ["not resected", "close to the soz", "resection margin"])
def test_a_description_that_is_no_mark_is_noted_and_marks_nothing(tmp_path, cell):
    found = marks(tmp_path, f"name\tstatus_description\nA1\t{cell}\nA2\tnoisy\n")
    assert found.marked == {}
    assert len(found.notes) == 1
    assert f"A1 ({cell})" in found.notes[0]


@pytest.mark.parametrize(
    ("column", "cells", "words"),
    [
        ("soz", ("1", "2", "maybe"), "the column soz holds '2', 'maybe'"),
        ("rz", ("0.5", "1", "0.7"), "the column rz holds '0.5', '0.7'"),
    ],
)
def test_an_unclear_cell_is_one_line_with_its_rows(tmp_path, column, cells, words):
    rows = "".join(f"A{i}\t{cell}\n" for i, cell in enumerate(cells, start=1))
    (problem,) = marks(tmp_path, f"name\t{column}\n{rows}").problems
    assert words in str(problem)
    assert "sub-1_channels.tsv, rows" in str(problem)
    assert "\n" not in str(problem)


def test_a_column_without_any_answer_states_nothing(tmp_path):
    assert marks(tmp_path, "name\tsoz\tresected\nA1\tn/a\t0\n").marked == {"resected": ()}


def contacts(**columns):
    texts = ["a=1.00", "a=0.50;b=0.25", "b=0.90", None, "c=0.40"]
    names = [f"A{i}" for i in range(1, 6)]
    return pd.DataFrame({"name": names, "region_probabilities": texts, **columns})


def test_probabilities_are_those_of_the_grey_matter():
    table = contact_probabilities(contacts())
    np.testing.assert_allclose(
        table, [[1, 0, 0], [2 / 3, 1 / 3, 0], [0, 1, 0], [0, 0, 0], [0, 0, 1]]
    )


def test_probability_and_fraction_of_marked_regions():
    marked = contacts(soz=["no", "yes", "yes", "yes", "no"])
    table = marked_regions(marked, "soz").set_index("region")
    # Contacts A2 and A3: a with 2/3; b unless neither is in it.
    assert table.loc["a", "probability"] == pytest.approx(2 / 3)
    assert table.loc["b", "probability"] == pytest.approx(1.0)
    assert table.loc["a", "share"] == pytest.approx((2 / 3) / (5 / 3))
    assert table.loc["b", "share"] == pytest.approx(1.0)
    assert zone_of_contacts(marked)["region"].tolist() == ["b", "a"]


def test_an_unlikely_region_is_neither_zone_nor_resection():
    first = contacts(soz=["no", "yes", "no", "no", "no"], resected=["no", "yes", "no", "no", "no"])
    assert zone_of_contacts(first)["region"].tolist() == ["a"]
    assert list(resection_of_contacts(first)) == ["a"]
    assert zone_of_contacts(contacts(soz=["no", "no", "no", "yes", "no"])) is None
    assert resection_of_contacts(contacts()) == {}


def test_in_a_zone_known_by_contacts_only_its_contacts_count_as_resected():
    table = contacts(soz=["yes", "no", "no", "no", "no"], resected=["yes", "no", "no", "no", "yes"])
    plain = resection_of_contacts(table)
    of_zone = resection_of_contacts(table, ["a"])
    assert plain["a"] == pytest.approx(1 / (5 / 3))
    assert of_zone["a"] == 1.0
    assert plain["c"] == of_zone["c"] == 1.0


def test_a_resected_onset_contact_takes_every_region_that_it_may_be_in():
    table = contacts(soz=["no", "yes", "no", "no", "no"], resected=["no", "yes", "yes", "no", "no"])
    assert resection_of_contacts(table)["b"] == pytest.approx(1.0)
    unlikely = table.assign(resected=["no", "yes", "no", "no", "no"])
    assert "b" not in resection_of_contacts(unlikely)
    assert resection_of_contacts(unlikely, ["a", "b"]) == {"a": 1.0, "b": 1.0}


@pytest.fixture
def patient(tmp_path):
    layout = PatientLayout(tmp_path / "out", "1")
    write_table(layout.connectome_regions, pd.DataFrame({"name": ["a", "b", "c"]}), {})
    table = contacts(region=["a", "a", "b", None, "c"], soz=["yes", "no", "no", "no", "no"])
    write_table(layout.contacts, table, {})
    (tmp_path / "dataset_description.json").write_text("{}")
    (tmp_path / "sub-1" / "ieeg").mkdir(parents=True)
    return tmp_path, layout


def test_marked_contacts_are_the_hypothesis_unless_a_table_states_one(patient):
    root, layout = patient
    table = hypothesis_regions(find_patient(root, "1"), layout)
    assert table.to_numpy().tolist() == [["a", "EZ"]]
    clinical = root / "derivatives/clinical/sub-1"
    clinical.mkdir(parents=True)
    (clinical / "sub-1_hypothesis.tsv").write_text("region\tzone\nc\tEZ\n")
    table = hypothesis_regions(find_patient(root, "1"), layout)
    assert table.to_numpy().tolist() == [["c", "EZ"]]


@pytest.mark.parametrize("name", ["electrodes", "task-x_channels"])
def test_an_unclear_mark_is_found_at_minute_0(patient, name):
    root, _ = patient
    (root / f"sub-1/ieeg/sub-1_{name}.tsv").write_text("name\tsoz\nA1\tperhaps\n")
    (problem,) = check_clinical(find_patient(root, "1"))
    assert f"sub-1_{name}.tsv, row 2" in str(problem)


def test_channels_of_a_recording_elsewhere_are_found(patient):
    root, _ = patient
    (root / "sub-1/ieeg/sub-1_task-x_channels.tsv").write_text("name\tsoz\nA1\t1\n")
    (path,) = find_patient(root, "1").marked_tables()
    assert path.name == "sub-1_task-x_channels.tsv"
