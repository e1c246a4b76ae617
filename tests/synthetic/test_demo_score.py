import io

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from rich.console import Console

from virtualbrain.errors import InputError
from virtualbrain.io.atomic import write_json, write_text
from virtualbrain.io.images import make_image, write_image
from virtualbrain.io.layout import PatientLayout
from virtualbrain.io.tables import write_matrix, write_table
from virtualbrain.synthetic.demo_score import score_demo
from virtualbrain.synthetic.demo_score_table import print_scores
from virtualbrain.synthetic.scores import (
    OnsetScore,
    Proportion,
    compare_onsets,
    compare_weights,
    depths_mm,
    dice_by_region,
)
from virtualbrain.synthetic.truth_files import ATLAS, truth_folder

NAMES = ["ctx-lh-a", "ctx-rh-a", "Left-Hippocampus", "ctx-lh-b"]
STRUCTURES = ["cortex", "cortex", "subcortex", "cortex"]


@pytest.fixture
def table():
    return pd.DataFrame({"index": [1, 2, 3, 4], "name": NAMES, "structure": STRUCTURES})


@pytest.fixture
def weights():
    rng = np.random.default_rng(1)
    upper = np.triu(rng.lognormal(0, 1, (4, 4)), 1)
    return pd.DataFrame(upper + upper.T, NAMES, NAMES)


def labels(shift=0):
    image = np.zeros((40, 10, 10), np.int16)
    for k in range(4):
        image[10 * k + shift : 10 * k + 8 + shift] = k + 1
    return image


@pytest.fixture
def dataset(tmp_path, table, weights):
    """Write the truth of four regions."""
    folder = truth_folder(tmp_path / "bids", "01")
    stem = f"sub-01_atlas-{ATLAS}"
    zones = pd.DataFrame(
        {"region": NAMES, "zone": ["EZ", "PZ", "EZ", "none"], "x0": [-1.6, -2.1, -1.6, -3.0]}
    )
    write_table(folder / "sub-01_regions.tsv", zones, {})
    contacts = pd.DataFrame({"name": ["A1", "A2", "A3", "A4"], "region": [*NAMES[:3], None]})
    # A2 is in the middle of its region, the others near a border.
    contacts = contacts.assign(x=[7.0, 13.5, 20.4, 9.0], y=4.5, z=4.5, fault="none")
    write_table(folder / "sub-01_contacts.tsv", contacts, {})
    write_table(folder / f"{stem}_dseg.tsv", table, {})
    write_matrix(folder / f"{stem}_stat-streamlines_relmat.tsv", weights, NAMES, NAMES, {})
    write_image(folder / f"{stem}_dseg.nii.gz", make_image(labels(), np.eye(4)))
    return tmp_path / "bids"


@pytest.fixture
def results(tmp_path, table, weights):
    """Write results that are correct except for a shift, one contact and the ranks."""
    layout = PatientLayout(tmp_path / "out", "01")
    write_table(layout.regions, table, {})
    write_image(layout.labels, make_image(labels(shift=1), np.eye(4)))
    write_matrix(layout.relmat("streamlines"), 3 * weights.to_numpy() ** 2, NAMES, NAMES, {})
    order = [NAMES[0], NAMES[1], NAMES[2], NAMES[3]]
    write_table(layout.zones("default"), pd.DataFrame({"rank": [1, 2, 3, 4], "region": order}), {})
    write_json(layout.diagnostics("default"), {"verdict": "caution"})
    contacts = pd.DataFrame(
        {"name": ["A1", "A2", "A3", "A4"], "region": [*NAMES[:2], NAMES[3], None]}
    )
    write_table(layout.contacts, contacts, {})
    write_text(layout.benchmark("anatomy"), "s\th:m:s\n12.5\t0:00:12\n")
    return layout


def test_scores_of_a_known_run(dataset, results):
    scores = score_demo(results.out, dataset)
    assert scores.dice_cortical == pytest.approx(7 / 8)
    assert scores.dice_subcortical == pytest.approx(7 / 8)
    assert scores.weights_spearman == pytest.approx(1.0)
    assert scores.weights_log_pearson == pytest.approx(1.0)
    assert scores.connections_found == 1.0
    assert scores.ranks == {NAMES[0]: 1, NAMES[2]: 3}
    assert scores.both_in_first_four
    assert scores.recruited_in_first_ten == 1.0
    assert scores.verdict == "caution"
    assert scores.contact_accuracy == pytest.approx(2 / 3)
    assert scores.deep_contacts == Proportion(1, 1)
    assert scores.clear_contacts == Proportion(2, 3)
    assert scores.onsets is None
    assert scores.seconds == {"anatomy": 12.5}


def test_missing_results_are_none(dataset, tmp_path):
    scores = score_demo(tmp_path / "nothing", dataset)
    assert scores.dice_cortical is None
    assert scores.weights_spearman is None
    assert scores.ranks == {NAMES[0]: None, NAMES[2]: None}
    assert not scores.both_in_first_four
    assert scores.verdict is None
    assert scores.contact_accuracy is None
    assert scores.seconds == {}


