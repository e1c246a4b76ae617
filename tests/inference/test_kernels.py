"""Compiled functions of the fit: properties of the dynamics, gradients by finite differences."""

import itertools

import numpy as np
import pytest

from inference import kernels
from virtualbrain.models.reduced_physics import critical_x0

FORMS = list(itertools.product((0, 1), (0, 1), (0, 1), (0.0, 4.0)))


def _arguments(form, rule, heun, nu, n=6, m=4, n_steps=30, n_seizures=2):
    rng = np.random.default_rng(1)
    weights = rng.random((n, n))
    np.fill_diagonal(weights, 0)
    weights /= weights.sum(axis=1).mean()
    gain = rng.random((m, n))
    fitted = [
        rng.normal(-2.5, 0.4, n),
        rng.normal(-2, 0.1, (n_seizures, n)),
        rng.normal(0.0 if rule else 4.0, 0.1, (n_seizures, n)),
        np.full(n, 1.3),
        np.array([12.0, 15.0]),
        1.4,
        rng.normal(1, 0.3, m),
        0.5,
    ]
    mask = np.ones((n_seizures, m))
    mask[1, 0] = 0.0
    options = kernels.LikelihoodOptions(
        dt=0.1, integrator=heun, observation=form, degrees_of_freedom=nu, initial=rule,
        tempering=0.7,
    )  # fmt: skip
    fixed = (weights, gain, rng.normal(1, 1, (n_seizures, n_steps, m)), mask, options)
    return fitted, fixed


@pytest.mark.parametrize(("form", "rule", "heun", "nu"), FORMS)
def test_gradients_equal_finite_differences(form, rule, heun, nu):
    fitted, fixed = _arguments(form, rule, heun, nu)
    gradients = kernels.log_likelihood(*fitted, *fixed)[1:]
    for position, gradient in enumerate(gradients):
        base = np.array(fitted[position], dtype=float)
        flat = np.atleast_1d(gradient).ravel()
        for j in range(flat.size):
            values = []
            for step in (1e-5, -1e-5):
                moved = base.copy().reshape(-1)
                moved[j] += step
                trial = list(fitted)
                trial[position] = moved.reshape(base.shape) if base.shape else float(moved[0])
                values.append(kernels.log_likelihood(*trial, *fixed)[0])
            slope = (values[0] - values[1]) / 2e-5
            assert flat[j] == pytest.approx(slope, rel=2e-5, abs=2e-5)


def _sweep(x0, n_steps=400, coupling=1.0, weights=None, heun=0, dt=0.1, tau0=20.0):
    n = len(x0)
    weights = np.zeros((n, n)) if weights is None else weights
    return kernels.sweep(
        x0, np.full((1, n), -1.6), np.full((1, n), 3.0), np.full(n, coupling), np.array([tau0]),
        weights, n_steps, dt, heun,
    )  # fmt: skip


def test_heun_is_of_second_order():
    x0 = np.array([-2.4, -2.6])
    weights = np.array([[0.0, 0.8], [0.3, 0.0]])
    fine = _sweep(x0, 8001, weights=weights, heun=1, dt=0.0025)[0][0, -1]
    errors = [
        np.abs(_sweep(x0, int(20 / dt) + 1, weights=weights, heun=1, dt=dt)[0][0, -1] - fine).max()
        for dt in (0.1, 0.05)
    ]
    assert errors[1] < errors[0] / 3


@pytest.mark.parametrize("tau0", [10.0, 30.0])
def test_an_uncoupled_region_seizes_only_above_its_threshold(tau0):
    threshold = float(critical_x0(tau0))
    x0 = threshold + np.array([-0.03, 0.03])
    x, _ = _sweep(x0, n_steps=8000, tau0=tau0)
    assert list((x[0, 4000:] > 0).any(axis=0)) == [False, True]


def test_a_seizing_neighbour_recruits_with_positive_coupling_only():
    x0 = np.array([-1.6, -2.3])
    weights = np.array([[0.0, 0.0], [1.0, 0.0]])
    recruited = [
        (_sweep(x0, weights=weights, coupling=k)[0][0, :, 1] > 0).any() for k in (3, 0, -3)
    ]
    assert recruited == [True, False, False]


def test_permuting_the_regions_permutes_the_result():
    rng = np.random.default_rng(0)
    x0, weights = rng.normal(-2.2, 0.3, 7), rng.random((7, 7)) / 7
    order = rng.permutation(7)
    plain = _sweep(x0, weights=weights)[0][0]
    moved = _sweep(x0[order], weights=np.ascontiguousarray(weights[order][:, order]))[0][0]
    np.testing.assert_allclose(moved, plain[:, order], atol=1e-9)


