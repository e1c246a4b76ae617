"""Landmarks of the T1 return at their places in MNI152."""

import json

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from nibabel.affines import apply_affine, from_matvec
from scipy.spatial.transform import Rotation

from tests.export.conftest import P_EZ
from virtualbrain.anatomy import template_registration, template_space
from virtualbrain.anatomy.atlases import package_folder
from virtualbrain.anatomy.settings import AnatomySettings
from virtualbrain.anatomy.template import _FILES, Template
from virtualbrain.anatomy.template_registration import Warp
from virtualbrain.anatomy.template_space import TemplateSpace, register_to_template
from virtualbrain.anatomy.voxel_grids import isotropic, resample
from virtualbrain.export import mni
from virtualbrain.io.images import make_image, read_image
from virtualbrain.rigid_registration import import_ants, write_itk_matrix

NEAR_MM = 0.5
SPACE = "space-MNI152NLin2009aSym"


def placed():
    """Return an affine transform from the patient to the template: turned, shifted, 4 % larger."""
    turn = Rotation.from_euler("zyx", [9, -6, 12], degrees=True).as_matrix()
    return from_matvec(1.04 * turn, [6.0, 14.0, -8.0])


def write_shift(path, grid, shift):
    """Write a deformation that shifts every point by the same vector (mm, RAS)."""
    field = np.broadcast_to(np.array(shift) * [-1, -1, 1], (*grid.shape, 3)).astype(np.float32)
    lps = np.diag([-1.0, -1, 1, 1]) @ grid.affine
    sizes = np.linalg.norm(lps[:3, :3], axis=0)
    ants = import_ants()
    image = ants.from_numpy(
        np.ascontiguousarray(field), origin=tuple(lps[:3, 3]), spacing=tuple(sizes),
        direction=lps[:3, :3] / sizes, has_components=True,
    )  # fmt: skip
    ants.image_write(image, str(path))


@pytest.fixture
def known_space(tmp_path):
    """A transform with a known deformation and a known affine part."""
    matrix, shift = placed(), np.array([4.0, -3.0, 5.0])
    write_itk_matrix(tmp_path / "affine.txt", matrix)
    ants = import_ants()  # it inverts only files that end in .mat
    ants.write_transform(
        ants.read_transform(str(tmp_path / "affine.txt")), str(tmp_path / "affine.mat")
    )
    box = make_image(np.zeros((60, 60, 60), np.float32), from_matvec(np.eye(3) * 4, [-120] * 3))
    write_shift(tmp_path / "warp.nii.gz", box, shift)
    write_shift(tmp_path / "inverse.nii.gz", box, -shift)
    warp = Warp(
        (str(tmp_path / "warp.nii.gz"), str(tmp_path / "affine.mat")),
        str(tmp_path / "inverse.nii.gz"),
    )
    grid = make_image(np.zeros((130, 140, 120), np.float32), from_matvec(np.eye(3), [-60] * 3))
    return TemplateSpace(warp, grid, 0.97), lambda points: apply_affine(matrix, points + shift)


def test_points_and_labels_follow_a_known_transform(made, known_space):
    space, expected = known_space
    labels = nib.load(made.layout.labels)
    moved = space.labels(make_image(np.asarray(labels.dataobj), labels.affine))
    values = np.asarray(moved.dataobj)
    assert moved.shape == space.grid.shape
    for index, place in enumerate(made.landmarks.values(), start=1):
        truth = expected(place)
        np.testing.assert_allclose(space.points(place[None])[0], truth, atol=1e-3)
        centre = apply_affine(moved.affine, np.argwhere(values == index)).mean(axis=0)
        assert np.linalg.norm(centre - truth) < NEAR_MM


