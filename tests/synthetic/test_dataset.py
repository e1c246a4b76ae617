import hashlib
import json
from pathlib import Path

import mne_bids
import numpy as np
import pandas as pd
import pytest

from virtualbrain.cli import main
from virtualbrain.connectome import Connectome
from virtualbrain.errors import InputError, ModelError
from virtualbrain.io.atomic import write_json, write_text
from virtualbrain.io.connectome import read_ready_connectome, write_connectome
from virtualbrain.io.images import make_image, write_image
from virtualbrain.io.layout import PatientLayout
from virtualbrain.io.patient_search import find_patient
from virtualbrain.io.tables import read_table, write_table
from virtualbrain.network import Network
from virtualbrain.seeg.check import check_seeg
from virtualbrain.seeg.run import run_seeg
from virtualbrain.seeg.settings import SeegSettings
from virtualbrain.synthetic.connectomes import connectome_from_geometry
from virtualbrain.synthetic.dataset import write_connectome_patient
from virtualbrain.synthetic.demo_patient import DemoSettings, draw_demo_patient
from virtualbrain.synthetic.implant import regions_of_contacts
from virtualbrain.synthetic.points import atlas_head, points_from_centroids, points_from_labels
from virtualbrain.synthetic.real_mri import copy_real_mri, simulate_on_real_mri
from virtualbrain.synthetic.truth_files import (
    read_region_truth,
    read_true_contacts,
    read_true_weights,
    truth_folder,
)

