"""The solvers of the two-dimensional Epileptor agree with each other and with their equations."""

import numpy as np
import pytest

from inference.kernels import common
from virtualbrain.models import reduced_physics as physics

X0 = np.linspace(-3.5, -2.0, 40)


def test_the_nullcline_turns_at_the_fold():
    beside = physics.FOLD_X + np.array([-1e-4, 1e-4])
    assert physics.nullcline_z(physics.FOLD_X) == pytest.approx(physics.FOLD_Z, abs=1e-14)
    assert (physics.nullcline_z(beside) > physics.FOLD_Z).all()


def test_the_threshold_reaches_the_fold_for_a_large_tau0():
    assert physics.critical_x0(np.inf) == pytest.approx(physics.FOLD_X0, abs=1e-14)
    assert (np.diff(physics.critical_x0(np.array([5.0, 10.0, 100.0, 1e6]))) < 0).all()


def test_all_solvers_of_the_rest_state_agree():
    x, z = physics.equilibrium(X0)
    np.testing.assert_allclose(physics.rest_x_newton(X0), x, atol=1e-12)
    np.testing.assert_allclose([common.rest_x(x0) for x0 in X0], x, atol=1e-12)
    np.testing.assert_allclose(physics.rest_x0(x)[0], X0, atol=1e-12)
    np.testing.assert_allclose(physics.nullcline_z(x), z, atol=1e-12)


def test_all_solvers_of_the_left_branch_agree():
    x = np.linspace(-2.0, physics.FOLD_X - 0.02, 40)
    z = physics.nullcline_z(x)
    np.testing.assert_allclose([common.left_branch_x(value) for value in z], x, atol=1e-10)
    np.testing.assert_allclose(physics.left_branch_step(z, x + 0.003), x, atol=1e-8)
    near = x > physics.FOLD_X - 0.1
    expansion = physics.left_branch_expansion(z[near])
    np.testing.assert_allclose(expansion, x[near], atol=0.01)


@pytest.mark.parametrize("name", ["fast_rate", "slow_drift", "rest_x", "left_branch_x"])
def test_compiled_functions_equal_the_plain_ones(name):
    compiled = getattr(common, name)
    arguments = {
        "fast_rate": (-1.7, 3.2), "slow_drift": (-1.7, 3.2, -2.1, 0.4), "rest_x": (-2.3,),
        "left_branch_x": (3.2,),
    }[name]  # fmt: skip
    assert compiled(*arguments) == compiled.py_func(*arguments)


def test_rates_are_zero_at_the_equilibrium():
    x, z = physics.equilibrium(X0)
    np.testing.assert_allclose(physics.fast_rate(x, z), 0, atol=1e-12)
    np.testing.assert_allclose(physics.slow_drift(x, z, X0, 0.0), 0, atol=1e-12)


def test_thresholds_separate_rest_from_seizure():
    thresholds = (
        physics.SEIZING_X_2D, physics.SEIZING_X1_6D, physics.SEIZING_X1_6D_SLIDING,
        physics.SEIZING_X1_ANY,
    )  # fmt: skip
    assert all(threshold > physics.FOLD_X for threshold in thresholds)
    assert list(thresholds) == sorted(thresholds, reverse=True)
