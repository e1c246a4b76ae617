"""Measure whether the list of explanations holds the true zone, and how long it is.

    python tests/benchmarks/measure_explanations.py OUT.tsv [--scenario early] [--patients 40]
        [--seed N] [--moves 15000] [--draws 500] [--suspicion 0.05]

One row for each synthetic patient of a validation with a sampled zone. The truth is read after the
fit.

- `inference.validate_degeneracy.score_list`: whether it is right, and its length;
- ``verdict``, and ``first_in_zone``: whether the region of largest p_ez is in the zone.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import mannwhitneyu

from inference.diagnosis import diagnose
from inference.settings import Settings
from inference.validate import fit_patient, problem_of
from inference.validate_degeneracy import score_list
from inference.zone_table import zones
from virtualbrain.surgery.explanations import explanations
from virtualbrain.surgery.resection_constraints import ResectionConstraints
from virtualbrain.surgery.settings import SurgerySettings
from virtualbrain.synthetic.validation_cohort import ValidationCohort


def measure(arguments: argparse.Namespace) -> pd.DataFrame:
    """Return one row for each patient; they are also written while it runs."""
    cohort = ValidationCohort(arguments.seed, arguments.scenario)
    settings = Settings(moves=arguments.moves, chains=2, draws=arguments.draws, cores=1)
    surgery = SurgerySettings(suspicion=arguments.suspicion)
    rows: list[dict[str, Any]] = []
    number = 0
    while len(rows) < arguments.patients:
        patient = cohort.draw(number)
        if patient.truth.sampled:
            problem = problem_of(patient)
            posterior = fit_patient(problem, arguments.seed, number, settings, "default")
            names = np.array(problem.regions)
            free = ResectionConstraints(pd.DataFrame({"name": names}))
            found, table = explanations(posterior, surgery, free), zones(posterior)
            zone = patient.true_zone
            rows.append(
                {
                    "patient": number,
                    "n_zone": len(zone),
                    "verdict": diagnose(posterior)["verdict"],
                    "first_in_zone": table["region"].iloc[0] in zone,
                    **score_list(found, table, zone),
                }
            )
            pd.DataFrame(rows).to_csv(arguments.out, sep="\t", index=False)
        number += 1
    return pd.DataFrame(rows)


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Return mean, median and largest value of each measure."""
    numbers = table.drop(columns=["patient", "verdict"]).astype(float)
    return numbers.agg(["mean", "median", "max"]).T


def separation(table: pd.DataFrame) -> pd.DataFrame:
    """Return how well each number separates wrong answers: P(larger where wrong), 0.5 by chance."""
    numbers = ("index", "effective_zones", "n_possible", "n_not_excluded", "p_first", "left_out")
    found: dict[str, dict[str, float]] = {}
    for answer in ("in_family", "in_draws", "first_in_zone"):
        right = table[answer].to_numpy(bool)
        if right.all() or not right.any():
            continue
        found[answer] = {
            name: mannwhitneyu(table[name][~right], table[name][right]).statistic
            / ((~right).sum() * right.sum())
            for name in numbers
        }
    return pd.DataFrame(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("out", type=Path)
    parser.add_argument("--scenario", default="early")
    parser.add_argument("--patients", type=int, default=40)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--moves", type=int, default=15_000)
    parser.add_argument("--draws", type=int, default=500)
    parser.add_argument("--suspicion", type=float, default=SurgerySettings().suspicion)
    table = measure(parser.parse_args())
    print(summary(table).round(3).to_string())
    print(separation(table).round(2).to_string())
    print(table.groupby("verdict")[["in_family", "first_in_zone"]].agg(["mean", "count"]).round(2))


if __name__ == "__main__":
    main()