TWO = DemoSettings(n_seizures=2)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Folder and truth of a patient with connectome and SEEG."""
    folder = tmp_path_factory.mktemp("bids")
    return folder, write_connectome_patient(folder, seed=5, label="02", settings=TWO)


def checksums(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_pipeline_finds_every_input(written):
    folder, _ = written
    files = find_patient(folder, "02")
    assert files.connectome is not None
    assert files.electrodes is not None
    assert files.coordsystem is not None
    assert len(files.recordings) == 2
    assert check_seeg(files, SeegSettings()) == []
    assert len(read_ready_connectome(files.connectome).regions) == 82


def test_mne_bids_reads_the_same_volts_positions_and_bad_channels(written):
    folder, patient = written
    path = mne_bids.BIDSPath(subject="02", task="ictal", run="01", datatype="ieeg", root=folder)
    raw = mne_bids.read_raw_bids(path, verbose="error")
    names = list(patient.contacts["name"])
    assert raw.ch_names == [*names, "ECG"]
    assert set(raw.get_channel_types()) == {"seeg", "ecg"}
    status = patient.recordings[0].status
    assert set(raw.info["bads"]) == set(status.loc[status["marked"], "name"])
    volts = raw.get_data(picks=names)
    largest = np.abs(patient.recordings[0].signal_uv).max(axis=1, keepdims=True)
    assert (np.abs(volts * 1e6 - patient.recordings[0].signal_uv) <= 1e-4 * largest + 1e-3).all()
    positions = raw.get_montage().get_positions()
    assert positions["coord_frame"] == "ras"
    metres = np.array([positions["ch_pos"][name] for name in names])
    assert metres * 1e3 == pytest.approx(patient.contacts[["x", "y", "z"]].to_numpy(), abs=1e-3)


def test_further_seizures_come_from_the_same_disease_and_contacts():
    regions, points = atlas_head()
    network = connectome_from_geometry(regions, np.random.default_rng(1))

    def draw(n_seizures):
        rng = np.random.default_rng(3)
        return draw_demo_patient(network, regions, points, rng, DemoSettings(n_seizures=n_seizures))

    one, two = draw(1), draw(2)
    assert len(two.seizures) == len(two.recordings) == 2
    np.testing.assert_array_equal(one.recordings[0].signal_uv, two.recordings[0].signal_uv)
    first, second = two.seizures
    assert set(two.brain.disease.epileptogenic) <= set(second.seizing)
    assert not np.array_equal(first.onset_s, second.onset_s, equal_nan=True)
    assert two.recordings[0].status.equals(two.recordings[1].status)


def test_coordinate_system_and_unit_are_written(written):
    folder, _ = written
    stated = json.loads(find_patient(folder, "02").coordsystem.read_text())
    assert stated["iEEGCoordinateSystem"] == "ScanRAS"
    assert stated["iEEGCoordinateUnits"] == "mm"
    assert len(list((folder / "sub-02" / "ieeg").glob("*electrodes.tsv"))) == 1


def test_tables_have_the_columns_that_bids_requires(written):
    folder, patient = written
    recording = find_patient(folder, "02").recordings[0]
    channels = read_table(recording.channels)
    assert list(channels.columns[:5]) == ["name", "type", "units", "low_cutoff", "high_cutoff"]
    assert set(channels["type"]) == {"SEEG", "ECG"}
    bad = channels.loc[channels["status"] == "bad"]
    assert bad["status_description"].isin(["no contact", "noisy", "loose plug"]).all()
    electrodes = read_table(find_patient(folder, "02").electrodes)
    assert list(electrodes.columns[:5]) == ["name", "x", "y", "z", "size"]
    assert set(electrodes["group"]) == set(patient.contacts["electrode"])


@pytest.mark.parametrize("number", [0, 1])
def test_one_seizure_of_each_recording_is_marked_near_the_true_onset(written, number):
    folder, patient = written
    events = read_table(find_patient(folder, "02").recordings[number].events)
    seizures = events[events["trial_type"] == "seizure"]
    assert len(seizures) == 1
    assert len(events) == 4
    onset = float(seizures["onset"].iloc[0])
    seizure = patient.seizures[number]
    assert -1.0 < onset - seizure.first_onset_s < 3.0
    end = onset + float(seizures["duration"].iloc[0])
    assert end == pytest.approx(seizure.last_end_s, abs=1.2)


def test_truth_is_complete_and_is_not_an_input(written):
    folder, patient = written
    truth = read_region_truth(folder, "02")
    zones = truth.set_index("region")["zone"]
    assert set(zones[zones == "EZ"].index) == set(patient.brain.disease.epileptogenic)
    assert set(zones[zones == "PZ"].index) == set(patient.brain.recruited)
    summary = json.loads((truth_folder(folder, "02") / "sub-02_truth.json").read_text())
    assert summary["seed"] == 5
    assert summary["K"] == patient.brain.disease.K
    assert len(read_true_contacts(folder, "02")) == len(patient.contacts)
    inputs = find_patient(folder, "02").all_files()
    assert not any("truth" in path.as_posix() for path in inputs)


def test_inputs_do_not_name_the_zone(written):
    folder, patient = written
    for path in find_patient(folder, "02").all_files():
        if path.suffix in {".tsv", ".json"} and "connectome" not in path.parts:
            text = path.read_text()
            assert not any(name in text for name in patient.brain.disease.epileptogenic)


def test_given_connectome_is_the_true_one_with_errors(written):
    folder, _ = written
    given = read_ready_connectome(find_patient(folder, "02").connectome)
    true = read_true_weights(folder, "02").loc[given.names, given.names].to_numpy()
    present = true > 0
    assert ((given.weights > 0) == present).all()
    ratio = np.log(given.weights[present] / true[present])
    assert ratio.std() == pytest.approx(0.3, abs=0.03)


def test_same_seed_gives_the_same_files(written, tmp_path):
    folder, _ = written
    write_connectome_patient(tmp_path, seed=5, label="02", settings=TWO)
    assert checksums(tmp_path) == checksums(folder)


def test_seeg_stage_finds_onsets_in_the_seizing_channels(written):
    folder, patient = written
    files = find_patient(folder, "02")
    regions = read_table(next(files.connectome.glob("*_dseg.tsv")))
    seeg = run_seeg(files, regions, None, None, None, SeegSettings())
    channels = seeg.channels.set_index(["anode", "cathode"])
    truth = patient.recordings[0].channel_onsets.set_index(["anode", "cathode"])
    good = channels[channels["status"] == "good"].index
    found = channels.loc[good, "onset_s"].notna()
    true = truth.loc[good, "onset_s"].notna()
    strong = truth.loc[good, "ictal_ratio"] > 20
    assert (found & strong).sum() >= 0.8 * strong.sum()
    assert (found & ~true).sum() <= 0.1 * len(good)
    unmarked = patient.recordings[0].status.query("fault == 'loose' and not marked")["name"]
    status = seeg.contacts.set_index("name")["status"]
    assert (status[unmarked] == "bad").all()


# ---- settings -------------------------------------------------------------------------------


def test_tables_in_another_order_raise_an_error():
    regions, points = atlas_head()
    network = Network(np.zeros((82, 82)), None, list(regions["name"]))
    with pytest.raises(ModelError, match="another order"):
        draw_demo_patient(network, regions.iloc[::-1], points, np.random.default_rng(1))


def test_demo_patient_from_centroids_has_an_unsampled_region():
    regions, _ = atlas_head()
    points = points_from_centroids(regions, spacing_mm=3.0)
    network = connectome_from_geometry(regions, np.random.default_rng(1))
    patient = draw_demo_patient(
        network, regions, points, np.random.default_rng(2), DemoSettings(unsampled=1)
    )
    places = patient.contacts[["x", "y", "z"]].to_numpy()
    hidden = points.of(patient.unsampled[0])
    gap = np.linalg.norm(places[:, None] - hidden, axis=2).min()
    assert patient.unsampled[0] in patient.brain.disease.epileptogenic
    assert gap >= 15.0
    assert regions_of_contacts(points, patient.contacts) == list(patient.contacts["region"])


# ---- on real MRI ----------------------------------------------------------------------------


@pytest.fixture
def measured(tmp_path):
    """Dataset of a person, folder of the demo, and layout of the results."""
    source, folder = tmp_path / "person", tmp_path / "patient"
    write_json(source / "dataset_description.json", {"Name": "p", "BIDSVersion": "1.10.0"})
    image = make_image(np.zeros((4, 4, 4), np.int16), np.eye(4))
    write_image(source / "sub-07/anat/sub-07_T1w.nii.gz", image)
    write_image(source / "sub-07/dwi/sub-07_dwi.nii.gz", image)
    for suffix in ("bval", "bvec"):
        write_text(source / f"sub-07/dwi/sub-07_dwi.{suffix}", "0\n")
    return source, folder, PatientLayout(tmp_path / "work", "07")


def test_images_of_a_person_are_copied_unchanged(measured):
    source, folder, _ = measured
    copy_real_mri(source, folder, "07")
    assert checksums(folder / "sub-07") == checksums(source / "sub-07")
    with pytest.raises(InputError, match="exists already"):
        copy_real_mri(source, folder, "07")


def test_interrupted_demo_on_a_person_continues(measured, monkeypatch):
    source, folder, _ = measured
    command = ["demo", str(folder), "--on", str(source)]

    def stopped(options):
        Path(options.out).mkdir(parents=True, exist_ok=True)
        return 130

    monkeypatch.setattr("virtualbrain.commands.demo.run", stopped)
    assert [main(command), main(command)] == [130, 130]
    (folder / "derivatives" / "truth").mkdir()
    assert main(command) == 2  # a complete demo is not overwritten


def test_person_without_diffusion_raises_an_error(measured):
    source, folder, _ = measured
    (source / "sub-07/dwi/sub-07_dwi.nii.gz").unlink()
    with pytest.raises(InputError, match="no diffusion series"):
        copy_real_mri(source, folder, "07")


def test_seizure_on_measured_labels_and_connectome(measured, written):
    source, folder, layout = measured
    copy_real_mri(source, folder, "07")
    head = find_patient(written[0], "02").connectome
    ready = read_ready_connectome(head)
    labels = _label_image(ready.regions)
    write_image(layout.labels, labels)
    write_table(layout.regions, ready.regions, {})
    write_connectome(layout, Connectome(ready.regions, ready.weights, ready.lengths_mm, "x"), {})
    patient = simulate_on_real_mri(folder, layout, seed=1)
    assert read_table(find_patient(folder, "07").electrodes)["name"].tolist() == list(
        patient.contacts["name"]
    )
    points = points_from_labels(labels, ready.regions)
    assert regions_of_contacts(points, patient.contacts) == list(patient.contacts["region"])
    true = read_true_weights(folder, "07").to_numpy()
    ratio = np.log(true[true > 0] / ready.weights[true > 0])
    assert ratio.std() == pytest.approx(0.4, abs=0.04)


def _label_image(regions: pd.DataFrame):
    """Return balls around the centroids as a 2 mm label image."""
    points = points_from_centroids(regions, spacing_mm=2.0)
    low = points.positions_mm.min(axis=0) - 4.0
    voxels = np.rint((points.positions_mm - low) / 2.0).astype(int)
    labels = np.zeros(voxels.max(axis=0) + 3, dtype=np.int16)
    labels[tuple(voxels.T)] = regions["index"].to_numpy()[points.region]
    affine = np.diag([2.0, 2.0, 2.0, 1.0])
    affine[:3, 3] = low
    return make_image(labels, affine)
