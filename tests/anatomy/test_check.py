from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from virtualbrain.anatomy.check import (
    check_anatomy,
    check_atlas,
    check_freesurfer,
    check_lesion,
    check_t1,
)
from virtualbrain.anatomy.settings import AnatomySettings
from virtualbrain.io.bids import PatientFiles
from virtualbrain.io.images import make_image, write_image

AFFINE = np.diag([4.0, 4.0, 4.0, 1.0])
SHAPE = (40, 48, 40)


def head():
    places = np.indices(SHAPE) - (np.array(SHAPE) / 2)[:, None, None, None]
    ball = (places**2).sum(axis=0) < 300
    return (ball * 100 + np.random.default_rng(0).integers(0, 9, SHAPE)).astype(np.int16)


@pytest.fixture
def t1(tmp_path):
    path = tmp_path / "sub-01_T1w.nii.gz"
    write_image(path, make_image(head(), AFFINE))
    return path


@pytest.fixture
def subject(tmp_path):
    folder = tmp_path / "fs"
    (folder / "mri").mkdir(parents=True)
    for name in ("T1.mgz", "aparc+aseg.mgz"):
        nib.save(nib.MGHImage(head().astype(np.int32), AFFINE), folder / "mri" / name)
    return folder


def files(t1=None, freesurfer=None, lesion=None):
    nothing = dict.fromkeys(
        ("electrodes", "coordsystem", "connectome", "hypothesis", "eloquent"), None
    )
    return PatientFiles(
        bids=Path("bids"),
        label="01",
        t1=t1,
        dwi=(),
        recordings=(),
        freesurfer=freesurfer,
        lesion=lesion,
        **nothing,
    )


def only_message(problems):
    assert len(problems) == 1
    assert "\n" not in str(problems[0])
    return str(problems[0])


def test_a_valid_patient_has_no_problem(t1, subject):
    assert check_anatomy(files(t1), AnatomySettings()) == []
    assert check_anatomy(files(t1, subject), AnatomySettings()) == []


def test_all_problems_are_reported_together(t1, subject, tmp_path):
    t1.write_bytes(t1.read_bytes()[:2000])
    (subject / "mri" / "aparc+aseg.mgz").unlink()
    problems = check_anatomy(files(t1, subject), AnatomySettings())
    assert len(problems) == 2
    assert any("sub-01_T1w.nii.gz" in str(problem) for problem in problems)
    assert any("aparc+aseg.mgz" in str(problem) for problem in problems)


def test_an_unused_subject_is_not_checked(t1, subject):
    (subject / "mri" / "aparc+aseg.mgz").unlink()
    assert check_anatomy(files(t1, subject), AnatomySettings(use_freesurfer=False)) == []


def test_an_empty_t1_is_rejected(t1):
    write_image(t1, make_image(np.zeros(SHAPE, np.int16), AFFINE))
    assert "empty" in only_message(check_t1(t1))


def test_a_t1_smaller_than_a_head_is_rejected(t1):
    write_image(t1, make_image(head(), np.eye(4)))
    assert "covers 40 x 48 x 40 mm" in only_message(check_t1(t1))


def test_an_unknown_atlas_is_rejected():
    assert "unknown atlas Lausanne" in only_message(check_atlas(AnatomySettings(atlas="Lausanne")))


def test_a_subject_without_labels_or_t1_is_rejected(subject):
    assert check_freesurfer(subject, AnatomySettings()) == []
    assert "a2009s" in only_message(check_freesurfer(subject, AnatomySettings(atlas="Destrieux")))
    (subject / "mri" / "T1.mgz").unlink()
    assert "has no T1" in only_message(check_freesurfer(subject, AnatomySettings()))


def test_a_subject_whose_files_differ_in_shape_is_rejected(subject):
    nib.save(nib.MGHImage(head()[:-2].astype(np.int32), AFFINE), subject / "mri" / "T1.mgz")
    assert "differ in shape" in only_message(check_freesurfer(subject, AnatomySettings()))


def test_a_subject_with_an_unreadable_surface_is_rejected(subject):
    (subject / "surf").mkdir()
    (subject / "surf" / "lh.pial").write_bytes(b"\xff\xff\xfe created")
    assert "lh.pial" in only_message(check_freesurfer(subject, AnatomySettings()))


@pytest.mark.parametrize(
    ("mask", "shift", "words"),
    [
        (lambda h: h * 0, 0, "is empty"),
        (lambda h: h * 0 + 1, 0, "volume of the lesion mask is 4915 ml"),
        (lambda h: h > 106, 400, "outside the T1"),
    ],
)
def test_an_invalid_lesion_mask_is_rejected(t1, tmp_path, mask, shift, words):
    affine = AFFINE.copy()
    affine[0, 3] = shift
    write_image(tmp_path / "lesion.nii.gz", make_image(mask(head()).astype(np.uint8), affine))
    assert words in only_message(check_lesion(tmp_path / "lesion.nii.gz", t1))


def test_a_lesion_mask_on_another_grid_is_accepted(t1, tmp_path):
    small = np.ones((6, 6, 6), np.uint8)
    affine = np.diag([2.0, 2.0, 2.0, 1.0])
    affine[:3, 3] = 70
    write_image(tmp_path / "lesion.nii.gz", make_image(small, affine))
    assert check_anatomy(files(t1, lesion=tmp_path / "lesion.nii.gz"), AnatomySettings()) == []


def test_a_subject_of_another_person_is_rejected(subject, tmp_path):
    other = tmp_path / "other_T1w.nii.gz"
    noise = np.random.default_rng(1).integers(1, 100, SHAPE).astype(np.int16)
    write_image(other, make_image(noise, AFFINE))
    assert "are not aligned" in only_message(
        check_anatomy(files(other, subject), AnatomySettings())
    )


def test_missing_recon_all_is_reported(t1, monkeypatch):
    monkeypatch.delenv("FREESURFER_HOME", raising=False)
    settings = AnatomySettings(reconstruct="recon-all")
    assert "FREESURFER_HOME is not set" in only_message(check_anatomy(files(t1), settings))
