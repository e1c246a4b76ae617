import numpy as np
import pytest
from nibabel.affines import apply_affine
from scipy.stats import spearmanr

from virtualbrain.synthetic.bundles import make_bundles

pytestmark = pytest.mark.slow


def fibre_lengths(bundles):
    steps = np.linalg.norm(np.diff(bundles.points, axis=0), axis=1)
    steps = np.append(steps, 0.0)
    steps[bundles.starts[1:] - 1] = 0.0
    return np.add.reduceat(steps, bundles.starts[:-1])


def test_connectome_is_symmetric_sparse_and_connected(made_bundles):
    weights = made_bundles.true_weights
    np.testing.assert_allclose(weights, weights.T)
    assert (np.diag(weights) == 0).all()
    assert (weights > 0).any(axis=0).all()
    share = (weights[np.triu_indices(len(weights), 1)] > 0).mean()
    assert 0.25 <= share <= 0.35
    np.testing.assert_array_equal(made_bundles.true_lengths_mm > 0, weights > 0)


def test_names_are_those_of_the_head(made_head, made_bundles):
    assert made_bundles.names == tuple(made_head.regions["name"])


def test_weights_span_orders_of_magnitude_and_fall_with_length(made_bundles):
    edges = np.triu(made_bundles.true_weights) > 0
    weights = made_bundles.true_weights[edges]
    assert np.ptp(np.log10(weights)) > 2.2
    assert spearmanr(weights, made_bundles.true_lengths_mm[edges])[0] < -0.4


def test_weights_and_lengths_are_those_of_the_fibres(made_bundles):
    i, j = np.argwhere(np.triu(made_bundles.true_weights) > 0)[10]
    selected = (np.sort(made_bundles.ends, axis=1) == sorted((i, j))).all(axis=1)
    weights = made_bundles.fibre_weights[selected]
    assert made_bundles.true_weights[i, j] == pytest.approx(weights.sum())
    measured = np.average(fibre_lengths(made_bundles)[selected], weights=weights)
    assert made_bundles.true_lengths_mm[i, j] == pytest.approx(measured, rel=0.05)


def test_lengths_grow_with_the_distance_of_the_regions(made_head, made_bundles):
    centres = made_head.regions[["x", "y", "z"]].to_numpy()
    apart = np.linalg.norm(centres[:, None] - centres[None], axis=-1)
    edges = made_bundles.true_weights > 0
    assert spearmanr(apart[edges], made_bundles.true_lengths_mm[edges])[0] > 0.7


def test_fibres_run_in_white_matter_and_end_in_their_regions(made_head, made_bundles):
    back = np.linalg.inv(made_head.t1.affine)
    white = np.asarray(made_head.wm.dataobj)
    labels = np.asarray(made_head.labels.dataobj)
    at = tuple(np.rint(apply_affine(back, made_bundles.points)).astype(int).T)
    assert white[at].mean() > 0.65
    assert (np.asarray(made_head.brain_mask.dataobj)[at] > 0).mean() > 0.99
    first = made_bundles.points[made_bundles.starts[:-1]]
    index = made_head.regions["index"].to_numpy()[made_bundles.ends[:, 0]]
    reached = np.zeros(len(first), dtype=bool)
    steps = np.stack(np.meshgrid(*[np.arange(-4, 5)] * 3), axis=-1).reshape(-1, 3)
    for step in steps[np.linalg.norm(steps, axis=1) <= 4]:
        reached |= labels[tuple(np.rint(apply_affine(back, first) + step).astype(int).T)] == index
    assert reached.mean() > 0.95


def test_fibres_cross_the_midline_only_in_the_callosum(made_head, made_bundles):
    sample = made_bundles.points[::5]
    x, _, z = made_head.deformation.to_template(sample).T
    crossing = np.abs(x) < 1.0
    assert crossing.any()
    assert (z[crossing] > -8).mean() > 0.99


def test_same_seed_gives_the_same_bundles(made_head, made_bundles):
    again = make_bundles(made_head, np.random.default_rng(1))
    np.testing.assert_array_equal(again.true_weights, made_bundles.true_weights)
    np.testing.assert_array_equal(again.points, made_bundles.points)
