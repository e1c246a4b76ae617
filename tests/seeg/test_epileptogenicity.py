import numpy as np
import pytest

from virtualbrain.seeg.epileptogenicity import energy_ratio, epileptogenicity_index, page_hinkley

RATE = 256.0
BASELINE = (-20.0, -2.0)


@pytest.fixture
def ratio():
    times = np.arange(round(-22 * RATE), round(30 * RATE)) / RATE
    rng = np.random.default_rng(0)
    slow = np.sin(2 * np.pi * 8 * times)
    signal = slow + 0.3 * rng.standard_normal((4, len(times)))
    for i, start in enumerate((1.0, 5.0)):
        signal[i] += 3 * (times >= start) * np.sin(2 * np.pi * 30 * times)
    return energy_ratio(signal, times, RATE)


def test_the_ratio_rises_with_fast_activity(ratio):
    values, frames = ratio
    before, after = values[:, frames < 0].mean(axis=1), values[:, frames > 8].mean(axis=1)
    assert (after[:2] > 20 * before[:2]).all()
    assert (after[2:] < 2 * before[2:]).all()


def test_changes_are_detected_at_their_time(ratio):
    values, frames = ratio
    found = page_hinkley(values, (frames >= -20) & (frames < -2))
    np.testing.assert_allclose(frames[found[:2]], [1, 5], atol=1.0)
    assert (found[2:] == -1).all()


def test_the_index_is_largest_for_the_earliest_fast_activity(ratio):
    index = epileptogenicity_index(*ratio, BASELINE)
    assert index[0] == 1.0
    assert 0.05 < index[1] < 0.5
    np.testing.assert_array_equal(index[2:], 0)


def test_the_index_is_zero_without_a_seizure(ratio):
    values, frames = ratio
    np.testing.assert_array_equal(epileptogenicity_index(values[2:], frames, BASELINE), 0)
    np.testing.assert_array_equal(epileptogenicity_index(values, frames, (-99.0, -98.0)), 0)
