import numpy as np
import pytest

from virtualbrain.anatomy.freesurfer_labels import (
    brain_of,
    brainstem,
    expected_values,
    hemisphere,
    is_cortex,
    nuclei,
    tissues_of,
)
from virtualbrain.io.freesurfer import freesurfer_names


def row(*values):
    return np.array(values, np.int32).reshape(1, 1, -1)


def flags(mask):
    return mask.ravel().tolist()


def test_cortex_of_all_label_images():
    labels = row(3, 42, 1001, 2035, 11101, 12175, 2, 8, 17, 0)
    assert flags(is_cortex(labels)) == [True] * 6 + [False] * 4


def test_nuclei_and_brainstem():
    labels = row(10, 17, 54, 58, 16, 28, 2, 1017)
    assert flags(nuclei(labels)) == [True] * 4 + [False] * 4
    assert flags(brainstem(labels)) == [False] * 4 + [True] + [False] * 3


def test_hemispheres_are_disjoint_and_exclude_the_cerebellum():
    names = freesurfer_names()
    of_atlases = (*range(80), *range(1000, 3000), *range(11100, 13000))
    labels = row(*(value for value in of_atlases if value in names))
    left, right = hemisphere(labels, "L"), hemisphere(labels, "R")
    assert not (left & right).any()
    for value, is_left, is_right in zip(flags(labels), flags(left), flags(right), strict=True):
        name = names[value]
        if name.startswith("ctx-lh"):
            assert is_left, name
        if name.startswith("ctx-rh"):
            assert is_right, name
        if "Cerebell" in name or name == "Brain-Stem":
            assert (is_left, is_right) == (False, False), name
    for value, side in [(2, left), (4, left), (17, left), (41, right), (43, right), (53, right)]:
        assert side[labels == value].all()


@pytest.mark.parametrize(
    ("present", "count"),
    [({1001, 2001, 17}, 16 + 68), ({1003, 2003}, 16 + 62), ({11101, 12101}, 16 + 148)],
)
def test_expected_label_values_of_each_atlas(present, count):
    expected = expected_values(present)
    assert len(expected) == len(set(expected)) == count
    names = freesurfer_names()
    assert all(value in names for value in expected)
    assert not any("unknown" in names[v].lower() for v in expected)
    assert not any("callosum" in names[v] or "wall" in names[v] for v in expected)


def block():
    """Return white matter with a ventricle inside cortex with a narrow sulcus."""
    labels = np.zeros((30, 30, 30), np.int32)
    labels[5:25, 5:25, 5:25] = 1024
    labels[9:21, 9:21, 9:21] = 2
    labels[13:16, 13:16, 13:16] = 4
    labels[5:9, 15:17, 5:25] = 0
    return labels


def test_the_brain_mask_closes_only_sulci():
    brain = brain_of(block())
    assert brain[block() > 0].all()
    assert brain[6:9, 15:17, 10:20].all()
    assert brain.sum() < 20**3 * 1.05


def test_every_brain_voxel_has_exactly_one_tissue():
    labels = block()
    tissues = tissues_of(labels)
    total = tissues.csf + tissues.gm + tissues.wm
    np.testing.assert_array_equal(total > 0, brain_of(labels))
    assert set(np.unique(total)) == {0.0, 1.0}
    assert (tissues.gm[labels == 1024] == 1).all()
    assert (tissues.wm[labels == 2] == 1).all()
    assert (tissues.csf[labels == 4] == 1).all()
    assert (tissues.csf[7, 15:17, 10:20] == 1).all()
