"""Tests of the command line as a whole."""

import argparse
import subprocess
import sys

import pytest

from virtualbrain.cli import _parser, command_of


def _commands():
    (action,) = [one for one in _parser()._actions if isinstance(one, argparse._SubParsersAction)]
    return {name: parser.get_default("command") for name, parser in action.choices.items()}


@pytest.mark.parametrize(("name", "command"), _commands().items())
def test_every_command_is_a_function(name, command):
    assert command_of(command).__name__ == name.replace("-", "_")


def test_the_help_needs_no_library():
    code = "import sys, virtualbrain.cli; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    slow = {"highdicom", "jsonschema", "nibabel", "numba", "numpy", "pandas", "pydicom", "rich"}
    assert not slow & set(done.stdout.split())
