"""What a share of draws without a seizure is taken to mean."""

import numpy as np
import pytest

from virtualbrain.surgery.calibration import believed, evidence


@pytest.mark.parametrize("starts", [0.0, 0.5, 2.0, 6.0])
def test_the_order_of_plans_is_kept(starts):
    shares = np.linspace(0, 1, 201)
    told = [believed(share, 200, starts) for share in shares]
    assert (np.diff(told) > 0).all()


def test_certainty_is_never_promised():
    assert 0 < believed(0.0, 200, 3.0) < 0.1
    assert 0.8 < believed(1.0, 200, 3.0) < 1


def test_more_draws_without_a_seizure_are_believed_further():
    assert believed(1.0, 20, 2.0) < believed(1.0, 200, 2.0) < believed(1.0, 2000, 2.0)
    assert believed(0.0, 20, 2.0) > believed(0.0, 200, 2.0)


@pytest.mark.parametrize("share", [0.05, 0.5, 0.8])
def test_log_odds_are_those_of_the_share_where_draws_are_many(share):
    assert evidence(share, 10**9) == pytest.approx(np.log(share / (1 - share)), abs=1e-6)


def test_high_shares_are_believed_less_and_low_ones_more():
    assert believed(0.95, 200, 3.0) < 0.8
    assert believed(0.02, 200, 3.0) > 0.05


def test_hardly_anything_is_promised_where_hardly_a_region_starts_seizures():
    told = [believed(1.0, 200, starts) for starts in (0.0, 0.5, 1.0, 2.0, 4.0)]
    assert (np.diff(told) > 0).all()
    assert told[1] < 0.1
