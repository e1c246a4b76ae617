"""Selection of posterior draws for surgery."""

import numpy as np
import pytest
import xarray as xr

from virtualbrain.posterior import expected_ez_regions
from virtualbrain.surgery.draws import draws_from


def weighted(posterior, weights):
    tree = posterior.copy(deep=True)
    tree.attrs = posterior.attrs
    tree["posterior"]["K"][1, :] = 99.0
    tree["sample_stats"] = xr.DataTree(xr.Dataset({"weight": ("chain", weights)}))
    return tree


def test_a_chain_without_weight_gives_no_draws(posterior, generator):
    draws = draws_from(weighted(posterior, [1.0, 0.0]), 100, generator)
    assert draws.n_draws == 100
    assert (draws.K < 99).all()


def test_draws_are_taken_in_proportion_to_the_chain_weights(posterior, generator):
    draws = draws_from(weighted(posterior, [0.75, 0.25]), 40, generator)
    assert (draws.K == 99).sum() == 10


def test_draws_without_a_suspected_ez_region_are_left_out(posterior, generator):
    tree = posterior.copy(deep=True)
    tree.attrs = posterior.attrs
    tree["posterior"]["x0"][0, :30] = -3.0
    draws = draws_from(tree, 40, generator)
    assert draws.explained == pytest.approx(0.75)
    assert draws.in_ez.any(axis=1).all()
    tree["posterior"]["x0"][:] = -3.0
    none = draws_from(tree, 40, generator)
    assert none.explained == 0.0
    assert none.n_draws == 40


def test_regions_below_suspicion_only_count_in_p_elsewhere(posterior, generator):
    tree = posterior.copy(deep=True)
    tree.attrs = posterior.attrs
    tree["posterior"]["x0"][0, :3, 7] = -1.6
    draws = draws_from(tree, 120, generator, suspicion=0.05)
    assert not draws.in_ez[:, 7].any()
    assert draws.p_elsewhere == pytest.approx(3 / 120)
    assert draws.expected_ez_regions == draws_from(posterior, 40, generator).expected_ez_regions
    assert draws_from(tree, 120, generator).in_ez[:, 7].sum() == 3


def test_thinning_keeps_draws_together(draws, generator):
    few = draws.thinned(5, generator)
    assert few.n_draws == 5
    row = np.flatnonzero((draws.x0 == few.x0[2]).all(axis=1))[0]
    assert draws.x_init[row].tolist() == few.x_init[2].tolist()
    assert draws.thinned(1000, generator) is draws


def test_hardly_suspected_regions_do_not_count_as_expected_ez_regions():
    sure, hardly = np.array([0.9, 0.6]), np.full(1000, 0.01)
    assert expected_ez_regions(np.concatenate([sure, hardly])) == pytest.approx(1.5)
    assert expected_ez_regions(hardly) == 0.0
