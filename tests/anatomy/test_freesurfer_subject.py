"""Vertices of a FreeSurfer subject get their own region, not that across a closed sulcus."""

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from nibabel.freesurfer.io import write_geometry

from virtualbrain.anatomy.atlas_registration import Parcellation
from virtualbrain.anatomy.freesurfer_subject import subject_surfaces
from virtualbrain.anatomy.preprocess import Head
from virtualbrain.anatomy.settings import AnatomySettings
from virtualbrain.anatomy.tissues import Tissues
from virtualbrain.io.freesurfer import open_subject
from virtualbrain.io.images import make_image

SHAPE = (16, 16, 16)
FACES = np.array([[0, 1, 2], [1, 2, 3]])
NEAR, FAR = 1, 2  # the two banks of the sulcus, left and right of x = 0


@pytest.fixture
def subject(tmp_path):
    """Return two adjacent banks of cortex; the pial surface of the near one is 0.6 mm too far."""
    affine = np.eye(4)
    affine[:3, 3] = -7.5
    labels = np.zeros(SHAPE, np.int32)
    labels[4:8], labels[8:12] = NEAR, FAR
    folder = tmp_path / "sub-01"
    for name in ("mri", "surf"):
        (folder / name).mkdir(parents=True)
    for name in ("T1.mgz", "aparc+aseg.mgz"):
        nib.save(nib.MGHImage(labels, affine), folder / "mri" / name)
    vertices = np.array([[0.6, y, z] for y in (-2.0, 2.0) for z in (-2.0, 2.0)])
    matrix = nib.load(folder / "mri" / "T1.mgz").header
    to_tkras = matrix.get_vox2ras_tkr() @ np.linalg.inv(affine)
    for name, shift in (("pial", 0.0), ("white", -4.0)):
        moved = nib.affines.apply_affine(to_tkras, vertices + np.array([shift, 0, 0]))
        write_geometry(folder / "surf" / f"lh.{name}", moved, FACES)
    return folder, labels, affine


def surfaces_of(folder, labels, affine):
    regions = pd.DataFrame(
        {
            "index": [NEAR, FAR],
            "name": ["ctx-lh-near", "ctx-lh-far"],
            "hemisphere": "L",
            "structure": "cortex",
        }
    )
    nothing = np.zeros(SHAPE, np.float32)
    found = Parcellation(
        labels, regions, Tissues(nothing, nothing, nothing), nothing > 0, nothing > 0, {}, {}
    )
    head = Head(make_image(labels.astype(np.float32), affine), labels > 0, None)
    return subject_surfaces(open_subject(folder), found, head, AnatomySettings())


def test_regions_are_looked_up_half_way_between_white_and_pial_surface(subject):
    surface = surfaces_of(*subject)["L"]
    assert surface.regions.tolist() == [NEAR] * 4
    np.testing.assert_allclose(surface.vertices[:, 0], 0.6, atol=1e-5)


def test_regions_are_looked_up_at_the_pial_surface_without_a_white_surface(subject):
    (subject[0] / "surf" / "lh.white").unlink()
    assert surfaces_of(*subject)["L"].regions.tolist() == [FAR] * 4
