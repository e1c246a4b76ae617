"""`virtualbrain validate --profile ...`: fit and score each synthetic patient in its own jobs."""

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
EXPLAINED = CASE["explanations"] is not None
DEGENERACY = [OUT / "explanations.tsv", OUT / "degeneracy.json"] if EXPLAINED else []
if CASE["ablation"]:
    DEGENERACY.append(OUT / "ablation.tsv")


wildcard_constraints:
    number=r"\d+",


localrules:
    all,


rule all:
    """Scores, calibration and verdicts over all synthetic patients."""
    default_target: True
    input:
        OUT / "summary.json",


rule synthetic_fit:
    """Draw one synthetic patient and fit what a clinic has of it."""
    input:
        CASE["priors"],
    output:
        OUT / "fits" / "patient-{number}.nc",
    log:
        OUT / "logs" / "patient-{number}" / "synthetic_fit.log",
    benchmark:
        OUT / "benchmarks" / "patient-{number}" / "synthetic_fit.tsv"
    conda:
        "../envs/python.yaml"
    threads: 2
    resources:
        mem_mb=4000,
        runtime=120,
    params:
        seed=CASE["seed"],
        scenario=CASE["scenario"],
        settings=CASE["inference"],
    message:
        "patient {wildcards.number}: fitting"
    script:
        "scripts/synthetic_fit.py"


rule synthetic_score:
    """Compare the fit of one synthetic patient with its truth."""
    input:
        rules.synthetic_fit.output,
        CASE["priors"] if CASE["ablation"] else [],
    output:
        OUT / "scores" / "patient-{number}.json",
    log:
        OUT / "logs" / "patient-{number}" / "synthetic_score.log",
    benchmark:
        OUT / "benchmarks" / "patient-{number}" / "synthetic_score.tsv"
    conda:
        "../envs/python.yaml"
    threads: 2
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        seed=CASE["seed"],
        scenario=CASE["scenario"],
        surgery=CASE["surgery"],
        explanations=CASE["explanations"],
        ablation=CASE["inference"] if CASE["ablation"] else None,
    message:
        "patient {wildcards.number}: comparing with the truth"
    script:
        "scripts/synthetic_score.py"


rule validation:
    """Tables, summary and calibration curve over all synthetic patients."""
    input:
        expand(rules.synthetic_score.output, number=NUMBERS),
    output:
        OUT / "patients.tsv",
        OUT / "regions.tsv",
        OUT / "calibration.png",
        *SURGERY,
        *DEGENERACY,
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
        scenario=CASE["scenario"],
        settings=CASE["inference"],
        surgery=CASE["surgery"],
        explanations=CASE["explanations"],
    message:
        "scores, calibration and verdicts over all patients"
    script:
        "scripts/validation.py"
