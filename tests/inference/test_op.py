"""Sweep and adjoint against pytensor.scan; the Op alone and in the PyMC model."""

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest
from pytensor.compile.mode import Mode
from pytensor.gradient import verify_grad

from inference import kernels
from inference.density import build_density
from inference.model import build_model
from inference.op import LogLikelihood
from inference.priors import Priors

INTERPRETED = Mode(linker="py", optimizer="fast_compile")
"""Graphs of other authors are compared, not timed: compiling them takes a minute each."""


def _inputs(n=4, n_seizures=1):
    rng = np.random.default_rng(2)
    weights = rng.random((n, n)) / n
    np.fill_diagonal(weights, 0)
    return [
        rng.normal(-2.3, 0.3, n), rng.normal(-1.8, 0.1, (n_seizures, n)),
        rng.normal(3.2, 0.1, (n_seizures, n)), np.full(n, 1.2), np.full(n_seizures, 12.0), weights,
    ]  # fmt: skip


def _by_scan(x0, x_init, z_init, coupling, tau0, weights, n_steps, dt):
    """The same model, written for pytensor.scan."""

    def step(x, z):
        pull = weights @ x - weights.sum(axis=1) * x
        fx = 1 - x**3 - 2 * x**2 - z + 3.1
        fz = (4 * (x - x0) - z - coupling * pull) / tau0[0]
        return x + dt * fx, z + dt * fz

    states = pytensor.scan(
        step, outputs_info=[x_init[0], z_init[0]], n_steps=n_steps - 1, return_updates=False
    )
    return pt.concatenate([x_init[:1], states[0]])


@pytest.mark.slow
def test_sweep_and_adjoint_equal_scan():
    values = _inputs()
    symbols = [pt.tensor(shape=np.shape(v), dtype="float64") for v in values]
    x = _by_scan(*symbols, 40, 0.1)
    gradients = pt.grad((x**2).sum() + x[-1].sum(), symbols[:5])
    with pytensor.config.change_flags(cxx=""):  # else the steps of the scan are compiled
        expected_x, *expected = pytensor.function(symbols, [x, *gradients], INTERPRETED)(*values)
    xs, zs = kernels.sweep(*values, 40, 0.1, kernels.EULER)
    np.testing.assert_allclose(xs[0], expected_x, rtol=1e-10)
    bar_xs = 2 * xs
    bar_xs[:, -1] += 1
    x0, _, _, coupling, tau0, weights = values
    found = kernels.sweep_adjoint(
        xs, zs, bar_xs, np.zeros_like(xs), x0, coupling, tau0, weights, 0.1, kernels.EULER
    )
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-8, atol=1e-9)


def _likelihood_inputs(n=3, m=2, n_steps=12):
    rng = np.random.default_rng(4)
    x0, x_init, z_init, coupling, tau0, weights = _inputs(n)
    envelope = rng.normal(1, 1, (1, n_steps, m))
    return [
        x0, x_init, z_init, coupling, tau0, 1.4, rng.normal(1, 0.3, m), 0.5, weights,
        rng.random((m, n)), envelope, np.ones((1, m)),
    ]  # fmt: skip


def _op(integrator=kernels.EULER):
    return LogLikelihood(
        kernels.LikelihoodOptions(
            dt=0.1, integrator=integrator, observation=kernels.LINEAR, degrees_of_freedom=4.0,
            initial=kernels.FREE, tempering=0.7,
        )
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("integrator", [kernels.EULER, kernels.HEUN])
def test_pullback_passes_the_gradient_check_of_pytensor(integrator):
    values = _likelihood_inputs()
    op = _op(integrator)
    verify_grad(
        lambda x0, coupling: op(x0, *values[1:3], coupling, *values[4:])[0],
        [values[0], values[3]],
        rng=np.random.default_rng(0),
        mode=INTERPRETED,
    )


@pytest.mark.slow
def test_the_compiled_op_gives_the_interpreted_values_and_gradients():
    values = _likelihood_inputs()
    symbols = [pt.tensor(shape=np.shape(v), dtype="float64") for v in values]
    likelihood = _op()(*symbols)[0]
    outputs = [likelihood, *pt.grad(likelihood, symbols[: LogLikelihood.N_FITTED])]
    by_mode = [pytensor.function(symbols, outputs, mode=m)(*values) for m in ("NUMBA", INTERPRETED)]
    for compiled, interpreted in zip(*by_mode, strict=True):
        np.testing.assert_allclose(compiled, interpreted, rtol=1e-12)


def test_inputs_with_the_wrong_number_of_dimensions_are_refused():
    values = _likelihood_inputs()
    with pytest.raises(TypeError, match="x0 has 2 dims, expected 1"):
        _op()(values[1], *values[1:])
    with pytest.raises(TypeError, match="11 inputs, expected 12"):
        _op()(*values[1:])


@pytest.mark.slow
def test_the_flat_density_equals_the_pymc_model(small_problem, small_settings):
    density = build_density(small_problem, Priors(), small_settings, 0.3)
    with build_model(small_problem, Priors(), small_settings, 0.3) as model:
        function = model.logp_dlogp_function(ravel_inputs=True, mode=INTERPRETED)
        function.set_extra_values({})
    rng = np.random.default_rng(3)
    points = [0.3 * rng.standard_normal(density.layout.size) for _ in range(2)]
    points[1][:2] = 6.0  # beyond the wall
    ours = [density(point) for point in points]
    theirs = [function(density.unconstrained(point)) for point in points]
    assert ours[0][0] - ours[1][0] == pytest.approx(float(theirs[0][0] - theirs[1][0]), rel=1e-9)
    for (_, slope), (_, reference) in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(slope, reference * density.layout.scale, rtol=1e-8, atol=1e-8)
    assert isinstance(model, pm.Model)
