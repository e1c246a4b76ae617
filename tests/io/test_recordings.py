import json

import mne
import numpy as np
import pandas as pd
import pytest

from virtualbrain.errors import InputError
from virtualbrain.io.bids import Recording
from virtualbrain.io.layout import PatientLayout
from virtualbrain.io.recordings import (
    read_channels_table,
    read_header,
    read_json,
    read_recording_sidecar,
    read_signal,
)
from virtualbrain.io.seeg import (
    Seeg,
    read_channels,
    read_contacts,
    read_envelope,
    read_gain,
    read_signal_for_display,
    write_seeg,
)

NAMES = ["A1", "A2", "B'1"]


def signal(rate_hz, duration_s=8.0):
    n = round(rate_hz * duration_s)
    return np.random.default_rng(0).standard_normal((3, n)) * 50e-6


def write(path, values, rate_hz):
    if path.suffix == ".vhdr":
        import pybv

        pybv.write_brainvision(
            data=values,
            sfreq=rate_hz,
            ch_names=NAMES,
            fname_base=path.stem,
            folder_out=path.parent,
            resolution=0.01,
            fmt="binary_float32",
        )
    elif path.suffix == ".edf":
        import edfio

        rows = [
            edfio.EdfSignal(row * 1e6, rate_hz, label=name, physical_dimension="uV")
            for row, name in zip(values, NAMES, strict=True)
        ]
        edfio.Edf(rows).write(path)
    else:
        raw = mne.io.RawArray(values, mne.create_info(NAMES, rate_hz, "seeg"), verbose="error")
        raw.save(path, fmt="double", verbose="error")
    return path


@pytest.mark.parametrize(("kind", "tolerance"), [("vhdr", 1e-6), ("edf", 1e-4), ("fif", 1e-12)])
def test_signals_are_read_in_volts_and_in_the_requested_order(tmp_path, kind, tolerance):
    name = f"x_raw.{kind}" if kind == "fif" else f"x.{kind}"
    values = signal(512.0)
    path = write(tmp_path / name, values, 512.0)
    header = read_header(path)
    assert header.names == tuple(NAMES)
    assert header.rate_hz == 512.0
    assert header.duration_s == 8.0
    found, times = read_signal(path, ["B'1", "A1"], 2.0, 3.5)
    np.testing.assert_allclose(found, values[[2, 0], 1024:1792], atol=tolerance * 3e-4)
    np.testing.assert_allclose(times, np.arange(1024, 1792) / 512)


def test_a_rate_that_is_not_an_integer_is_kept(tmp_path):
    path = write(tmp_path / "x.vhdr", signal(1000 / 3), 1000 / 3)
    header = read_header(path)
    assert header.rate_hz == pytest.approx(1000 / 3, rel=1e-4)
    found, times = read_signal(path, ["A1"], 1.0, 2.0)
    assert found.shape[1] == len(times)
    assert times[0] == pytest.approx(1.0, abs=1 / header.rate_hz)


def test_times_outside_the_recording_are_ignored(tmp_path):
    path = write(tmp_path / "x.vhdr", signal(256.0), 256.0)
    found, times = read_signal(path, ["A1"], -3.0, 100.0)
    assert found.shape == (1, 2048)
    assert times[0] == 0.0
    empty, _ = read_signal(path, ["A1"], 50.0, 60.0)
    assert empty.shape == (1, 0)


@pytest.mark.parametrize("kind", ["edf", "vhdr"])
def test_unused_inputs_may_share_a_name(tmp_path, kind):
    values = signal(256.0)
    path = write(tmp_path / f"x.{kind}", values, 256.0)
    raw = path.read_bytes()
    if kind == "edf":
        raw = raw[:256] + b"-".ljust(16) * 2 + b"A1".ljust(16) + raw[256 + 48 :]
    else:
        raw = raw.replace(b"Ch1=A1,", b"Ch1=-,").replace(b"Ch2=A2,", b"Ch2=-,")
        raw = raw.replace(b"Ch3=B'1,", b"Ch3=A1,")
    path.write_bytes(raw)
    assert read_header(path).names == ("-", "-", "A1")
    found, _ = read_signal(path, ["A1"], 0.0, 8.0)
    np.testing.assert_allclose(found[0], values[2], atol=1e-8)


@pytest.mark.parametrize("name", ["x.edf", "x.vhdr"])
def test_a_broken_file_is_reported_in_one_line(tmp_path, name):
    (tmp_path / name).write_text("not a recording")
    with pytest.raises(InputError) as caught:
        read_header(tmp_path / name)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_truncated_edf_header_is_refused_before_reading(tmp_path, monkeypatch):
    path = tmp_path / "a.edf"
    write(path, signal(256), 256)
    raw = bytearray(path.read_bytes()[:5000])
    raw[252:256] = b"9999"
    path.write_bytes(raw)
    monkeypatch.setattr(mne.io, "read_raw", lambda *_, **__: pytest.fail("it was read"))
    with pytest.raises(InputError, match="within the header of its 9999 signals"):
        read_header(path)


