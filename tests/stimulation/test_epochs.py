"""Trials are free of the artefact, keep times and amplitudes, and know clipped channels."""

import numpy as np
import pytest

from virtualbrain.stimulation.epochs import EpochSettings, cut_trials, margins_s, without_artefact
from virtualbrain.synthetic.spes import artefact

SETTINGS = EpochSettings()


def piece(rate_hz, wave):
    start, stop = margins_s(SETTINGS)
    n_before = round(-start * rate_hz)
    times = (np.arange(round((stop - start) * rate_hz)) - n_before) / rate_hz
    return wave(times), n_before


def test_only_the_artefact_is_replaced_and_by_a_line():
    times = np.arange(-500, 500) / 1000
    signal = np.random.default_rng(1).normal(size=(3, 1000))
    clean = without_artefact(signal, times, (-0.002, 0.008))
    inside = (times >= -0.002) & (times <= 0.008)
    np.testing.assert_array_equal(clean[:, ~inside], signal[:, ~inside])
    np.testing.assert_allclose(np.diff(clean[:, 497:510], 2, axis=1), 0, atol=1e-12)


@pytest.mark.parametrize("rate_hz", [500.0, 512.0, 1000.0, 2000.0, 2048.0, 5000.0])
def test_waves_keep_their_times_at_every_sampling_rate(rate_hz):
    def wave(times):
        return np.stack([np.sin(2 * np.pi * 20 * times + 1), 3 + np.cos(2 * np.pi * 7 * times)])

    signal, n_before = piece(rate_hz, wave)
    trials = cut_trials([signal, signal], n_before, rate_hz, SETTINGS)
    assert trials.values.shape[:2] == (2, 2)
    assert 1 / np.diff(trials.times_s).max() <= min(rate_hz, 1000.0) * 1.01
    assert trials.times_s[0] == pytest.approx(-0.25, abs=2 / rate_hz + 1e-3)
    assert trials.times_s[-1] == pytest.approx(0.6, abs=2 / rate_hz + 1e-3)
    away = np.abs(trials.times_s) > 0.05
    expected = wave(trials.times_s)[:, away]
    np.testing.assert_allclose(trials.values[0][:, away], expected, atol=0.01)
    assert not trials.clipped.any()


def test_an_artefact_leaves_nothing_above_one_percent():
    def wave(times):
        shape = np.where(times >= 0, artefact(np.maximum(times, 0)), 0.0)
        return np.stack([5e-3 * shape])

    signal, n_before = piece(2048.0, wave)
    trials = cut_trials([signal], n_before, 2048.0, SETTINGS)
    assert np.abs(signal).max() > 4e-3
    assert np.abs(trials.values).max() < 5e-6


def test_clipped_channels_are_found_and_others_are_not():
    def wave(times):
        noise = 1e-5 * np.random.default_rng(1).normal(size=(3, len(times)))
        noise[1, (times > 0) & (times < 0.03)] = 1e-3
        noise[2, (times > 0) & (times < 0.03)] = -1e-3
        return noise

    signal, n_before = piece(1000.0, wave)
    trials = cut_trials([signal, signal], n_before, 1000.0, SETTINGS)
    np.testing.assert_array_equal(trials.clipped, [[False, True, True]] * 2)
