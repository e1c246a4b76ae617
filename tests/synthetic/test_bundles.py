import numpy as np
import pytest
from nibabel.affines import apply_affine
from scipy.stats import spearmanr

from virtualbrain.synthetic.bundles import BundleSettings, make_bundles

pytestmark = pytest.mark.slow


def fibre_lengths(bundles):
    steps = np.linalg.norm(np.diff(bundles.points, axis=0), axis=1)
    steps = np.append(steps, 0.0)
    steps[bundles.starts[1:] - 1] = 0.0
    return np.add.reduceat(steps, bundles.starts[:-1])


def test_connectome_is_symmetric_sparse_and_connected(synthetic_bundles):
    weights = synthetic_bundles.true_weights
    np.testing.assert_allclose(weights, weights.T)
    assert (np.diag(weights) == 0).all()
    assert (weights > 0).any(axis=0).all()
    share = (weights[np.triu_indices(len(weights), 1)] > 0).mean()
    assert 0.25 <= share <= 0.35
    np.testing.assert_array_equal(synthetic_bundles.true_lengths_mm > 0, weights > 0)


def test_names_are_those_of_the_head(synthetic_head, synthetic_bundles):
    assert synthetic_bundles.names == tuple(synthetic_head.regions["name"])


def test_weights_span_orders_of_magnitude_and_fall_with_length(synthetic_bundles):
    edges = np.triu(synthetic_bundles.true_weights) > 0
    weights = synthetic_bundles.true_weights[edges]
    assert np.ptp(np.log10(weights)) > 2.2
    assert spearmanr(weights, synthetic_bundles.true_lengths_mm[edges])[0] < -0.4


def test_weights_and_lengths_are_those_of_the_fibres(synthetic_bundles):
    i, j = np.argwhere(np.triu(synthetic_bundles.true_weights) > 0)[10]
    selected = (np.sort(synthetic_bundles.ends, axis=1) == sorted((i, j))).all(axis=1)
    weights = synthetic_bundles.fibre_weights[selected]
    assert synthetic_bundles.true_weights[i, j] == pytest.approx(weights.sum())
    measured = np.average(fibre_lengths(synthetic_bundles)[selected], weights=weights)
    assert synthetic_bundles.true_lengths_mm[i, j] == pytest.approx(measured, rel=0.05)


def test_lengths_grow_with_the_distance_of_the_regions(synthetic_head, synthetic_bundles):
    centres = synthetic_head.regions[["x", "y", "z"]].to_numpy()
    apart = np.linalg.norm(centres[:, None] - centres[None], axis=-1)
    edges = synthetic_bundles.true_weights > 0
    assert spearmanr(apart[edges], synthetic_bundles.true_lengths_mm[edges])[0] > 0.7


def test_fibres_run_in_white_matter_and_end_in_their_regions(synthetic_head, synthetic_bundles):
    back = np.linalg.inv(synthetic_head.t1.affine)
    white = np.asarray(synthetic_head.wm.dataobj)
    labels = np.asarray(synthetic_head.labels.dataobj)
    at = tuple(np.rint(apply_affine(back, synthetic_bundles.points)).astype(int).T)
    assert white[at].mean() > 0.65
    assert (np.asarray(synthetic_head.brain_mask.dataobj)[at] > 0).mean() > 0.99
    first = synthetic_bundles.points[synthetic_bundles.starts[:-1]]
    index = synthetic_head.regions["index"].to_numpy()[synthetic_bundles.ends[:, 0]]
    reached = np.zeros(len(first), dtype=bool)
    steps = np.stack(np.meshgrid(*[np.arange(-4, 5)] * 3), axis=-1).reshape(-1, 3)
    for step in steps[np.linalg.norm(steps, axis=1) <= 4]:
        reached |= labels[tuple(np.rint(apply_affine(back, first) + step).astype(int).T)] == index
    assert reached.mean() > 0.95


def test_fibres_cross_the_midline_only_in_the_callosum(synthetic_head, synthetic_bundles):
    sample = synthetic_bundles.points[::5]
    x, _, z = synthetic_head.deformation.to_template(sample).T
    crossing = np.abs(x) < 1.0
    assert crossing.any()
    assert (z[crossing] > -8).mean() > 0.99


def test_same_seed_gives_the_same_bundles(synthetic_head):
    few = BundleSettings(foot_mm2=2600.0, paths=3)
    one, same = (make_bundles(synthetic_head, np.random.default_rng(1), few) for _ in range(2))
    np.testing.assert_array_equal(same.true_weights, one.true_weights)
    np.testing.assert_array_equal(same.points, one.points)
