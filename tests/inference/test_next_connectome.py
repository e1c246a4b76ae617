"""Value of the patient's own connectome: properties of the analysis."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import logsumexp

from inference.futures import Futures, futures_of
from inference.next_candidates import fitted_patient, values
from inference.next_connectome import (
    connectome_value,
    densities,
    drawn_connectomes,
    found_connectomes,
    shifted_zones,
)
from inference.onsets.fit import OnsetSample, sample_onsets
from inference.onsets.rules import Rules
from inference.onsets.sampler import fill_power
from inference.priors import load_priors
from inference.problem import Problem
from inference.settings import Settings

N, M, EZ, LATE = 8, 16, 2, 6
SECONDS = np.linspace(-5.0, 40.0, 40)


@pytest.fixture(scope="module")
def sample() -> OnsetSample:
    """A fit with a group connectome: a region follows another one, with a weak connection."""
    rng = np.random.default_rng(5)
    gain = 0.001 + 0.001 * rng.random((M, N))
    gain[np.arange(M), np.arange(M) % N] += 1.0
    weights = np.full((N, N), 0.2)
    weights[EZ, LATE] = weights[LATE, EZ] = 0.5
    power = np.zeros((N, len(SECONDS)))
    for region, onset in ((EZ, 0.0), (LATE, 9.0)):
        fill_power(SECONDS, onset, 35.0, 4.0, 1.0, 1.0, power[region])
    clean = np.log1p(gain / gain.sum(axis=1, keepdims=True) @ power).T
    envelope = clean + 0.2 * rng.standard_normal(clean.shape)
    problem = Problem([envelope], gain, weights, times=[SECONDS], group_connectome="made")
    settings = Settings(moves=3000, draws=100, chains=2, cores=1, n_steps=60, extension=0)
    return sample_onsets(problem, load_priors("default"), settings)


@pytest.fixture(scope="module")
def futures(sample) -> Futures:
    """Its possible truths; it is open whether the late region starts or is recruited."""
    found = futures_of(sample, 0.05, np.random.default_rng(1))
    p_zone = found.p_zone.copy()
    p_zone[:, LATE] = 0.5
    return replace(found, p_zone=p_zone)


def factors(futures, sample):
    drawn = drawn_connectomes(sample.data.weights, 1.5, np.random.default_rng(3))
    log_l, p_ez = densities(futures, sample, drawn)
    return drawn, log_l - logsumexp(log_l, axis=0), p_ez


def test_averaged_over_connectomes_the_zones_are_those_of_today(futures, sample):
    _, factor, p_ez = factors(futures, sample)
    after = shifted_zones(futures.p_zone, p_ez, factor)
    mean = np.einsum("kd,kdi->di", np.exp(factor), after)
    assert np.exp(factor).sum(axis=0) == pytest.approx(1.0)
    assert mean == pytest.approx(futures.p_zone, abs=1e-6)
    sure = (futures.p_zone == 0) | (futures.p_zone == 1)
    assert np.array_equal(after[:, sure], np.repeat(futures.p_zone[sure][None], len(after), axis=0))


def test_a_weaker_connection_speaks_for_a_start_of_its_own(futures, sample):
    drawn, factor, p_ez = factors(futures, sample)
    after = shifted_zones(futures.p_zone, p_ez, factor)[..., LATE].mean(axis=1)
    weight = drawn[:, EZ, LATE]
    assert np.corrcoef(np.log(weight), after)[0, 1] < -0.5
    assert np.ptp(after) > 0.1


def test_a_known_connectome_is_worth_nothing(futures, sample):
    value = connectome_value(futures, sample, 2, np.random.default_rng(4), log_sd=0.0)
    assert value.gain == value.stated == value.share == 0.0
    assert value.entropy_drop == pytest.approx(0.0, abs=1e-9)
    assert value.flattened == 0.0


def test_the_more_people_differ_the_more_the_own_connectome_says(futures, sample):
    drops = [
        connectome_value(futures, sample, 1, np.random.default_rng(4), log_sd=sd).entropy_drop
        for sd in (0.1, 0.7, 2.0)
    ]
    assert drops == sorted(drops)
    assert drops[2] > 0.02
    assert drops[0] == pytest.approx(0.0, abs=0.01)


def test_a_region_with_a_known_zone_gains_nothing(futures, sample):
    known = np.zeros_like(futures.p_zone)
    known[:, EZ] = 1.0
    sure = replace(futures, p_zone=known, hidden=np.zeros_like(futures.hidden))
    value = connectome_value(sure, sample, 1, np.random.default_rng(4))
    assert value.gain == 0.0
    assert value.entropy_drop == pytest.approx(0.0, abs=1e-9)


def test_connectomes_are_drawn_as_often_as_they_explain_the_truth():
    factor = np.log(np.array([[0.7, 0.1], [0.3, 0.9]]))
    rng = np.random.default_rng(5)
    found = np.stack([found_connectomes(factor, rng) for _ in range(4000)])
    assert found.mean(axis=0) == pytest.approx([0.3, 0.9], abs=0.03)


def test_drawn_connectomes_are_symmetric_scaled_and_lack_what_the_group_lacks(sample):
    weights = sample.data.weights.copy()
    weights[0, 1] = weights[1, 0] = 0.0
    drawn = drawn_connectomes(weights, 1.0, np.random.default_rng(6))
    assert np.array_equal(drawn, drawn.transpose(0, 2, 1))
    assert drawn.sum(axis=2).mean(axis=1) == pytest.approx(1.0)
    assert not drawn[:, 0, 1].any()
    spread = np.log(drawn[:, 2, 3] / drawn[:, 4, 5]).std()
    assert spread == pytest.approx(np.sqrt(2.0), rel=0.2)


@pytest.mark.parametrize("group", ["made", ""])
def test_only_a_fit_with_a_group_connectome_has_this_value(sample, group):
    problem = sample.density.problem
    own = replace(
        problem, group_connectome=group, envelope=list(problem.envelope),
        times=list(problem.times),
    )  # fmt: skip
    other = replace(sample, density=replace(sample.density, problem=own))
    table = values(fitted_patient(other, 0.05, 1), [], 1)
    assert ("connectome" in set(table["datum"])) == bool(group)
    assert Rules().threshold_sd < sample.rules.threshold_sd  # an own connectome is less uncertain
