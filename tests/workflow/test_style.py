"""The workflow's own style: Snakemake's linter finds nothing."""

import subprocess
import sys

import pytest

from virtualbrain.config import project_root


@pytest.mark.slow
def test_snakemake_lint(dataset, tmp_path):
    root = project_root()
    done = subprocess.run(
        [
            *(sys.executable, "-m", "snakemake", "--lint"),
            *("--snakefile", str(root / "Snakefile")),
            *("--config", f"bids={dataset}", f"out={tmp_path}"),
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stdout + done.stderr
