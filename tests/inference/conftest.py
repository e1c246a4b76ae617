"""A small synthetic patient of known truth, simulated with the fitted model."""

from dataclasses import replace

import numpy as np
import pytest

import inference
from inference import kernels
from inference.problem import Problem
from inference.settings import Settings
from virtualbrain.network import normalise_weights

N_REGIONS, N_CHANNELS, N_STEPS = 12, 10, 60


@pytest.fixture(scope="session")
def small_settings():
    return Settings(
        method="nuts", n_steps=N_STEPS, starts=6, exchange_rounds=1, tune=60, draws=40, chains=2,
        cores=2, max_depth=5,
    )  # fmt: skip


def _weights(rng):
    weights = np.triu(rng.lognormal(0, 1, (N_REGIONS, N_REGIONS)), 1)
    return weights + weights.T


@pytest.fixture(scope="session")
def small_truth():
    return np.where(np.arange(N_REGIONS) == 3, -1.7, -2.9)


@pytest.fixture(scope="session")
def small_problem(small_truth):
    rng = np.random.default_rng(7)
    weights = _weights(rng)
    gain = 0.02 + np.eye(N_CHANNELS, N_REGIONS) + 0.1 * rng.random((N_CHANNELS, N_REGIONS))
    gain /= gain.sum(axis=1, keepdims=True)
    z, x, _, _ = kernels.initial_states(
        small_truth, np.zeros((1, N_REGIONS)), np.zeros((1, N_REGIONS)), kernels.REST
    )
    xs, _ = kernels.sweep(
        small_truth, x, z, np.full(N_REGIONS, 1.0), np.array([12.0]),
        normalise_weights(weights), N_STEPS, 0.1, kernels.EULER,
    )  # fmt: skip
    mean = kernels.observe(xs[0], gain, 1.5, np.full(N_CHANNELS, 3.0), kernels.LINEAR)
    envelope = mean + 0.2 * rng.standard_normal(mean.shape)
    return Problem(envelope, gain, weights, times=np.arange(N_STEPS) * 0.4 - 3.0)


@pytest.fixture(scope="session")
def quick(small_problem, small_settings):
    """Posterior of the small problem in quick mode."""
    return inference.fit(small_problem, settings=replace(small_settings, method="laplace"))
