"""Every sample of an EDF is at its time, whatever the rates, record lengths and pauses."""

import warnings

import edfio
import mne
import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.io.edf_files import Channel, EdfFile
from virtualbrain.errors import InputError
from virtualbrain.io.recordings import read_header, read_signal
from virtualbrain.seeg.names import bare_name


def noise(rate_hz, duration_s, seed=0):
    return np.random.default_rng(seed).standard_normal(round(rate_hz * duration_s)) * 40


def sine(rate_hz, duration_s, frequency_hz=3.0):
    return 100 * np.sin(2 * np.pi * frequency_hz * np.arange(round(rate_hz * duration_s)) / rate_hz)


def mixed_file(path, record_s, rates=(64.0, 128.0, 1.0), duration_s=60.0):
    channels = [
        Channel(name, rate, noise(rate, duration_s, seed))
        for seed, (name, rate) in enumerate(zip(("A1", "TRIG", "SPO2"), rates, strict=True))
    ]
    return EdfFile(channels, record_s).write(path), channels


@pytest.mark.parametrize("record_s", [0.5, 1.0, 5.0, 10.0])
@pytest.mark.parametrize("kind", ["edf", "bdf"])
def test_a_segment_is_the_same_part_of_the_whole_signal(tmp_path, record_s, kind):
    rates = (64.0, 128.0, 2.0)
    path, channels = mixed_file(tmp_path / f"x.{kind}", record_s, rates)
    for channel in channels:
        found, times = read_signal(path, [channel.name], 23.3, 31.7)
        first = round(23.3 * channel.rate_hz)
        expected = channel.samples[first : first + found.shape[1]] * 1e-6
        np.testing.assert_allclose(found[0], expected, atol=6e-8)
        np.testing.assert_allclose(times, (first + np.arange(len(times))) / channel.rate_hz)


def test_samples_equal_those_of_two_other_readers(tmp_path):
    path, channels = mixed_file(tmp_path / "x.edf", 5.0)
    other = edfio.read_edf(path)
    for channel in channels:
        whole, _ = read_signal(path, [channel.name], 0.0, 100.0)
        np.testing.assert_allclose(whole[0], other.get_signal(channel.name).data * 1e-6, atol=1e-12)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        raw = mne.io.read_raw_edf(path, include=["A1"], preload=True, verbose="error")
    found, _ = read_signal(path, ["A1"], 0, 100)
    np.testing.assert_allclose(found, raw.get_data(["A1"]), atol=1e-12)


@pytest.fixture(scope="module")
def sines(tmp_path_factory):
    """A sine recorded at several rates, in records of 3 s."""
    rates = (100.0, 128.0, 500.0, 512.0)
    channels = [Channel(f"A{i + 1}", rate, sine(rate, 60.0)) for i, rate in enumerate(rates)]
    return EdfFile(channels, record_s=3.0).write(tmp_path_factory.mktemp("sines") / "x.edf")


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    start=st.floats(0.0, 55.0),
    length=st.floats(0.5, 20.0),
    rate_hz=st.sampled_from([None, 100.0, 128.0, 256.0, 512.0]),
)
@example(start=1.645, length=1.0, rate_hz=None)  # halfway between two samples
def test_channels_of_several_rates_stay_in_phase(sines, start, length, rate_hz):
    names = ["A1", "A2", "A3", "A4"]
    found, times = read_signal(sines, names, start, start + length, rate_hz)
    assert found.shape == (4, len(times))
    half_a_sample_s = 0.5 / (rate_hz or 100.0)
    assert times[0] == pytest.approx(start, abs=half_a_sample_s + 1e-9)  # halfway, in floats
    inside = (times > 0.2) & (times < 59.8)  # filters need samples on both sides
    expected = 100e-6 * np.sin(2 * np.pi * 3.0 * times)
    np.testing.assert_allclose(found[:, inside], np.tile(expected[inside], (4, 1)), atol=1e-6)


