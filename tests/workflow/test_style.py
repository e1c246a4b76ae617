"""Style of the workflow."""

import re
import subprocess
import sys

import pytest
import yaml

from virtualbrain.config import project_root

VALIDATION = {
    "patients": 2,
    "seed": 1,
    "scenario": "early",
    "priors": "default",
    "inference": {},
    "surgery": {},
    "explanations": {},
    "ablation": True,
}


@pytest.mark.slow
@pytest.mark.parametrize("snakefile", ["Snakefile", "workflow/validation.smk"])
def test_snakemake_linter_finds_nothing(dataset, tmp_path, snakefile):
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


def test_first_output_of_every_rule_is_its_stage_record():
    """Snakemake removes outputs in their order: no record may exist without its results."""
    rules = [
        re.sub(r'"""[\s\S]*?"""', "", rule)
        for path in (project_root() / "workflow" / "rules").glob("*.smk")
        for rule in re.split(r"\nrule |\Arule ", path.read_text())[1:]
    ]
    assert len(rules) > 10
    for rule in rules:
        stage = re.search(r'log\("(.+)"\)|logs" / "(.+)\.log"', rule)
        (first,) = re.findall(r"output:\n\s+(.+)", rule)
        assert first.startswith("record="), rule
        assert f'"{stage[1] or stage[2]}")' in first, rule
