"""Predicted probability of seizure freedom."""

import numpy as np
import pytest

from virtualbrain.posterior import p_ez_sampled
from virtualbrain.surgery.seizure_freedom import SeizureFreedom


def test_the_order_of_plans_is_kept():
    rule = SeizureFreedom(p_elsewhere=0.3, p_sampled=0.6)
    found = [rule.probability(share) for share in np.linspace(0, 1, 201)]
    assert found[0] == 0.0
    assert (np.diff(found) > 0).all()


def test_it_is_the_frequency_of_three_independent_events():
    rng = np.random.default_rng(0)
    rule = SeizureFreedom(p_elsewhere=0.2, p_sampled=0.9)
    n = 200_000
    no_seizure = rng.random(n) < 0.7
    nowhere_else = rng.random(n) >= 0.2
    sampled = rng.random(n) < 0.9
    assert rule.probability(0.7) == pytest.approx(
        np.mean(no_seizure & nowhere_else & sampled), abs=0.005
    )


def test_few_expected_ez_regions_make_it_low():
    rules = [SeizureFreedom(0.1, p_ez_sampled(np.repeat([0.95, 0.0], [n, 90]))) for n in range(5)]
    found = [rule.probability(1.0) for rule in rules]
    assert (np.diff(found) > 0).all()
    assert found[0] < 0.01
    assert found[-1] <= 0.9


def test_without_a_fit_it_is_the_fraction_of_draws():
    assert SeizureFreedom(0.5, 0.0, fitted=False).probability(0.8) == 0.8
