import numpy as np
import pytest
from scipy import ndimage
from scipy import signal as dsp

from virtualbrain.errors import InputError
from virtualbrain.seeg.envelope import (
    EnvelopeChoices,
    band_pass,
    envelope_grid,
    log_power,
    mean_square,
    remove_line,
    sample_at,
    smoothed,
)

RATE = 512.0
CHOICES = EnvelopeChoices((10.0, 120.0), 0.5, 0.3, (-20.0, -2.0))


def noise(seed, n):
    """Noise between 20 and 100 Hz, of unit variance."""
    row = np.random.default_rng(seed).standard_normal(n)
    row = dsp.sosfiltfilt(dsp.butter(4, (20, 100), "bandpass", fs=RATE, output="sos"), row)
    return row / row.std()


@pytest.fixture
def times():
    return np.arange(round(-25 * RATE), round(40 * RATE)) / RATE


@pytest.mark.parametrize("log_ratio", [0.5, 2.0, 6.0])
def test_a_burst_of_known_power_is_measured_to_0_1(times, log_ratio):
    amplitude = np.where((times >= 0) & (times < 20), np.exp(log_ratio / 2), 1.0)
    power, _ = log_power((noise(1, len(times)) * amplitude)[None], times, RATE, CHOICES)
    burst = (times > 2) & (times < 18)
    quiet = (times > 22) & (times < 38)
    assert abs(power[0, burst].mean() - log_ratio) < 0.1
    assert abs(power[0, quiet].mean()) < 0.1


def test_the_envelope_has_no_step_at_the_ends(times):
    power, _ = log_power(noise(2, len(times))[None], times, RATE, CHOICES)
    edges = np.concatenate([power[0, : round(RATE)], power[0, -round(RATE) :]])
    inner = power[0, round(2 * RATE) : -round(2 * RATE)]
    assert np.abs(edges - inner.mean()).max() < 5 * inner.std()


def test_a_recording_that_ends_during_a_seizure_keeps_its_power(times):
    stop = times < 10
    amplitude = np.where(times >= 0, np.exp(2.0), 1.0)
    power, _ = log_power((noise(3, len(times)) * amplitude)[None, stop], times[stop], RATE, CHOICES)
    assert abs(power[0, -round(0.5 * RATE) :].mean() - 4.0) < 0.4


def test_the_envelope_is_independent_of_the_unit(times):
    row = noise(4, len(times))[None]
    volts, level = log_power(row * 1e-6, times, RATE, CHOICES)
    microvolts, other = log_power(row, times, RATE, CHOICES)
    np.testing.assert_allclose(volts, microvolts, atol=1e-9)
    np.testing.assert_allclose(other - level, 2 * np.log(1e6))


def test_mains_noise_does_not_change_the_envelope(times):
    row = noise(5, len(times))
    hum = 5 * np.sin(2 * np.pi * 50 * times) + 2 * np.sin(2 * np.pi * 150 * times)
    clean, dirty = (
        log_power(remove_line(x[None], RATE, 50.0), times, RATE, CHOICES)[0]
        for x in (row, row + hum)
    )
    inner = (times > -24) & (times < 39)
    assert np.abs(clean - dirty)[0, inner].max() < 0.05


def test_notch_filters_remove_only_the_harmonics():
    t = np.arange(round(20 * RATE)) / RATE
    for frequency, kept in ((50.0, 0.02), (100.0, 0.02), (150.0, 0.02), (75.0, 0.98), (42.0, 0.98)):
        row = np.sin(2 * np.pi * frequency * t)
        ratio = remove_line(row, RATE, 50.0)[2000:-2000].std() / row.std()
        assert ratio < kept if kept < 0.5 else ratio > kept
    row = np.sin(2 * np.pi * 50 * t)
    assert remove_line(row, RATE, None) is row


def test_large_peaks_are_not_clipped(times):
    amplitude = np.where((times > 5) & (times < 6), 1000.0, 1.0)
    power, _ = log_power((noise(6, len(times)) * amplitude)[None], times, RATE, CHOICES)
    assert power.max() > 12


def test_drop_outs_stay_finite(times):
    row = noise(7, len(times))
    row[(times > 5) & (times < 8)] = 0.0
    power, _ = log_power(row[None], times, RATE, CHOICES)
    assert np.isfinite(power).all()


def test_band_pass_keeps_the_band_and_refuses_a_low_sampling_rate():
    t = np.arange(round(10 * RATE)) / RATE
    kept = band_pass(np.sin(2 * np.pi * 40 * t), RATE, (10.0, 120.0))
    gone = band_pass(np.sin(2 * np.pi * 2 * t), RATE, (10.0, 120.0))
    assert kept[500:-500].std() == pytest.approx(np.sqrt(0.5), rel=0.01)
    assert gone[500:-500].std() < 1e-3
    with pytest.raises(InputError, match=r"lower seeg\.band_hz"):
        band_pass(t, 20.0, (10.0, 120.0))


def test_no_baseline_is_refused(times):
    late = times > 0
    with pytest.raises(InputError, match="no baseline"):
        log_power(noise(8, len(times))[None, late], times[late], RATE, CHOICES)


def test_mean_square_of_a_constant_is_its_square():
    np.testing.assert_allclose(mean_square(np.full((2, 100), 3.0), 100.0, 0.25), 9.0)


@pytest.mark.parametrize("sd_samples", [0.05, 0.7, 40.0, 300.0])
def test_smoothing_is_that_of_a_gaussian_filter(sd_samples):
    values = np.random.default_rng(1).normal(5, 20, (3, 700))
    expected = ndimage.gaussian_filter1d(values, sd_samples, axis=-1, mode="reflect", truncate=4.0)
    np.testing.assert_allclose(smoothed(values, sd_samples), expected, rtol=0, atol=1e-11)


def test_the_grid_contains_zero_and_limits_its_points():
    grid, rate = envelope_grid(-5.0, 30.0, 4.0, 300)
    assert 0.0 in grid
    assert rate == 4.0
    assert (grid[0], grid[-1]) == (-5.0, 30.0)
    grid, rate = envelope_grid(-5.0, 600.0, 4.0, 300)
    assert len(grid) <= 300
    assert 0.0 in grid
    assert rate < 4.0


def test_interpolation_is_linear():
    values = sample_at(np.array([[0.0, 2.0, 4.0]]), np.array([0.0, 1.0, 2.0]), np.array([0.5, 1.5]))
    np.testing.assert_allclose(values, [[1.0, 3.0]])
