import numpy as np
import pytest
import xarray as xr

from virtualbrain.errors import ModelError
from virtualbrain.models.seizure_detection import seizure_table, seizures

TIME = np.arange(10.0)


def trace(*high):
    x1 = np.full(10, -2.0)
    x1[list(high)] = 0.5
    return x1


def test_onset_offset_and_order():
    x1 = np.stack([trace(5, 6), trace(2, 3, 4), trace(), trace(7, 8, 9)], axis=1)
    found = seizures(TIME, x1)
    np.testing.assert_array_equal(found.onset, [5, 2, np.inf, 7])
    np.testing.assert_array_equal(found.offset, [7, 5, np.inf, np.inf])
    np.testing.assert_array_equal(found.order, [2, 1, np.nan, 3])
    assert found.seizing.tolist() == [True, True, False, True]


def test_short_gaps_are_bridged_and_short_periods_ignored():
    x1 = np.stack([trace(2, 3, 5, 6), trace(1, 4, 5, 6)], axis=1)
    assert seizures(TIME, x1, bridge=2.0).offset[0] == 7
    assert seizures(TIME, x1).offset[0] == 4
    assert seizures(TIME, x1, least_duration=2.0).onset[1] == 4


def test_members_are_analysed_separately():
    x1 = np.stack([np.stack([trace(3)], axis=1), np.stack([trace()], axis=1)])
    np.testing.assert_array_equal(seizures(TIME, x1).onset, [[3], [np.inf]])


def test_table_is_in_the_order_of_recruitment():
    x1 = np.stack([trace(5, 6), trace(2, 3), trace()], axis=1)
    run = xr.Dataset({"x1": (("time", "region"), x1)},
                     coords={"time": TIME, "region": ["a", "b", "c"]})  # fmt: skip
    table = seizure_table(run)
    assert table["region"].tolist() == ["b", "a"]
    assert table["rank"].tolist() == [1, 2]
    with pytest.raises(ModelError, match="x1"):
        seizure_table(run.drop_vars("x1"))
    with pytest.raises(ModelError, match="shape"):
        seizures(TIME[:4], x1)