def test_rates_without_a_simple_ratio_stay_in_phase(tmp_path):
    rates = (511.0, 509.0)
    channels = [Channel(f"A{i + 1}", rate, sine(rate, 30.0)) for i, rate in enumerate(rates)]
    path = EdfFile(channels, record_s=1.0).write(tmp_path / "x.edf")
    found, times = read_signal(path, ["A1", "A2"], 7.7, 20.0)
    expected = 100e-6 * np.sin(2 * np.pi * 3.0 * times)
    np.testing.assert_allclose(found, np.tile(expected, (2, 1)), atol=1e-6)


def test_annotations_of_a_contiguous_recording_are_those_of_mne(tmp_path):
    marks = [(2.5, None, "one"), (7.25, 3.0, "two"), (8.0, 0.5, "Anfall, links")]
    starts = 0.75 + np.arange(20.0)  # a fraction of a second after the start of the header
    for kind in ("EDF+C", "EDF+D"):
        file = EdfFile([Channel("A1", 64.0, noise(64.0, 20.0))], 1.0, starts, marks, kind)
        path = file.write(tmp_path / f"{kind[-1]}.edf")
        header = read_header(path)
        raw = mne.io.read_raw_edf(path, verbose="error")
        assert header.pauses == ()
        assert [a.text for a in header.annotations] == list(raw.annotations.description)
        own, other = header.annotations, raw.annotations
        np.testing.assert_allclose([a.onset_s for a in own], other.onset)
        np.testing.assert_allclose([a.duration_s for a in own], other.duration)


@pytest.mark.parametrize(
    ("record_s", "pauses"),
    [(1.0, {8: 3.0}), (0.5, {4: 0.25, 30: 100.0}), (2.0, {1: 7.5, 2: 1.25, 9: 0.5})],
)
@pytest.mark.parametrize("kind", ["EDF+D", "EDF+C"])
def test_clock_time_is_converted_to_signal_time(tmp_path, record_s, pauses, kind):
    n = 40
    starts = np.arange(n) * record_s + np.cumsum([pauses.get(i, 0.0) for i in range(n)])
    inside = [5.3, 9.9, 13.2, 19.4]  # times in the signal
    at = [starts[int(t / record_s)] + t % record_s for t in inside]
    marks = [(onset, None, f"mark {i}") for i, onset in enumerate(at)]
    channel = Channel("A1", 64.0, noise(64.0, n * record_s))
    path = EdfFile([channel], record_s, starts, marks, kind).write(tmp_path / "x.edf")
    header = read_header(path)
    assert [(p.at_s, p.length_s) for p in header.pauses] == [
        (i * record_s, pytest.approx(length)) for i, length in pauses.items()
    ]
    np.testing.assert_allclose([a.onset_s for a in header.annotations], inside, atol=1e-3)
    assert header.duration_s == n * record_s
    first = next(iter(pauses)) * record_s
    assert header.stretch(first - 0.01) == (0.0, first)
    assert header.stretch(first)[0] == first


def test_a_slow_clock_is_followed_without_pauses(tmp_path):
    """Records of nominally 1 s that last 1.002 s of the clock."""
    starts = np.arange(200) * 1.002
    marks = [(1.002 * 150 + 0.5, None, "mark")]
    file = EdfFile([Channel("A1", 64.0, noise(64, 200))], 1.0, starts, marks)
    header = read_header(file.write(tmp_path / "x.edf"))
    assert header.pauses == ()
    assert header.annotations[0].onset_s == pytest.approx(150.5)


def test_records_out_of_order_are_refused_only_where_pauses_are_stated(tmp_path):
    starts = [0.0, 1.0, 5.0, 3.0, 4.0, 6.0]
    channel = Channel("A1", 64.0, noise(64, 6))
    with pytest.raises(InputError, match="not in the order of time"):
        read_header(EdfFile([channel], 1.0, starts, kind="EDF+D").write(tmp_path / "d.edf"))
    header = read_header(EdfFile([channel], 1.0, starts, kind="EDF+C").write(tmp_path / "c.edf"))
    assert header.pauses == ()


