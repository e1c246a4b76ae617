"""Quantities of a posterior: all readers agree on which regions start seizures."""

import numpy as np
import pytest
import xarray as xr

from virtualbrain.models.reduced_physics import critical_x0
from virtualbrain.posterior import (
    chain_weights,
    effective_zones,
    largest_rise,
    p_ez_sampled,
    p_ez_sampled_of,
    seizure_threshold,
    simulated_x0,
    starts_seizures,
)

SHORT, LONG = 0.9, 60.0


@pytest.fixture
def samples():
    """Two chains, three draws, two seizures with different tau0."""
    tau0 = np.broadcast_to([SHORT, LONG], (2, 3, 2))
    thresholds = critical_x0(np.array([SHORT, LONG]))
    of_mean_tau0 = float(critical_x0(0.5 * (SHORT + LONG)))
    mean = float(thresholds.mean())
    # x0 of each region is between two possible thresholds: only one averaging gives these p_ez
    x0 = [thresholds.max() + 0.02, 0.5 * (mean + thresholds.max()), 0.5 * (mean + of_mean_tau0)]
    return xr.Dataset(
        {
            "x0": (("chain", "draw", "region"), np.broadcast_to(x0, (2, 3, 3))),
            "tau0": (("chain", "draw", "seizure"), tau0),
        },
        coords={"region": ["a", "b", "c"]},
    )


def test_the_threshold_is_the_mean_over_seizures(samples):
    expected = critical_x0(np.array([SHORT, LONG])).mean()
    np.testing.assert_array_equal(seizure_threshold(samples), np.full((2, 3), expected))


def test_regions_above_the_mean_threshold_start_seizures(samples):
    np.testing.assert_array_equal(starts_seizures(samples)[0, 0], [True, True, False])


def test_one_seizure_with_or_without_its_dim_is_the_same(samples):
    one = samples.isel(seizure=[1])
    expected = float(critical_x0(LONG))
    np.testing.assert_array_equal(seizure_threshold(one), np.full((2, 3), expected))
    xr.testing.assert_equal(starts_seizures(one), starts_seizures(samples.isel(seizure=1)))


def test_dims_are_ordered_by_name(samples):
    moved = samples.transpose("region", "seizure", "draw", "chain")
    xr.testing.assert_equal(starts_seizures(moved), starts_seizures(samples))


def test_chains_without_stored_weights_count_equally():
    np.testing.assert_array_equal(chain_weights(None, 4), np.full(4, 0.25))
    stored = xr.Dataset({"weight": ("chain", [3.0, 1.0])})
    np.testing.assert_array_equal(chain_weights(stored, 2), [0.75, 0.25])


def test_simulated_x0_is_the_fitted_one_if_there_is_one(samples):
    assert simulated_x0(samples).equals(samples["x0"])
    fitted = samples.assign(x0_fitted=samples["x0"] + 1.0)
    assert simulated_x0(fitted).equals(fitted["x0_fitted"])


def test_p_ez_sampled_rises_with_the_expected_ez_regions():
    values = [p_ez_sampled(np.repeat([0.95, 0.0], [n, 90])) for n in range(6)]
    assert values == sorted(values)
    assert values[0] < 0.01
    assert values[-1] > 0.99


def test_p_ez_sampled_rises_with_the_largest_p_ez():
    pairs = ((0.5, 0.5), (0.7, 0.3), (0.9, 0.1), (0.94, 0.06))  # one expected EZ region in each
    values = [p_ez_sampled(np.array(pair)) for pair in pairs]
    assert values == sorted(values)
    assert p_ez_sampled(np.array([1.0, 1.0])) < 1.0


def test_p_ez_sampled_rises_with_the_rise_of_the_power_and_the_expected_ez_regions():
    p_ez = np.repeat([0.95, 0.0], [2, 90])
    values = [p_ez_sampled(p_ez, rise) for rise in (1.0, 2.0, 3.0, 4.0, 5.0)]
    assert values == sorted(values)
    assert values[0] < 0.1
    assert values[-1] > 0.9
    values = [p_ez_sampled(np.repeat([0.95, 0.0], [n, 90]), 3.0) for n in range(5)]
    assert values == sorted(values)


def test_a_stored_p_ez_sampled_is_preferred():
    p_ez = np.array([0.9, 0.6])
    assert p_ez_sampled_of(xr.DataTree(), p_ez) == p_ez_sampled(p_ez)
    stored = xr.DataTree()
    stored.attrs["p_ez_sampled"] = 0.31
    assert p_ez_sampled_of(stored, p_ez) == 0.31


def test_the_largest_rise_is_that_of_the_loudest_channels_over_all_seizures():
    envelope = np.zeros((2, 6, 5))
    envelope[0, 2, 0], envelope[1, 4, 1], envelope[0, 1, 3], envelope[1, 1, 3] = 4.0, 3.0, 1.0, 2.0
    data = xr.Dataset({"envelope": (("seizure", "time", "channel"), envelope)})
    assert largest_rise(xr.DataTree.from_dict({"/observed_data": data})) == 3.0
    assert largest_rise(xr.DataTree()) is None


def test_zones_count_by_the_weight_of_their_chain(samples):
    x0 = np.full((2, 3, 3), -5.0)
    x0[0, :, 0], x0[1, :, 1] = 5.0, 5.0  # one zone in each chain
    stats = xr.Dataset({"weight": ("chain", [0.9, 0.1])})
    tree = xr.DataTree.from_dict(
        {"/posterior": samples.assign(x0=(samples["x0"].dims, x0)), "/sample_stats": stats}
    )
    tree.attrs["I1"] = 3.1
    assert effective_zones(tree) == pytest.approx(np.exp(-0.9 * np.log(0.9) - 0.1 * np.log(0.1)))
    assert effective_zones(tree, 0.2) == pytest.approx(1.0)  # the other region is not suspected
    assert np.isnan(effective_zones(tree, 1.1))
