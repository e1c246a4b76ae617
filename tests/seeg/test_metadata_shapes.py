"""Variants of metadata as clinics write them."""

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from virtualbrain.errors import InputError
from virtualbrain.seeg.check import check_seeg
from virtualbrain.seeg.run import run_seeg
from virtualbrain.seeg.settings import SeegSettings

SETTINGS = SeegSettings()


def add_channels(patient, names, kind):
    extra = np.random.default_rng(0).standard_normal((len(names), patient.signal.shape[1])) * 40e-6
    patient.signal = np.vstack([patient.signal, extra])
    patient.names = [*patient.names, *names]
    rows = pd.DataFrame({"name": names, "type": kind, "units": "µV", "status": "good"})
    patient.channels = pd.concat([patient.channels, rows], ignore_index=True)


def rename(patient, change):
    patient.names = [change(name) for name in patient.names]
    patient.channels["name"] = [change(name) for name in patient.channels["name"]]


def run(patient, regions, labels, folder, mask=None):
    files = patient.write(folder)
    assert [str(p) for p in check_seeg(files, SETTINGS)] == []
    return run_seeg(files, regions, labels, None, mask, SETTINGS)


def test_ecg_and_scalp_channels_are_left_out(patient, regions, labels, tmp_path):
    add_channels(patient, ["ECG1", "Fz", "MKR1"], ["ECG", "EEG", "TRIG"])
    result = run(patient, regions, labels, tmp_path)
    assert len(result.channels) == 14
    assert any("3 channels of other types" in note for note in result.notes)


def test_contacts_match_in_different_spellings(patient, regions, labels, tmp_path):
    rename(patient, lambda name: f"POL {name[0]}’{int(name[1:]):02d}-Ref")
    patient.contacts["name"] = [n[0] + "'" + n[1:] for n in patient.contacts["name"]]
    result = run(patient, regions, labels, tmp_path)
    assert result.channels["name"].tolist()[:2] == ["A'1-A'2", "A'2-A'3"]
    assert np.isfinite(result.channels["onset_s"]).sum() == 3


def test_a_bipolar_recording_is_kept(patient, regions, labels, tmp_path):
    first, second = patient.signal[:-1], patient.signal[1:]
    keep = [i for i in range(15) if i != 7]
    names = [f"EEG {patient.names[i]}-{patient.names[i + 1]}" for i in keep]
    patient.signal, patient.names = (first - second)[keep], names
    patient.channels = pd.DataFrame({"name": names, "type": "SEEG"})
    result = run(patient, regions, labels, tmp_path)
    assert result.channels["name"].tolist()[0] == "A1-A2"
    assert len(result.gain) == 14


def test_contacts_that_are_not_recorded_are_marked_bad(patient, regions, labels, tmp_path):
    patient.contacts.loc[len(patient.contacts)] = ["C1", 20.0, 10.0, 5.0, 5.0]
    contacts = run(patient, regions, labels, tmp_path).contacts.set_index("name")
    assert contacts.loc["C1", "status"] == "bad"
    assert contacts.loc["C1", "status_description"] == "not recorded"


def test_a_contact_without_coordinates_is_not_fitted(patient, regions, labels, tmp_path):
    patient.contacts.loc[3, ["x", "y", "z"]] = np.nan
    channels = run(patient, regions, labels, tmp_path).channels.set_index("name")
    assert channels.loc[["A3-A4", "A4-A5"], "status_description"].tolist() == ["no coordinates"] * 2


def test_micro_contacts_are_left_out(patient, regions, labels, tmp_path):
    patient.contacts["type"] = ["depth"] * 15 + ["micro-wire"]
    result = run(patient, regions, labels, tmp_path)
    assert "B7-B8" not in set(result.channels["name"])
    assert any("1 micro contacts left out" in note for note in result.notes)


def test_a_sampling_rate_that_is_not_an_integer(patient, regions, labels, tmp_path):
    """The samples are the same; only their times differ."""
    patient.rate_hz = 511.7
    result = run(patient, regions, labels, tmp_path)
    envelope = result.envelopes[0]
    assert float(envelope.sel(channel="A1-A2", time=10.0)) > 3
    assert np.isfinite(result.channels["onset_s"]).sum() == 3