def test_personal_data_and_foreign_letters_are_read(tmp_path):
    file = EdfFile(
        [Channel("A1", 64.0, noise(64, 4))],
        marks=[(1.0, None, "crise épileptique")],
        patient="id F 02-MAR-1951 Jane_Doe",
        encoding="latin-1",
    )
    header = read_header(file.write(tmp_path / "x.edf"))
    assert header.annotations[0].text == "crise épileptique"
    assert header.person == {"first_name": "Jane", "last_name": "Doe", "birthday": "02-MAR-1951"}


def test_a_recording_that_was_cut_off_ends_with_its_last_complete_record(tmp_path):
    path = EdfFile([Channel("A1", 64.0, noise(64, 10))]).write(tmp_path / "x.edf")
    path.write_bytes(path.read_bytes()[:-100])
    assert read_header(path).duration_s == 9.0


@pytest.mark.parametrize(
    ("place", "value"),
    [(252, b"-1  "), (184, b"12      "), (244, b"nan     "), (244, b"-3      "), (252, b"9999")],
)
def test_a_broken_header_is_reported_in_one_line(tmp_path, place, value):
    file = EdfFile([Channel("A1", 64.0, noise(64, 4))], changes={place: value})
    with pytest.raises(InputError) as caught:
        read_header(file.write(tmp_path / "x.edf"))
    assert "x.edf" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "unit", [b"uV", b"\xb5V", "µV".encode(), "\u03bcV".encode(), b"\x83\xcaV", b"UV", b"microV"]
)
def test_microvolts_in_the_encodings_of_vendors(tmp_path, unit):
    rng = np.random.default_rng(0)
    channel = Channel("A1", 64.0, rng.normal(0, 50, 256))
    changes = {256 + 16 + 80: unit.ljust(8)}
    made = EdfFile([channel], timekeeping=False, kind="", changes=changes)
    path = made.write(tmp_path / "a.edf")
    signal, _ = read_signal(path, read_header(path).names, 0.0, 4.0)
    assert 3e-5 < signal.std() < 7e-5


@pytest.mark.parametrize(
    "name", [b"A\x921", "A’1".encode(), "A\u20321".encode(), b"A\xb41", b"A'1"]
)
def test_apostrophes_in_the_encodings_of_vendors(tmp_path, name):
    channel = Channel("A1", 64.0, np.zeros(256))
    made = EdfFile([channel], timekeeping=False, changes={256: name.ljust(16)})
    (found,) = read_header(made.write(tmp_path / "a.edf")).names
    assert bare_name(found) == "A'1"


@pytest.mark.parametrize(("written", "named"), [("a.bdf", "b.edf"), ("a.edf", "b.bdf")])
def test_the_header_says_how_wide_samples_are_not_the_ending(tmp_path, written, named):
    samples = noise(64.0, 4.0)
    made = EdfFile([Channel("A1", 64.0, samples)]).write(tmp_path / written)
    path = made.rename(tmp_path / named)
    signal, _ = read_signal(path, ["A1"], 0.0, 4.0)
    np.testing.assert_allclose(signal[0] * 1e6, samples, atol=0.1)


@pytest.mark.parametrize("label", [b"EDF ANNOTATIONS", b"edf annotations"])
def test_the_channel_of_annotations_in_any_case(tmp_path, label):
    made = EdfFile(
        [Channel("A1", 64.0, noise(64.0, 20.0))],
        starts_s=[*range(8), *range(11, 23)],
        kind="edf+d",
        marks=[(15.0, 2.0, "seizure")],
        changes={256 + 16: label.ljust(16)},
    )
    header = read_header(made.write(tmp_path / "a.edf"))
    assert header.names == ("A1",)
    assert [mark.onset_s for mark in header.annotations] == [12.0]
