"""Faults that a user can correct."""

import errno

from virtualbrain.pipeline.faults import user_fault


def test_other_exceptions_are_program_faults():
    assert user_fault(OSError(errno.ENOENT, "x")) is None
    assert user_fault(ValueError("x")) is None
