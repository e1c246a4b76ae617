"""BrainVision headers that were renamed, have strange units or share names."""

import numpy as np
import pybv
import pytest

from virtualbrain.errors import InputError
from virtualbrain.io.recordings import read_header, read_signal, volts_per_unit


@pytest.fixture
def values():
    return np.random.default_rng(0).standard_normal((3, 2048)) * 50e-6


def write(folder, stem, values, events=None):
    pybv.write_brainvision(
        data=values, sfreq=256.0, ch_names=["A1", "A2", "B'1"], fname_base=stem, folder_out=folder,
        resolution=0.01, fmt="binary_float32", events=events,
    )  # fmt: skip
    return folder / f"{stem}.vhdr"


def change(path, *pairs):
    text = path.read_text("utf-8")
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new)
    path.write_text(text, "utf-8")
    return path


def signal_of(path):
    return read_signal(path, ["A1", "A2", "B'1"], 0.0, 100.0)[0]


@pytest.mark.parametrize("named", ["old.eeg", "patient 7.eeg", "run-01.dat"])
def test_a_renamed_recording_is_read_with_a_note(tmp_path, values, named):
    path = change(write(tmp_path, "run-01", values), ("=run-01.eeg", f"={named}"))
    np.testing.assert_allclose(signal_of(path), values, atol=1e-9)
    (note,) = read_header(path).notes
    assert f"DataFile names {named}, which does not exist; read run-01.eeg" in note


@pytest.mark.parametrize("own_signal", [True, False])
@pytest.mark.parametrize(("key", "ending"), [("DataFile", "eeg"), ("MarkerFile", "vmrk")])
def test_a_header_that_names_another_run_is_refused(tmp_path, values, own_signal, key, ending):
    write(tmp_path, "run-02", values[::-1])
    path = change(write(tmp_path, "run-01", values), (f"=run-01.{ending}", f"=run-02.{ending}"))
    if not own_signal:
        (tmp_path / f"run-01.{ending}").unlink()
    with pytest.raises(InputError) as caught:
        read_header(path)
    text = str(caught.value)
    assert f"{key} names run-02.{ending}, a file of another name" in text
    assert f"expected {key}=run-01.{ending}" in text
    assert ("although" in text) == own_signal


def test_the_base_name_may_be_a_placeholder(tmp_path, values):
    path = write(tmp_path, "run-01", values)
    change(path, ("DataFile=run-01.eeg", "DataFile=$b.eeg"), ("=run-01.vmrk", "=$b.vmrk"))
    np.testing.assert_allclose(signal_of(path), values, atol=1e-9)
    assert read_header(path).notes == ()


def test_missing_markers_do_not_hinder_reading(tmp_path, values):
    path = write(tmp_path, "run-01", values)
    path.with_suffix(".vmrk").unlink()
    np.testing.assert_allclose(signal_of(path), values, atol=1e-9)


@pytest.mark.parametrize("unit", ["µV", "uV", "\u03bcV", "UV", "microvolt", "ÂµV", ""])
def test_spellings_of_microvolt_are_equal(tmp_path, values, unit):
    path = change(write(tmp_path, "x", values), ("0.01,µV", f"0.01,{unit}"))
    np.testing.assert_allclose(signal_of(path), values, atol=1e-9)


@pytest.mark.parametrize(("unit", "factor"), [("mV", 1e3), ("V", 1e6), ("nV", 1e-3)])
def test_other_voltages_are_converted(tmp_path, values, unit, factor):
    path = change(write(tmp_path, "x", values), ("0.01,µV", f"0.01,{unit}"))
    np.testing.assert_allclose(signal_of(path), values * factor, rtol=1e-4, atol=1e-9)


@pytest.mark.parametrize("unit", ["ADU", "arbitrary", "C", "n/a", "%", "AU"])
def test_other_units_are_no_voltage(tmp_path, values, unit):
    path = change(write(tmp_path, "x", values), ("0.01,µV", f"0.01,{unit}"))
    header = read_header(path)
    assert set(header.units.values()) == {unit}
    assert volts_per_unit(unit) is None
    np.testing.assert_allclose(signal_of(path), values * 1e6, atol=1e-3)


@pytest.mark.parametrize(
    "endings", [(".VHDR", ".eeg", ".vmrk"), (".VHDR", ".EEG", ".vmrk"), (".vhdr", ".dat", ".vmrk")]
)
def test_endings_in_capitals_and_dat_are_read(tmp_path, values, endings):
    path = write(tmp_path, "run-01", values)
    change(path, ("=run-01.eeg", f"=run-01{endings[1]}"))
    for old, new in zip((".vhdr", ".eeg", ".vmrk"), endings, strict=True):
        path.with_suffix(old).rename(path.with_suffix(new))
    np.testing.assert_allclose(signal_of(path.with_suffix(endings[0])), values, atol=1e-9)


@pytest.mark.parametrize("codepage", ["ANSI", "UTF-8"])
def test_a_copy_of_the_header_keeps_its_units(tmp_path, values, codepage):
    path = change(write(tmp_path, "run-01", values), ("Codepage=UTF-8", f"Codepage={codepage}"))
    text = path.read_text("utf-8")
    path.with_suffix(".VHDR").write_bytes(text.encode("latin-1" if codepage == "ANSI" else "utf-8"))
    path.unlink()
    np.testing.assert_allclose(signal_of(path.with_suffix(".VHDR")), values, atol=1e-9)
