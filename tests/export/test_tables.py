"""Electrodes keep their places in CSV and BIDS."""

import json

import numpy as np
import pandas as pd
import pytest

from virtualbrain.export.tables import write_csv
from virtualbrain.io.coordsystem import read_coordinate_system


@pytest.fixture
def exported(make_out):
    made = make_out()
    folder = made.out / "folder"
    folder.mkdir()
    write_csv(made.patient(), folder)
    return made, folder


def test_the_csv_has_both_frames(exported):
    made, folder = exported
    table = pd.read_csv(folder / "sub-01_electrodes.csv")
    ras = table[[f"{axis}_ras_mm" for axis in "xyz"]].to_numpy()
    lps = table[[f"{axis}_lps_mm" for axis in "xyz"]].to_numpy()
    np.testing.assert_allclose(ras[0], made.landmarks["ctx-lh-landmark"], atol=1e-3)
    np.testing.assert_allclose(lps, ras * [-1, -1, 1])
    assert lps[0][0] > 0  # a contact on the left
    assert np.isnan(ras[2]).all()


def test_bids_electrodes_are_read_back_in_scanner_ras(exported):
    made, folder = exported
    table = pd.read_csv(folder / "sub-01_space-ScanRAS_electrodes.tsv", sep="\t")
    assert list(table.columns[:5]) == ["name", "x", "y", "z", "size"]
    place = table.loc[0, ["x", "y", "z"]].astype(float).to_numpy()
    assert np.linalg.norm(place - made.landmarks["ctx-lh-landmark"]) < 0.5
    path = folder / "sub-01_space-ScanRAS_coordsystem.json"
    system = read_coordinate_system(json.loads(path.read_text()), path.name)
    assert (system.frame, system.mm_per_unit) == ("scanner", 1.0)


def test_no_free_text_is_exported(exported):
    _, folder = exported
    assert not any("Alice" in path.read_text() for path in folder.iterdir())


def test_a_patient_without_images_has_tables(make_out):
    made = make_out()
    for path in made.layout.anatomy.glob("*.nii.gz"):
        path.unlink()
    folder = made.out / "folder"
    folder.mkdir()
    write_csv(made.patient(), folder)
    assert {path.name for path in folder.glob("*.csv")} == {
        "sub-01_electrodes.csv", "sub-01_regions.csv", "sub-01_plans.csv",
    }  # fmt: skip


def test_a_fit_that_is_not_to_be_used_gives_electrodes_only(make_out):
    made = make_out(verdict="do-not-use")
    folder = made.out / "folder"
    folder.mkdir()
    assert "p_ez" in write_csv(made.patient(), folder)[0]
    assert [path.name for path in folder.glob("*.csv")] == ["sub-01_electrodes.csv"]
