"""The workflow's own style: Snakemake's linter finds nothing."""

import subprocess
import sys

import pytest
import yaml

from virtualbrain.config import project_root

VALIDATION = {"patients": 2, "seed": 1, "priors": "default", "inference": {}, "surgery": {}}


@pytest.mark.slow
@pytest.mark.parametrize("snakefile", ["Snakefile", "workflow/validation.smk"])
def test_snakemake_lint(dataset, tmp_path, snakefile):
    root, config = project_root(), tmp_path / "config.yaml"
    given = {"bids": str(dataset)} if snakefile == "Snakefile" else {"validation": VALIDATION}
    config.write_text(yaml.safe_dump({"out": str(tmp_path), **given}))
    done = subprocess.run(
        [
            *(sys.executable, "-m", "snakemake", "--lint"),
            *("--snakefile", str(root / snakefile), "--configfile", str(config)),
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stdout + done.stderr
