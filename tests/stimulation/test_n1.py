"""The N1 is found where it is, with its sign, latency and probability."""

import numpy as np
import pytest

from virtualbrain.errors import ModelError
from virtualbrain.stimulation.epochs import EpochSettings, without_artefact
from virtualbrain.stimulation.n1 import N1Settings, detect_n1
from virtualbrain.synthetic.spes import response

RATE_HZ = 1000.0
TIMES = np.arange(-250, 600) / RATE_HZ
LATENCIES_S = np.array([0.012, 0.02, 0.034, 0.045])


def evoked(seed, size, n_trials=10, n_channels=8):
    """Return trials of unit noise in which the first four channels respond."""
    rng = np.random.default_rng(seed)
    trials = rng.normal(size=(n_trials, n_channels, len(TIMES)))
    for channel, latency in enumerate(LATENCIES_S):
        wave = np.where(TIMES > 0, response(np.maximum(TIMES, 0), latency), 0.0)
        trials[:, channel] += size * (-1) ** channel * wave
    return trials


def peak_without_slow(latency, smooth_s=0.0015, slow_s=0.03):
    """Return the peak of a unit response after both Gaussians, by integration."""
    fine = np.arange(0, 1, 1e-4)
    wave = response(fine, latency)

    def at(sd):
        return np.sum(wave * np.exp(-0.5 * ((fine - latency) / sd) ** 2)) * 1e-4 / sd / 2.5066283

    return at(smooth_s) - at(slow_s)


def detect(trials, seed=1, **settings):
    return detect_n1(trials, TIMES, np.random.default_rng(seed), N1Settings(**settings))


def test_clear_responses_have_their_latency_amplitude_and_sign():
    found = detect(evoked(1, 20.0))
    np.testing.assert_allclose(found.latency_s[:4], LATENCIES_S, atol=1.1e-3)
    expected = [peak_without_slow(latency) for latency in LATENCIES_S]
    signed = [20, -20, 20, -20] * np.array(expected)
    np.testing.assert_allclose(found.amplitude[:4], signed, rtol=0.12)
    assert (found.probability[:4] == 1).all()


def test_without_removal_of_slow_background_the_amplitude_is_that_of_the_response():
    found = detect(evoked(1, 20.0), slow_s=0.0)
    np.testing.assert_allclose(found.amplitude[:4], [20, -20, 20, -20], rtol=0.12)


def test_slow_background_hides_no_n1():
    trials = evoked(4, 4.0)
    rng = np.random.default_rng(5)
    phase, hertz = rng.uniform(0, 2 * np.pi, (*trials.shape[:2], 1)), 1.3
    slow = 30 * np.sin(2 * np.pi * hertz * TIMES + phase)
    found, old = detect(trials + slow), detect(trials + slow, slow_s=0.0)
    assert np.isfinite(found.amplitude[:4]).all()
    assert (found.probability[:4] > old.probability[:4]).all()
    assert (found.background[4:] < 0.2 * old.background[4:]).all()


def test_the_rebound_of_a_decay_is_no_n1():
    trials = np.random.default_rng(6).normal(size=(10, 1, len(TIMES)))
    decay = np.where(TIMES >= 0, 500 * np.exp(-np.maximum(TIMES, 0) / 0.005), 0.0)
    trials[:, 0] += without_artefact(decay[None], TIMES, EpochSettings().artefact_s)[0]
    assert np.isnan(detect(trials).amplitude[0])


def test_background_is_the_standard_deviation_of_single_trials():
    trials = evoked(7, 0.0)
    found = detect(trials, slow_s=0.0)
    # white noise of unit variance after a Gaussian of 1.5 samples
    assert found.background == pytest.approx(1 / np.sqrt(2 * np.sqrt(np.pi) * 1.5), rel=0.05)


def test_silent_channels_have_no_n1():
    found = [detect(evoked(seed, 20.0)) for seed in range(20)]
    rate = np.mean([np.isfinite(one.amplitude[4:]) for one in found])
    assert rate < 0.05
    assert np.mean([one.probability[4:] for one in found]) < 0.1


def test_probability_rises_with_the_response():
    mean = [
        np.mean([detect(evoked(s, size)).probability[0] for s in range(5)]) for size in (0, 1, 2, 6)
    ]
    assert mean[0] < 0.1
    assert mean[0] < mean[1] < mean[2] <= mean[3] == 1.0


def test_amplitude_and_latency_are_nan_together():
    found = detect(evoked(2, 1.5))
    np.testing.assert_array_equal(np.isnan(found.amplitude), np.isnan(found.latency_s))


def test_scale_and_order_have_no_influence():
    trials = evoked(3, 3.0)
    found, scaled = detect(trials), detect(1e-5 * trials)
    np.testing.assert_allclose(scaled.amplitude, 1e-5 * found.amplitude)
    np.testing.assert_array_equal(scaled.probability, found.probability)
    turned = detect(trials[:, ::-1])
    np.testing.assert_array_equal(turned.latency_s[::-1], found.latency_s)


def test_a_slope_through_the_window_is_no_n1():
    trials = 0.01 * np.random.default_rng(1).normal(size=(6, 1, len(TIMES)))
    trials[:, 0] += np.clip(TIMES, 0, None) * 50
    assert np.isnan(detect(trials).amplitude[0]) or detect(trials).latency_s[0] > 0.09


def test_a_faster_slow_smoothing_is_refused():
    with pytest.raises(ModelError, match="slow_s zero or larger than smoothing_s"):
        N1Settings(slow_s=0.001)


@pytest.mark.parametrize("settings", [{"threshold": 0}, {"smoothing_s": 0}, {"n_resamples": 0}])
def test_bad_settings_are_refused(settings):
    with pytest.raises(ModelError, match="expected numbers above zero"):
        N1Settings(**settings)


def test_flat_channels_are_refused():
    trials = evoked(1, 1.0)
    trials[:, 2] = 0.0
    with pytest.raises(ModelError, match=r"channel 2 .* is constant in the baseline"):
        detect(trials)
