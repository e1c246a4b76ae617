import numpy as np
import pandas as pd
import pytest
from scipy.signal import butter, sosfiltfilt, welch

from virtualbrain.synthetic.points import RegionPoints, points_from_centroids
from virtualbrain.synthetic.recording import RecordingSettings, coloured_noise, record
from virtualbrain.synthetic.seizure import Seizure

RATE = 512.0
NAMES = ("left", "right", "far")


@pytest.fixture(scope="module")
def points() -> RegionPoints:
    return points_from_centroids(
        pd.DataFrame(
            {
                "name": NAMES,
                "x": [-25.0, 25.0, 25.0],
                "y": [0.0, 0.0, 60.0],
                "z": 0.0,
                "volume": 5000.0,
            }
        )
    )


@pytest.fixture(scope="module")
def seizure() -> Seizure:
    """Region `left` seizes from 40 to 60 s, `right` from 48 to 60 s, `far` never."""
    times = np.arange(int(80 * RATE)) / RATE
    on = np.stack([(times > 40) & (times < 60), (times > 48) & (times < 60), times < 0], axis=1)
    wave = np.sin(2 * np.pi * 14 * times)[:, None]
    x1 = np.where(on, 0.3 + 0.8 * wave, -1.7).astype(np.float32)
    return Seizure(
        NAMES, times, (-0.8 - x1).astype(np.float32), x1,
        np.array([40.0, 48.0, np.nan]), np.array([60.0, 60.0, np.nan]),
    )  # fmt: skip


@pytest.fixture(scope="module")
def contacts() -> pd.DataFrame:
    """One electrode of eight contacts through each region, 3.5 mm apart."""
    rows = []
    for electrode, x, y in (("L'", -25.0, 0.0), ("R", 25.0, 0.0), ("F", 25.0, 60.0)):
        for number in range(1, 9):
            rows.append((f"{electrode}{number}", electrode, number, x, y, 3.5 * (number - 4.5)))
    return pd.DataFrame(rows, columns=["name", "electrode", "number", "x", "y", "z"])


@pytest.fixture(scope="module")
def recording(seizure, points, contacts):
    return record(seizure, points, contacts, np.random.default_rng(1))


def bipolar(recording, electrode):
    """Return differences of neighbouring contacts without faults."""
    table = recording.contacts
    good = (recording.status["fault"] == "none").to_numpy()
    rows = np.flatnonzero((table["electrode"] == electrode).to_numpy())
    pairs = [(a, a + 1) for a in rows[:-1] if good[a] and good[a + 1]]
    return np.array([recording.signal_uv[a] - recording.signal_uv[b] for a, b in pairs])


def power(signal, start_s, stop_s, band=(20.0, 120.0)):
    sos = butter(3, band, "bandpass", fs=RATE, output="sos")
    passed = sosfiltfilt(sos, signal.astype(float), axis=-1)
    return (passed[..., int(start_s * RATE) : int(stop_s * RATE)] ** 2).mean(axis=-1)


def test_log_power_rises_only_near_seizing_regions(recording):
    rise = {
        name: np.log(power(s, 50, 58) / power(s, 10, 38)).max()
        for name in ("L'", "R", "F")
        for s in [bipolar(recording, name)]
    }
    assert rise["L'"] > 2
    assert rise["R"] > 2
    assert rise["F"] < 0.7


def test_onsets_of_channels_follow_the_regions(recording):
    onsets = recording.channel_onsets.groupby(
        recording.channel_onsets["anode"].str.rstrip("12345678")
    )
    first = onsets["onset_s"].min()
    assert first["L'"] == pytest.approx(40.0, abs=1.5)
    assert first["R"] == pytest.approx(48.0, abs=1.5)
    assert np.isnan(first["F"])


def test_amplitudes_are_typical_of_depth_electrodes(recording):
    quiet = bipolar(recording, "F")[:, : int(38 * RATE)].std(axis=1)
    assert 8 < np.median(quiet) < 150
    start, stop = int(50 * RATE), int(58 * RATE)
    ictal = bipolar(recording, "L'")[:, start:stop].std(axis=1)
    assert 60 < ictal.max() < 3000


