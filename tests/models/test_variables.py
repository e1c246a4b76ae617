"""Offsets of states and parameters agree with the order that the models state."""

import pytest

from virtualbrain.models import variables
from virtualbrain.models.epileptor import (
    Epileptor,
    Epileptor2D,
    EpileptorRestingState,
    EpileptorStimulation,
)
from virtualbrain.models.simd_layout import LANES

LAYOUTS = [
    (Epileptor, [variables.STATE], [variables.PARAMETER]),
    (Epileptor2D, [variables.REDUCED_STATE], [variables.REDUCED_PARAMETER]),
    (
        EpileptorRestingState,
        [variables.STATE, variables.RESTING_STATE],
        [variables.PARAMETER, variables.RESTING_PARAMETER],
    ),
    (
        EpileptorStimulation,
        [variables.STATE, variables.STIMULATION_STATE],
        [variables.PARAMETER, variables.STIMULATION_PARAMETER],
    ),
]


@pytest.mark.parametrize(("model", "states", "parameters"), LAYOUTS)
def test_offsets_follow_the_order_of_the_model(model, states, parameters):
    for names, offsets in ((model.states, states), (model.parameters, parameters)):
        found = {name: value for group in offsets for name, value in group._asdict().items()}
        assert found == {name: k * LANES for k, name in enumerate(names)}


@pytest.mark.parametrize(("model", "states", "parameters"), LAYOUTS)
def test_coupling_sums_are_at_a_third_of_the_number_of_their_state(model, states, parameters):
    for name in model.coupled:
        assert model.states.index(name) // 3 * LANES == getattr(variables.SUM, name)
