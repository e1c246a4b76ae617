"""Contacts in MNI152 of a patient without MRI."""

import json

import numpy as np
import pytest

from virtualbrain.anatomy.template import template_brain
from virtualbrain.config import load_config
from virtualbrain.io.images import make_image
from virtualbrain.io.patient_search import find_patient
from virtualbrain.pipeline.check import check_patient
from virtualbrain.seeg.contact_regions import in_brain
from virtualbrain.seeg.settings import SeegSettings
from virtualbrain.seeg.template_contacts import SPREAD_MM, in_the_template, template_problems

LEFT = np.array([[-40.0, -20, 10], [-35, -60, 40], [-30, 30, 20], [-45, -30, -15], [np.nan] * 3])


@pytest.fixture
def folder(patient, tmp_path):
    """A patient of whom there is only a recording; the contacts are in MNI152."""
    patient.coordsystem = {"iEEGCoordinateSystem": "MNI152Lin", "iEEGCoordinateUnits": "mm"}
    patient.write(tmp_path / "bids")
    return tmp_path / "bids"


def change(folder, **values):
    """Change coordsystem.json."""
    (path,) = folder.rglob("*_coordsystem.json")
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def left_half():
    """Return the mask of a brain with a left hemisphere only."""
    mask = np.zeros((40, 40, 40), np.uint8)
    mask[8:20, 4:36, 8:36] = 1
    affine = np.diag([5.0, 5.0, 5.0, 1.0])
    affine[:3, 3] = -100
    return make_image(mask, affine)


def test_the_template_brain_contains_its_hippocampi_and_not_the_eyes():
    places = np.array([[-26.0, -22, -14], [26, -22, -14], [0, 0, 120], [-35, 70, -40]])
    assert in_brain(places, None, template_brain()).tolist() == [True, True, False, False]


def test_contacts_inside_the_brain_are_accepted(folder):
    files = find_patient(folder, "01")
    assert template_problems(files, LEFT, left_half(), SeegSettings()) == []
    unknown = np.full((3, 3), np.nan)  # reported by the check of the coordinates
    assert template_problems(files, unknown, left_half(), SeegSettings()) == []


@pytest.mark.parametrize(
    ("points", "words"),
    [
        (LEFT * [-1, -1, 1], "read as LPS, 100% would be"),
        (LEFT * [-1, 1, 1], "read as LAS, 100% would be"),
        (LEFT / 10 + [30, 0, 0], "only 0% of the contacts are inside the brain of the template"),
    ],
)
def test_contacts_outside_are_refused_with_the_frame_that_would_fit(folder, points, words):
    files = find_patient(folder, "01")
    (problem,) = template_problems(files, points, left_half(), SeegSettings())
    assert words in str(problem)
    assert "sub-01_electrodes.tsv" in str(problem)


def test_places_in_the_template_are_less_certain():
    found = in_the_template(SeegSettings(ball_radius_mm=3.0, clamp_mm=4.0))
    assert found.ball_radius_mm == pytest.approx(np.hypot(3.0, SPREAD_MM))
    assert found.clamp_mm == pytest.approx(np.hypot(4.0, SPREAD_MM))


def test_a_user_may_say_that_the_coordinates_are_in_mni152(folder):
    change(folder, iEEGCoordinateSystem="fsaverage", iEEGCoordinateUnits="m")
    assert not find_patient(folder, "01").uses_template
    said = {"files": {"template": True}, "seeg": {"frame": "MNI", "units": "mm"}}
    config = load_config(None, said)
    lines = [str(one) for one in check_patient(folder, "01", config)]
    assert not any("oordinateSystem" in line for line in lines)
    del said["seeg"]["frame"]
    lines = [str(one) for one in check_patient(folder, "01", load_config(None, said))]
    assert any("placed in the template" in line for line in lines)
