from dataclasses import replace

import numpy as np
import pytest

from tests.diffusion.phantom import AFFINE, make_series
from virtualbrain.diffusion.gradient_check import check_orientation
from virtualbrain.diffusion.head_mask import head_mask
from virtualbrain.io.gradients import GradientTable


def exchanged(series, exchange):
    directions = series.table.directions @ np.array(exchange).T
    return replace(series, table=GradientTable(series.table.bvals, directions))


def test_the_true_table_has_the_highest_continuity(series):
    found = check_orientation(series)
    assert found.best == "as given"
    assert found.margin > 1.02
    assert len(found.scores) == 24


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_reversed_axis_is_named(series, axis):
    flip = np.eye(3)
    flip[axis, axis] = -1
    found = check_orientation(exchanged(series, flip))
    assert found.best == f"{'xyz'[axis]} reversed"
    assert found.margin < 0.95


def test_exchanged_axes_are_found(series):
    swap = np.eye(3)[[1, 0, 2]]
    found = check_orientation(exchanged(series, swap))
    assert "axes in the order yxz" in found.best


def test_reversing_every_direction_changes_nothing(series):
    opposite = exchanged(series, -np.eye(3))
    before = check_orientation(series).scores
    after = check_orientation(opposite).scores
    assert before == pytest.approx(after)


def test_one_tensor_fit_is_enough_for_all_tables(series):
    """The score of an exchange equals the score "as given" of the exchanged table."""
    swap = np.eye(3)[[0, 2, 1]]
    direct = check_orientation(exchanged(series, swap))
    through = check_orientation(series)
    name = "axes in the order xzy"
    signs = np.sign(np.diag(AFFINE)[:3])
    assert signs.tolist() == [-1, 1, 1]
    assert direct.scores["as given"] == pytest.approx(through.scores[name], rel=1e-6)


def test_the_head_mask_overlaps_the_true_head(phantom, series):
    mask = head_mask(series.mean_b0)
    overlap = 2 * (mask & phantom.head).sum() / (mask.sum() + phantom.head.sum())
    assert overlap > 0.95


def test_isotropic_image_has_no_preference():
    rng = np.random.default_rng(0)
    series = make_series()
    volumes = np.tile(series.mean_b0[..., None], (1, 1, 1, 33)).astype(np.float32)
    volumes += rng.normal(0, 1, volumes.shape).astype(np.float32)
    found = check_orientation(series.with_volumes(volumes))
    assert max(found.scores.values()) < 1
