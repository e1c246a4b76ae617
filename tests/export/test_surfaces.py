"""Surfaces and plans keep their places and sides in STL and GIFTI."""

import json

import nibabel as nib
import numpy as np
import pytest
import trimesh

from tests.export.conftest import P_EZ
from virtualbrain.export.gifti import write_gifti
from virtualbrain.export.stl import write_stl

NEAR_MM = 0.5
LPS_TO_RAS = np.array([-1.0, -1.0, 1.0])


@pytest.fixture(scope="module")
def stl(made, tmp_path_factory):
    folder = tmp_path_factory.mktemp("stl")
    write_stl(made.patient(), folder)
    return made, folder


@pytest.fixture(scope="module")
def gifti(made, tmp_path_factory):
    folder = tmp_path_factory.mktemp("gifti")
    write_gifti(made.patient(), folder)
    return made, folder


def read_gifti(path):
    image = nib.load(path)
    points, triangles = image.agg_data(("pointset", "triangle"))
    return trimesh.Trimesh(points, triangles, process=True)


def test_a_plan_as_stl_is_closed_and_at_its_landmark(stl):
    made, folder = stl
    mesh = trimesh.load_mesh(folder / "sub-01_space-LPS_desc-plan1.stl")
    assert mesh.is_watertight
    assert mesh.volume > 0  # the triangles face outward
    centre = mesh.center_mass * LPS_TO_RAS
    assert np.linalg.norm(centre - made.landmarks["ctx-lh-landmark"]) < NEAR_MM
    assert mesh.center_mass[0] > 0  # the left is positive in LPS


def test_the_outline_of_a_plan_keeps_its_volume(gifti):
    made, folder = gifti
    mesh = read_gifti(folder / "sub-01_desc-plan3.surf.gii")
    voxels = np.isin(made.labels, [1, 3]).sum() * abs(np.linalg.det(made.affine[:3, :3]))
    assert mesh.volume == pytest.approx(voxels, rel=0.15)
    assert len(mesh.split()) == 2


def test_stl_and_gifti_are_the_same_surface_in_two_frames(stl, gifti):
    (_, stl_folder), (_, gifti_folder) = stl, gifti
    for ours, theirs in (
        ("sub-01_space-LPS_desc-plan1.stl", "sub-01_desc-plan1.surf.gii"),
        ("sub-01_space-LPS_hemi-L_pial.stl", "sub-01_hemi-L_pial.surf.gii"),
    ):
        one = trimesh.load_mesh(stl_folder / ours)
        other = read_gifti(gifti_folder / theirs)
        np.testing.assert_allclose(one.center_mass * LPS_TO_RAS, other.center_mass, atol=1e-3)
        assert one.volume == pytest.approx(other.volume, rel=1e-4)


def test_the_file_and_the_sidecar_state_the_frame(stl):
    _, folder = stl
    for path in folder.glob("*.stl"):
        assert b"SPACE=LPS" in path.read_bytes()[:80]
        about = json.loads(path.with_suffix(".json").read_text())
        assert about["CoordinateSystem"].startswith("LPS")
        assert about["CoordinateUnits"] == "mm"


def test_pial_surfaces_are_on_their_sides(gifti):
    _, folder = gifti
    for side, sign in (("L", -1), ("R", 1)):
        mesh = read_gifti(folder / f"sub-01_hemi-{side}_pial.surf.gii")
        assert np.sign(mesh.center_mass[0]) == sign


def test_vertices_have_the_p_ez_of_their_region(gifti):
    _, folder = gifti
    values = nib.load(folder / "sub-01_hemi-L_stat-pez_map.shape.gii").agg_data()
    np.testing.assert_allclose(values, [P_EZ["ctx-lh-landmark"]] * 5 + [0.0])
    taken = nib.load(folder / "sub-01_hemi-R_desc-plan1_mask.shape.gii").agg_data()
    assert not taken.any()
