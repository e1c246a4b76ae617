"""Full (6D) model: confirmation of plans, and stimulation."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from virtualbrain.errors import InputError
from virtualbrain.models.reduced_physics import critical_x0
from virtualbrain.surgery.candidates import no_surgery, resection
from virtualbrain.surgery.full_model import (
    R,
    full_model,
    full_model_onsets,
    p_seizure_free_full_model,
)
from virtualbrain.surgery.network_change import change_of
from virtualbrain.surgery.settings import StimulationSettings, SurgerySettings
from virtualbrain.surgery.stimulation import COLUMNS, evoked, site_of, stimulation_table

SETTINGS = SurgerySettings(confirm_draws=2)


@pytest.fixture
def gain() -> pd.DataFrame:
    """Two pairs: one at r1, which is prone to seizures, one at r6, which is not."""
    table = pd.DataFrame(0.001, index=["A1-A2", "B1-B2"], columns=[f"r{i}" for i in range(8)])
    table.loc["A1-A2", "r1"] = table.loc["B1-B2", "r6"] = 1.0
    return table


def test_distance_to_threshold_and_slow_time_scale_are_kept(draws):
    change = change_of(no_surgery(), draws.regions, draws.weights, SETTINGS)
    made = full_model(draws, change, SETTINGS)
    before = draws.x0 - critical_x0(draws.tau0)[:, None]
    np.testing.assert_allclose(np.asarray(made.model.x0) - critical_x0(1 / R), before)
    unit_s = (draws.time_s[1] - draws.time_s[0]) / draws.dt
    seconds = 1e-3 / (np.asarray(made.model.tt)[:, 0] * R)
    np.testing.assert_allclose(seconds, draws.tau0 * unit_s)


def test_full_and_2d_model_agree_on_seizing_regions(draws, generator):
    few = draws.thinned(2, generator)
    onsets = full_model_onsets(no_surgery(), few, SETTINGS, generator)
    np.testing.assert_array_equal(
        np.isfinite(onsets), np.tile(np.isin(np.arange(8), [0, 1, 2, 4, 5]), (2, 1))
    )
    assert (onsets[:, 0] < onsets[:, 1]).all()
    plans = [resection(("r0", "r4")), resection(("r0",))]
    assert p_seizure_free_full_model(plans, few, SETTINGS, generator) == {"r0 + r4": 1.0, "r0": 0.0}


def train(amplitude: float) -> SurgerySettings:
    return replace(SETTINGS, stimulation=StimulationSettings(amplitude_ma=amplitude))


def test_stimulation_above_threshold_starts_a_seizure_there_first(draws, gain, generator):
    few = draws.thinned(2, generator)
    site = site_of("A1-A2", gain, few.regions)
    onset = evoked(site, few, train(2.0), generator).onset
    assert (onset.argmin(axis=1) == 1).all()
    assert np.isfinite(onset[:, 1]).all()
    assert (onset > 0).all()


def test_stimulation_below_threshold_starts_none(draws, gain, generator):
    few = draws.thinned(2, generator)
    site = site_of("A1-A2", gain, few.regions)
    assert np.isinf(evoked(site, few, train(0.3), generator).onset).all()
    healthy = site_of("B1-B2", gain, few.regions)
    assert np.isinf(evoked(healthy, few, train(2.0), generator).onset).all()


def test_table_states_evoked_and_stopped_seizures(draws, gain, generator):
    short = replace(train(2.0), confirm_draws=1)
    table = stimulation_table([site_of("a02-A1", gain, draws.regions)], draws, short, generator)
    assert tuple(table.columns) == COLUMNS
    row = table.iloc[0]
    assert row["pair"] == "A1-A2"
    assert row["p_evoked"] == row["p_first"] == 1.0
    assert row["first_region"] == "r1"
    assert row["n_seizures"] == 1
    assert 0 <= row["p_stopped"] <= 1


@pytest.mark.parametrize(("pair", "words"), [("A1-A9", "was not implanted"), ("A1", "not a pair")])
def test_a_pair_that_was_not_implanted_is_refused(draws, gain, pair, words):
    with pytest.raises(InputError, match=words):
        site_of(pair, gain, draws.regions)
