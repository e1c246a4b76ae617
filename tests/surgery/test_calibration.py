"""Calibration of the predicted probability of seizure freedom."""

import numpy as np
import pytest

from virtualbrain.surgery.calibration import calibrated_p_seizure_free, log_odds


@pytest.mark.parametrize("expected_ez_regions", [0.0, 0.5, 2.0, 6.0])
def test_the_order_of_plans_is_kept(expected_ez_regions):
    shares = np.linspace(0, 1, 201)
    calibrated = [calibrated_p_seizure_free(share, 200, expected_ez_regions) for share in shares]
    assert (np.diff(calibrated) > 0).all()


def test_probability_is_never_0_or_1():
    assert 0 < calibrated_p_seizure_free(0.0, 200, 3.0) < 0.1
    assert 0.8 < calibrated_p_seizure_free(1.0, 200, 3.0) < 1


def test_more_draws_without_a_seizure_raise_the_probability():
    assert (
        calibrated_p_seizure_free(1.0, 20, 2.0)
        < calibrated_p_seizure_free(1.0, 200, 2.0)
        < calibrated_p_seizure_free(1.0, 2000, 2.0)
    )
    assert calibrated_p_seizure_free(0.0, 20, 2.0) > calibrated_p_seizure_free(0.0, 200, 2.0)


@pytest.mark.parametrize("share", [0.05, 0.5, 0.8])
def test_log_odds_equal_those_of_the_fraction_with_many_draws(share):
    assert log_odds(share, 10**9) == pytest.approx(np.log(share / (1 - share)), abs=1e-6)


def test_high_fractions_are_lowered_and_low_ones_raised():
    assert calibrated_p_seizure_free(0.95, 200, 3.0) < 0.8
    assert calibrated_p_seizure_free(0.02, 200, 3.0) > 0.05


def test_probability_is_low_with_few_expected_ez_regions():
    calibrated = [
        calibrated_p_seizure_free(1.0, 200, expected_ez_regions)
        for expected_ez_regions in (0.0, 0.5, 1.0, 2.0, 4.0)
    ]
    assert (np.diff(calibrated) > 0).all()
    assert calibrated[1] < 0.1