def test_a_missing_file_is_reported(tmp_path):
    with pytest.raises(InputError, match="no such recording"):
        read_header(tmp_path / "gone.edf")


def recording(folder, **tables):
    paths = {name: folder / f"sub-01_{name}.tsv" for name in tables}
    for name, table in tables.items():
        table.to_csv(paths[name], sep="\t", index=False, na_rep="n/a")
    return Recording(folder / "sub-01_ieeg.vhdr", paths.get("channels"), paths.get("events"))


def test_channels_with_numeric_names_and_missing_status_are_read(tmp_path):
    table = pd.DataFrame({"name": [1, 2], "type": ["seeg", "ECG"], "status": ["Bad", None]})
    found = read_channels_table(recording(tmp_path, channels=table))
    assert found["name"].tolist() == ["1", "2"]
    assert found["type"].tolist() == ["SEEG", "ECG"]
    assert found["status"].tolist() == ["bad", "good"]
    assert read_channels_table(recording(tmp_path)) is None


def test_the_sidecar_is_read_if_it_exists(tmp_path):
    own = recording(tmp_path)
    assert read_recording_sidecar(own) == {}
    (tmp_path / "sub-01_ieeg.json").write_text('{"PowerLineFrequency": 60}')
    assert read_recording_sidecar(own) == {"PowerLineFrequency": 60}


@pytest.mark.parametrize("text", ["{", "[1, 2]"])
def test_invalid_json_is_refused(tmp_path, text):
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(InputError, match=r"x\.json"):
        read_json(tmp_path / "x.json")


@pytest.fixture
def seeg():
    import xarray as xr

    contacts = pd.DataFrame(
        {
            "name": ["A1", "A2"],
            "electrode": ["A", "A"],
            "number": [1, 2],
            "x": [1.25, np.nan],
            "y": [0.1, np.nan],
            "z": [1 / 3, np.nan],
            "region": ["ctx-lh-bankssts", None],
            "p_region": [0.75, np.nan],
            "tissue": ["grey", None],
            "status": ["good", "bad"],
        }
    )
    channels = pd.DataFrame(
        {
            "name": ["A1", "A2"],
            "anode": ["A1", "A2"],
            "cathode": [None, None],
            "x": [1.25, np.nan],
            "y": [0.1, np.nan],
            "z": [1 / 3, np.nan],
            "region": ["ctx-lh-bankssts", None],
            "status": ["good", "bad"],
            "onset_s": [0.5, np.nan],
        }
    )
    times = np.arange(-4, 12) / 4
    envelope = xr.DataArray(
        np.random.default_rng(0).standard_normal((16, 1)),
        dims=("time", "channel"),
        coords={"time": times, "channel": ["A1"], "onset_s": ("channel", [np.nan])},
        name="envelope",
        attrs={"seizure": 1, "offset_s": 2.5, "band_hz": [10.0, 120.0]},
    )
    shown = xr.DataArray(
        np.zeros((16, 1), np.float32),
        dims=("time", "channel"),
        coords={"time": times, "channel": ["A1"]},
        name="signal",
        attrs={"units": "uV"},
    )
    gain = pd.DataFrame([[0.1, 1 / 3]], index=["A1"], columns=["ctx-lh-bankssts", "Left-Caudate"])
    return Seeg(contacts, channels, (envelope,), (shown,), gain, {"share_in_brain": np.nan}, ("x",))


def plain(table):
    """Return a table with None for all missing cells."""
    return table.astype(object).where(table.notna(), None)


def test_results_are_read_as_written(tmp_path, seeg):
    layout = PatientLayout(tmp_path, "01")
    write_seeg(layout, seeg, {"Sources": ["bids:raw:sub-01"]})
    for found, written in (
        (read_contacts(layout.contacts), seeg.contacts),
        (read_channels(layout.channels), seeg.channels),
    ):
        pd.testing.assert_frame_equal(plain(found), plain(written))
        assert found["region"].tolist() == ["ctx-lh-bankssts", None]
    gain = read_gain(layout.gain)
    np.testing.assert_array_equal(gain.to_numpy(), seeg.gain.to_numpy())
    assert list(gain.columns) == list(seeg.gain.columns)
    envelope = read_envelope(layout.envelope(1))
    assert envelope.identical(seeg.envelopes[0])
    shown = read_signal_for_display(layout.seizure_signal(1))
    assert shown.identical(seeg.signals[0])
    quality = json.loads(layout.seeg_quality.read_text())
    assert quality["share_in_brain"] is None
    assert quality["Sources"] == ["bids:raw:sub-01"]
