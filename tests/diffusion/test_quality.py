import numpy as np
import pytest

from tests.diffusion.phantom import region_table
from virtualbrain.connectome import Connectome
from virtualbrain.diffusion.quality import (
    compare_connectomes,
    connectome_quality,
    left_right_correlation,
    mirror_name,
    notes_on,
)


def connectome(weights, names=None):
    table = region_table().iloc[: len(weights)].copy()
    if names is not None:
        table["name"] = names
    weights = np.array(weights, dtype=float)
    return Connectome(table, weights, np.where(weights > 0, 30.0, 0), "test")


@pytest.fixture
def random_weights():
    weights = np.random.default_rng(0).lognormal(0, 2, (6, 6))
    return weights + weights.T


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("ctx-lh-insula", "ctx-rh-insula"),
        ("Right-Amygdala", "Left-Amygdala"),
        ("L-area1", "R-area1"),
        ("midline", "midline"),
    ],
)
def test_names_of_homologous_regions(name, other):
    assert mirror_name(name) == other
    assert mirror_name(other) == name


def test_a_symmetric_brain_has_a_correlation_of_one(random_weights):
    half = random_weights[:3, :3]
    weights = np.block([[half, np.zeros((3, 3))], [np.zeros((3, 3)), half]])
    names = ["L-a", "L-b", "L-c", "R-a", "R-b", "R-c"]
    found = Connectome(
        region_table().assign(name=names, hemisphere=list("LLLRRR")), weights, weights * 0, "t"
    )
    assert left_right_correlation(found) == pytest.approx(1)


def test_correlation_without_homologous_regions_is_nan(random_weights):
    assert np.isnan(left_right_correlation(connectome(random_weights, list("abcdef"))))


def test_comparison_aligns_by_name_and_ignores_scale(random_weights):
    first = connectome(random_weights)
    order = [4, 2, 0, 1, 5, 3]
    second = Connectome(
        first.regions.iloc[order],
        7 * first.weights[np.ix_(order, order)],
        first.lengths_mm[np.ix_(order, order)],
        "other",
    )
    found = compare_connectomes(first, second)
    assert found["pearson_log"] == pytest.approx(1)
    assert found["spearman"] == pytest.approx(1)
    assert found["n_regions"] == 6


def test_isolated_regions_are_named(random_weights):
    random_weights[2] = random_weights[:, 2] = 0
    found = connectome_quality(connectome(random_weights))
    assert found["isolated_regions"] == ["R-area1"]
    assert found["n_edges"] == 10
    assert "streamlines_per_region" not in found


def test_streamlines_are_counted(random_weights):
    counts = np.ones((6, 6)) - np.eye(6)
    found = connectome_quality(connectome(random_weights), counts, counts * 0.8)
    assert found["streamlines_per_region"]["L-area0"] == 5
    assert found["streamlines_between_regions"] == 15
    assert found["median_reliability"] == pytest.approx(0.8)


def test_a_reference_is_compared_by_rank(random_weights):
    first = connectome(random_weights)
    found = connectome_quality(first, reference=connectome(random_weights**2))
    assert found["reference_spearman"] == pytest.approx(1)
    assert found["reference_n_regions"] == 6


def test_usual_figures_give_no_notes():
    assert notes_on({"snr_b0": 25.0, "max_motion_mm": 0.4, "isolated_regions": []}) == []


def test_unusual_figures_are_described_in_words():
    notes = notes_on({"snr_b0": 4.0, "poorly_covered_regions": ["ctx-lh-temporalpole"]})
    assert "4 (usual: 10 or more)" in notes[0]
    assert notes[1].startswith("1 regions lie partly")
    assert notes[1].endswith("ctx-lh-temporalpole.")


def test_unknown_figures_give_no_notes():
    assert notes_on({"left_right_correlation": None}) == []