def test_a_batch_of_seizures_equals_single_runs():
    fitted, fixed = _arguments(1, 1, 0, 0.0)
    both = kernels.log_likelihood(*fitted, *fixed)
    parts = []
    for s in range(2):
        one = list(fitted)
        one[1], one[2], one[4] = fitted[1][s : s + 1], fitted[2][s : s + 1], fitted[4][s : s + 1]
        weights, gain, envelope, mask, options = fixed
        parts.append(
            kernels.log_likelihood(
                *one, weights, gain, envelope[s : s + 1].copy(), mask[s : s + 1].copy(), options
            )
        )
    assert both[0] == pytest.approx(parts[0][0] + parts[1][0])
    np.testing.assert_allclose(both[1], parts[0][1] + parts[1][1], atol=1e-9)


def test_rest_is_an_equilibrium_below_threshold():
    x0 = np.linspace(-3.5, -2.2, 8)
    z, x, _, _ = kernels.initial_states(x0, np.zeros((1, 8)), np.zeros((1, 8)), kernels.REST)
    xs, zs = kernels.sweep(
        x0, x, z, np.zeros(8), np.array([20.0]), np.zeros((8, 8)), 300, 0.1, kernels.EULER
    )
    assert np.abs(xs[0, -1] - xs[0, 0]).max() < 0.02
    assert np.abs(zs[0, -1] - zs[0, 0]).max() < 0.02


def test_the_wall_acts_only_above_the_oscillatory_window():
    x0 = np.array([-3.0, kernels.X0_CEILING - 1e-9, kernels.X0_CEILING + kernels.X0_WALL])
    slope = np.zeros(3)
    assert kernels.wall(x0, slope) == pytest.approx(-0.5)
    np.testing.assert_allclose(slope, [0, 0, -1 / kernels.X0_WALL])
    step = np.array([0, 0, 1e-6])
    rise = kernels.wall(x0 + step, np.zeros(3)) - kernels.wall(x0 - step, np.zeros(3))
    assert rise / 2e-6 == pytest.approx(slope[2], rel=1e-6)


@pytest.mark.parametrize("rule", [0, 1])
def test_products_with_the_gain_do_not_change_the_likelihood(rule):
    fitted, fixed = _arguments(kernels.LINEAR, rule, 0, 0.0)
    _, gain, envelope, mask, _ = fixed
    gain[1] = 0.0  # a channel without gain still counts
    products = kernels.products_with_gain(envelope, gain, mask)
    plain = kernels.log_likelihood(*fitted, *fixed)
    by_products = kernels.log_likelihood_with_products(*fitted, *fixed, products)
    for one, other in zip(plain, by_products, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-9)


def test_products_keep_their_precision_for_large_offsets():
    fitted, fixed = _arguments(kernels.LINEAR, 0, 0, 0.0)
    weights, gain, envelope, mask, options = fixed
    fitted[6] = fitted[6] + 1e4
    far = (weights, gain, envelope + 1e4, mask, options)
    products = kernels.products_with_gain(envelope + 1e4, gain, mask)
    plain = kernels.log_likelihood(*fitted, *far)
    by_products = kernels.log_likelihood_with_products(*fitted, *far, products)
    assert by_products[0] == pytest.approx(plain[0], rel=1e-8)


def test_a_shorter_run_is_the_beginning_of_a_longer_one():
    x0 = np.array([-1.6, -2.5, -2.3, -2.2, -3.0])
    weights = np.random.default_rng(3).random((5, 5)) / 5
    for n_steps in (1, 2, 3, 8):
        short = _sweep(x0, n_steps=n_steps, weights=weights)
        long = _sweep(x0, n_steps=n_steps + 1, weights=weights)
        for one, other in zip(short, long, strict=True):
            np.testing.assert_array_equal(one, other[:, :n_steps])


@pytest.mark.parametrize("n_steps", [1, 2, 3, 6, 7])
def test_the_adjoint_of_any_length_equals_finite_differences(n_steps):
    rng = np.random.default_rng(n_steps)
    n, step = 5, 1e-6
    weights = rng.random((n, n)) / n
    bar_x, bar_z = rng.normal(size=(2, 1, n_steps, n))
    fitted = [
        rng.normal(-2.4, 0.3, n), rng.normal(-1.8, 0.2, (1, n)), rng.normal(3.5, 0.2, (1, n)),
        rng.uniform(0.5, 1.5, n), np.array([9.0]),
    ]  # fmt: skip

    def projected(arguments):
        xs, zs = kernels.sweep(*arguments, weights, n_steps, 0.1, kernels.EULER)
        return (xs * bar_x).sum() + (zs * bar_z).sum()

    xs, zs = kernels.sweep(*fitted, weights, n_steps, 0.1, kernels.EULER)
    x0, _, _, coupling, tau0 = fitted
    gradients = kernels.sweep_adjoint(
        xs, zs, bar_x, bar_z, x0, coupling, tau0, weights, 0.1, kernels.EULER
    )
    for position, gradient in enumerate(gradients):
        for j in range(fitted[position].size):
            ends = []
            for move in (step, -step):
                trial = [value.copy() for value in fitted]
                trial[position].ravel()[j] += move
                ends.append(projected(trial))
            slope = (ends[0] - ends[1]) / (2 * step)
            assert gradient.ravel()[j] == pytest.approx(slope, rel=1e-5, abs=1e-7)
