import nibabel as nib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.diffusion.phantom import region_table
from virtualbrain.diffusion.connectome import (
    density_of,
    edge_reliability,
)
from virtualbrain.diffusion.region_ends import Edges, regions_in_dwi
from virtualbrain.errors import InputError
from virtualbrain.rigid_registration import write_itk_matrix


def edges_of(ends, weights=None, lengths=None, n=4):
    ends = np.array(ends, dtype=np.int64)
    weights = np.ones(len(ends)) if weights is None else np.array(weights, float)
    lengths = np.full(len(ends), 10.0) if lengths is None else np.array(lengths, float)
    return Edges(ends, weights, lengths, n)


def test_sums_of_a_small_example():
    edges = edges_of([(0, 1), (1, 0), (2, 3), (1, 1), (-1, 2)], weights=[1, 2, 5, 7, 9])
    matrix = edges.sums(edges.weights)
    assert matrix[0, 1] == matrix[1, 0] == 3
    assert matrix[2, 3] == 5
    assert matrix.sum() == 16
    assert not matrix.diagonal().any()


@given(st.integers(0, 10**6))
def test_sums_equal_those_of_a_loop_and_are_symmetric(seed):
    rng = np.random.default_rng(seed)
    edges = edges_of(rng.integers(-1, 5, (40, 2)), rng.uniform(0, 2, 40), n=5)
    expected = np.zeros((5, 5))
    for (i, j), weight in zip(edges.ends, edges.weights, strict=True):
        if i >= 0 and j >= 0 and i != j:
            expected[i, j] += weight
            expected[j, i] += weight
    found = edges.sums(edges.weights)
    assert np.allclose(found, expected)
    assert np.array_equal(found, found.T)


def test_direction_of_a_streamline_does_not_matter():
    rng = np.random.default_rng(1)
    ends = rng.integers(0, 4, (50, 2))
    given, reverse = edges_of(ends), edges_of(ends[:, ::-1])
    assert np.array_equal(given.sums(given.weights), reverse.sums(reverse.weights))


def test_reliability_depends_on_the_number_of_streamlines():
    """The coefficient of variation of a sum of n Poisson counts is 1 / sqrt(n)."""
    ends = [(0, 1)] * 400 + [(1, 2)] * 25 + [(2, 3)]
    found = edge_reliability(edges_of(ends), 400, np.random.default_rng(0))
    assert found[0, 1] == pytest.approx(1 - 1 / 20, abs=0.01)
    assert found[1, 2] == pytest.approx(1 - 1 / 5, abs=0.03)
    assert found[2, 3] < 0.2
    assert found[0, 3] == 0
    assert np.array_equal(found, found.T)


def test_same_seed_gives_the_same_reliability():
    edges = edges_of(np.random.default_rng(0).integers(0, 4, (60, 2)))
    first, second = (edge_reliability(edges, 20, np.random.default_rng(5)) for _ in range(2))
    assert np.array_equal(first, second)


def test_density_is_weight_over_mean_volume():
    table = region_table()
    table["volume"] = [100.0, 300, np.nan, 100, 100, 100]
    weights = np.ones((6, 6))
    found = density_of(weights, table)
    assert found[0, 1] == pytest.approx(1 / 200)
    assert found[0, 2] == pytest.approx(1 / 50)
    table["volume"] = np.nan
    assert not density_of(weights, table).any()


@pytest.fixture
def files(tmp_path):
    labels = np.zeros((4, 4, 4), np.int16)
    labels[0, 0, 0], labels[1, 1, 1] = 5, 2
    nib.save(nib.Nifti1Image(labels, np.diag([2.0, 2, 2, 1])), tmp_path / "labels.nii.gz")
    shift = np.eye(4)
    shift[:3, 3] = [10, 0, 0]
    write_itk_matrix(tmp_path / "x.txt", shift)
    return tmp_path / "labels.nii.gz", tmp_path / "x.txt"


def test_node_image_is_in_diffusion_space_and_in_the_order_of_the_table(files):
    image = regions_in_dwi(*files, region_table())
    nodes = np.asarray(image.dataobj)
    assert nodes[0, 0, 0] == 5
    assert nodes[1, 1, 1] == 2
    table = region_table().iloc[::-1]
    nodes = np.asarray(regions_in_dwi(*files, table).dataobj)
    assert nodes[0, 0, 0] == 2
    assert nodes[1, 1, 1] == 5
    # The transform from diffusion to T1w space is a shift by +10, so the T1 is shifted by -10.
    assert image.affine[0, 3] == pytest.approx(-10)


def test_a_label_without_a_row_is_rejected(files):
    with pytest.raises(InputError, match="label 5"):
        regions_in_dwi(*files, region_table().iloc[:3])
