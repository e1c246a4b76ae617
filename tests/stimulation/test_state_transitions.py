"""PCIst equals an independent implementation, and has the index's invariances."""

import numpy as np
import pytest

from virtualbrain.errors import ModelError
from virtualbrain.stimulation.state_transitions import PcistSettings, pcist

RATE_HZ = 250.0
TIMES = np.arange(-75, 175) / RATE_HZ


def reference_pcist(evoked, times, base, resp, variance=0.99, least_snr=1.1, k=1.2, steps=100):
    """Return PCIst by covariance, recurrence matrices and loops, as the paper describes it."""
    nearest = [int(np.argmin(np.abs(times - t))) for t in (*base, *resp)]
    evoked = evoked - evoked[:, nearest[0] : nearest[1]].mean(axis=1)[:, None]
    response = evoked[:, nearest[2] : nearest[3]]
    values, vectors = np.linalg.eigh(response @ response.T)
    order = np.argsort(values)[::-1]
    share = np.cumsum(values[order]) / np.sum(values)
    n_kept = next(n for n, s in enumerate(share, start=1) if s >= variance)
    total = 0.0
    for number in order[:n_kept]:
        component = vectors[:, number] @ evoked
        b, r = component[nearest[0] : nearest[1]], component[nearest[2] : nearest[3]]
        if np.sqrt(np.mean(r * r) / np.mean(b * b)) <= least_snr:
            continue
        matrices = [np.array([[abs(p - q) for q in part] for p in part]) for part in (b, r)]
        best = 0.0
        for threshold in np.linspace(np.median(matrices[0]), np.max(matrices[1]), steps):
            counts = [
                np.abs(np.diff((m <= threshold).astype(int), axis=1)).sum() / len(m) ** 2
                for m in matrices
            ]
            best = max(best, (counts[1] - k * counts[0]) * len(r))
        total += best
    return total


def noise(seed, n_channels=6):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n_channels, len(TIMES)))


def damped_waves(seed, n_channels=8):
    rng = np.random.default_rng(seed)
    after = np.clip(TIMES, 0, None)
    waves = [
        np.sin(2 * np.pi * f * after) * np.exp(-after / tau)
        for f, tau in ((4, 0.2), (11, 0.15), (23, 0.1))
    ]
    return rng.normal(size=(n_channels, 3)) @ waves * 5 + 0.3 * noise(seed + 1, n_channels)


def late_noise(seed):
    return noise(seed) * np.where(TIMES > 0, 6.0, 1.0)


def steps(seed, n_channels=5):
    rng = np.random.default_rng(seed)
    levels = np.repeat(rng.integers(-3, 4, (n_channels, 10)), 25, axis=1)
    return levels * (TIMES > 0) * 4.0 + 0.5 * noise(seed, n_channels)


WINDOWS = [((-0.25, -0.05), (0.01, 0.6)), ((-0.2, -0.0), (0.0, 0.3))]


@pytest.mark.parametrize("windows", WINDOWS)
@pytest.mark.parametrize("signal", [noise, damped_waves, late_noise, steps])
def test_pcist_equals_an_independent_implementation(signal, windows):
    evoked = signal(3)
    found = pcist(evoked, TIMES, PcistSettings(baseline_s=windows[0], response_s=windows[1]))
    expected = reference_pcist(evoked, TIMES, *windows)
    assert found.value == pytest.approx(expected, rel=0, abs=1e-10)
    assert found.value == pytest.approx(found.components.sum())


def test_a_varied_response_has_a_value_above_zero_and_silence_has_zero():
    assert pcist(damped_waves(1), TIMES).value > 10
    quiet = noise(2) * np.where(TIMES > 0, 0.5, 1.0)
    assert pcist(quiet, TIMES).value == 0.0
    assert pcist(noise(2) * (TIMES <= 0), TIMES).components.size == 0


def test_order_of_channels_and_scale_have_no_influence():
    evoked = damped_waves(4)
    value = pcist(evoked, TIMES).value
    order = np.random.default_rng(0).permutation(len(evoked))
    assert pcist(evoked[order], TIMES).value == pytest.approx(value, abs=1e-10)
    for scale in (1e-6, -3.7, 2e5):
        assert pcist(scale * evoked, TIMES).value == pytest.approx(value, abs=1e-10)


def test_a_constant_offset_has_no_influence():
    evoked = damped_waves(5)
    shifted = evoked + np.arange(len(evoked))[:, None]
    assert pcist(shifted, TIMES).value == pytest.approx(pcist(evoked, TIMES).value, abs=1e-10)


def test_independent_sources_add_transitions():
    one = np.outer(np.linspace(1, 2, 8), damped_waves(6, 1)[0]) + 0.05 * noise(7, 8)
    assert pcist(damped_waves(6), TIMES).value > 1.5 * pcist(one, TIMES).value


def with_nan():
    evoked = noise(1)
    evoked[0, 0] = np.nan
    return evoked


BAD = [
    (noise(1)[0], TIMES, {}, "the response has the shape"),
    (noise(1), TIMES[:-1], {}, "one time per sample"),
    (noise(1), TIMES[::-1], {}, "the times do not increase"),
    (with_nan(), TIMES, {}, "not finite"),
    (noise(1), TIMES, {"response_s": (0.01, 9.0)}, "outside the times"),
    (noise(1), TIMES, {"baseline_s": (-0.25, 0.2)}, "begins before the baseline ends"),
    (noise(1), TIMES, {"response_s": (0.01, 0.012)}, "at least 3"),
    (noise(1) * (TIMES > 0), TIMES, {}, "constant in the baseline"),
]


@pytest.mark.parametrize(("evoked", "times", "settings", "message"), BAD)
def test_bad_input_is_refused_in_one_line(evoked, times, settings, message):
    with pytest.raises(ModelError, match=message) as error:
        pcist(evoked, times, PcistSettings(**settings))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("settings", [{"variance": 1.2}, {"k": 0}, {"n_thresholds": 1}])
def test_bad_settings_are_refused(settings):
    with pytest.raises(ModelError):
        PcistSettings(**settings)
