"""Frame and unit of region centres, and their distance from the contacts."""

from dataclasses import replace

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from virtualbrain.errors import InputError
from virtualbrain.seeg.region_centres import (
    centre_distance,
    centre_problems,
    distance_note,
    distance_problems,
)
from virtualbrain.seeg.run import run_seeg
from virtualbrain.seeg.settings import SeegSettings

SETTINGS = SeegSettings()


@pytest.fixture
def brain():
    """Twenty regions on each side, with centres in scanner RAS."""
    rng = np.random.default_rng(0)
    places = rng.uniform([8, -90, -30], [65, 60, 60], (20, 3))
    places = np.vstack([places * [-1, 1, 1], places + rng.normal(0, 2, (20, 3))])
    names = [f"ctx-{side}h-r{i}" for side in "lr" for i in range(20)]
    table = pd.DataFrame({"name": names, "hemisphere": ["L"] * 20 + ["R"] * 20})
    return table.assign(**{axis: places[:, i] for i, axis in enumerate("xyz")})


def moved(table, matrix):
    centres = nib.affines.apply_affine(np.asarray(matrix, float), table[["x", "y", "z"]])
    return table.assign(**{axis: centres[:, i] for i, axis in enumerate("xyz")})


MNI_2MM = [[-2.0, 0, 0, 90], [0, 2, 0, -126], [0, 0, 2, -72], [0, 0, 0, 1]]
RAS_VOXELS = [[1.0, 0, 0, -80], [0, 1, 0, -110], [0, 0, 1, -60], [0, 0, 0, 1]]


def test_centres_in_scanner_ras_have_no_problem(brain):
    assert centre_problems(brain, "") == []


@pytest.mark.parametrize(
    ("matrix", "words"),
    [
        (np.diag([-1, -1, 1, 1]), "left hemisphere are on the right"),
        (np.diag([-1, 1, 1, 1]), "left hemisphere are on the right"),
        (np.linalg.inv(MNI_2MM), "left hemisphere are on the right"),
        (np.linalg.inv(RAS_VOXELS), "no region centre has a negative coordinate"),
        (np.diag([1e-3, 1e-3, 1e-3, 1]), "extend over 0.1"),
        (np.diag([1e-1, 1e-1, 1e-1, 1]), "extend over 1"),
        (np.diag([0, 0, 0, 1]), "at the same place"),
    ],
)
def test_centres_in_another_frame_or_unit_are_refused(brain, matrix, words):
    (problem,) = centre_problems(moved(brain, matrix), "connectome/sub-01")
    assert words in str(problem)


@pytest.mark.parametrize("sides", [[None] * 40, ["L"] * 40])
def test_without_both_hemispheres_the_side_is_not_judged(brain, sides):
    brain = brain.assign(name=[f"r{i}" for i in range(40)], hemisphere=sides)
    assert centre_problems(moved(brain, np.diag([-1, 1, 1, 1])), "") == []


def test_the_column_hemisphere_is_used_if_names_have_no_side(brain):
    brain = brain.assign(name=[f"r{i}" for i in range(40)])
    assert len(centre_problems(moved(brain, np.diag([-1, 1, 1, 1])), "")) == 1


def test_distance_is_to_the_nearest_known_centre():
    centres = np.array([[0.0, 0, 0], [100, 0, 0], [np.nan] * 3])
    points = np.array([[3.0, 4, 0], [60, 0, 0], [np.nan] * 3])
    found = centre_distance(points, centres, 30.0)
    assert (found.median_mm, found.share_near) == ((5 + 40) / 2, 0.5)


@pytest.mark.parametrize(
    ("matrix", "reading"),
    [
        (np.linalg.inv(MNI_2MM), "voxels of the MNI152 template at 2 mm"),
        (np.diag([1e-3, 1e-3, 1e-3, 1]), "metres"),
        (np.diag([-1, -1, 1, 1]), "LPS"),
    ],
)
def test_far_contacts_name_the_reading_that_would_fit(patient, brain, tmp_path, matrix, reading):
    files = patient.write(tmp_path)
    points = brain[["x", "y", "z"]].to_numpy()[:20] * [1, 0.2, 1] + [-5, 60, 5]
    near = brain.iloc[:20].assign(y=brain["y"] * 0.2 + 60)
    assert distance_problems(files, points, near, SETTINGS) == []
    (problem,) = distance_problems(files, points, moved(near, matrix), SETTINGS)
    assert "0% of the contacts are within 30 mm" in str(problem)
    assert f"read as {reading}, 100% would be" in problem.hint


def test_tkras_is_named_if_there_is_a_freesurfer_subject(patient, regions, tmp_path):
    affine = np.array([[-1.0, 0, 0, 228], [0, 0, 1, -28], [0, -1, 0, 128], [0, 0, 0, 1]])
    image = nib.MGHImage(np.zeros((256, 256, 256), np.uint8), affine)
    (tmp_path / "fs/mri").mkdir(parents=True)
    nib.save(image, tmp_path / "fs/mri/orig.mgz")
    files = replace(patient.write(tmp_path / "bids"), freesurfer=tmp_path / "fs")
    shift = affine @ np.linalg.inv(image.header.get_vox2ras_tkr())
    points = patient.contacts[["x", "y", "z"]].to_numpy()
    (problem,) = distance_problems(files, points, moved(regions, np.linalg.inv(shift)), SETTINGS)
    assert "read as FreeSurfer tkRAS, 100% would be" in problem.hint


def test_the_run_states_the_distance_and_refuses_far_contacts(patient, regions, tmp_path):
    files = patient.write(tmp_path)
    seeg = run_seeg(files, regions, None, None, None, SETTINGS)
    points = patient.contacts[["x", "y", "z"]].to_numpy()
    assert distance_note(points, regions, SETTINGS) in seeg.notes
    far = regions.assign(x=regions["x"] + 200)
    with pytest.raises(InputError, match="0% of the contacts are within 30 mm"):
        run_seeg(files, far, None, None, None, SETTINGS)
