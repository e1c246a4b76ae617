"""Fixtures with known labels: the template, deformed by a known smooth transform."""

import numpy as np
import pytest
from nibabel.affines import apply_affine, from_matvec
from nibabel.eulerangles import euler2mat
from scipy import ndimage

from virtualbrain.anatomy.atlases import desikan_killiany
from virtualbrain.anatomy.template import load_template
from virtualbrain.io.images import make_image, write_image

SIZE_MM = 2.5
MOVE = from_matvec(euler2mat(0.06, -0.05, 0.04) @ np.diag([0.95, 1.04, 0.97]), [6, -8, 11])


def bent(image, grid_affine, shape, order):
    """Resample an MNI image through a rotation, a scaling and a smooth deformation of 4 mm."""
    points = apply_affine(grid_affine, np.indices(shape).reshape(3, -1).T)
    waves = 4 * np.sin(points[:, [1, 2, 0]] / 25.0)
    voxels = apply_affine(np.linalg.inv(image.affine) @ MOVE, points + waves)
    voxels_in = np.asarray(image.dataobj)
    values = ndimage.map_coordinates(voxels_in, voxels.T, order=order, prefilter=False)
    return values.reshape(shape)


@pytest.fixture(scope="session")
def brain(tmp_path_factory):
    """Return the path of a skull-stripped T1 with noise and bias field, and its true labels."""
    rng = np.random.default_rng(11)
    shape = (72, 84, 72)
    affine = from_matvec(np.diag([-SIZE_MM, SIZE_MM, SIZE_MM]), [88, -112, -92])
    template = load_template()
    t1 = bent(template.t1, affine, shape, 1)
    labels = bent(desikan_killiany().image, affine, shape, 0)
    slope = 1 + 0.15 * np.linspace(-1, 1, shape[1])[None, :, None]
    noisy = np.maximum(t1 * slope + rng.normal(0, 4, shape), 1) * (t1 > 0)
    path = tmp_path_factory.mktemp("brain") / "sub-01_T1w.nii.gz"
    write_image(path, make_image(noisy.astype(np.float32), affine))
    return path, make_image(labels.astype(np.int32), affine)
