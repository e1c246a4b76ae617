"""Measure what the connectome gives the fit: the patient's own against one in random order.

    python tests/benchmarks/measure_connectome_value.py OUT.tsv --seed N [--scenario late]
        [--patients 24]

Each synthetic patient is fitted with their measured connectome, with the same weights between
regions in random order, and with the true weights. The evidence of the sources, which uses no
network, is scored beside them. OUT gets one line for each patient and arm. The truth is read
after the fit, except for the arm with the true weights.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from inference.settings import Settings
from inference.sources import evidence_probability, log_evidence
from inference.validate import fit_patient, problem_of
from inference.zone_table import zones
from virtualbrain.synthetic.scores import zone_scores
from virtualbrain.synthetic.validation_cohort import ValidationCohort

SETTINGS = Settings(moves=15_000, chains=2, draws=200, cores=1)
SHOWN = ["auc_pr", "top_k_recall", "brier"]


def shuffled(weights: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the weights between regions in random order."""
    order = rng.permutation(len(weights))
    return weights[np.ix_(order, order)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--scenario", default="late")
    parser.add_argument("--patients", type=int, default=24)
    options = parser.parse_args()
    cohort = ValidationCohort(options.seed, options.scenario)
    rows = []
    for number in range(options.patients):
        patient = cohort.draw(number)
        rng = np.random.default_rng([options.seed, number])
        arms = {
            "own": patient.weights,
            "random order": shuffled(patient.weights, rng),
            "true": patient.truth.true_model.network.weights,
        }
        evidence = evidence_probability(log_evidence(problem_of(patient)))
        estimates = {"sources": evidence}
        for arm, weights in arms.items():
            problem = problem_of(replace(patient, weights=weights))
            table = zones(fit_patient(problem, cohort.seed, number, SETTINGS, "default"))
            p_ez = table.set_index("region").loc[list(problem.regions), "p_ez"]
            estimates[arm] = p_ez.to_numpy(float)
        for arm, estimate in estimates.items():
            scores = zone_scores(estimate, patient.truth.ez)
            rows.append({"patient": number, "arm": arm, **scores})
        pd.DataFrame(rows).to_csv(options.out, sep="\t", index=False)
    print(pd.DataFrame(rows).groupby("arm")[SHOWN].mean().round(4))


if __name__ == "__main__":
    main()
