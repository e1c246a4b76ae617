import numpy as np
import pytest
from scipy.stats import spearmanr

from virtualbrain.synthetic.connectomes import connectome_from_geometry, with_errors
from virtualbrain.synthetic.points import atlas_head


@pytest.fixture(scope="module")
def regions():
    return atlas_head()[0]


@pytest.fixture(scope="module")
def network(regions):
    return connectome_from_geometry(regions, np.random.default_rng(1))


def test_weights_are_symmetric_sparse_and_fall_with_distance(network, regions):
    weights = network.weights
    assert (weights == weights.T).all()
    assert np.mean(weights[np.triu_indices(82, 1)] > 0) == pytest.approx(0.4, abs=0.01)
    assert not network.isolated()
    centres = regions[["x", "y", "z"]].to_numpy()
    distance = np.linalg.norm(centres[:, None] - centres, axis=2)
    present = np.triu(weights, 1) > 0
    assert spearmanr(distance[present], weights[present]).statistic < -0.4


def test_homologous_regions_are_connected_more_strongly_than_other_pairs(network):
    names, weights = list(network.regions), network.weights
    left = [i for i, name in enumerate(names) if "-lh-" in name]
    mirror = [names.index(names[i].replace("-lh-", "-rh-")) for i in left]
    assert np.median(weights[left, mirror]) > 10 * np.median(weights[np.ix_(left, mirror)])


def test_tract_lengths_exceed_the_distance(network, regions):
    centres = regions[["x", "y", "z"]].to_numpy()
    straight = np.linalg.norm(centres[:, None] - centres, axis=2)
    present = network.weights > 0
    assert (network.lengths[present] >= 1.1 * straight[present]).all()
    assert (network.lengths[~present] == 0).all()


@pytest.mark.parametrize("log_sd", [0.2, 0.6])
def test_errors_are_log_normal_symmetric_and_keep_absent_connections(network, log_sd):
    wrong = with_errors(network, np.random.default_rng(2), log_sd)
    present = network.weights > 0
    assert ((wrong.weights > 0) == present).all()
    assert (wrong.weights == wrong.weights.T).all()
    ratio = np.log(wrong.weights[present] / network.weights[present])
    assert ratio.std() == pytest.approx(log_sd, rel=0.06)
    assert abs(ratio.mean()) < 0.05


def test_lost_connections_are_mostly_weak(network):
    wrong = with_errors(network, np.random.default_rng(2), 0.0, missing=0.2)
    present = network.weights > 0
    lost = present & (wrong.weights == 0)
    assert lost.sum() / present.sum() == pytest.approx(0.2, abs=0.01)
    assert np.median(network.weights[lost]) < 0.5 * np.median(network.weights[present])
    assert (wrong.lengths[lost] == 0).all()