def test_the_export_has_values_and_contacts_in_template_space(
    made, known_space, monkeypatch, tmp_path
):
    space, expected = known_space
    monkeypatch.setattr(mni, "_registered", lambda *_: space)
    folder = tmp_path / "out"
    folder.mkdir()
    notes = mni.write_mni(made.patient(), folder)
    assert any("0.97" in note for note in notes)
    image = nib.load(folder / f"sub-01_{SPACE}_stat-pez_map.nii.gz")
    for name, place in made.landmarks.items():
        inside = np.isclose(image.get_fdata(), P_EZ[name])
        centre = apply_affine(image.affine, np.argwhere(inside)).mean(axis=0)
        assert np.linalg.norm(centre - expected(place)) < NEAR_MM
    table = pd.read_csv(folder / f"sub-01_{SPACE}_electrodes.tsv", sep="\t", na_values="n/a")
    truth = expected(made.landmarks["ctx-lh-landmark"])
    np.testing.assert_allclose(table.loc[0, ["x", "y", "z"]].astype(float), truth, atol=2e-3)
    assert np.isnan(table.loc[2, "x"])
    system = json.loads((folder / f"sub-01_{SPACE}_coordsystem.json").read_text())
    assert system["iEEGCoordinateSystem"] == "MNI152NLin2009aSym"
    mask = nib.load(folder / f"sub-01_{SPACE}_desc-plan1_mask.nii.gz").get_fdata()
    np.testing.assert_array_equal(mask == 1, np.isclose(image.get_fdata(), 0.9))


def test_no_contacts_are_no_points(known_space):
    assert known_space[0].points(np.empty((0, 3))).shape == (0, 3)


def test_registration_returns_landmarks_and_sides(tmp_path, monkeypatch):
    """The patient is a coarse template itself, turned, shifted and stored from right to left.

    Only the affine part is registered: a deformation takes minutes.
    """
    template = coarse_template(5.0)
    monkeypatch.setattr(template_space, "load_template", lambda: template)
    monkeypatch.setattr(template_space, "register_deformable", lambda _, start, *a, **k: start)
    turn = Rotation.from_euler("zyx", [6, -5, 8], degrees=True).as_matrix()
    to_template = from_matvec(turn, [5.0, -12.0, 9.0])
    shape = template.t1.shape
    flip = from_matvec(np.diag([-1.0, 1, 1]), [shape[0] - 1, 0, 0])
    affine = np.linalg.inv(to_template) @ template.t1.affine @ flip

    def own(voxels):
        return make_image(np.ascontiguousarray(voxels[::-1]), affine)

    tissues = np.zeros((*shape, 5), dtype=np.float32)
    tissues[..., 2] = np.asarray(template.wm.dataobj)
    space = register_to_template(
        own(np.asarray(template.t1.dataobj)),
        own(template.mask),
        own(tissues),
        AnatomySettings(registration="quick", working_mm=4.0),
        tmp_path,
        seed=1,
    )
    truth = np.array([[-45.0, -20, 5], [48, 10, -25], [-8, 40, 20], [25, -70, 10]])
    found = space.points(apply_affine(np.linalg.inv(to_template), truth))
    assert np.linalg.norm(found - truth, axis=1).max() < NEAR_MM
    left = np.zeros(shape, dtype=bool)
    left[apply_affine(template.t1.affine, np.indices(shape).T).T[0] < 0] = True
    moved = np.asarray(space.labels(own(left.astype(np.int32))).dataobj)
    x = apply_affine(template.t1.affine, np.argwhere(moved))[:, 0]
    assert (x < 2.5).mean() > 0.98
    assert space.overlap > 0.95


def test_a_deformation_keeps_its_inverse():
    names = {
        "fwdtransforms": ["syn_1Warp.nii.gz", "syn_0GenericAffine.mat"],
        "invtransforms": ["syn_0GenericAffine.mat", "syn_1InverseWarp.nii.gz"],
    }
    warp = template_registration._warp_of(names, Warp(("a.mat",)))
    assert warp == Warp(("syn_1Warp.nii.gz", "a.mat"), "syn_1InverseWarp.nii.gz")


def coarse_template(size_mm):
    """Return the template with large voxels, without its zones."""
    folder = package_folder("nilearn") / "datasets" / "data"
    fine = [read_image(folder / _FILES.format(kind)) for kind in ("t1", "gm", "wm")]
    grid = isotropic(fine[0], size_mm)
    t1, gm, wm = (resample(one, grid) for one in fine)
    return Template(t1, gm, wm, zones=grid)
