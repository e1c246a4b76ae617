"""What a share of draws without a seizure is taken to mean."""

import numpy as np
import pytest

from virtualbrain.surgery.promise import believed, evidence


def test_the_order_of_plans_is_kept():
    shares = np.linspace(0, 1, 201)
    told = [believed(share, 200) for share in shares]
    assert (np.diff(told) > 0).all()


def test_certainty_is_never_promised():
    assert 0 < believed(0.0, 200) < 0.1
    assert 0.8 < believed(1.0, 200) < 1


def test_more_draws_without_a_seizure_are_believed_further():
    assert believed(1.0, 20) < believed(1.0, 200) < believed(1.0, 2000)
    assert believed(0.0, 20) > believed(0.0, 200)


@pytest.mark.parametrize("share", [0.05, 0.5, 0.8])
def test_log_odds_are_those_of_the_share_where_draws_are_many(share):
    assert evidence(share, 10**9) == pytest.approx(np.log(share / (1 - share)), abs=1e-6)


def test_high_shares_are_believed_less_and_low_ones_more():
    assert believed(0.95, 200) < 0.8
    assert believed(0.02, 200) > 0.05
