"""Messages of errors: what, where, expected and hint in one line."""

import pickle

import pytest

from virtualbrain import errors


def test_message_has_all_parts_in_order():
    error = errors.InputError("no x", where="a.tsv, row 3", expected="a number", hint="add it")
    assert str(error) == "a.tsv, row 3: no x; expected a number; add it"


def test_message_without_other_parts_is_what():
    assert str(errors.ModelError("step too large")) == "step too large"


def test_message_with_line_breaks_is_one_line():
    error = errors.InputError("bad\nname\r\nhere", where="a\nb")
    assert "\n" not in str(error)
    assert "\r" not in str(error)


@pytest.mark.parametrize("name", ["InputError", "ConfigError", "ModelError", "ToolError"])
def test_errors_have_one_base_class(name):
    assert issubclass(getattr(errors, name), errors.VirtualBrainError)


def test_error_keeps_all_parts_between_processes():
    error = errors.InputError("no x", where="a.tsv", expected="x", hint="add x")
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is errors.InputError
    assert str(copy) == str(error)
    assert vars(copy) == vars(error)
