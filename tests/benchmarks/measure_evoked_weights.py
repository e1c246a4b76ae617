"""Measure what evoked responses as information on connections do to the fit.

``measure_evoked_weights.py OUT [--patients 20] [--first 0] [--seed 20270702]`` draws patients of
the scenario late, whose connectome has errors (log-normal, sd 0.5, and 15 % of the connections
lost), stimulates every second channel, and fits each patient with the connectome of diffusion MRI,
with that changed by the responses (`inference.evoked_weights`), and with the true weights, which
are the bound.
The responses are drawn as amplitudes of N1 at the channels: those of the regions of the true
network with volume conduction, scatter between contacts, and noise of the mean over ten pulses of
10 microvolts, of which an N1 exceeds four standard deviations. OUT gets one line per patient and
arm. Only the drawing of responses reads the truth.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from inference.evoked_weights import with_evoked_responses
from inference.settings import Settings
from inference.validate import fit_patient, judge, problem_of, score_patient
from virtualbrain.stimulation.regions import regional_responses
from virtualbrain.synthetic.evoked_network import draw_evoked_network
from virtualbrain.synthetic.validation_cohort import ValidationCohort

NOISE_V = 10e-6
SCATTER = 0.3
SHOWN = ("patient", "arm", "auc_pr", "first_right", "brier", "verdict", "log_error", "rho", "share")
SETTINGS = Settings(moves=15_000, chains=2, draws=200, cores=1)


def draw_pairs(patient, rng):
    """Return the responses between regions that a clinic would measure."""
    truth, gain = patient.truth, patient.gain
    network = truth.true_model.network
    evoked = draw_evoked_network(network.weights, None, truth.ez, rng)
    lead = np.sqrt(gain) / np.sqrt(gain).max(axis=1, keepdims=True)
    lead *= rng.choice([-1.0, 1.0], lead.shape)
    sites = np.arange(0, len(gain), 2)
    true = evoked.amplitude_v[patient.nearest[sites]] @ lead.T
    true = true * np.exp(SCATTER * rng.standard_normal(true.shape))
    seen = true + NOISE_V * rng.standard_normal(true.shape)
    found = np.abs(seen) > 4 * NOISE_V
    near = np.abs(sites[:, None] - np.arange(len(gain))) <= 1
    names = [f"c{k}" for k in range(len(gain))]
    table = {
        "amplitude_v": np.where(found & ~near, seen, np.nan),
        "latency_s": np.where(found & ~near, 0.02, np.nan),
        "probability": np.where(near, np.nan, found),
    }
    frames = {
        name: pd.DataFrame(values, index=[names[k] for k in sites], columns=names)
        for name, values in table.items()
    }
    region = {name: network.regions[k] for name, k in zip(names, patient.nearest, strict=True)}
    pairs = regional_responses(frames, {name: (name,) for name in names}, region, rng).pairs
    return pairs, evoked.amplitude_v


def log_errors(weights, true, measured):
    """Return the standard deviation of the errors of the log weights of measured pairs."""
    both = measured & (weights > 0) & (true > 0)
    error = np.log(weights[both]) - np.log(true[both])
    return float(np.std(error))


def arms_of(patient, rng):
    """Return the weights of each arm, and figures on the responses."""
    pairs, effective = draw_pairs(patient, rng)
    network = patient.truth.true_model.network
    regions = list(network.regions)
    changed = with_evoked_responses(patient.weights, regions, pairs)
    arms = {"diffusion": patient.weights, "responses": changed.weights, "true": network.weights}
    place = {name: k for k, name in enumerate(regions)}
    i, j = (pairs[end].map(place).to_numpy() for end in ("stimulated", "recorded"))
    off = i != j
    measured = np.zeros(network.weights.shape, dtype=bool)
    measured[i[off], j[off]] = True
    measured |= measured.T
    figures = {
        "measured": int(measured.sum()) // 2,
        "rho": pairs["amplitude_v"][off].corr(pd.Series(effective[i, j])[off], method="spearman"),
        "share": changed.share,
        "errors": {name: log_errors(w, network.weights, measured) for name, w in arms.items()},
    }
    return arms, figures


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--patients", type=int, default=20)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seed", type=int, default=20270702)
    options = parser.parse_args()
    cohort = ValidationCohort(options.seed, "late")
    rows = []
    for number in range(options.first, options.first + options.patients):
        patient = cohort.draw(number)
        rng = np.random.default_rng([options.seed, number, 1])
        arms, figures = arms_of(patient, rng)
        for arm, weights in arms.items():
            problem = problem_of(replace(patient, weights=weights))
            ranked, verdict = judge(fit_patient(problem, cohort.seed, number, SETTINGS, "default"))
            scores = score_patient(number, patient, ranked, verdict).rows[0]
            about = {key: figures[key] for key in ("measured", "rho", "share")}
            rows.append({"arm": arm, "log_error": figures["errors"][arm], **about, **scores})
            print({key: rows[-1][key] for key in SHOWN}, flush=True)
            pd.DataFrame(rows).to_csv(options.out, sep="\t", index=False)


if __name__ == "__main__":
    main()
