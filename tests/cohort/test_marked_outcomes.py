"""Predicted outcomes of resections that were done, against what happened to the patients."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from virtualbrain.anatomy.atlases import desikan_killiany
from virtualbrain.cohort.marked_outcomes import (
    MNI305_TO_MNI152,
    PREDICTORS,
    compare,
    marked_counts,
    template_case,
    template_connectome,
)
from virtualbrain.connectome import Connectome
from virtualbrain.errors import InputError
from virtualbrain.io.patient_search import find_patient
from virtualbrain.seeg.settings import SeegSettings


def patients(rng: np.random.Generator, n: int, effect: float) -> pd.DataFrame:
    free = np.arange(n) % 3 != 0
    values = {name: effect * free + rng.standard_normal(n).round(1) for name in PREDICTORS}
    return pd.DataFrame({"seizure_free": free, **values})


@pytest.mark.parametrize(("effect", "contains_half"), [(0.0, True), (3.0, False)])
def test_auc_equals_an_independent_one_and_lies_in_its_interval(effect, contains_half):
    rng = np.random.default_rng(4)
    table = patients(rng, 45, effect)
    for one in compare(table, rng):
        expected = roc_auc_score(table["seizure_free"], table[one.predictor])
        assert one.auc == pytest.approx(expected)
        assert one.low <= one.auc <= one.high
        assert (one.low <= 0.5 <= one.high) == contains_half
        assert (one.n_free, one.n_not_free) == (30, 15)


@pytest.mark.slow
def test_interval_has_its_coverage():
    """The interval of the AUC holds the true AUC of two shifted normals in 95 % of the samples."""
    true_auc = 0.7602  # normal distributions one standard deviation apart
    inside = []
    for seed in range(30):
        rng = np.random.default_rng(seed)
        table = patients(rng, 60, 1.0)
        inside += [one.low <= true_auc <= one.high for one in compare(table, rng)]
    assert 0.88 <= np.mean(inside) <= 1.0


def test_patients_of_one_outcome_cannot_be_compared():
    table = patients(np.random.default_rng(1), 9, 0.0).assign(seizure_free=True)
    with pytest.raises(InputError, match="same outcome"):
        compare(table, np.random.default_rng(1))


def test_a_missing_prediction_does_not_count():
    table = patients(np.random.default_rng(1), 12, 0.0)
    table.loc[0, "p_seizure_free"] = np.nan
    numbers = {one.predictor: one.n_not_free for one in compare(table, np.random.default_rng(1))}
    assert numbers["p_seizure_free"] == numbers["n_resected"] - 1


@pytest.mark.parametrize(
    ("soz", "resected", "share"),
    [("yyn", "ynn", 0.5), ("yyn", "yyy", 1.0), ("nnn", "ynn", np.nan)],
)
def test_baselines_are_counted_from_the_marks(soz, resected, share):
    words = {"y": "yes", "n": "no"}
    contacts = pd.DataFrame(
        {"soz": [words[c] for c in soz], "resected": [words[c] for c in resected]}
    )
    counts = marked_counts(contacts)
    assert counts["n_resected"] == resected.count("y")
    assert counts["share_onset_resected"] == pytest.approx(share, nan_ok=True)


@pytest.fixture(scope="module")
def atlas():
    return desikan_killiany()


@pytest.fixture(scope="module")
def group(atlas):
    names = [*atlas.table["name"][::-1], "Left-Cerebellum-Cortex"]
    n = len(names)
    table = pd.DataFrame({"index": range(n), "name": names, "hemisphere": "L",
                          "structure": "cortex"} | dict.fromkeys("xyz", np.nan)
                         | {"area": np.nan, "volume": np.nan})  # fmt: skip
    weights = np.add.outer(np.arange(n), np.arange(n)) + 1.0
    np.fill_diagonal(weights, 0.0)
    return Connectome(table, weights, weights, "made")


def test_a_group_connectome_is_aligned_by_name(atlas, group):
    found = template_connectome(group, atlas)
    assert list(found.names) == list(atlas.table["name"])
    place = {name: i for i, name in enumerate(group.names)}
    one, other = found.names[3], found.names[40]
    assert found.weights[3, 40] == group.weights[place[one], place[other]]
    assert (found.regions["volume"] > 0).all()
    with pytest.raises(InputError, match="lacks 1 region"):
        template_connectome(group.ordered(group.names[1:]), atlas)


def write(root, frame, units, positions):
    ieeg = root / "sub-1" / "ieeg"
    ieeg.mkdir(parents=True)
    (root / "dataset_description.json").write_text("{}")
    rows = "".join(
        f"A{i + 1}\t" + "\t".join(f"{v:.4f}" for v in p) + "\n" for i, p in enumerate(positions)
    )
    stem = ieeg / f"sub-1_space-{frame}"
    stem.with_name(stem.name + "_electrodes.tsv").write_text("name\tx\ty\tz\n" + rows)
    stem.with_name(stem.name + "_coordsystem.json").write_text(
        f'{{"iEEGCoordinateSystem": "{frame}", "iEEGCoordinateUnits": "{units}"}}'
    )
    (ieeg / "sub-1_task-x_channels.tsv").write_text("name\ttype\tsoz\nA1\tSEEG\tyes\n")
    return find_patient(root, "1")


@pytest.mark.parametrize("frame", ["fsaverage", "MNI152NLin2009cAsym"])
@pytest.mark.parametrize("units", ["mm", "m"])
def test_contacts_of_a_template_are_in_their_region(tmp_path, atlas, group, frame, units):
    connectome = template_connectome(group, atlas)
    region = connectome.regions.set_index("name").loc["Left-Hippocampus", list("xyz")]
    centre = region.to_numpy(float)
    points = np.stack([centre, centre + np.array([0.0, 0.0, 4.0])])
    if frame == "fsaverage":
        shift = np.linalg.inv(MNI305_TO_MNI152)
        points = points @ shift[:3, :3].T + shift[:3, 3]
    files = write(tmp_path, frame, units, points if units == "mm" else points / 1000)
    case = template_case(files, connectome, atlas, SeegSettings())
    assert case.contacts["region"][0] == "Left-Hippocampus"
    assert case.contacts["soz"].tolist() == ["yes", "no"]
    np.testing.assert_allclose(
        case.contacts[list("xyz")].to_numpy(float)[0], region.to_numpy(float), atol=0.3
    )


@pytest.mark.parametrize(
    ("frame", "units", "words"),
    [
        ("fsaverage", "m", "looks like mm|look like mm"),
        ("ScanRAS", "mm", "not that of a template"),
        ("fsaverage", "inch", "unknown unit"),
    ],
)
def test_an_unusable_frame_or_unit_is_refused(tmp_path, atlas, group, frame, units, words):
    files = write(tmp_path, frame, units, np.array([[-25.0, -20, -15], [-25.0, -20, -11]]))
    with pytest.raises(InputError, match=words):
        template_case(files, template_connectome(group, atlas), atlas, SeegSettings())
