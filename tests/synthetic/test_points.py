import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from virtualbrain.errors import InputError
from virtualbrain.synthetic.points import (
    RegionPoints,
    atlas_head,
    points_from_centroids,
    points_from_labels,
    with_geometry,
)


@pytest.fixture
def block():
    """Return two cubes of 3 voxels side by side in a flipped 2 mm grid."""
    labels = np.zeros((10, 6, 6), dtype=np.int16)
    labels[1:4, 1:4, 1:4], labels[6:9, 1:4, 1:4] = 7, 3
    affine = np.diag([-2.0, 2.0, 2.0, 1.0])
    affine[:3, 3] = 9.0, -4.0, 1.0
    table = pd.DataFrame({"index": [3, 7], "name": ["three", "seven"]})
    return nib.Nifti1Image(labels, affine), table


def test_points_are_voxel_centres_in_scanner_mm(block):
    points = points_from_labels(*block)
    assert points.spacing_mm == 2.0
    assert len(points.of("three")) == len(points.of("seven")) == 27
    middle = np.array([7, 2, 2]) * [-2, 2, 2] + [9, -4, 1]
    assert points.centroids_mm()[0] == pytest.approx(middle)


def test_region_without_a_voxel_raises_an_error(block):
    image, table = block
    more = pd.concat([table, pd.DataFrame({"index": [9], "name": ["nine"]})])
    with pytest.raises(InputError, match="nine"):
        points_from_labels(image, more)


def test_region_of_a_position_is_the_one_around_it(block):
    points = points_from_labels(*block)
    inside, between = points.of("seven")[13], points.centroids_mm().mean(axis=0)
    assert points.region_at(np.array([inside, inside + 0.4, between])).tolist() == [1, 1, -1]
    assert points.region_at(between[None], reach_mm=20.0)[0] in (0, 1)


def test_balls_have_their_volume_and_do_not_overlap():
    table = pd.DataFrame(
        {
            "name": ["a", "b", "c"],
            "x": [0.0, 60.0, 8.0],
            "y": 0.0,
            "z": 0.0,
            "volume": [4000.0, 9000.0, np.nan],
        }
    )
    points = points_from_centroids(table)
    lone = len(points.of("b")) * points.spacing_mm**3
    assert lone == pytest.approx(9000, rel=0.1)
    assert len(np.unique(points.of("a"), axis=0)) == len(points.of("a"))
    assert len(points.of("a")) * 8 < 4000  # its border with c is divided
    assert points.region_at(table[["x", "y", "z"]].to_numpy()).tolist() == [0, 1, 2]


def test_missing_centroid_raises_an_error_with_the_name():
    table = pd.DataFrame({"name": ["a", "b"], "x": [0.0, np.nan], "y": 0.0, "z": 0.0})
    with pytest.raises(InputError, match="b has no centroid"):
        points_from_centroids(table)


def test_centroids_follow_moved_points(block):
    points = points_from_labels(*block)
    moved = points.moved(points.positions_mm + np.array([1.0, 2.0, 3.0]))
    assert isinstance(moved, RegionPoints)
    difference = moved.centroids_mm() - points.centroids_mm()
    assert difference == pytest.approx(np.tile([1.0, 2.0, 3.0], (2, 1)))
    assert with_geometry(block[1], points)["volume"].tolist() == [216.0, 216.0]


def test_atlas_head_has_both_hemispheres():
    table, points = atlas_head()
    assert tuple(table["name"]) == points.regions
    assert len(table) == 82
    assert (np.sign(table["x"]) == np.where(table["hemisphere"] == "L", -1, 1)).all()
    assert table["volume"].between(200, 60_000).all()
