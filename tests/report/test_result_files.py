"""Check that the readers of results have the fields that the stages write."""

from dataclasses import fields

import numpy as np
import pandas as pd
import pytest

from inference.zone_table import COLUMNS as ZONE_COLUMNS
from virtualbrain.errors import InputError
from virtualbrain.io.atomic import write_json
from virtualbrain.io.fit_results import ZoneRow, load_zones
from virtualbrain.io.result_files import columns_of, rows_of
from virtualbrain.io.surgery_results import (
    NextRegionRow,
    PlanRow,
    RecruitmentRow,
    StimulationRow,
    SubsetRow,
    load_predicted,
)
from virtualbrain.io.tables import write_table
from virtualbrain.surgery import next_electrode, ranking, stimulation, subsets
from virtualbrain.surgery.candidates import no_surgery
from virtualbrain.surgery.outcome import Outcome


def test_rows_have_the_columns_that_the_stages_write():
    outcome = Outcome(no_surgery(), *[np.zeros(1)] * 3, np.zeros((2, 1)))
    recruitment = ranking.recruitment_table([outcome], ["a"])
    assert tuple(one.name for one in fields(ZoneRow)) == ZONE_COLUMNS
    assert columns_of(ZoneRow) == ZONE_COLUMNS[:-2]  # tables of older versions lack the last two
    assert tuple(one.name for one in fields(PlanRow)) == ranking.OUTCOME_COLUMNS
    assert columns_of(PlanRow) == ranking.OUTCOME_COLUMNS[:-1]  # nor this one
    assert columns_of(RecruitmentRow) == tuple(recruitment.columns)
    assert columns_of(StimulationRow) == stimulation.COLUMNS
    assert columns_of(NextRegionRow) == next_electrode.COLUMNS
    assert columns_of(SubsetRow) == subsets.COLUMNS


def test_cells_get_the_types_of_the_fields():
    row = dict.fromkeys(columns_of(PlanRow), 0.0) | {"rank": np.nan, "candidate": 1}
    row |= {"regions": "a,b", "eloquent": np.nan, "on_front": "True"}
    (plan,) = rows_of(pd.DataFrame([row]), PlanRow)
    assert np.isnan(plan.rank)
    assert (plan.candidate, plan.eloquent, plan.on_front) == ("1", None, True)
    assert plan.region_names == ("a", "b")


def test_a_missing_column_is_an_error(tmp_path):
    columns = [name for name in columns_of(ZoneRow) if name != "p_pz"]
    write_table(tmp_path / "zones.tsv", pd.DataFrame([dict.fromkeys(columns, 1.0)]), {})
    with pytest.raises(InputError, match="p_pz"):
        load_zones(tmp_path / "zones.tsv")


def test_without_a_resection_nothing_is_predicted(tmp_path):
    write_json(tmp_path / "predicted.json", {"Predicted": None})
    assert load_predicted(tmp_path / "predicted.json") is None
