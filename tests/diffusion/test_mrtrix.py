import logging
import os

import pytest

from virtualbrain.diffusion import mrtrix
from virtualbrain.errors import ToolError


@pytest.fixture
def program(tmp_path, monkeypatch):
    """Return a function that writes a shell script as a program on the PATH."""
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)

    def make(name, script):
        path = tmp_path / name
        path.write_text("#!/bin/sh\n" + script)
        path.chmod(0o755)

    return make


def test_error_for_a_missing_program_says_how_to_install_it():
    with pytest.raises(ToolError, match="apt-get install mrtrix3"):
        mrtrix.run("no-such-program")


def test_missing_mrtrix_is_one_problem_that_says_how_to_install_it(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    (problem,) = mrtrix.check_programs()
    for words in ("apt-get install mrtrix3", "conda install", "tckgen, tcksift2"):
        assert words in str(problem)


@pytest.mark.tools
def test_installed_mrtrix_is_no_problem():
    assert mrtrix.check_programs() == []


def test_arguments_threads_and_environment_are_passed_to_the_program(program):
    program("show", 'echo "$@ $MRTRIX_RNG_SEED"\n')
    output = mrtrix.run("show", 1, "b", threads=3, environment={"MRTRIX_RNG_SEED": "7"})
    assert output.strip() == "1 b -nthreads 3 7"
    assert mrtrix.run("show", threads=None).strip() == ""


def test_error_has_the_last_error_line_and_the_log_all_output(program, caplog):
    program(
        "fail", 'printf "first\\n\\033[01;31m[ERROR] no gradients\\033[0m\\nlast\\n" >&2; exit 1\n'
    )
    with caplog.at_level(logging.ERROR), pytest.raises(ToolError) as caught:
        mrtrix.run("fail")
    assert "[ERROR] no gradients" in str(caught.value)
    assert "\x1b" not in str(caught.value)
    assert "last" in caplog.text


def test_error_for_a_killed_program_mentions_memory(program):
    program("greedy", "kill -9 $$\n")
    with pytest.raises(ToolError, match="memory"):
        mrtrix.run("greedy")
