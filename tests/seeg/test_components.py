"""Independent components of recorded signals, and the regions in which they arise."""

import numpy as np
import pytest

from inference.component_regions import region_probability
from virtualbrain.seeg.components import REST_UNTIL_S, Signals, separate

RATE_HZ = 128.0
N_CHANNELS = 12


def discharges(times_s, onset_s, rng):
    """Return spikes at random times after an onset, each a damped oscillation of 20 Hz."""
    train = (rng.random(len(times_s)) < 0.03) * (times_s > onset_s)
    wave = np.sin(2 * np.pi * 20 * np.arange(0, 0.2, 1 / RATE_HZ)) * np.exp(
        -np.arange(0, 0.2, 1 / RATE_HZ) / 0.05
    )
    return np.convolve(train * rng.lognormal(0, 0.5, len(times_s)), wave)[: len(times_s)]


def amplitudes():
    """Return how much each of three sources appears in each channel, alternating in sign."""
    place = np.arange(N_CHANNELS)[:, None]
    sign = np.where(place % 2, 1.0, -1.0)
    return sign / (1.0 + (place - np.array([2.0, 3.5, 9.0])) ** 2)


def recording(rng, seconds=(-5.0, 30.0)):
    """Return signals (n_samples, n_channels), times, and the sources' onsets."""
    times_s = np.arange(*seconds, 1 / RATE_HZ)
    onsets = (0.0, 6.0, 12.0)
    sources = 40 * np.stack([discharges(times_s, onset, rng) for onset in onsets])
    noise = rng.standard_normal((len(times_s), N_CHANNELS))
    return (amplitudes() @ sources).T + noise, times_s, onsets


def test_sources_are_separated_with_their_power_in_every_channel():
    signal, times_s, onsets = recording(np.random.default_rng(1))
    grid = np.arange(-4.0, 29.0, 0.5)
    found = separate(Signals((signal,), (times_s,)), [grid])
    assert found.count == 3
    true = amplitudes() ** 2
    likeness = np.corrcoef(true.T, found.power.T)[:3, 3:]
    matched = likeness.argmax(axis=1)
    assert sorted(matched) == [0, 1, 2]
    assert likeness.max(axis=1).min() > 0.97
    for onset, component in zip(onsets, matched, strict=True):
        row = found.envelope[0][:, component]
        rises = grid[np.flatnonzero(row > np.log(5.0))[0]]
        assert rises == pytest.approx(onset, abs=1.5)


def test_seizures_share_the_components():
    rng = np.random.default_rng(2)
    first, second = recording(rng), recording(rng, (-5.0, 22.0))
    grids = [np.arange(-4.0, 29.0, 0.5), np.arange(-4.0, 21.0, 0.5)]
    found = separate(Signals((first[0], second[0]), (first[1], second[1])), grids)
    assert [part.shape for part in found.envelope] == [(len(g), found.count) for g in grids]
    assert found.power.shape == (N_CHANNELS, found.count)


def test_the_unit_of_the_signal_does_not_matter():
    signal, times_s, _ = recording(np.random.default_rng(3))
    grid = np.arange(-4.0, 29.0, 0.5)
    one, other = (
        separate(Signals((factor * signal,), (times_s,)), [grid]) for factor in (1.0, 1e-6)
    )
    np.testing.assert_allclose(one.power, other.power, rtol=1e-6)


@pytest.mark.parametrize("change", ["no rest", "slow", "flat channel", "nothing rises"])
def test_without_what_it_needs_nothing_is_separated(change):
    rng = np.random.default_rng(4)
    signal, times_s, _ = recording(rng)
    if change == "no rest":
        signal, times_s = signal[times_s > REST_UNTIL_S], times_s[times_s > REST_UNTIL_S]
    elif change == "slow":
        signal, times_s = signal[::4], times_s[::4]
    elif change == "flat channel":
        signal = signal.copy()
        signal[:, 3] = 0.0
    else:
        signal = rng.standard_normal(signal.shape)
    assert separate(Signals((signal,), (times_s,)), [np.arange(0.0, 20.0, 0.5)]) is None


def test_a_component_arises_in_the_region_with_its_gain():
    rng = np.random.default_rng(5)
    gain = 1.0 / (1.0 + (np.arange(40)[:, None] - 1.6 * np.arange(25)) ** 2)
    power = gain[:, [4, 17]] * rng.lognormal(0.0, 0.5, (40, 2)) * [3.0, 50.0]
    found = region_probability(power, gain)
    assert found.shape == (2, 25)
    np.testing.assert_allclose(found.sum(axis=1), 1.0)
    assert list(found.argmax(axis=1)) == [4, 17]


def test_the_probability_of_a_region_depends_neither_on_the_scale_nor_on_the_order():
    rng = np.random.default_rng(6)
    gain, power = rng.random((20, 8)), rng.random((20, 3))
    found = region_probability(power, gain)
    order = rng.permutation(8)
    np.testing.assert_allclose(region_probability(7.0 * power, gain), found)
    np.testing.assert_allclose(region_probability(power, gain[:, order]), found[:, order])


def test_a_region_that_no_channel_sees_is_possible_but_unlikely():
    gain = np.array([[1.0, 0.1, 0.0], [0.5, 0.2, 0.0], [0.1, 1.0, 0.0]])
    found = region_probability(np.array([[1.0], [0.5], [0.1]]), gain)
    assert np.isfinite(found).all()
    assert found[0].argmax() == 0
