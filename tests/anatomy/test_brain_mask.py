"""Skull-stripped images are distinguished from heads that were cropped close to the brain."""

import numpy as np
import pytest

from virtualbrain.anatomy.brain_mask import is_stripped
from virtualbrain.io.images import make_image

AFFINE = np.diag([2.0, 2.0, 2.0, 1.0])


def ball(radius_mm, rim):
    """Return white matter inside 6 mm of grey matter inside 4 mm of intensity `rim`."""
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
def test_scalp_and_size_decide(radius_mm, rim, stripped):
    assert is_stripped(ball(radius_mm, rim)) is stripped


def test_an_empty_image_is_not_skull_stripped():
    assert not is_stripped(make_image(np.zeros((8, 8, 8), np.float32), AFFINE))
