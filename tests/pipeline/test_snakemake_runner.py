"""Lock of the output folder, progress lines and failed stages."""

import io
import subprocess
import sys

import pytest
from rich.console import Console

from virtualbrain.errors import InputError
from virtualbrain.pipeline.snakemake_runner import (
    KILLED,
    Progress,
    only_run,
    run_workflow,
    snakemake_command,
)

OUTPUT = """\
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
    for line in OUTPUT.splitlines():
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
            "from virtualbrain.pipeline.snakemake_runner import only_run\n"
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
        pytest.raises(InputError, match="another run uses this output folder"),
        only_run(tmp_path, patience_s=0.3),
    ):
        pass
    holder.kill()
    holder.communicate()
    with only_run(tmp_path, patience_s=2):
        pass


def test_unwritable_folder_is_refused(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="cannot be written"), only_run(tmp_path / "file" / "out"):
        pass


@pytest.mark.parametrize(
    ("text", "message", "user_fault"),
    [
        ("x ERROR root: ERROR: a.tsv: no x; expected y\n", "a.tsv: no x; expected y", True),
        ("Traceback (most recent call last)\nERROR: ValueError: z\n", "ValueError: z", False),
        ("", KILLED, False),
    ],
)
def test_failed_stage_is_reported_from_its_log(tmp_path, text, message, user_fault):
    stage_log = tmp_path / "stage.log"
    stage_log.write_text(text)
    hint = "(check log file(s) for error details)"
    output = f"Error in rule seeg:\n    jobid: 1\n    log: {stage_log} {hint}"
    script = f"print({output!r}); raise SystemExit(1)"
    outcome = run_workflow(
        [sys.executable, "-c", script], tmp_path / "logs" / "s.log", 1, console()[0]
    )
    assert outcome.exit_code == 1
    (failure,) = outcome.failures
    assert (failure.rule, failure.message, failure.user_fault) == ("seeg", message, user_fault)


def test_command_uses_the_projects_files(tmp_path):
    command = snakemake_command(tmp_path, tmp_path / "c.yaml", 2, "default", ["all"], "--dry-run")
    assert command[command.index("--directory") + 1] == str(tmp_path)
    assert command[command.index("--workflow-profile") + 1] == "none"
    assert "--rerun-incomplete" in command
    assert command[-2:] == ["--", "all"]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("OSError: [Errno 28] No space left on device", "the disk is full"),
        ("OSError: [Errno 30] Read-only file system: '/x'", "read-only"),
        ("PermissionError: [Errno 13] Permission denied: '/x'", "permission denied"),
        ("MemoryError", "not enough memory"),
    ],
)
def test_engine_fault_is_reported(tmp_path, line, words):
    script = f"print({line!r}); raise SystemExit(1)"
    outcome = run_workflow([sys.executable, "-c", script], tmp_path / "s.log", 1, console()[0])
    assert not outcome.failures
    assert words in str(outcome.engine_fault)


def test_stage_without_a_log_is_reported_from_its_output(tmp_path):
    """On a full disk the log is empty; the error line is in Snakemake's output."""
    output = f"ERROR: the disk is full\\nError in rule seeg:\\n    log: {tmp_path / 'none.log'}"
    script = f"print({output!r}.replace(chr(92) + 'n', chr(10))); raise SystemExit(1)"
    outcome = run_workflow([sys.executable, "-c", script], tmp_path / "s.log", 1, console()[0])
    assert [(f.message, f.user_fault) for f in outcome.failures] == [("the disk is full", True)]


def test_stage_log_is_used_when_a_cluster_log_follows(tmp_path):
    stage_log = tmp_path / "stage.log"
    stage_log.write_text("x ERROR root: ERROR: a.tsv: no x\n")
    output = (
        f"Error in rule seeg:\n    log: {stage_log}, {tmp_path}/1.log (check log file(s) for x)"
    )
    progress = Progress(console()[0])
    for line in output.splitlines():
        progress.read(line)
    assert [failure.log for failure in progress.failures] == [stage_log]


def test_progress_continues_if_the_log_cannot_be_written(tmp_path):
    (tmp_path / "logs").write_text("a file where the folder should be")
    log = tmp_path / "logs" / "s.log"
    assert run_workflow([sys.executable, "-c", ""], log, 1, console()[0]).exit_code == 0


def test_interrupt_is_forwarded_to_snakemake(tmp_path, monkeypatch):
    """A cluster's jobs are cancelled before the command ends."""
    ended = tmp_path / "ended"
    script = (
        "import time\nprint('begun', flush=True)\n"
        "try:\n    time.sleep(60)\n"
        f"except KeyboardInterrupt:\n    open({str(ended)!r}, 'w').close()\n"
    )

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Progress, "read", interrupt)
    with pytest.raises(KeyboardInterrupt):
        run_workflow([sys.executable, "-c", script], tmp_path / "s.log", 1, console()[0])
    assert ended.exists()


def test_cluster_run_has_no_limit_of_cores(tmp_path):
    command = snakemake_command(tmp_path, tmp_path / "c.yaml", None, "slurm", [])
    assert "--cores" not in command
    assert "--cores" in snakemake_command(tmp_path, tmp_path / "c.yaml", None, "default", [])
