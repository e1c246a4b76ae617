"""NUTS on densities whose moments are computed by quadrature."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import brentq

from inference.sampling import chain_seeds, sample_nuts, scattered_start
from inference.settings import Settings

SIZE, STEEPNESS = 12, 20.0
MODE = brentq(lambda x: -x - STEEPNESS * np.exp(STEEPNESS * x), -1, 0)


def log_density(x):
    """Return a normal log density that falls steeply above zero, as that of x0 can."""
    return -0.5 * x**2 - np.exp(STEEPNESS * x)


class Walled:
    """The interface of `Rounded` that `sample_nuts` uses: independent walled normals."""

    def __init__(self, tune=300, draws=1500):
        self.density = SimpleNamespace(
            settings=Settings(tune=tune, draws=draws, target_accept=0.9, cores=2),
            layout=SimpleNamespace(size=SIZE),
        )

    def __call__(self, move):
        x = self.point(move)
        wall = np.exp(np.minimum(STEEPNESS * x, 300.0))
        return float((-0.5 * x**2 - wall).sum()), -x - STEEPNESS * wall

    def point(self, move):
        return move + MODE


class Flat(Walled):
    """The same interface with a constant density."""

    def __call__(self, move):
        return 0.0, np.zeros(SIZE)


@pytest.fixture(scope="module")
def drawn():
    return sample_nuts([Walled(), Walled()], seed=5)


def moment(power):
    def weight(x):
        return np.exp(log_density(x))

    total = quad(weight, -9, 1, points=[-1, 0])[0]
    return quad(lambda x: x**power * weight(x), -9, 1, points=[-1, 0])[0] / total


def test_moments_beside_a_wall_equal_quadrature(drawn):
    values = drawn[0]
    mean = moment(1)
    variance = moment(2) - mean**2
    # 36,000 dependent values: 0.02 is three to four standard errors of the mean.
    np.testing.assert_allclose(values.mean(), mean, atol=0.02)
    np.testing.assert_allclose(values.var(axis=(0, 1)).mean(), variance, rtol=0.06)


def test_quantiles_beside_a_wall_equal_quadrature(drawn):
    values = np.sort((drawn[0]).ravel())
    total = quad(lambda x: np.exp(log_density(x)), -9, 1, points=[-1, 0])[0]
    for level in (0.1, 0.5, 0.9):
        below = quad(
            lambda x: np.exp(log_density(x)), -9, values[int(level * len(values))], points=[-1]
        )[0]
        assert below / total == pytest.approx(level, abs=0.02)


def test_a_wall_causes_no_divergence(drawn):
    assert not drawn[1]["diverging"].any()


def test_no_step_is_longer_than_the_tuned_one(drawn):
    steps = drawn[1]["step_size"].to_numpy()
    assert (np.ptp(steps, axis=1) == 0).all()


def test_the_seed_determines_the_draws():
    once, again, other = (sample_nuts([Walled(20, 10)] * 2, seed)[0] for seed in (5, 5, 6))
    np.testing.assert_array_equal(once, again)
    assert not np.array_equal(once, other)


def test_every_chain_has_a_different_seed():
    assert len(set(chain_seeds(5, 4))) == 4
    assert chain_seeds(5, 2) == chain_seeds(5, 4)[:2]


def test_starting_points_are_scattered_and_have_a_usual_density():
    mode = Walled()
    height = mode(np.zeros(SIZE))[0]
    starts = np.array([scattered_start(mode, np.random.default_rng(n)) for n in range(50)])
    assert all(mode(start)[0] >= height - SIZE / 2 for start in starts)
    assert (starts.std(axis=0) > 0.05).all()
    # Without the rule half of them would start inside the wall.
    bare = 0.5 * np.random.default_rng(0).standard_normal(SIZE)
    assert mode(bare)[0] < height - 1000


def test_a_starting_point_with_a_usual_density_is_kept():
    start = scattered_start(Flat(), np.random.default_rng(3))
    np.testing.assert_array_equal(start, 0.5 * np.random.default_rng(3).standard_normal(SIZE))
