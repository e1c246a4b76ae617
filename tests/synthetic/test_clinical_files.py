"""Clinical tables of the demo patient."""

import pandas as pd
import pytest

from virtualbrain.io.clinical import read_eloquent, read_hypothesis, read_plans
from virtualbrain.synthetic.clinical_files import PLAN, clinical_tables, write_clinical
from virtualbrain.synthetic.points import atlas_head

REGIONS = tuple(str(name) for name in atlas_head()[0]["name"])
CONTACTS = pd.DataFrame(
    {
        "name": ["A1", "A2", "B1", "C1"],
        "region": ["ctx-rh-insula", "n/a", "Right-Hippocampus", "ctx-rh-insula"],
    }
)


@pytest.fixture
def tables():
    onsets = pd.DataFrame({"anode": ["A2", "B1", "A1", "C1"], "onset_s": [0.5, 3.0, 1.0, None]})
    return clinical_tables(CONTACTS, onsets, REGIONS)


def test_the_clinic_reads_the_tables(tables, tmp_path):
    write_clinical(tmp_path, "01", tables)
    folder = tmp_path / "derivatives" / "clinical" / "sub-01"
    hypothesis = read_hypothesis(folder / "sub-01_hypothesis.tsv")
    assert dict(zip(hypothesis["name"], hypothesis["zone"], strict=True)) == {
        "ctx-rh-insula": "EZ",
        "Right-Hippocampus": "PZ",
    }
    (plan,) = read_plans(folder / "sub-01_plans.tsv")
    assert (plan.name, plan.regions) == (PLAN, ("ctx-rh-insula", "Right-Hippocampus"))
    eloquent = read_eloquent(folder / "sub-01_eloquent.tsv")
    assert set(eloquent["region"]) <= set(REGIONS)
    assert {"motor", "language"} <= set(eloquent["function"])


def test_without_an_onset_there_is_no_hypothesis_and_no_plan():
    silent = pd.DataFrame({"anode": ["A1"], "onset_s": [float("nan")]})
    assert set(clinical_tables(CONTACTS, silent, REGIONS)) == {"eloquent"}


def test_eloquent_regions_of_another_atlas_are_left_out():
    silent = pd.DataFrame({"anode": ["A1"], "onset_s": [float("nan")]})
    assert clinical_tables(CONTACTS, silent, ["area 4"])["eloquent"].empty
