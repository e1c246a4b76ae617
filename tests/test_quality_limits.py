"""Quality limits and the sentences for figures outside them."""

import json

import pytest

from virtualbrain.quality_limits import (
    FIT_LIMITS,
    QualityLimit,
    fit_limits_from,
    outside,
    stored_fit_limits,
)

LIMITS = {
    "snr": QualityLimit(10, float("inf"), "signal over noise", "Weak."),
    "share": QualityLimit(0.5, 1, "share"),
}


@pytest.mark.parametrize("figures", [{}, {"snr": 10}, {"snr": 40.0, "share": 1}, {"snr": None}])
def test_usual_and_missing_figures_give_no_sentence(figures):
    assert outside(figures, LIMITS) == []


def test_the_sentence_has_value_range_and_meaning():
    assert outside({"snr": 4.25, "share": 0.1}, LIMITS) == [
        "Signal over noise: 4.25 (usual: 10 or more). Weak.",
        "Share: 0.1 (usual: 0.5 to 1).",
    ]


def test_nan_is_outside_every_range():
    nan = float("nan")
    assert len(outside({"snr": nan}, LIMITS)) == 1
    assert FIT_LIMITS["r_hat_max"].is_rejected(nan)
    assert not FIT_LIMITS["ess_bulk_min"].is_rejected(nan)


@pytest.mark.parametrize(
    ("name", "value", "unusual", "rejected"),
    [
        ("r_hat_max", 1.05, False, False),
        ("r_hat_max", 1.2, True, False),
        ("r_hat_max", float("inf"), True, True),
        ("coverage_90", 0.5, True, False),
        ("coverage_90", 0.49, True, True),
        ("ess_bulk_min", 1.0, True, False),
    ],
)
def test_fit_limits_have_a_usual_and_a_reject_bound(name, value, unusual, rejected):
    assert FIT_LIMITS[name].is_unusual(value) == unusual
    assert FIT_LIMITS[name].is_rejected(value) == rejected


def test_stored_limits_read_back():
    stored = json.loads(json.dumps(stored_fit_limits()))
    assert stored["r_hat"] == [1.05, 1.5]
    assert stored["ess"] == 100.0
    assert fit_limits_from(stored) == dict(FIT_LIMITS) == fit_limits_from({})
    assert fit_limits_from({"explained": 0.6})["explained"].low == 0.6
