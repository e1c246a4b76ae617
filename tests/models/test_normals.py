import numpy as np
import pytest
from scipy import stats

from virtualbrain.models.compile import compiled
from virtualbrain.models.normals import normal_pairs, seed_lanes
from virtualbrain.models.simd_layout import LANES

BLOCKS = 10


@compiled(allocates=False)
def fill(state, out, n_draws):
    n_blocks = state.size // (4 * LANES)
    for i in range(n_draws):
        for b in range(n_blocks):
            normal_pairs(state, b * 4 * LANES, out, (i * n_blocks + b) * 2 * LANES)


@pytest.fixture(scope="module")
def draws():
    state = seed_lanes(np.random.default_rng(1), BLOCKS).ravel()
    out = np.empty(20_000 * BLOCKS * 2 * LANES)
    fill(state, out, 20_000)
    return out


def test_moments(draws):
    n = len(draws)
    assert abs(draws.mean()) < 4 / np.sqrt(n)
    assert abs(draws.var() - 1) < 4 * np.sqrt(2 / n)
    assert abs(stats.skew(draws)) < 4 * np.sqrt(6 / n)
    assert abs(stats.kurtosis(draws)) < 4 * np.sqrt(24 / n)


def test_distribution_and_tails(draws):
    assert stats.kstest(draws[:500_000], "norm").pvalue > 1e-3
    for limit in (3.0, 4.0, 4.5):
        expected = 2 * stats.norm.sf(limit) * len(draws)
        assert abs((np.abs(draws) > limit).sum() - expected) < 4 * np.sqrt(expected)


def test_independence_between_lanes_draws_and_squares(draws):
    table = draws.reshape(-1, 2 * LANES * BLOCKS)[:, ::7]
    bound = 6 / np.sqrt(len(table))
    for columns in (table, table**2):
        off_diagonal = np.corrcoef(columns.T) - np.eye(columns.shape[1])
        assert np.abs(off_diagonal).max() < bound
    lagged = np.mean(table[:-1] * table[1:], axis=0)
    assert np.abs(lagged).max() < bound


def test_the_seed_determines_the_numbers():
    states = [seed_lanes(np.random.default_rng(seed), 3) for seed in (5, 5, 6)]
    np.testing.assert_array_equal(states[0], states[1])
    assert (states[0] != states[2]).all()
