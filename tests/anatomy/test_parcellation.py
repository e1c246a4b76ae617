import numpy as np
import pandas as pd

from virtualbrain.anatomy.parcellation import (
    add_nuclei,
    has_subcortex,
    onto_grey_matter,
    without_lesion,
)

CORTEX = pd.DataFrame(
    {
        "index": [1, 2],
        "name": ["a", "b"],
        "hemisphere": ["L", "R"],
        "structure": ["cortex", "cortex"],
    }
)
NUCLEI = pd.DataFrame(
    {
        "index": [5, 6, 7],
        "name": ["ctx-lh-x", "Left-Amygdala", "b"],
        "hemisphere": ["L", "L", "R"],
        "structure": ["cortex", "subcortex", "subcortex"],
    }
)
ONES = np.ones(3)


def strip(values):
    return np.array(values, np.int32).reshape(-1, 1, 1)


def flat(labels):
    return labels.ravel().tolist()


def fit(warped, grey, regions=CORTEX, cerebrum=None, spacing=ONES, reach=2.0):
    grey = strip(grey) > 0
    cerebrum = np.ones_like(grey) if cerebrum is None else strip(cerebrum) > 0
    labels = onto_grey_matter(
        strip(warped), regions, grey=grey, cerebrum=cerebrum, spacing_mm=spacing, reach_mm=reach
    )
    return flat(labels)


def test_grey_matter_gets_the_nearest_label_within_reach():
    assert fit([0, 0, 0, 1, 2, 0, 0, 0], [1, 1, 1, 1, 0, 1, 1, 1]) == [0, 1, 1, 1, 0, 2, 2, 0]


def test_reach_is_in_millimetres():
    assert fit([1, 0, 0, 0], [1, 1, 1, 1], spacing=np.array([2.0, 1, 1])) == [1, 1, 0, 0]


def test_voxels_outside_the_cerebrum_get_no_label():
    assert fit([1, 1, 0, 0], [1, 1, 1, 1], cerebrum=[0, 1, 1, 0]) == [0, 1, 1, 0]


def test_nuclei_keep_their_warped_labels():
    regions = CORTEX.assign(structure=["cortex", "subcortex"])
    assert fit([2, 2, 1, 0], [1, 0, 1, 1], regions) == [2, 2, 1, 1]


def test_an_atlas_of_nuclei_only_is_unchanged():
    regions = CORTEX.assign(structure="subcortex")
    assert fit([1, 0, 2], [1, 1, 1], regions) == [1, 0, 2]


def test_lesion_voxels_belong_to_no_region():
    labels, lesion = strip([1, 2, 2]), strip([0, 1, 0]) > 0
    assert flat(without_lesion(labels, lesion)) == [1, 0, 2]
    assert flat(without_lesion(labels, None)) == [1, 2, 2]


def test_added_nuclei_follow_the_regions_of_the_atlas():
    labels, table = add_nuclei(strip([1, 2, 2, 0]), CORTEX, strip([5, 6, 0, 6]), NUCLEI)
    assert table["name"].tolist() == ["a", "b", "Left-Amygdala"]
    assert table["index"].tolist() == [1, 2, 3]
    assert flat(labels) == [1, 3, 2, 3]


def test_has_subcortex():
    assert not has_subcortex(CORTEX)
    assert has_subcortex(NUCLEI)
