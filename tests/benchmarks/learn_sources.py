"""Learn what early and strong sources mean for the zone: the constants of `inference.sources`.

    python tests/benchmarks/learn_sources.py [--patients 60] [--seeds 901 902]

Draws so many virtual patients of each seed, a quarter of them with a zone that is not sampled,
estimates their sources, and regresses the zone on what is measured of every region. Prints the
constants, and how patients left out in turn (a sixth at a time) are ranked with them. Seeds of a
reported validation must not be used here.
"""

import argparse

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score

from inference.patients import VirtualPatient, draw_patient
from inference.scores import calibration_error, top_k_recall
from inference.sources import LEAST_EARLY, N_STEPS, earliness, source_excess

FOLDS = 6


def measured(patient: VirtualPatient) -> np.ndarray:
    """Return what the regression sees of every region, (n_regions, 2)."""
    problem = patient.problem
    found = earliness(source_excess(problem.on_grid(N_STEPS)[0][0], problem.gain))
    return np.stack([np.log(found[:, 0] + LEAST_EARLY), found[:, 1]], axis=1)


def learned(features: list[np.ndarray], zones: list[np.ndarray]) -> LogisticRegression:
    """Regress the zone on the features of all regions."""
    model = LogisticRegression(C=1e3, max_iter=5000)
    return model.fit(np.vstack(features), np.concatenate(zones))


def main() -> None:
    """Learn, and print constants and scores."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--patients", type=int, default=60)
    parser.add_argument("--seeds", type=int, nargs="+", default=[901, 902])
    options = parser.parse_args()
    features, zones, sampled = [], [], []
    for seed in options.seeds:
        for number in range(options.patients):
            sampled.append(number % 4 != 3)
            patient = draw_patient(np.random.default_rng([seed, number]), sampled[-1])
            features.append(measured(patient))
            zones.append(patient.truth.ez)
    model = learned(features, zones)
    print(f"BASE_RATE = {np.concatenate(zones).mean():.4f}")
    early, peak = model.coef_[0]
    print(f"INTERCEPT, OF_EARLY, OF_PEAK = {model.intercept_[0]:.3f}, {early:.3f}, {peak:.3f}")
    left_out = [np.empty(0)] * len(zones)
    for fold in range(FOLDS):
        rest = [i for i in range(len(zones)) if i % FOLDS != fold]
        model = learned([features[i] for i in rest], [zones[i] for i in rest])
        for i in range(fold, len(zones), FOLDS):
            left_out[i] = model.predict_proba(features[i])[:, 1]
    seen = np.flatnonzero(sampled)
    pairs = [(zones[i], left_out[i]) for i in seen]
    area = np.mean([average_precision_score(zone, p) for zone, p in pairs])
    recall = np.mean([top_k_recall(p, zone) for zone, p in pairs])
    error = calibration_error(np.concatenate(left_out), np.concatenate(zones))
    print(f"left out, sampled: AUC-PR {area:.3f}, top-k recall {recall:.3f}; "
          f"all: calibration {error:.3f}")  # fmt: skip


if __name__ == "__main__":
    main()
