"""The Ops in PyTensor graphs: against pytensor.scan, and as part of the PyMC model."""

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest
from pytensor.gradient import verify_grad

from inference.density import build_density
from inference.model import build_model
from inference.op import Trajectory
from inference.priors import Priors


def _inputs(n=4, n_seizures=1):
    rng = np.random.default_rng(2)
    weights = rng.random((n, n)) / n
    np.fill_diagonal(weights, 0)
    return [
        rng.normal(-2.3, 0.3, n), rng.normal(-1.8, 0.1, (n_seizures, n)),
        rng.normal(3.2, 0.1, (n_seizures, n)), np.full(n, 1.2), np.full(n_seizures, 12.0), weights,
    ]  # fmt: skip


def _by_scan(x0, x_init, z_init, coupling, tau0, weights, n_steps, dt):
    """The same model, written by hand for pytensor.scan."""

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
def test_value_and_gradient_equal_scan():
    values = _inputs()
    symbols = [pt.tensor(shape=np.shape(v), dtype="float64") for v in values]
    ours = Trajectory(40)(*symbols)[0][0]
    theirs = _by_scan(*symbols, 40, 0.1)
    costs = [(x**2).sum() + x[-1].sum() for x in (ours, theirs)]
    gradients = [pt.grad(cost, symbols[:5]) for cost in costs]
    function = pytensor.function(symbols, [*costs, *gradients[0], *gradients[1]], mode="NUMBA")
    found = function(*values)
    assert found[0] == pytest.approx(found[1], rel=1e-10)
    for one, other in zip(found[2:7], found[7:], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-8, atol=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("heun", [False, True])
def test_pullback_passes_pytensors_own_check(heun):
    values = _inputs(n=3)
    verify_grad(
        lambda x0, coupling: Trajectory(12, 0.1, heun)(
            x0, values[1][:, :3], values[2][:, :3], coupling, values[4], values[5][:3, :3]
        )[0],
        [values[0][:3], values[3][:3]],
        rng=np.random.default_rng(0),
        mode="FAST_COMPILE",
    )


def test_wrong_ranks_are_refused():
    values = _inputs()
    with pytest.raises(TypeError, match="dims"):
        Trajectory(5)(values[1], *values[1:])


@pytest.mark.slow
def test_the_flat_density_is_that_of_the_pymc_model(small_problem, small_settings):
    density = build_density(small_problem, Priors(), small_settings, 0.3)
    with build_model(small_problem, Priors(), small_settings, 0.3) as model:
        function = model.logp_dlogp_function(ravel_inputs=True, mode="NUMBA")
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
