"""`virtualbrain validate --profile ...`: each virtual patient is a job, and so is its score."""

from pathlib import Path

from snakemake.utils import min_version

from virtualbrain.pipeline.environment import announce_run, use_project_caches

min_version("9.0")
announce_run()
use_project_caches()

OUT = Path(config["out"])
CASE = config["validation"]
NUMBERS = [f"{number:03d}" for number in range(1, CASE["patients"] + 1)]
SURGERY = (
    [OUT / "surgery.tsv", OUT / "surgery.json"] if CASE["surgery"] is not None else []
)


wildcard_constraints:
    number=r"\d+",


localrules:
    all,


rule all:
    """Scores, calibration and verdicts over all virtual patients."""
    default_target: True
    input:
        OUT / "summary.json",


rule virtual_fit:
    """One virtual patient drawn, and fitted to what a clinic has of it."""
    input:
        CASE["priors"],
    output:
        OUT / "fits" / "patient-{number}.nc",
    log:
        OUT / "logs" / "patient-{number}" / "virtual_fit.log",
    benchmark:
        OUT / "benchmarks" / "patient-{number}" / "virtual_fit.tsv"
    conda:
        "../envs/python.yaml"
    threads: 2
    resources:
        mem_mb=4000,
        runtime=120,
    params:
        seed=CASE["seed"],
        settings=CASE["inference"],
    message:
        "patient {wildcards.number}: fitting"
    script:
        "scripts/virtual_fit.py"


rule virtual_score:
    """The fit of one virtual patient beside its truth."""
    input:
        rules.virtual_fit.output,
    output:
        OUT / "scores" / "patient-{number}.json",
    log:
        OUT / "logs" / "patient-{number}" / "virtual_score.log",
    benchmark:
        OUT / "benchmarks" / "patient-{number}" / "virtual_score.tsv"
    conda:
        "../envs/python.yaml"
    threads: 2
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        seed=CASE["seed"],
        surgery=CASE["surgery"],
    message:
        "patient {wildcards.number}: opening the truth"
    script:
        "scripts/virtual_score.py"


rule validation:
    """Tables, summary and calibration curve over all virtual patients."""
    input:
        expand(rules.virtual_score.output, number=NUMBERS),
    output:
        OUT / "patients.tsv",
        OUT / "regions.tsv",
        OUT / "calibration.png",
        *SURGERY,
        summary=OUT / "summary.json",
    log:
        OUT / "logs" / "all" / "validation.log",
    benchmark:
        OUT / "benchmarks" / "validation.tsv"
    conda:
        "../envs/python.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=15,
    params:
        out=OUT,
        seed=CASE["seed"],
        settings=CASE["inference"],
        surgery=CASE["surgery"],
    message:
        "scores, calibration and verdicts over all patients"
    script:
        "scripts/validation.py"
