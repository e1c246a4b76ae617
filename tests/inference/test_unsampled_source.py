"""Explanations of the recording from an unsampled region."""

import numpy as np
import pytest

from inference.density import build_density
from inference.initialisation import climb
from inference.priors import Priors
from inference.problem import Problem
from inference.unsampled_source import unsampled_alternative
from virtualbrain.seeg.gain import observability

pytestmark = pytest.mark.slow


def test_an_unsampled_region_is_compared_with_the_leading_one(small_problem, small_settings):
    gain = small_problem.gain.copy()
    gain[:, 5] = 0.0
    blind = Problem(small_problem.envelope, gain, small_problem.weights, times=small_problem.times)
    density = build_density(blind, Priors(), small_settings, 0.3)
    best = climb(density, np.zeros(density.layout.size), 300)
    found = unsampled_alternative(density, best)
    assert found is not None
    unsampled = observability(gain) < 0.1
    assert unsampled[5]
    assert found.region in np.array(blind.regions)[unsampled]
    assert np.isfinite(found.margin)


def test_no_alternative_if_every_region_is_sampled(small_problem, small_settings):
    gain = np.eye(12)
    envelope = np.tile(small_problem.envelope[0][:, :1], (1, 12))
    density = build_density(
        Problem(envelope, gain, small_problem.weights), Priors(), small_settings, 0.3
    )
    assert unsampled_alternative(density, climb(density, np.zeros(density.layout.size), 5)) is None
