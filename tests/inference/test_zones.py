"""Probabilities of the table of zones."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from inference.zone_table import _p_recruited

DRAWS = arrays(np.bool_, (12, 4))


@given(DRAWS, DRAWS, arrays(np.float64, 4, elements=st.floats(0, 1)))
def test_p_ez_and_p_pz_are_at_most_one_together(seizes, starts, p_ez):
    p_pz = _p_recruited(seizes, starts, p_ez)
    assert (p_pz >= 0).all()
    assert (p_ez + p_pz <= 1 + 1e-12).all()


@given(DRAWS, DRAWS)
def test_from_the_same_draws_p_pz_is_the_frequency_of_recruitment(seizes, starts):
    assert _p_recruited(seizes, starts, starts.mean(axis=0)) == pytest.approx(
        (seizes & ~starts).mean(axis=0)
    )
