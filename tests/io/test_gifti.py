"""GIFTI files that state impossible arrays are refused at once."""

import nibabel as nib
import numpy as np
import pytest

from virtualbrain.io.gifti import load_gifti


@pytest.fixture
def path(tmp_path):
    array = nib.gifti.GiftiDataArray(np.eye(3, dtype=np.float32))
    nib.save(nib.gifti.GiftiImage(darrays=[array]), tmp_path / "a.shape.gii")
    return tmp_path / "a.shape.gii"


def test_an_array_is_read_as_written(path):
    np.testing.assert_array_equal(load_gifti(path).darrays[0].data, np.eye(3))


@pytest.mark.parametrize("stated", ["999999999999", "0", "-1", "7", "two"])
@pytest.mark.parametrize("quote", ['"', "'"])
def test_an_impossible_number_of_axes_is_refused_before_any_work(path, stated, quote):
    text = path.read_text()
    assert 'Dimensionality="2"' in text
    path.write_text(text.replace('Dimensionality="2"', f"Dimensionality = {quote}{stated}{quote}"))
    with pytest.raises(ValueError, match=r"axes|invalid literal"):
        load_gifti(path)


def test_another_format_is_refused(tmp_path):
    nib.save(nib.Nifti1Image(np.zeros((2, 2, 2), np.float32), np.eye(4)), tmp_path / "a.nii")
    with pytest.raises(ValueError, match="no GIFTI"):
        load_gifti(tmp_path / "a.nii")
