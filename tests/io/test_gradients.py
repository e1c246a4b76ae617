import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from virtualbrain.errors import InputError
from virtualbrain.io.gradients import (
    GradientTable,
    read_fsl_gradients,
    read_mrtrix_gradients,
    to_fsl,
    to_scanner,
    write_fsl_gradients,
    write_mrtrix_gradients,
)

UNIT = np.array([[1.0, 0, 0], [0, 1, 0], [0, 0, 1]])


@pytest.fixture
def pair(tmp_path):
    bval, bvec = tmp_path / "a.bval", tmp_path / "a.bvec"
    bval.write_text("0 1000 1000 1000\n")
    bvec.write_text("0 1 0 0\n0 0 1 0\n0 0 0 1\n")
    return bval, bvec


def test_rows_of_bvec_are_axes(pair):
    bvals, bvecs = read_fsl_gradients(*pair)
    assert bvals.tolist() == [0, 1000, 1000, 1000]
    assert np.array_equal(bvecs[1:], UNIT)


@pytest.mark.parametrize(
    ("bval", "bvec", "word"),
    [
        ("0 1000 1000", None, "3 rows of 4"),
        (None, "0 0 0\n1 0 0\n0 1 0\n0 0 1\n", "transpose"),
        (None, "0 2 0 0\n0 0 1 0\n0 0 0 1\n", "has the length 2.00"),
        (None, "0 1 0 0\n0 0 1 0\n0 0 0\n", "different lengths"),
        (None, "0 1 0 0\n0 0 1 0\n0 0 0 a\n", "text"),
        ("0 -5 1000 1000", None, "negative"),
        ("0 nan 1000 1000", None, r"a\.bval: the b-value of volume 2 is"),
        ("-1 nan 1000 1000", None, r"a\.bval: the b-value of volumes 1, 2 is"),
        (None, "0 nan 0 nan\n0 nan 1 nan\n0 nan 0 nan\n", r"a\.bvec: .* volumes 2, 4 is not"),
        (None, "0 1 0 0\n0 0 1 0\n0 0 0 inf\n", r"a\.bvec: .* volume 4 is not a number"),
    ],
)
def test_invalid_files_are_rejected_in_one_line(pair, bval, bvec, word):
    for path, text in zip(pair, (bval, bvec), strict=True):
        if text is not None:
            path.write_text(text)
    with pytest.raises(InputError, match=word) as caught:
        read_fsl_gradients(*pair)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(pair):
    pair[1].unlink()
    with pytest.raises(InputError, match=r"a\.bvec"):
        read_fsl_gradients(*pair)


def test_first_axis_is_reversed_only_for_a_positive_determinant():
    ras, las = np.diag([2.0, 2, 2, 1]), np.diag([-2.0, 2, 2, 1])
    assert np.allclose(to_scanner(UNIT, ras)[0], [-1, 0, 0])
    assert np.allclose(to_scanner(UNIT, las)[0], [-1, 0, 0])
    assert np.allclose(to_scanner(UNIT, ras)[1:], UNIT[1:])


@given(st.integers(0, 2**32 - 1), st.booleans())
def test_conversion_to_scanner_and_back_is_exact(seed, mirrored):
    rng = np.random.default_rng(seed)
    affine = np.eye(4)
    sizes = rng.uniform(1, 4, 3) * ([-1, 1, 1] if mirrored else [1, 1, 1])
    affine[:3, :3] = Rotation.random(random_state=rng).as_matrix() * sizes
    vectors = rng.normal(size=(5, 3))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    assert np.allclose(to_fsl(to_scanner(vectors, affine), affine), vectors)


def test_files_round_trip(tmp_path):
    table = GradientTable(
        np.array([0, 700.0, 2000]), np.array([[0, 0, 0], [0.6, 0.8, 0], [0, 0, 1.0]])
    )
    affine = np.diag([-2.0, 2, 3, 1])
    write_fsl_gradients(table, affine, tmp_path / "b", tmp_path / "v")
    bvals, bvecs = read_fsl_gradients(tmp_path / "b", tmp_path / "v")
    assert np.allclose(to_scanner(bvecs, affine), table.directions)
    write_mrtrix_gradients(table, tmp_path / "m")
    back = read_mrtrix_gradients(tmp_path / "m")
    assert np.allclose(back.directions, table.directions)
    assert np.allclose(back.bvals, bvals)


def test_shells_are_groups_of_similar_b_values():
    table = GradientTable(np.array([0, 5, 995, 1000, 1005, 2010, 1990.0]), np.zeros((7, 3)))
    assert table.shells() == {0: 2, 1000: 3, 2000: 2}
    assert table.is_b0.sum() == 2


@pytest.mark.parametrize(
    ("bvals", "rows"),
    [
        ("0 1000 1000 1000", "nan 1 0 0\nnan 0 1 0\nnan 0 0 1\n"),
        ("5 1000 1000 1000", "-nan 1 0 0\n0 0 1 0\n0 0 0 1\n"),
        ("0 1000 1000 1000", "NaN 1 0 0\ninf 0 1 0\nNaN 0 0 1\n"),
    ],
)
def test_a_direction_that_is_not_a_number_at_b0_is_zero(pair, bvals, rows):
    pair[0].write_text(bvals)
    pair[1].write_text(rows)
    _, bvecs = read_fsl_gradients(*pair)
    assert np.array_equal(bvecs, np.vstack([np.zeros(3), UNIT]))


@pytest.mark.parametrize("rows", ["0\n0\n0\n", "0 0 0\n", "nan\nnan\nnan\n"])
def test_the_direction_of_one_volume_is_a_row_or_a_column(pair, rows):
    pair[0].write_text("0\n")
    pair[1].write_text(rows)
    bvals, bvecs = read_fsl_gradients(*pair)
    assert bvals.tolist() == [0]
    assert np.array_equal(bvecs, np.zeros((1, 3)))


def test_bytes_that_are_no_text_are_refused_in_one_line(pair):
    pair[1].write_bytes(b"\xff\xfe0 \x00")
    with pytest.raises(InputError, match=r"a\.bvec: the file contains text"):
        read_fsl_gradients(*pair)