def test_without_channels_tsv_channels_are_matched_by_name(patient, regions, labels, tmp_path):
    add_channels(patient, ["ECG1"], ["ECG"])
    patient.write(tmp_path)
    (tmp_path / "sub-01" / "ieeg" / "sub-01_task-seizure_channels.tsv").unlink()
    from virtualbrain.io.patient_search import find_patient

    files = find_patient(tmp_path, "01")
    result = run_seeg(files, regions, labels, None, None, SETTINGS)
    assert len(result.channels) == 14
    assert any("no channels.tsv" in note for note in result.notes)


def test_contacts_in_metres_give_the_same_result(patient, regions, labels, tmp_path):
    first = run(patient, regions, labels, tmp_path / "mm")
    patient.contacts[["x", "y", "z"]] /= 1000
    patient.coordsystem["iEEGCoordinateUnits"] = "m"
    second = run(patient, regions, labels, tmp_path / "m")
    np.testing.assert_allclose(first.gain, second.gain, rtol=1e-9)


def test_a_wrong_frame_is_reported_but_not_corrected(patient, regions, labels, tmp_path):
    patient.contacts["x"] = -patient.contacts["x"] - 20
    mask = nib.Nifti1Image((np.asarray(labels.dataobj) > 0).astype(np.uint8), labels.affine)
    with pytest.raises(InputError, match="swapping left and right would put") as caught:
        run_seeg(patient.write(tmp_path), regions, labels, None, mask, SETTINGS)
    assert "only 0% of the contacts are inside the brain" in str(caught.value)


def test_tkras_stated_as_scanner_ras_is_reported(patient, regions, labels, tmp_path):
    affine = np.array([[-1.0, 0, 0, 130], [0, 0, 1, -20], [0, -1, 0, 140], [0, 0, 0, 1]])
    folder = tmp_path / "derivatives" / "freesurfer" / "sub-01" / "mri"
    folder.mkdir(parents=True)
    image = nib.MGHImage(np.zeros((256, 256, 256), np.uint8), affine)
    nib.save(image, folder / "orig.mgz")
    shift = image.header.get_vox2ras_tkr() @ np.linalg.inv(affine)
    places = patient.contacts[["x", "y", "z"]].to_numpy()
    patient.contacts[["x", "y", "z"]] = nib.affines.apply_affine(shift, places)
    mask = nib.Nifti1Image((np.asarray(labels.dataobj) > 0).astype(np.uint8), labels.affine)
    with pytest.raises(InputError, match="reading them as FreeSurfer tkRAS would put 100%"):
        run_seeg(patient.write(tmp_path), regions, labels, None, mask, SETTINGS)
    patient.coordsystem["iEEGCoordinateSystem"] = "Other"
    patient.coordsystem["iEEGCoordinateSystemDescription"] = "FreeSurfer tkRAS"
    result = run(patient, regions, labels, tmp_path, mask)
    np.testing.assert_allclose(result.contacts[["x", "y", "z"]], places, atol=1e-3)


def test_a_short_recording_runs_with_a_note(patient, regions, labels, tmp_path):
    """Three seconds: one before the marked onset, two after it."""
    start = round(34.0 * patient.rate_hz)
    patient.signal = patient.signal[:, start : start + round(3 * patient.rate_hz)]
    patient.events = pd.DataFrame({"onset": [1.0], "duration": [2.0], "trial_type": ["sz"]})
    result = run(patient, regions, labels, tmp_path)
    assert any("baseline lasts only 1.0 s" in note for note in result.notes)
    seizing = result.channels.loc[result.channels["onset_s"].notna(), "name"]
    assert set(seizing) == {"A1-A2", "A2-A3"} or set(seizing) == {"A2-A3"}
    assert float(result.envelopes[0].sel(channel="A2-A3").max()) > 3


def test_an_offset_can_be_proposed_for_approval(patient, regions, labels, tmp_path):
    patient.events["duration"] = np.nan
    files = patient.write(tmp_path)
    result = run_seeg(files, regions, labels, None, None, SeegSettings(accept_proposed_end=True))
    assert result.envelopes[0].attrs["offset_s"] == pytest.approx(22.0, abs=2.0)
    assert any("for approval" in note for note in result.notes)


@pytest.mark.parametrize("montage", ["shaft-average", "monopolar"])
def test_other_montages_run_with_their_own_gain(patient, regions, labels, tmp_path, montage):
    result = run_seeg(
        patient.write(tmp_path), regions, labels, None, None, SeegSettings(montage=montage)
    )
    assert result.gain.shape == (16, 4)
    assert result.channels["cathode"].isna().all()
