"""One run at a time on an output folder; progress and failures in plain words."""

import io
import subprocess
import sys

import pytest
from rich.console import Console

from virtualbrain.errors import InputError
from virtualbrain.launcher import (
    ENDED_FROM_OUTSIDE,
    Progress,
    only_run,
    run_workflow,
    snakemake_command,
)

TALK = """\
job            count
-----------  -------
anatomy            1
total              3

[Sun Nov 22 08:00:00 2026]
Job 2: sub-01: anatomy: regions (2-5 minutes)
Reason: Missing output files
1 of 3 steps (33%) done
Job 1: sub-01: writing the report
"""


def console() -> tuple[Console, io.StringIO]:
    stream = io.StringIO()
    return Console(file=stream, width=200), stream


def test_progress_is_one_line_per_stage():
    target, stream = console()
    progress = Progress(target)
    for line in TALK.splitlines():
        progress.read(line)
    lines = stream.getvalue().splitlines()
    assert len(lines) == 2
    assert "[ 0 of 3 done]  sub-01: anatomy: regions (2-5 minutes)" in lines[0]
    assert "[ 1 of 3 done]  sub-01: writing the report" in lines[1]
    assert not progress.failures


def test_only_one_run_at_a_time(tmp_path):
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys; from pathlib import Path\n"
            "from virtualbrain.launcher import only_run\n"
            f"with only_run(Path({str(tmp_path)!r})):\n"
            "    print('held', flush=True); sys.stdin.read()",
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    with (
        pytest.raises(InputError, match="another run is at work"),
        only_run(tmp_path, patience_s=0.3),
    ):
        pass
    holder.kill()
    holder.communicate()
    with only_run(tmp_path, patience_s=2):
        pass


def test_a_folder_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="cannot be written"), only_run(tmp_path / "file" / "out"):
        pass


@pytest.mark.parametrize(
    ("text", "message", "mendable"),
    [
        ("x ERROR root: ERROR: a.tsv: no x; expected y\n", "a.tsv: no x; expected y", True),
        ("Traceback (most recent call last)\nERROR: ValueError: z\n", "ValueError: z", False),
        ("", ENDED_FROM_OUTSIDE, False),
    ],
)
def test_a_failed_stage_is_told_by_its_log(tmp_path, text, message, mendable):
    stage_log = tmp_path / "stage.log"
    stage_log.write_text(text)
    hint = "(check log file(s) for error details)"
    talk = f"Error in rule seeg:\n    jobid: 1\n    log: {stage_log} {hint}"
    script = f"print({talk!r}); raise SystemExit(1)"
    outcome = run_workflow(
        [sys.executable, "-c", script], tmp_path / "logs" / "s.log", 1, console()[0]
    )
    assert outcome.exit_code == 1
    (failure,) = outcome.failures
    assert (failure.rule, failure.message, failure.mendable) == ("seeg", message, mendable)


def test_the_command_names_only_the_projects_files(tmp_path):
    command = snakemake_command(tmp_path, tmp_path / "c.yaml", 2, "default", ["all"], "--dry-run")
    assert command[command.index("--directory") + 1] == str(tmp_path)
    assert "--rerun-incomplete" in command
    assert command[-2:] == ["--", "all"]