def test_dataset_without_truth_raises_an_error(results, tmp_path):
    with pytest.raises(InputError, match="no such file"):
        score_demo(results.out, tmp_path)


def test_tables_show_ranks_verdict_and_durations(dataset, results):
    stream = io.StringIO()
    print_scores(score_demo(results.out, dataset), Console(file=stream, width=120))
    text = stream.getvalue()
    assert "rank of ctx-lh-a (epileptogenic)" in text
    assert "3 of 4" in text
    assert "caution" in text
    assert "0.88" in text
    assert "anatomy" in text


def test_dice_is_independent_of_label_numbers_and_grid(table):
    true = nib.Nifti1Image(labels(), np.eye(4))
    other = pd.DataFrame({"index": [40, 30, 20, 10], "name": NAMES})
    values = np.array([0, 40, 30, 20, 10], np.int16)[labels()]
    flipped = np.diag([-1.0, 1.0, 1.0, 1.0])
    flipped[0, 3] = 39.0
    found = nib.Nifti1Image(values[::-1].copy(), flipped)
    assert (dice_by_region(true, table, found, other)["dice"] == 1.0).all()


def test_dice_of_a_missing_region_is_zero(table):
    true = nib.Nifti1Image(labels(), np.eye(4))
    dice = dice_by_region(true, table, true, table[table["name"] != NAMES[1]])
    assert dice["dice"].tolist() == [1.0, 0.0, 1.0, 1.0]


def test_weights_are_compared_by_name_and_missing_ones_count_as_weak(weights):
    shuffled = weights.loc[NAMES[::-1], NAMES[::-1]]
    assert compare_weights(weights, shuffled)[0] == pytest.approx(1.0)
    strongest = weights.to_numpy().argmax() // 4, weights.to_numpy().argmax() % 4
    lost = weights.copy()
    lost.iloc[strongest], lost.iloc[strongest[::-1]] = 0.0, 0.0
    rank, logs, share = compare_weights(weights, lost)
    assert rank < 0.5
    assert logs == pytest.approx(1.0)
    assert share == pytest.approx(5 / 6)


def test_depth_is_the_distance_to_the_border_in_millimetres():
    values = np.zeros((30, 20, 20), np.int16)
    values[5:15, 5:15, 5:15] = 1
    values[15:25, 5:15, 5:15] = 2
    image = make_image(values, np.diag([2.0, 1.0, 1.0, 1.0]))
    # Voxel 14 reaches to 14.5 along x: 29 mm.
    points = np.array([[20.0, 9.5, 9.5], [28.0, 9.5, 9.5], [20.0, 5.5, 9.5]])
    inside, apart = depths_mm(points, np.array([1, 1, 1]), image)
    np.testing.assert_allclose(inside, [5.0, 1.0, 1.0])
    np.testing.assert_allclose(apart, [6.0, 1.0, 6.0])


def test_seizing_channels_have_no_faults_and_false_onsets_are_counted_among_all():
    true = pd.DataFrame(
        {
            "name": ["a", "b", "c", "d", "e", "f"],
            "onset_s": [10.0, 12.0, 14.0, np.nan, 11.0, np.nan],
            "faulty": [False, False, False, False, True, False],
        }
    )
    found = pd.Series({"a": 10.9, "b": 13.5, "d": 11.0, "e": 20.0, "f": np.nan})
    # a is correct, b is late, c was excluded, d is false, e has a fault and is not counted.
    assert compare_onsets(true, found) == OnsetScore(3, 1, 4, 1)


def test_onsets_of_a_run_are_scored_and_printed(dataset, results):
    from virtualbrain.io.seeg import write_envelope

    channels = pd.DataFrame(
        {"name": ["A1-A2", "A2-A3"], "anode": ["A1", "A2"], "cathode": ["A2", "A3"]}
    )
    true = channels.assign(onset_s=[70.0, np.nan], ictal_ratio=1.0)
    write_table(truth_folder(dataset, "01") / "sub-01_channels.tsv", true, {})
    found = channels.assign(x=0.0, y=0.0, z=0.0, region="r", status="good", onset_s=[0.4, 3.0])
    write_table(results.channels, found, {})
    envelope = xr.DataArray(
        np.zeros((2, 2)),
        dims=("time", "channel"),
        coords={"time": [0.0, 1.0], "channel": ["A1-A2", "A2-A3"]},
        attrs={"onset_in_recording_s": 70.0},
    )
    write_envelope(results.envelope(1), envelope, {})
    scores = score_demo(results.out, dataset)
    assert scores.onsets == OnsetScore(1, 1, 2, 1)
    stream = io.StringIO()
    print_scores(scores, Console(file=stream, width=120))
    assert "100% of 1" in stream.getvalue()
    assert "50% of 2" in stream.getvalue()
