"""Feasible trajectories of one more electrode."""

import numpy as np
import pytest

from virtualbrain.seeg.trajectories import (
    CLEAR_MM,
    FROM_ABOVE,
    MOST_MEDIAL,
    REACH_MM,
    SPACING_MM,
    STEEPEST_FALL,
    bipolar_weights,
    trajectories,
)

NONE = np.zeros((0, 3))
TARGET = np.array([30.0, 0.0, 0.0])


def ball(points):
    return np.linalg.norm(points, axis=1) < 60.0


def nowhere(points):
    return np.zeros(len(points), dtype=bool)


def test_an_electrode_is_straight_within_reach_and_in_the_brain():
    found = trajectories(TARGET, ball, nowhere, NONE)
    assert found
    for one in found:
        assert ball(one.contacts).all()
        assert np.allclose(one.contacts[0], TARGET)
        steps = np.diff(one.contacts, axis=0)
        assert np.allclose(np.linalg.norm(steps, axis=1), SPACING_MM)
        assert np.allclose(steps, steps[0])
        assert one.length_mm <= REACH_MM
        assert (one.entry - TARGET)[2] / one.length_mm >= STEEPEST_FALL - 1e-9
    assert found[0].length_mm == pytest.approx(30.0, abs=3.0)  # straight to the nearest surface


@pytest.mark.parametrize("side", [-1.0, 1.0])
def test_no_electrode_comes_from_the_midline_except_from_above(side):
    target = np.array([side * 8.0, 45.0, 0.0])  # near the midline and the front of the brain
    found = trajectories(target, ball, nowhere, NONE)
    assert found
    for one in found:
        direction = (one.entry - target) / one.length_mm
        assert side * direction[0] >= -MOST_MEDIAL - 1e-9 or direction[2] >= FROM_ABOVE - 1e-9


def test_no_electrode_passes_a_forbidden_structure():
    def side(points):
        return points[:, 0] > 45.0

    found = trajectories(TARGET, ball, side, NONE)
    assert found
    assert all(one.entry[0] <= 45.0 for one in found)
    assert not trajectories(TARGET, ball, lambda p: np.ones(len(p), bool), NONE)


def test_an_electrode_keeps_clear_of_those_implanted():
    first = trajectories(TARGET, ball, nowhere, NONE)[0]
    present = first.contacts[2:]
    for one in trajectories(TARGET, ball, nowhere, present):
        gaps = np.linalg.norm(one.contacts[:, None] - present[None], axis=-1)
        assert gaps.min() >= CLEAR_MM


def test_a_target_out_of_reach_or_brain_has_none():
    assert not trajectories(np.array([90.0, 0.0, 0.0]), ball, nowhere, NONE)

    def large(points):
        return np.linalg.norm(points, axis=1) < 120.0

    assert not trajectories(np.zeros(3), large, nowhere, NONE)


def test_a_channel_is_the_difference_of_two_contacts():
    weights = bipolar_weights(4)
    assert weights.shape == (3, 4)
    assert np.array_equal(weights @ np.arange(4), -np.ones(3))
