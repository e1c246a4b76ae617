"""Response functions: the last digits of a program that does not repeat are rounded away."""

import numpy as np

from virtualbrain.diffusion.fod import round_numbers


def test_two_runs_that_differ_in_the_last_digits_are_the_same_after_rounding(tmp_path):
    runs = tmp_path / "a.txt", tmp_path / "b.txt"
    comment = "# Shells: 0,2500\n"
    runs[0].write_text(comment + "343.128820574627 85.5389552270531 6.2605436788074\n1.5 0 -0\n")
    runs[1].write_text(comment + "343.128820574627 85.5389552270532 6.26054367880739\n1.5 0 -0\n")
    for path in runs:
        round_numbers(path)
    assert runs[0].read_text() == runs[1].read_text()
    assert runs[0].read_text().startswith(comment)
    numbers = [line.split() for line in runs[0].read_text().splitlines()[1:]]
    assert np.allclose(np.array(numbers, float)[0], [343.12882057, 85.53895523, 6.26054368])
    assert len(numbers) == 2
