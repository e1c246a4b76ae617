import numpy as np
import pandas as pd
import pytest

from virtualbrain.anatomy.regions import COLUMNS, hull_area, lost_regions, region_table
from virtualbrain.io.anatomy import Surface

AFFINE = np.array([[2.0, 0, 0, -20], [0, 2, 0, -30], [0, 0, 2.5, 5], [0, 0, 0, 1]])
REGIONS = pd.DataFrame(
    {
        "index": [1, 2, 3],
        "name": ["ctx-lh-a", "Left-Hippocampus", "ctx-lh-lost"],
        "hemisphere": ["L", "L", "L"],
        "structure": ["cortex", "subcortex", "cortex"],
    }
)


@pytest.fixture
def table():
    labels = np.zeros((12, 12, 12), np.int32)
    labels[2:5, 3, 4] = 1
    labels[6:10, 6:10, 6:10] = 2
    # Two triangles of 2 mm² and 1 mm² that face +z and +x; all vertices belong to region 1.
    vertices = np.array([[0.0, 0, 0], [2, 0, 0], [0, 2, 0], [9, 0, 0], [9, 2, 0], [9, 0, 1]])
    triangles = np.array([[0, 1, 2], [3, 4, 5]])
    surface = Surface(vertices, triangles, np.array([1, 1, 1, 1, 1, 1], np.int32))
    return region_table(REGIONS, labels, AFFINE, {"L": surface}).set_index("name")


def test_columns_and_order(table):
    assert tuple(table.reset_index().columns) == ("name", *(c for c in COLUMNS if c != "name"))
    assert table["index"].tolist() == [1, 2, 3]


def test_centroid_and_volume(table):
    np.testing.assert_allclose(
        table.loc["ctx-lh-a", ["x", "y", "z"]].astype(float), [-20 + 6, -30 + 6, 5 + 10]
    )
    assert table.loc["ctx-lh-a", "volume"] == pytest.approx(3 * 10)
    assert table.loc["Left-Hippocampus", "volume"] == pytest.approx(64 * 10)


def test_cortex_has_area_and_normal_of_the_surface(table):
    assert table.loc["ctx-lh-a", "area"] == pytest.approx(3.0)
    normal = table.loc["ctx-lh-a", ["nx", "ny", "nz"]].to_numpy(dtype=float)
    np.testing.assert_allclose(normal, np.array([1.0, 0, 2.0]) / np.sqrt(5), atol=1e-12)


def test_nuclei_have_the_area_of_their_voxels_and_no_normal(table):
    row = table.loc["Left-Hippocampus"]
    box = 2 * (8 * 8 + 8 * 10 + 8 * 10)
    assert row["area"] == pytest.approx(box, rel=0.2)
    assert np.isnan(row[["nx", "ny", "nz"]].astype(float)).all()


def test_a_lost_region_stays_in_the_table(table):
    row = table.loc["ctx-lh-lost"]
    assert row["volume"] == 0
    assert np.isnan(row[["x", "y", "z", "area", "nx"]].astype(float)).all()
    assert lost_regions(table.reset_index()) == ("ctx-lh-lost",)


def test_area_of_a_ball():
    places = np.indices((24, 24, 24)) - 11.5
    ball = (places**2).sum(axis=0) < 100
    assert hull_area(ball, np.eye(4)) == pytest.approx(4 * np.pi * 100, rel=0.1)
