from dataclasses import replace

import mne
import numpy as np
import pytest

from virtualbrain.seeg.onset_rule import first_held
from virtualbrain.seeg.onsets import OnsetChoices, band_powers, detect_onsets

RATE = 256.0
CHOICES = OnsetChoices(0.3, 1.25, 4.5, 12.4, 1.75)
BASELINE = (-22.0, -2.0)


def background(rng, n_channels, n):
    rows = rng.standard_normal((n_channels, n))
    scale = np.sqrt(np.arange(n // 2 + 1) + 20.0)
    rows = np.fft.irfft(np.fft.rfft(rows) / scale, n)
    return rows / rows.std(axis=1, keepdims=True)


@pytest.fixture
def times():
    return np.arange(round(-25 * RATE), round(45 * RATE)) / RATE


@pytest.mark.parametrize("frequency", [6.0, 25.0, 70.0])
def test_onsets_are_found_within_a_second_with_few_false_ones(times, frequency):
    rng = np.random.default_rng(3)
    signal = background(rng, 40, len(times))
    truth = np.full(40, np.nan)
    truth[:20] = rng.uniform(0, 20, 20)
    for i in range(20):
        signal[i] += 4 * (times >= truth[i]) * np.sin(2 * np.pi * frequency * times + i)
    found = detect_onsets(signal, times, RATE, BASELINE, CHOICES)
    right = np.abs(found[:20] - truth[:20]) < 1.0
    assert right.mean() >= 0.9
    assert np.isfinite(found[20:]).mean() <= 0.05


def test_a_single_spike_is_not_an_onset(times):
    signal = background(np.random.default_rng(4), 2, len(times))
    signal[0] += 60 * np.exp(-0.5 * ((times - 6.0) / 0.02) ** 2)
    assert np.isnan(detect_onsets(signal, times, RATE, BASELINE, CHOICES)).all()


def test_an_intermittent_discharge_is_a_seizure(times):
    signal = background(np.random.default_rng(4), 1, len(times))
    bursts = (times > 5) & ((times - 5) % 3.0 < 1.5)
    signal[0] += 5 * bursts * np.sin(2 * np.pi * 30 * times)
    onset = detect_onsets(signal, times, RATE, BASELINE, CHOICES)
    assert onset[0] == pytest.approx(5.0, abs=0.8)


def test_a_longer_hold_requires_a_longer_discharge(times):
    signal = background(np.random.default_rng(4), 1, len(times))
    signal[0] += 5 * ((times > 5) & (times < 8)) * np.sin(2 * np.pi * 30 * times)
    longer = replace(CHOICES, hold_s=10.0)
    assert np.isfinite(detect_onsets(signal, times, RATE, BASELINE, CHOICES)).all()
    assert np.isnan(detect_onsets(signal, times, RATE, BASELINE, longer)).all()


def test_activity_before_the_marked_onset_is_not_an_onset(times):
    signal = background(np.random.default_rng(5), 1, len(times))
    signal[0] += 5 * ((times > -1.5) & (times < 20)) * np.sin(2 * np.pi * 30 * times)
    onset = detect_onsets(signal, times, RATE, BASELINE, CHOICES)
    assert 0 <= onset[0] < 0.5


def test_spikes_in_the_baseline_do_not_hide_a_seizure(times):
    signal = background(np.random.default_rng(6), 1, len(times))
    for spike in np.arange(-20, -3, 4.0):
        signal[0] += 40 * np.exp(-0.5 * ((times - spike) / 0.02) ** 2)
    signal[0] += 4 * (times >= 3) * np.sin(2 * np.pi * 30 * times)
    assert detect_onsets(signal, times, RATE, BASELINE, CHOICES)[0] == pytest.approx(3.0, abs=1)


def test_a_recording_of_three_seconds_runs():
    times = np.arange(-1000, 2000) / 1000.0
    signal = background(np.random.default_rng(7), 4, len(times))
    signal[0] += 6 * (times >= 0.5) * np.sin(2 * np.pi * 40 * times)
    onsets = detect_onsets(signal, times, 1000.0, (-1.0, 0.0), CHOICES)
    assert onsets[0] == pytest.approx(0.5, abs=0.3)
    assert np.isnan(onsets[1:]).all()


def test_onsets_are_independent_of_the_unit(times):
    signal = background(np.random.default_rng(8), 3, len(times))
    signal[1] += 4 * (times >= 3) * np.sin(2 * np.pi * 30 * times)
    volts = detect_onsets(signal * 1e-6, times, RATE, BASELINE, CHOICES)
    np.testing.assert_allclose(volts, detect_onsets(signal, times, RATE, BASELINE, CHOICES))


def test_band_powers_agree_with_mne(times):
    """With the same tapers and window, log powers differ only by a constant."""
    signal = background(np.random.default_rng(9), 1, len(times))
    signal[0] *= np.where(times > 0, 4.0, 1.0)
    choices = OnsetChoices(1.0, 1e-3, 5.0, 12.4, 1.75)
    _, high, frames = band_powers(signal, times, RATE, choices)
    frequencies = np.arange(13.0, 101.0)
    power = mne.time_frequency.tfr_array_multitaper(
        signal[None],
        RATE,
        frequencies,
        n_cycles=frequencies,
        time_bandwidth=4.0,
        output="power",
        zero_mean=False,
        verbose="error",
    )[0, 0]
    theirs = np.log(power.sum(axis=0))
    theirs = np.interp(frames, times, theirs)
    inner = (frames > -23) & (frames < 43)
    ours = np.log(high[0])
    assert (ours - theirs)[inner].std() < 0.07
    assert np.corrcoef(ours[inner], theirs[inner])[0, 1] > 0.99


def test_the_first_run_of_half_the_hold_is_the_onset():
    active = np.zeros((4, 100), dtype=bool)
    active[0, 20:24] = True
    active[1, 30:60] = True
    active[2, 10] = active[2, 30:36] = active[2, 70:76] = True
    active[3, ::12] = True
    np.testing.assert_array_equal(first_held(active, 10), [-1, 30, 30, -1])
