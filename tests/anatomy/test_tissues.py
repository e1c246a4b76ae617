import shutil
import subprocess
import tempfile
import time

import numpy as np
import pytest
from scipy import ndimage

from virtualbrain.anatomy.tissues import (
    CORTICAL,
    FLUID,
    PATHOLOGICAL,
    SUBCORTICAL,
    WHITE,
    Tissues,
    five_tissues,
    grey_white_contrast,
    segment_tissues,
)
from virtualbrain.io.images import make_image, write_image

SHAPE = (40, 44, 36)


def shells():
    """Return a ball of white matter, a shell of grey matter around it, and a shell of fluid."""
    places = np.indices(SHAPE) - (np.array(SHAPE) / 2)[:, None, None, None]
    radius = np.sqrt((places**2).sum(axis=0))
    return radius < 10, (radius >= 10) & (radius < 13), (radius >= 13) & (radius < 15)


@pytest.fixture
def tissues():
    white, grey, fluid = shells()
    return Tissues(*(part.astype(np.float32) for part in (fluid, grey, white)))


@pytest.fixture
def mask():
    return np.any(shells(), axis=0)


def box(low, high):
    inside = np.zeros(SHAPE, bool)
    inside[tuple(slice(a, b) for a, b in zip(low, high, strict=True))] = True
    return inside


def test_tissues_sum_to_one_inside_and_zero_outside(tissues, mask):
    stack = five_tissues(tissues, mask, box((18, 20, 16), (22, 24, 20)), box((5, 5, 5), (9, 9, 9)))
    np.testing.assert_allclose(stack.sum(axis=-1), mask.astype(float), atol=1e-5)
    assert stack.dtype == np.float32


def test_nuclei_brainstem_and_lesion_have_the_right_tissue(tissues, mask):
    nuclei, stem = box((18, 20, 16), (22, 24, 20)), shells()[1] & box((0, 0, 0), (40, 44, 14))
    lesion = box((20, 20, 16), (22, 24, 20))
    stack = five_tissues(tissues, mask, nuclei, stem, lesion)
    assert (stack[lesion][:, PATHOLOGICAL] == 1).all()
    assert (stack[nuclei & ~lesion][:, SUBCORTICAL] == 1).all()
    assert (stack[stem][:, WHITE] == 1).all()
    cortex = shells()[1] & ~stem
    assert (stack[cortex][:, CORTICAL] == 1).all()


def test_brain_voxels_without_tissue_are_fluid(tissues):
    mask = np.ones(SHAPE, bool)
    none = np.zeros(SHAPE, bool)
    stack = five_tissues(tissues, mask, none, none)
    assert (stack[0, 0, 0] == np.eye(5)[FLUID]).all()


@pytest.mark.tools
@pytest.mark.skipif(shutil.which("5ttcheck") is None, reason="MRtrix3 is not installed")
def test_5ttcheck_accepts_the_image(tissues, mask, tmp_path):
    stack = five_tissues(tissues, mask, box((18, 20, 16), (22, 24, 20)), box((0, 0, 0), (3, 3, 3)))
    write_image(tmp_path / "5tt.nii.gz", make_image(stack, np.eye(4)))
    done = subprocess.run(
        ["5ttcheck", str(tmp_path / "5tt.nii.gz")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def noisy_shells(mask, noise_sd=5.0):
    """Return a T1 of the shells with noise, and soft priors of grey and white matter."""
    white, grey, _ = shells()
    ideal = np.where(white, 110.0, np.where(grey, 75.0, 30.0)) * mask
    noise = np.random.default_rng(1).normal(0, noise_sd, SHAPE)
    brain = make_image(((ideal + noise) * mask).astype(np.float32), np.eye(4))
    priors = tuple(
        make_image(ndimage.gaussian_filter(part.astype(np.float32), 1.5), np.eye(4))
        for part in (grey, white)
    )
    return brain, priors


def test_atropos_gives_the_same_bits_again(mask):
    brain, priors = noisy_shells(mask, noise_sd=25.0)
    first = segment_tissues(brain, mask, priors)
    time.sleep(1.1)  # without a seed Atropos takes the second of the clock
    again = segment_tissues(brain, mask, priors)
    assert np.array_equal(first.gm, again.gm)
    assert np.array_equal(first.wm, again.wm)


def test_atropos_gives_the_same_bits_with_any_number_of_threads(mask, monkeypatch):
    brain, priors = noisy_shells(mask, noise_sd=25.0)
    two = segment_tissues(brain, mask, priors)
    monkeypatch.setattr("virtualbrain.anatomy.tissues._THREADS", 1)
    one = segment_tissues(brain, mask, priors)
    assert np.array_equal(one.gm, two.gm)
    assert np.array_equal(one.wm, two.wm)


def test_atropos_finds_the_shells_and_leaves_no_file(mask, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setenv("TMPDIR", str(tmp_path))  # the process of Atropos has it, too
    white, grey, _ = shells()
    brain, priors = noisy_shells(mask)
    found = segment_tissues(brain, mask, priors)
    assert (found.is_white[white]).mean() > 0.97
    assert (found.is_grey[grey]).mean() > 0.9
    np.testing.assert_allclose((found.csf + found.gm + found.wm)[mask], 1, atol=1e-3)
    assert not found.gm[~mask].any()
    assert not list(tmp_path.iterdir())
    assert tempfile.gettempdir() == str(tmp_path)


def test_coarse_voxels_find_nearly_the_same_tissues(mask):
    brain, priors = noisy_shells(mask)
    fine = segment_tissues(brain, mask, priors)
    coarse = segment_tissues(brain, mask, priors, voxel_mm=1.5)
    np.testing.assert_allclose((coarse.csf + coarse.gm + coarse.wm)[mask], 1, atol=1e-3)
    assert not coarse.gm[~mask].any()
    assert not np.array_equal(coarse.gm, fine.gm)
    pairs = [(fine.is_white, coarse.is_white), (fine.is_grey & mask, coarse.is_grey)]
    for part, found in pairs:  # they differ at borders only
        inner = ndimage.binary_erosion(part)
        assert found[part].mean() > 0.9
        assert found[inner].all()
    same = segment_tissues(brain, mask, priors, voxel_mm=1.2)  # hardly coarser than the image
    assert np.array_equal(same.gm, fine.gm)


def test_contrast_is_the_difference_of_means_over_the_sd(tissues):
    white = shells()[0]
    rng = np.random.default_rng(0)
    t1 = np.where(white, 110.0, 70.0) + rng.normal(0, 10, SHAPE)
    assert grey_white_contrast(t1.astype(np.float32), tissues) == pytest.approx(4.0, rel=0.05)
    empty = Tissues(tissues.csf, np.zeros(SHAPE, np.float32), np.zeros(SHAPE, np.float32))
    assert np.isnan(grey_white_contrast(t1.astype(np.float32), empty))
