"""Tests of reading clinical tables; errors state the row."""

import pandas as pd
import pytest

from virtualbrain.errors import InputError
from virtualbrain.io.clinical import (
    eloquent_regions,
    hypothesis_regions,
    read_eloquent,
    read_hypothesis,
    require_known,
)
from virtualbrain.io.layout import PatientLayout
from virtualbrain.io.patient_search import find_patient
from virtualbrain.io.tables import write_table


def write(path, text):
    path.write_text(text)
    return path


@pytest.mark.parametrize("column", ["region", "contact"])
def test_a_hypothesis_may_name_regions_or_contacts(tmp_path, column):
    path = write(tmp_path / "h.tsv", f"{column}\tzone\tsource\nA'1\tez\tSEEG\nb\tPZ\tn/a\n")
    table = read_hypothesis(path)
    assert table["name"].tolist() == ["A'1", "b"]
    assert table["zone"].tolist() == ["EZ", "PZ"]
    assert table["source"].tolist() == ["SEEG", ""]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("region\tzone\na\tmaybe\n", "row 2: unknown zone 'maybe'; expected EZ or PZ"),
        ("where\tzone\na\tEZ\n", "no column region or contact"),
        ("region,zone\na,EZ\n", "tabs"),
    ],
)
def test_a_wrong_hypothesis_is_refused(tmp_path, text, words):
    with pytest.raises(InputError) as caught:
        read_hypothesis(write(tmp_path / "h.tsv", text))
    assert words in str(caught.value)


def test_eloquent_regions_are_read(tmp_path):
    table = read_eloquent(write(tmp_path / "e.tsv", "region\tfunction\na\tspeech\n"))
    assert table.iloc[0].tolist() == ["a", "speech"]


def test_an_unknown_name_is_reported_with_its_row(tmp_path):
    with pytest.raises(InputError, match=r"h\.tsv, row 3: unknown region b"):
        require_known(pd.Series(["a", "b"]), {"a"}, tmp_path / "h.tsv", "region")


@pytest.fixture
def patient(tmp_path):
    layout = PatientLayout(tmp_path / "out", "1")
    about: dict = {}
    regions = pd.DataFrame({"name": ["a", "b", "c"]})
    write_table(layout.connectome_regions, regions, about)
    contacts = pd.DataFrame({"name": ["A'1", "A'2"], "region": ["b", None]})
    write_table(layout.contacts, contacts, about)
    for name in ("dataset_description.json", "sub-1/x"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("{}")
    clinical = tmp_path / "derivatives/clinical/sub-1"
    clinical.mkdir(parents=True)
    return tmp_path, clinical, layout


def test_a_contact_is_replaced_by_its_region(patient):
    root, clinical, layout = patient
    write(clinical / "sub-1_hypothesis.tsv", "region\tzone\nA'1\tEZ\nb\tPZ\nc\tPZ\n")
    table = hypothesis_regions(find_patient(root, "1"), layout)
    assert table is not None
    assert table.to_numpy().tolist() == [["b", "EZ"], ["c", "PZ"]]


@pytest.mark.parametrize(
    ("name", "words"), [("A'2", "row 2: the contact A'2 is in no region"), ("d", "unknown")]
)
def test_a_hypothesis_outside_all_regions_is_refused(patient, name, words):
    root, clinical, layout = patient
    write(clinical / "sub-1_hypothesis.tsv", f"region\tzone\n{name}\tEZ\n")
    with pytest.raises(InputError, match=words):
        hypothesis_regions(find_patient(root, "1"), layout)


def test_unknown_eloquent_regions_are_refused(patient):
    root, clinical, layout = patient
    assert eloquent_regions(find_patient(root, "1"), layout) == ()
    write(clinical / "sub-1_eloquent.tsv", "region\tfunction\na\tspeech\n")
    assert eloquent_regions(find_patient(root, "1"), layout) == (("a", "speech"),)
    write(clinical / "sub-1_eloquent.tsv", "region\tfunction\nz\tspeech\n")
    with pytest.raises(InputError, match="unknown region z"):
        eloquent_regions(find_patient(root, "1"), layout)
