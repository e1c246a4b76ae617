"""Posterior modes, their weights, and leave-one-out scores compared with exact ones."""

import numpy as np
import pytest

from inference.modes import group_chains, leave_one_out, stack


def test_psis_equals_exact_leave_one_out_for_a_normal_mean():
    rng = np.random.default_rng(0)
    y = rng.normal(0, 1, 30)
    mu = rng.normal(y.mean(), 1 / np.sqrt(30), (2, 1000))
    log_likelihood = -0.5 * (y - mu[..., None]) ** 2 - 0.5 * np.log(2 * np.pi)
    found, k = leave_one_out(log_likelihood)
    exact = 0.0
    for i in range(30):
        rest, spread = np.delete(y, i), 1 + 1 / 29
        exact += -0.5 * (y[i] - rest.mean()) ** 2 / spread - 0.5 * np.log(2 * np.pi * spread)
    assert found.sum(axis=1) == pytest.approx([exact, exact], abs=0.15)
    assert (k < 0.7).all()


def test_stacking_selects_the_better_mode_and_splits_complementary_ones():
    better = np.array([np.full(20, -1.0), np.full(20, -3.0)])
    np.testing.assert_allclose(stack(better), [1, 0], atol=1e-3)
    half = np.array([[-1.0] * 10 + [-5.0] * 10, [-5.0] * 10 + [-1.0] * 10])
    np.testing.assert_allclose(stack(half), [0.5, 0.5], atol=1e-3)
    np.testing.assert_allclose(stack(half[:1]), [1])


def test_chains_with_different_means_are_different_modes():
    rng = np.random.default_rng(0)
    x0 = rng.normal(0, 1, (4, 200, 3))
    x0[2] += 10
    assert list(group_chains(x0)) == [0, 0, 1, 0]
