"""Effect of a plan on the network and on the seizure."""

from dataclasses import replace

import numpy as np
import pytest

from virtualbrain.errors import ModelError
from virtualbrain.models.reduced_physics import critical_x0
from virtualbrain.surgery.candidates import Candidate, no_surgery, resection
from virtualbrain.surgery.network_change import HEALTHY_X0, change_of
from virtualbrain.surgery.outcome import _quantiles, onset_steps, remaining_x0, simulate_plans
from virtualbrain.surgery.settings import SurgerySettings

SETTINGS = SurgerySettings()


def change(plan, draws, settings=SETTINGS):
    return change_of(plan, draws.regions, draws.weights, settings)


def test_resecting_everything_leaves_nothing(draws):
    (outcome,) = simulate_plans([resection(draws.regions)], draws, SETTINGS)
    assert (outcome.seizing == 0).all()
    assert (outcome.p_region == 0).all()


def test_removed_region_has_no_effect(draws):
    without = change(resection(("r0",)), draws)
    (steps,) = onset_steps([without], draws, SETTINGS)
    assert np.isinf(steps[:, 0]).all()
    # Whatever the region would do, the others do not notice.
    other = replace(
        draws, x_init=draws.x_init + 0.2 * (np.arange(8) == 0),
        z_init=draws.z_init - 0.5 * (np.arange(8) == 0),
    )  # fmt: skip
    np.testing.assert_array_equal(onset_steps([without], other, SETTINGS)[0], steps)


def test_disconnecting_no_connection_changes_nothing_to_the_last_bit(draws):
    assert draws.weights[3, 6] > 0
    alone = draws.weights.copy()
    alone[3, 6] = alone[6, 3] = 0.0
    draws = replace(draws, weights=alone)
    cut = Candidate("cut nothing", "disconnection", edges=(("r3", "r6"),))
    changed = change(cut, draws)
    np.testing.assert_array_equal(changed.weights, draws.weights)
    np.testing.assert_array_equal(
        remaining_x0(draws, changed), remaining_x0(draws, change(no_surgery(), draws))
    )
    before, after = simulate_plans([no_surgery(), cut], draws, SETTINGS)
    np.testing.assert_array_equal(before.seizing, after.seizing)
    np.testing.assert_array_equal(before.onset_s, after.onset_s)


def test_disconnection_stops_the_spread_but_not_the_region(draws):
    cut = Candidate("cut", "disconnection", ("r0", "r4"))
    (outcome,) = simulate_plans([cut], draws, SETTINGS)
    assert (outcome.seizing == 2).all()


def test_cutting_a_tract_protects_the_regions_behind_it(draws):
    cut = Candidate("tract", "disconnection", edges=(("r0", "r1"),))
    (outcome,) = simulate_plans([cut], draws, SETTINGS)
    assert outcome.p_region[1] == 0
    assert outcome.p_region[2] == 1


def test_plans_with_and_without_cuts_keep_their_order(draws):
    plans = [
        Candidate("tract", "disconnection", edges=(("r0", "r1"),)), no_surgery(),
        resection(("r0", "r4")),
    ]  # fmt: skip
    found = simulate_plans(plans, draws, SETTINGS)
    assert [o.candidate.name for o in found] == [p.name for p in plans]
    assert [o.seizing.mean() for o in found] == [4.0, 5.0, 0.0]


def test_resected_fraction_scales_rows_and_columns(draws):
    part = change(Candidate("part", "ablation", ("r1",), (0.3,)), draws)
    assert part.present[1] == pytest.approx(0.7)
    assert part.counted.all()
    assert not part.healthy.any()
    rest = replace(SETTINGS, rest_of_region="healthy")
    healed = change(Candidate("part", "ablation", ("r1",), (0.3,)), draws, rest)
    assert (remaining_x0(draws, healed)[:, 1] <= HEALTHY_X0).all()


def test_region_is_removed_from_a_resected_fraction_of_one_half(draws):
    gone = change(Candidate("part", "ablation", ("r1",), (0.5,)), draws)
    assert gone.present[1] == 0
    assert not gone.counted[1]


def test_missing_input_is_lost_with_its_source(draws):
    threshold = critical_x0(draws.tau0)[:, None]
    own = draws.x0.copy()
    lent = replace(draws, x0=np.where(np.arange(8) == 3, threshold + 0.2, draws.x0), own_x0=own)
    before = remaining_x0(lent, change(no_surgery(), lent))
    np.testing.assert_allclose(before, lent.x0)
    half = remaining_x0(lent, change(resection(("r0",)), lent))
    np.testing.assert_allclose(half[:, 3], (lent.x0[:, 3] + own[:, 3]) / 2)
    none = remaining_x0(lent, change(resection(("r0", "r4")), lent))
    np.testing.assert_allclose(none[:, 3], own[:, 3])
    first, _, last = simulate_plans(
        [no_surgery(), resection(("r0",)), resection(("r0", "r4"))], lent, SETTINGS
    )
    assert first.p_region[3] == 1.0
    assert last.p_region[3] == 0.0


def test_an_unknown_region_is_refused(draws):
    with pytest.raises(ModelError, match="no region 'nowhere'"):
        simulate_plans([resection(("nowhere",))], draws, SETTINGS)


def test_quantiles_are_nearest_ranks():
    seconds = np.array([[3.0, np.nan], [1.0, np.nan], [np.nan, np.nan], [2.0, np.nan]])
    found = _quantiles(seconds, [0.0, 0.5, 1.0])
    assert [values[0] for values in found] == [1.0, 2.0, 3.0]
    assert all(np.isnan(values[1]) for values in found)
