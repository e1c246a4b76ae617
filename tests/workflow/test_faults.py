"""Kills, a full disk and damaged results: no result is lost and no partial result is used."""

import os
import shutil
import subprocess
import sys

import pytest

from tests.workflow.kills import kill_often
from tests.workflow.runs import tables, virtualbrain
from virtualbrain import cli
from virtualbrain.io.layout import PatientLayout
from virtualbrain.pipeline.snakemake_runner import only_run

pytestmark = pytest.mark.slow


def test_results_are_unchanged_after_random_kills(finished, dataset, settings, tmp_path):
    out = tmp_path / "out"
    arguments = ("run", dataset, out, "--cores", 2, "--config", settings)
    found = kill_often(arguments, out, tables(finished), count=2, seed=4, longest_s=25)
    assert found.faults == []
    assert sum(found.done.values()) == 2


def _namespaces() -> bool:
    command = ["unshare", "--mount", "--net", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    return (
        shutil.which("unshare") is not None
        and not subprocess.run(command, capture_output=True, check=False).returncode
    )


SCRIPT = """\
set -u
mount -t tmpfs -o size=2200k tmpfs "$OUT"
"$PYTHON" -m virtualbrain.cli run "$BIDS" "$OUT" --cores 2 --config "$CONFIG" 2> "$WORK/full.err"
echo $? > "$WORK/full.code"
mount -o remount,size=300m "$OUT"
ip link show up 2> /dev/null | grep -c . > "$WORK/interfaces"
"$PYTHON" -m virtualbrain.cli run "$BIDS" "$OUT" --cores 1 --config "$CONFIG" 2> "$WORK/end.err"
echo $? > "$WORK/end.code"
cp -a "$OUT" "$WORK/kept"
"""


@pytest.mark.skipif(not _namespaces(), reason="mount and network namespaces need root")
def test_tables_are_unchanged_after_a_full_disk_without_network_on_one_core(
    finished, dataset, settings, tmp_path
):
    out = tmp_path / "out"
    out.mkdir()
    names = {"OUT": out, "BIDS": dataset, "CONFIG": settings, "WORK": tmp_path}
    environment = os.environ | {key: str(value) for key, value in names.items()}
    environment["PYTHON"] = sys.executable
    command = ["unshare", "--mount", "--net", "sh", "-c", SCRIPT]
    subprocess.run(command, env=environment, check=True, capture_output=True)
    errors = (tmp_path / "full.err").read_text()
    assert (tmp_path / "full.code").read_text().strip() == "2", errors
    assert "the disk is full" in errors
    assert "start the same command again" in errors
    assert "Traceback" not in errors
    assert (tmp_path / "interfaces").read_text().strip() == "0"
    assert (tmp_path / "end.code").read_text().strip() == "0", (tmp_path / "end.err").read_text()
    assert tables(tmp_path / "kept") == tables(finished)


def test_damaged_result_is_reported_and_computed_again(
    finished, dataset, settings, tmp_path, capsys
):
    out = tmp_path / "out"
    shutil.copytree(finished, out, copy_function=shutil.copy2)
    layout = PatientLayout.of_results(out, "01")
    content = layout.outcomes("default").read_bytes()
    layout.outcomes("default").write_bytes(content[: len(content) // 2])
    layout.zones("default").touch()  # another time, but the same content
    assert cli.main(["verify", str(out), "--bids", str(dataset)]) == 2
    errors = capsys.readouterr().err
    assert "outcomes.tsv: changed since its stage wrote it" in errors
    assert "zones.tsv" not in errors
    done = virtualbrain("run", dataset, out, "--cores", 2, "--config", settings)
    assert done.returncode == 0, done.stderr
    assert "outcomes.tsv: not the file that its stage wrote" in done.stderr
    assert tables(out) == tables(finished)
    assert cli.main(["verify", str(out), "--bids", str(dataset)]) == 0
    assert "belong to their inputs" in capsys.readouterr().out


def test_second_run_on_the_same_folder_is_refused(dataset, settings, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(only_run.__wrapped__, "__defaults__", (0.5,))  # seconds of patience
    with only_run(tmp_path):
        assert cli.main(["run", str(dataset), str(tmp_path), "--config", str(settings)]) == 2
    assert "another run uses this output folder" in capsys.readouterr().err
    assert not (tmp_path / "sub-01").exists()


def test_results_are_readable_by_their_owner_only(finished):
    engine = finished / ".snakemake"  # its files have other permissions, but the folder is closed
    for path in [finished, *finished.rglob("*")]:
        if not path.is_symlink() and engine not in path.parents:
            assert path.stat().st_mode & 0o077 == 0, path


def test_verify_reports_every_change(finished, dataset, tmp_path, capsys):
    out, bids = tmp_path / "out", tmp_path / "bids"
    shutil.copytree(finished, out, copy_function=shutil.copy2)
    shutil.copytree(dataset, bids, copy_function=shutil.copy2)
    assert cli.main(["verify", str(out), "--bids", str(bids)]) == 0
    capsys.readouterr()
    (events,) = bids.glob("sub-01/ieeg/*_events.tsv")
    events.write_text(events.read_text() + "\n")
    (out / "sub-01" / "surgery" / "default" / "mine.tsv").write_text("x\n")
    layout = PatientLayout.of_results(out, "01")
    layout.gain.unlink()
    layout.diagnostics("default").write_text('{"verdict": "interpretable"}')
    assert cli.main(["verify", str(out), "--bids", str(bids)]) == 2
    errors = capsys.readouterr().err
    for words in (
        f"{events.name}: changed since it was read",
        "mine.tsv: no stage wrote it",
        f"{layout.gain.name}: missing",
        "diagnostics.json: changed since its stage wrote it",
    ):
        assert words in errors
