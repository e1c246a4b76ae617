"""Learn the constants of `inference.sources`: probability of the zone from early, strong sources.

    python tests/benchmarks/learn_sources.py [--patients 60] [--seeds 901 902]

Draws synthetic patients of each seed, a quarter of them with an unsampled zone, estimates their
sources, and fits a logistic regression of the zone on the features of every region. Prints the
constants, and scores of patients left out in turn (a sixth at a time). Never use the seeds of a
reported validation here.
"""

import argparse

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score

from inference.sources import features
from inference.validate import problem_of
from virtualbrain.synthetic.scores import calibration_error, top_k_recall
from virtualbrain.synthetic.validation_patient import draw_validation_patient

FOLDS = 6


def learned(measured: list[np.ndarray], zones: list[np.ndarray]) -> LogisticRegression:
    """Fit a logistic regression of the zone on the features of all regions."""
    model = LogisticRegression(C=1e3, max_iter=5000)
    return model.fit(np.vstack(measured), np.concatenate(zones))


def main() -> None:
    """Learn the constants; print them and scores."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--patients", type=int, default=60)
    parser.add_argument("--seeds", type=int, nargs="+", default=[901, 902])
    options = parser.parse_args()
    measured, zones, sampled = [], [], []
    for seed in options.seeds:
        for number in range(options.patients):
            sampled.append(number % 4 != 3)
            patient = draw_validation_patient(np.random.default_rng([seed, number]), sampled[-1])
            measured.append(features(problem_of(patient)))
            zones.append(patient.truth.ez)
    model = learned(measured, zones)
    print(f"BASE_RATE = {np.concatenate(zones).mean():.4f}")
    early, peak = model.coef_[0]
    print(f"INTERCEPT, OF_EARLY, OF_PEAK = {model.intercept_[0]:.3f}, {early:.3f}, {peak:.3f}")
    left_out = [np.empty(0)] * len(zones)
    for fold in range(FOLDS):
        rest = [i for i in range(len(zones)) if i % FOLDS != fold]
        model = learned([measured[i] for i in rest], [zones[i] for i in rest])
        for i in range(fold, len(zones), FOLDS):
            left_out[i] = model.predict_proba(measured[i])[:, 1]
    pairs = [(zones[i], left_out[i]) for i in np.flatnonzero(sampled)]
    area = np.mean([average_precision_score(zone, p) for zone, p in pairs])
    recall = np.mean([top_k_recall(p, zone) for zone, p in pairs])
    error = calibration_error(np.concatenate(left_out), np.concatenate(zones))
    print(f"left out, sampled: AUC-PR {area:.3f}, top-k recall {recall:.3f}; "
          f"all: calibration {error:.3f}")  # fmt: skip


if __name__ == "__main__":
    main()
