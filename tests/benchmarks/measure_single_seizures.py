"""Measure what a fit to all seizures of a patient finds beyond fits to one seizure alone.

``measure_single_seizures.py OUT.tsv --seed SEED [--patients 40] [--moves 40000]`` fits fresh
patients of the scenario several, each seizure alone and all together. The best seizure of a patient
is chosen with the truth: no clinic could choose it.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import average_precision_score

from inference.ablation import Subset, reduced
from inference.onsets.fit import calibrated_p_ez, sample_onsets
from inference.priors import load_priors
from inference.problem import Problem
from inference.settings import Settings
from inference.validate import problem_of, signals_of
from virtualbrain.synthetic.scores import top_k_recall
from virtualbrain.synthetic.validation_cohort import ValidationCohort

ALL, BEST = "all", "best alone"


def scored(problem: Problem, ez: np.ndarray, settings: Settings) -> dict[str, float]:
    """Return the scores of a fit."""
    p_ez = calibrated_p_ez(sample_onsets(problem, load_priors("default"), settings)).mean(axis=0)
    return {
        "auc_pr": float(average_precision_score(ez, p_ez)),
        "top_k_recall": top_k_recall(p_ez, ez),
        "first_right": bool(ez[p_ez.argmax()]),
    }


def measure(arguments: argparse.Namespace) -> pd.DataFrame:
    """Return one row for each fit; they are also written while it runs."""
    cohort = ValidationCohort(arguments.seed, "several")
    rows: list[dict[str, Any]] = []
    for number in range(arguments.patients):
        patient = cohort.draw(number)
        problem, signals = problem_of(patient), signals_of(patient)
        settings = Settings(moves=arguments.moves, seed=arguments.seed + number)
        everything = tuple(range(problem.n_channels))
        alone = [
            Subset("kept", "seizure", f"seizure {s + 1}", everything, (s,))
            for s in range(problem.n_seizures)
        ]
        parts = {one.name: reduced(problem, one, signals) for one in alone}
        for name, part in {ALL: problem, **parts}.items():
            rows.append(
                {"patient": number, "fit": name, **scored(part, patient.truth.ez, settings)}
            )
        pd.DataFrame(rows).to_csv(arguments.out, sep="\t", index=False)
    return pd.DataFrame(rows)


def summary(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the mean scores of each kind of fit, and of the best seizure of each patient."""
    alone = rows[rows["fit"] != ALL]
    best = alone.sort_values(["auc_pr", "top_k_recall"]).groupby("patient").tail(1)
    every = pd.concat([rows, best.assign(fit=BEST)])
    found = every.groupby("fit")[["auc_pr", "top_k_recall", "first_right"]].mean()
    return found.assign(patients=every.groupby("fit").size())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("out", type=Path)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--patients", type=int, default=40)
    parser.add_argument("--moves", type=int, default=40_000)
    print(summary(measure(parser.parse_args())).round(3).to_string())


if __name__ == "__main__":
    main()
