"""From a stated zone to the report, without MRI, recording or fit; problems are found first."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from virtualbrain.cli import main
from virtualbrain.config import load_config
from virtualbrain.errors import InputError
from virtualbrain.io.connectome import read_connectome, read_ready_connectome, write_connectome
from virtualbrain.io.layout import PatientLayout
from virtualbrain.io.patient_search import find_patient
from virtualbrain.io.tables import read_table, write_matrix, write_table
from virtualbrain.pipeline.hypothesis import (
    NAME,
    case_of,
    check_hypothesis,
    predict_done,
    simulate_case,
    zone_of,
)
from virtualbrain.seeg.settings import SeegSettings
from virtualbrain.surgery.candidates import DONE

NAMES = [f"ctx-{side}-{letter}" for side in ("lh", "rh") for letter in "abc"]
QUICK = {
    "hypothesis": {"draws": 30, "connectomes": 2, "full_model_draws": 2, "duration_s": 20.0},
    "surgery": {"draws": 30, "leading": 3, "largest": 2, "sham": 5, "confirm": 0},
}


@pytest.fixture
def bids(tmp_path):
    """A patient with a ready connectome and four contacts along x, two in each of two regions."""
    root = tmp_path / "bids"
    ieeg = root / "sub-01" / "ieeg"
    ieeg.mkdir(parents=True)
    (root / "dataset_description.json").write_text('{"Name": "t", "BIDSVersion": "1.10.0"}')
    connectome = root / "derivatives" / "connectome" / "sub-01"
    x = [-45.0, -15.0, -30.0, 45.0, 15.0, 30.0]
    table = pd.DataFrame(
        {"index": range(1, 7), "name": NAMES, "hemisphere": list("LLLRRR"), "structure": "cortex",
         "x": x, "y": [0.0, 0.0, -60.0] * 2, "z": 5.0, "area": 100.0, "volume": 2000.0}
    )  # fmt: skip
    write_table(connectome / "sub-01_atlas-Tiny_dseg.tsv", table, {})
    weights = np.full((6, 6), 0.05)
    weights[0, 1] = weights[1, 0] = weights[3, 4] = weights[4, 3] = 1.0
    np.fill_diagonal(weights, 0.0)
    for stat, matrix in (("streamlines", weights), ("length", 50 * (weights > 0))):
        path = connectome / f"sub-01_atlas-Tiny_stat-{stat}_relmat.tsv"
        write_matrix(path, matrix, NAMES, NAMES, {})
    (ieeg / "sub-01_electrodes.tsv").write_text(
        "name\tx\ty\tz\nA1\t-45\t0\t5\nA2\t-42\t0\t5\nA3\t-18\t0\t5\nA4\t-15\t0\t5\n"
    )
    (ieeg / "sub-01_coordsystem.json").write_text(
        '{"iEEGCoordinateSystem": "ScanRAS", "iEEGCoordinateUnits": "mm"}'
    )
    return root


def mark(bids, soz, resected="0000"):
    rows = "".join(
        f"A{i + 1}\tSEEG\t{one}\t{other}\n"
        for i, (one, other) in enumerate(zip(soz, resected, strict=True))
    )
    path = bids / "sub-01" / "ieeg" / "sub-01_task-x_channels.tsv"
    path.write_text(f"name\ttype\tsoz\tresected\n{rows}")


def state(bids, text):
    folder = bids / "derivatives" / "clinical" / "sub-01"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sub-01_hypothesis.tsv").write_text(text)


def case(bids, tmp_path):
    files = find_patient(bids, "01")
    layout = PatientLayout(tmp_path / "out", "01", "Tiny")
    write_connectome(layout, read_ready_connectome(files.connectome), {})
    settings = SeegSettings(centre_radius_mm=12.0)
    return case_of(files, layout, read_connectome(layout), settings), layout


@pytest.mark.parametrize(
    ("text", "zone"),
    [
        ("region\tzone\nctx-lh-a\tEZ\nctx-lh-b\tPZ\n", {("ctx-lh-a", "EZ"), ("ctx-lh-b", "PZ")}),
        ("contact\tzone\nA1\tEZ\nA4\tPZ\n", {("ctx-lh-a", "EZ"), ("ctx-lh-b", "PZ")}),
        ("region\tzone\nctx-rh-c\tEZ\nA3\tEZ\n", {("ctx-rh-c", "EZ"), ("ctx-lh-b", "EZ")}),
    ],
)
def test_a_zone_of_regions_or_contacts_is_read(bids, tmp_path, text, zone):
    state(bids, text)
    assert check_hypothesis(find_patient(bids, "01"), load_config()) == []
    found = zone_of(case(bids, tmp_path)[0])
    assert set(zip(found["region"], found["zone"], strict=True)) == zone
    assert (found["probability"] == 1.0).all()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no hypothesis"),
        ("region\tzone\nctx-lh-a\tPZ\n", "no region of the epileptogenic zone"),
        ("region\tzone\nctx-lh-a\tEZ\nB7\tEZ\n", "row 3: unknown region or contact B7"),
        ("region\tzone\nctx-lh-a\tmaybe\n", "row 2: unknown zone 'maybe'"),
    ],
)
def test_a_wrong_hypothesis_is_found_first(bids, tmp_path, capsys, text, words):
    if text:
        state(bids, text)
    assert main(["simulate-hypothesis", str(bids), str(tmp_path / "out")]) == 2
    captured = capsys.readouterr()
    lines = [line for line in captured.err.splitlines() if line.startswith("error")]
    assert len(lines) == 1
    assert words in lines[0]
    assert not (tmp_path / "out").exists()


def test_report_and_tables_of_marked_contacts_state_that_nothing_was_fitted(bids, tmp_path):
    mark(bids, soz="1100", resected="1000")
    config = load_config(None, QUICK)
    one, layout = case(bids, tmp_path)
    report = simulate_case(one, layout, config)
    text = report.read_text("utf-8")
    first_screen = text[: text.index('id="brain"')]
    assert "Nothing was fitted" in first_screen
    assert "no seizure was used" in first_screen
    assert "contacts marked as seizure onset zone in sub-01_task-x_channels.tsv" in first_screen
    assert "calibrated on synthetic patients" not in text
    assert "predicted probability of seizure freedom" not in text
    assert json.loads(layout.diagnostics(NAME).read_text())["verdict"] == "not-fitted"
    zones = read_table(layout.zones(NAME))
    assert zones.loc[0, ["region", "p_ez", "in_hypothesis"]].tolist() == ["ctx-lh-a", 1.0, "EZ"]
    plans = read_table(layout.outcomes(NAME)).set_index("candidate")
    # One of the two onset contacts: half of the epileptogenic part, which counts as removed.
    assert plans.loc[DONE, "share_free"] == 1.0
    assert predict_done(one, config)["share_free"] == plans.loc[DONE, "share_free"]


def test_a_resection_outside_the_zone_leaves_the_seizures(bids, tmp_path):
    mark(bids, soz="1100", resected="0011")
    one, _ = case(bids, tmp_path)
    assert predict_done(one, load_config(None, QUICK))["share_free"] == 0.0
    mark(bids, soz="1100")
    one, _ = case(bids, tmp_path)
    assert predict_done(one, load_config(None, QUICK)) is None


def test_a_zone_outside_all_regions_is_an_error(bids, tmp_path):
    mark(bids, soz="1000")
    one, _ = case(bids, tmp_path)
    nowhere = one.contacts.assign(region_probabilities=None)
    with pytest.raises(InputError, match="no contact of the seizure onset zone is in a region"):
        zone_of(replace(one, contacts=nowhere))


@pytest.mark.parametrize("given", ["folder", "label"])
def test_a_connectome_and_a_table_suffice(bids, tmp_path, given):
    folder = bids / "derivatives" / "connectome" / "sub-01"
    table = tmp_path / "zone.tsv"
    table.write_text("region\tzone\nctx-rh-a\tEZ\n")
    config = tmp_path / "quick.yaml"
    config.write_text(json.dumps(QUICK))
    more = ["--participant-label", "P7"] if given == "label" else []
    arguments = [str(folder), str(tmp_path / "out"), "--hypothesis", str(table)]
    assert main(["simulate-hypothesis", *arguments, "--config", str(config), *more]) == 0
    label = "P7" if more else "01"
    assert (tmp_path / "out" / f"sub-{label}" / "hypothesis.html").is_file()


def test_a_connectome_without_a_table_is_refused(bids, tmp_path, capsys):
    folder = bids / "derivatives" / "connectome" / "sub-01"
    assert main(["simulate-hypothesis", str(folder), str(tmp_path / "out")]) == 2
    assert "--hypothesis" in capsys.readouterr().err
