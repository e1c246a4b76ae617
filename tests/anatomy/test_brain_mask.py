"""A brain without its head is told from a head that was cut close to the brain."""

import numpy as np
import pytest

from virtualbrain.anatomy.brain_mask import is_stripped
from virtualbrain.io.images import make_image

AFFINE = np.diag([2.0, 2.0, 2.0, 1.0])


def ball(radius_mm, rim):
    """White matter with 6 mm of grey around it, and what `rim` says around that, 4 mm."""
    grid = np.stack(np.meshgrid(*[np.arange(-90.0, 91.0, 2.0)] * 3, indexing="ij"))
    depth = radius_mm - np.linalg.norm(grid, axis=0)
    image = np.select([depth > 10, depth > 4, depth > 0], [100.0, 60.0, rim], 0.0)
    return make_image(image.astype(np.float32), AFFINE)


@pytest.mark.parametrize(
    ("radius_mm", "rim", "stripped"),
    [
        (70.0, 30.0, True),  # a brain in its fluid
        (70.0, 180.0, False),  # the same size, with scalp
        (82.0, 30.0, False),  # too large for a brain
        (45.0, 30.0, False),  # too small
    ],
)
def test_scalp_and_size_tell(radius_mm, rim, stripped):
    assert is_stripped(ball(radius_mm, rim)) is stripped


def test_an_image_without_a_voxel_is_no_brain():
    assert not is_stripped(make_image(np.zeros((8, 8, 8), np.float32), AFFINE))
