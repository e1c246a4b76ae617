"""Coordinates of the sampler: maps, inverses, Jacobians and curvature."""

import numpy as np
import pytest

from inference.density import build_density
from inference.priors import Priors
from inference.reparameterisation import (
    excitability_of,
    rest_density,
    resting_x,
    rounded_about,
    to_point,
    to_rested,
)
from virtualbrain.models.reduced_physics import equilibrium

X0 = np.linspace(-9.0, -1.0, 81)


@pytest.fixture(scope="module")
def density(small_problem, small_settings):
    return build_density(small_problem, Priors(), small_settings, 0.3)


def test_resting_x_is_the_equilibrium_of_the_simulator():
    inside = X0[X0 > -4.0]
    np.testing.assert_allclose(resting_x(inside), equilibrium(inside)[0], atol=1e-9)


def test_the_inverse_undoes_the_map():
    np.testing.assert_allclose(excitability_of(resting_x(X0))[0], X0, atol=1e-9)


def test_slope_and_bend_are_derivatives():
    x = np.array([-3.0, -2.39, -2.0, -1.2, 0.3])
    above, below = excitability_of(x + 1e-6), excitability_of(x - 1e-6)
    _, slope, bend = excitability_of(x)
    np.testing.assert_allclose((above[0] - below[0]) / 2e-6, slope, rtol=1e-6)
    logs = (np.log(above[1]) - np.log(below[1])) / 2e-6
    np.testing.assert_allclose(logs, bend, rtol=1e-5, atol=1e-6)


def test_vectors_return_from_the_coordinates_unchanged(density):
    point = np.random.default_rng(0).standard_normal(density.layout.size)
    np.testing.assert_allclose(to_point(density, to_rested(density, point)), point, atol=1e-9)


def test_gradient_equals_finite_differences(density):
    rng = np.random.default_rng(1)
    rested = to_rested(density, 0.3 * rng.standard_normal(density.layout.size))
    _, slope = rest_density(density, rested)
    for i in rng.choice(density.layout.size, 12, replace=False):
        shift = np.zeros_like(rested)
        shift[i] = 1e-5
        by_hand = (
            rest_density(density, rested + shift)[0] - rest_density(density, rested - shift)[0]
        )
        assert slope[i] == pytest.approx(by_hand / 2e-5, rel=1e-4, abs=1e-4)


def test_the_density_changes_by_the_jacobian_only(density):
    point = 0.2 * np.random.default_rng(2).standard_normal(density.layout.size)
    rested = to_rested(density, point)
    x0 = rested[density.layout.slices["x0"]]
    volume = np.log(excitability_of(x0)[1]).sum()
    assert rest_density(density, rested)[0] - volume == pytest.approx(density(point)[0])


def test_the_density_is_nearly_standard_normal_at_the_mode(density):
    mode = rounded_about(density, np.zeros(density.layout.size))
    origin = np.zeros(density.layout.size)
    value, slope = mode(origin)
    assert np.abs(slope).max() < 0.5
    losses = []
    for move in np.random.default_rng(3).standard_normal((8, density.layout.size)):
        step = 0.2 * move / np.linalg.norm(move)
        losses.append(value - mode(step)[0] + slope @ step)
    # Half the squared step length, where the density is more curved than the prior.
    assert max(losses) == pytest.approx(0.02, rel=0.5)