def test_spectrum_falls_and_has_mains(recording):
    signal = bipolar(recording, "F")[:, : int(38 * RATE)]
    frequency, density = welch(signal, RATE, nperseg=2048)
    at = lambda hz: density[:, np.argmin(abs(frequency - hz))].mean()  # noqa: E731
    assert at(5) > 10 * at(30) > 10 * at(90) / 3
    assert at(50) > 5 * at(45)
    assert at(150) > 2 * at(140)


def test_potentials_fall_with_distance(seizure, points):
    """Compare the ictal signal of pairs of contacts at increasing distance."""
    rows = []
    for step, x in enumerate([-25.0, -55.0, -85.0]):
        for number in (1, 2):
            rows.append((f"E{step}{number}", f"E{step}", number, x, 0.0, 3.5 * number))
    table = pd.DataFrame(rows, columns=["name", "electrode", "number", "x", "y", "z"])
    settings = RecordingSettings(
        n_bad=0, noise=0.0, line=0.0, reference=0.0, background=0.0, spike=0.0
    )
    result = record(seizure, points, table, np.random.default_rng(2), settings)
    part = result.signal_uv[:, int(50 * RATE) : int(58 * RATE)]
    near, mid, far = (np.std(part[2 * k] - part[2 * k + 1]) for k in range(3))
    assert near > 5 * mid > 5 * 1.5 * far


def test_faulty_contacts_have_their_faults_and_marks(seizure, points, contacts):
    result = record(seizure, points, contacts, np.random.default_rng(3))
    status = result.status.set_index("name")
    bad = status[status["fault"] != "none"]
    assert sorted(bad["fault"]) == ["flat", "loose", "noisy", "noisy"]
    assert not bad.loc[bad["fault"] == "loose", "marked"].any()
    assert bad["marked"].sum() == 3
    assert not status.loc[status["fault"] == "none", "marked"].any()
    spread = pd.Series(result.signal_uv[:, : int(38 * RATE)].std(axis=1), index=status.index)
    good = spread[status["fault"] == "none"].median()
    assert spread[status["fault"] == "flat"].max() < 0.01 * good
    assert spread[status["fault"] == "noisy"].min() > 3 * good


def test_heart_rate_rises_in_the_seizure(recording):
    peaks = np.flatnonzero((recording.ecg_uv[1:-1] > 700) & (np.diff(recording.ecg_uv, 2) < 0))
    at_s = peaks[np.diff(peaks, prepend=-999) > 100] / RATE
    before, during = ((at_s > a) & (at_s < a + 20) for a in (10, 50))
    assert 15 < before.sum() * 3 / 3 < 30
    assert during.sum() > 1.2 * before.sum()


def test_same_generator_gives_the_same_signals(seizure, points, contacts, recording):
    again = record(seizure, points, contacts, np.random.default_rng(1))
    assert (again.signal_uv == recording.signal_uv).all()
    assert again.channel_onsets.equals(recording.channel_onsets)


def test_regions_in_another_order_raise_an_error(seizure, contacts, points):
    swapped = RegionPoints(NAMES[::-1], points.positions_mm, points.region, points.spacing_mm)
    with pytest.raises(ValueError, match="same order"):
        record(seizure, swapped, contacts, np.random.default_rng(1))


@pytest.mark.parametrize("exponent", [1.0, 2.0])
def test_coloured_noise_has_the_requested_slope(exponent):
    noise = coloured_noise(4, 100_000, 500.0, np.random.default_rng(1), exponent, knee_hz=0.1)
    assert noise.std(axis=1) == pytest.approx(1.0, abs=1e-3)
    frequency, density = welch(noise.astype(float), 500.0, nperseg=2048)
    inside = (frequency > 2) & (frequency < 150)
    slope = np.polyfit(np.log(frequency[inside]), np.log(density.mean(axis=0)[inside]), 1)[0]
    assert slope == pytest.approx(-exponent, abs=0.1)
