"""Families of zones: certain, possible and not excluded regions."""

from itertools import chain, combinations

import numpy as np
import pytest

from virtualbrain.seeg.gain import likeness
from virtualbrain.surgery.zone_families import family_of, not_excluded, with_masking

# Channel 0 sees regions 0 and 1 alike, channel 1 sees region 2, channel 2 region 3; none region 4.
GAIN = np.array([[1.0, 1.0, 0, 0, 0], [0, 0.2, 1.0, 0, 0], [0, 0, 0, 1.0, 0]])


def test_likeness_is_that_of_the_columns_whatever_the_scale_of_rows_and_columns():
    alike = likeness(GAIN)
    assert alike == pytest.approx(alike.T)
    assert np.all(np.diag(alike) == 0.0)
    assert alike[0, 1] > 0.9 > 0.5 > alike[1, 2] > 0.0
    assert np.all(alike[3:] == 0.0)
    assert likeness(GAIN * np.array([[5.0], [1.0], [0.1]])) == pytest.approx(alike)
    same = likeness(np.array([[1.0, 3.0], [2.0, 6.0]]))
    assert same == pytest.approx(np.array([[0.0, 1.0], [1.0, 0.0]]))


def test_a_family_counts_the_zones_between_its_certain_and_all_its_regions():
    family = family_of(np.array([0.97, 0.5, 0.04, 0.06]), 1)
    assert family.certain.tolist() == [True, False, False, False]
    assert family.possible.tolist() == [False, True, False, True]
    free = [1, 3, 9]  # 9: not excluded
    subsets = chain.from_iterable(combinations(free, size) for size in range(4))
    assert family.n_zones == len(list(subsets))
    assert family_of(np.array([0.5, 0.5]), 0).n_zones == 3  # the empty set is no zone


def test_a_region_behind_a_probable_one_is_not_excluded():
    p = np.array([0.9, 0.01, 0.01, 0.01, 0.01])
    assert not_excluded(p, GAIN, 0.05).tolist() == [False, True, False, False, False]
    wider = with_masking(p, GAIN)
    assert np.all(wider >= p)
    assert wider[3] == p[3]
    assert not not_excluded(np.full(5, 0.01), GAIN, 0.05).any()


def test_regions_that_no_channel_sees_are_not_named_for_masking():
    unseen = GAIN.copy()
    unseen[:, 1] *= 1e-3  # the same direction of the column, but too little gain
    p = np.array([0.9, 0.01, 0.01, 0.01, 0.035])
    assert likeness(unseen)[0, 1] > 0.9
    assert not_excluded(p, unseen, 0.05).tolist() == [False, False, False, False, True]


def test_suspected_regions_are_not_called_not_excluded():
    p = np.array([0.9, 0.06, 0.04, 0.01, 0.0])
    assert not_excluded(p, GAIN, 0.05).tolist() == [False, False, True, False, False]
