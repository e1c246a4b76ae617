import pytest

from virtualbrain.quality_limits import Gate, outside

GATES = {
    "snr": Gate(10, float("inf"), "signal over noise", "Weak."),
    "share": Gate(0.5, 1, "share"),
}


@pytest.mark.parametrize("figures", [{}, {"snr": 10}, {"snr": 40.0, "share": 1}, {"snr": None}])
def test_nothing_is_said_of_what_is_usual_or_not_there(figures):
    assert outside(figures, GATES) == []


def test_a_figure_outside_is_told_with_its_range_and_meaning():
    assert outside({"snr": 4.25, "share": 0.1}, GATES) == [
        "The signal over noise is 4.25; usual is 10 or more. Weak.",
        "The share is 0.1; usual is 0.5 to 1.",
    ]


def test_what_is_no_number_is_told():
    assert len(outside({"snr": float("nan")}, GATES)) == 1
