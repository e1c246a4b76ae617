"""Validation with one job per patient gives the results of one process to the last digit."""

import pytest

from tests.workflow.runs import virtualbrain

pytestmark = pytest.mark.slow
QUICK = """\
inference: {chains: 2, moves: 600, draws: 40, n_steps: 40, extension: 0}
surgery: {draws: 10, sham: 2, leading: 2}
"""
WRITTEN = ("patients.tsv", "regions.tsv", "surgery.tsv", "summary.json", "surgery.json",
           "explanations.tsv", "degeneracy.json")  # fmt: skip


def test_jobs_give_the_results_of_one_process_and_finished_jobs_are_kept(tmp_path):
    settings, out = tmp_path / "quick.yaml", tmp_path / "jobs"
    settings.write_text(QUICK)
    common = ("validate", "--seed", 5, "--surgery", "--explanations", "--config", settings)
    here = virtualbrain(*common, "--patients", 2, "--out", tmp_path / "here", "--cores", 2)
    assert here.returncode == 0, here.stderr
    jobs = (*common, "--out", out, "--profile", "default", "--cores", 1)
    first = virtualbrain(*jobs, "--patients", 1)
    assert first.returncode == 0, first.stderr
    done = {path: path.stat().st_mtime_ns for path in out.glob("*/patient-001.*")}
    assert {path.parent.name for path in done} == {"fits", "scores"}
    second = virtualbrain(*jobs, "--patients", 2)
    assert second.returncode == 0, second.stderr
    assert {path: path.stat().st_mtime_ns for path in done} == done
    for name in WRITTEN:
        assert (out / name).read_bytes() == (tmp_path / "here" / name).read_bytes(), name
    assert second.stdout.splitlines()[:-1] == here.stdout.splitlines()[:-1]


def test_unknown_prior_set_raises_an_error_before_any_job(tmp_path):
    done = virtualbrain(
        *("validate", "--out", tmp_path, "--profile", "default", "--priors", "no-such-set")
    )
    assert done.returncode == 2
    assert "no-such-set" in done.stderr
    assert not (tmp_path / "fits").exists()
