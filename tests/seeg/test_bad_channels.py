import numpy as np
import pytest

from virtualbrain.seeg.bad_channels import detect_line_frequency, line_share, propose_bad, spread

RATE = 512.0
NAMES = [f"{e}{i}" for e in "AB" for i in range(1, 9)]


@pytest.fixture
def signal():
    """Neighbours share most of what they record, as with a distant reference."""
    rng = np.random.default_rng(0)
    shared = rng.standard_normal(round(20 * RATE)) * 30e-6
    return shared + 15e-6 * rng.standard_normal((16, len(shared)))


def test_good_channels_are_not_proposed(signal):
    assert propose_bad(signal, NAMES, RATE, 50.0) == {}


def test_each_kind_of_bad_channel_is_found_with_its_reason(signal):
    t = np.arange(signal.shape[1]) / RATE
    signal[1] = 0.0
    signal[4] *= 1000
    signal[9] += 300e-6 * np.sin(2 * np.pi * 50 * t)
    signal[13] = 40e-6 * np.random.default_rng(1).standard_normal(len(t))
    assert propose_bad(signal, NAMES, RATE, 50.0) == {
        "A2": "flat",
        "A5": "extreme variance",
        "B2": "mains noise",
        "B6": "unlike its neighbours",
    }


def test_channels_without_shared_signal_are_not_proposed():
    signal = np.random.default_rng(2).standard_normal((16, 5000))
    assert propose_bad(signal, NAMES, RATE, 50.0) == {}


def test_a_too_short_segment_proposes_nothing(signal):
    signal[1] = 0.0
    assert propose_bad(signal[:, :100], NAMES, RATE, 50.0) == {}


@pytest.mark.parametrize("line_hz", [50.0, 60.0])
def test_the_mains_frequency_is_detected(signal, line_hz):
    t = np.arange(signal.shape[1]) / RATE
    assert detect_line_frequency(signal, RATE) is None
    noisy = signal + 10e-6 * np.sin(2 * np.pi * line_hz * t)
    assert detect_line_frequency(noisy, RATE) == line_hz


def test_mains_fraction_of_a_pure_sine_is_one():
    t = np.arange(round(10 * RATE)) / RATE
    assert line_share(np.sin(2 * np.pi * 50 * t)[None], RATE, 50.0)[0] > 0.95


def test_spread_is_a_standard_deviation_robust_to_spikes():
    row = np.random.default_rng(3).standard_normal((1, 20_000))
    row[0, :100] = 1000
    assert spread(row)[0] == pytest.approx(1.0, rel=0.05)
