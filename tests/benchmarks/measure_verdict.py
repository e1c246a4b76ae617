"""Measure whether the verdict separates right from wrong first regions.

``measure_verdict.py OUT.tsv --seed SEED [--patients 48] [--moves 40000] [--cores 2]`` fits fresh
synthetic patients of the scenarios early (half of them), late, fast and hidden. The table has one
row for each patient, with all figures behind the verdict; it is also written while the script runs.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from inference.diagnosis import diagnose
from inference.settings import Settings
from inference.validate import fit_patient, problem_of
from virtualbrain.quality_limits import INTERPRETABLE
from virtualbrain.synthetic.validation_cohort import ValidationCohort

SCENARIOS = ("early", "late", "early", "fast", "early", "hidden")
FIGURES = (
    "leading_p_ez", "leading_observability", "p_ez_sampled", "expected_ez_regions",
    "effective_zones", "explained", "coverage_90", "p_ez_error_max", "r_hat_max",
)  # fmt: skip


def measured(cohort: ValidationCohort, number: int, settings: Settings) -> dict[str, Any]:
    """Return verdict, figures and whether the first region is right, of one patient."""
    patient = cohort.draw(number)
    problem = problem_of(patient)
    found = diagnose(fit_patient(problem, cohort.seed, number, settings, "default"))
    figures = found["figures"]
    zone = np.array(problem.regions)[patient.truth.ez]
    return {
        "scenario": cohort.scenario,
        "patient": number,
        "sampled": patient.truth.sampled,
        "first_in_zone": figures["leading"] in zone,
        "verdict": found["verdict"],
        **{name: figures[name] for name in FIGURES},
    }


def measure(arguments: argparse.Namespace) -> pd.DataFrame:
    """Return one row for each patient."""
    settings = Settings(moves=arguments.moves, cores=arguments.cores)
    rows: list[dict[str, Any]] = []
    drawn = dict.fromkeys(SCENARIOS, 0)
    for position in range(arguments.patients):
        scenario = SCENARIOS[position % len(SCENARIOS)]
        cohort = ValidationCohort(arguments.seed, scenario)
        rows.append(measured(cohort, drawn[scenario], settings))
        drawn[scenario] += 1
        pd.DataFrame(rows).to_csv(arguments.out, sep="\t", index=False)
    return pd.DataFrame(rows)


def summary(table: pd.DataFrame) -> str:
    """Return how often the verdict is `interpretable`, by whether the first region is right."""
    given = table["verdict"] == INTERPRETABLE
    right, hidden = table["first_in_zone"] & table["sampled"], ~table["sampled"]
    return (
        f"interpretable: {(given & right).sum()} of {right.sum()} sampled with a right first "
        f"region, {(given & hidden).sum()} of {hidden.sum()} hidden; wrong first region in "
        f"{(given & ~table['first_in_zone']).sum()} of {given.sum()}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("out", type=Path)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--patients", type=int, default=48)
    parser.add_argument("--moves", type=int, default=40_000)
    parser.add_argument("--cores", type=int, default=2)
    table = measure(parser.parse_args())
    print(table.round(3).to_string(index=False))
    print(summary(table))


if __name__ == "__main__":
    main()
