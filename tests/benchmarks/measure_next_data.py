"""Measure whether the predicted value of one more electrode or seizure is what a fit gains.

    python tests/benchmarks/measure_next_data.py OUT.tsv [--scenario early] [--patients 40]
        [--seed N] [--first 0] [--moves 15000] [--held-out 4]
        [--datum electrode|seizure|connectome|nothing]

Of each synthetic patient with a sampled zone some electrodes are held out at random. The fit to
the others predicts the value of each; a fit with it gives the realised gain: one row for each
patient and held-out electrode. With other data one row for each patient:

- `--datum seizure` (with a scenario of several seizures): the fit to the first seizure predicts the
  value of the second;
- `--datum connectome`: a fit with a made-up group connectome (`measure_group_connectome.of_group`)
  predicts the value of the patient's own one;
- `--datum nothing`: the same data are fitted twice: what random numbers change.

- ``predicted``: `Value.gain`, and the other fields of `Value`;
- ``gained``: probability by the fit with the new data that its plan holds the zone, minus that
  of the plan without them; ``change``: the same minus the probability stated without them;
- ``truth``: whether the plan holds the true zone, with minus without the new data (-1, 0 or 1);
- ``entropy_fell``: realised drop of the summed entropies; ``found``: fraction of the true zone that
  the plan holds, with minus without the new data;
- ``nearest``: gain of the best channel on the leading region, a nearest-neighbour choice;
- ``unsampled``: the same electrode by `virtualbrain.surgery.next_electrode`: the summed probability
  that the EZ is unsampled and lies in a region that only the new channels see (the part of that
  formula that needs no simulated surgery).

The truth is read after all fits.
"""

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

from inference.ablation import Subset, reduced
from inference.connectome_variants import LOG_SD
from inference.futures import Futures, futures_of
from inference.next_connectome import connectome_value
from inference.next_data import Value, best_set, electrode_value, entropy, p_right, plan_size
from inference.next_seizure import seizure_value
from inference.onsets.fit import OnsetSample, calibrated_p_ez, sample_onsets
from inference.onsets.recording import flattened, unseen_regions
from inference.priors import load_priors
from inference.problem import Problem
from inference.settings import Settings
from inference.validate import problem_of
from virtualbrain.posterior import connected_shares, p_ez_sampled
from virtualbrain.surgery.settings import SurgerySettings
from virtualbrain.synthetic.validation_cohort import ValidationCohort

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from tests.benchmarks.measure_group_connectome import of_group

ALL = Subset("kept", "", "", (), ())


def fitted(problem: Problem, settings: Settings, seed: int) -> tuple[OnsetSample, Futures]:
    """Return the fit and its possible truths."""
    sample = sample_onsets(problem, load_priors("default"), replace(settings, seed=seed))
    rng = np.random.default_rng([seed, 1])
    return sample, futures_of(sample, SurgerySettings().suspicion, rng)


def kept(problem: Problem, channels: np.ndarray) -> Problem:
    """Return the problem with some channels."""
    every = tuple(range(problem.n_seizures))
    return reduced(problem, Subset("kept", "electrode", "", tuple(np.flatnonzero(channels)), every))


def fit_settings(arguments: argparse.Namespace) -> Settings:
    """Return the settings of every fit."""
    return Settings(moves=arguments.moves, chains=2, draws=200, cores=1)


def row_of(
    value: Value, futures: Futures, after: Futures, size: int, zone: set[int]
) -> dict[str, Any]:
    """Return predicted and realised gains; `after` is the fit with the new data."""
    old, before = best_set(futures, size)
    best, p_after = best_set(after, size)
    return {
        "n_zone": len(zone),
        "size": size,
        "p_sampled": float(futures.weight[~futures.hidden.any(axis=1)].sum()),
        "predicted": value.gain,
        **{k: v for k, v in asdict(value).items() if k != "gain"},
        "gained": p_after - p_right(after, old),
        "change": p_after - before,
        "entropy_fell": entropy(futures) - entropy(after),
        "found": (len(zone & set(best)) - len(zone & set(old))) / len(zone),
        "right_before": zone <= set(old),
        "truth": int(zone <= set(best)) - int(zone <= set(old)),
    }


def unsampled(sample: OnsetSample, futures: Futures, gain: np.ndarray) -> float:
    """Return the probability that the EZ is unsampled and the new channels see it."""
    p_ez = calibrated_p_ez(sample).mean(axis=0)
    unseen = np.flatnonzero(futures.unseen)
    share = connected_shares(sample.data.weights, p_ez, unseen)
    newly = ~unseen_regions(flattened(gain))[unseen]
    return float((1.0 - p_ez_sampled(p_ez)) * share[newly].sum())


def electrode_rows(
    patient: Any, number: int, arguments: argparse.Namespace
) -> list[dict[str, Any]]:
    """Return one row for each held-out electrode of a patient."""
    rng = np.random.default_rng([arguments.seed, number, 5])
    electrode, problem = patient.electrode, problem_of(patient)
    names = np.unique(electrode)
    if len(names) < arguments.held_out + 2:
        return []
    held = rng.choice(names, arguments.held_out, replace=False)
    settings, seed = fit_settings(arguments), arguments.seed + number
    present = ~np.isin(electrode, held)
    sample, futures = fitted(kept(problem, present), settings, seed)
    size = plan_size(futures)
    leading = int((futures.weight @ futures.p_zone).argmax())
    found = []
    for name in held:
        new = electrode == name
        gain = problem.gain[new]
        started = time.process_time()
        value = electrode_value(futures, gain, sample.data, sample.rules, size, rng)
        seconds = time.process_time() - started
        _, after = fitted(kept(problem, present | new), settings, seed)
        found.append(
            {
                "patient": number,
                "electrode": int(name),
                "n_channels": int(new.sum()),
                "nearest": float(flattened(gain)[:, leading].max()),
                "unsampled": unsampled(sample, futures, gain),
                **row_of(value, futures, after, size, zone_of(patient)),
                "seconds": seconds,
            }
        )
    return found


def seizure_rows(patient: Any, number: int, arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """Return the row of a patient's second seizure."""
    problem = problem_of(patient)
    if problem.n_seizures < 2:
        return []
    one, two = (
        reduced(problem, replace(ALL, channels=tuple(range(problem.n_channels)), seizures=chosen))
        for chosen in ((0,), (0, 1))
    )
    return [row_without_channels(seizure_value, one, two, patient, number, arguments)]


def row_without_channels(
    value_of: Callable[..., Value],
    before: Problem,
    with_it: Problem,
    patient: Any,
    number: int,
    arguments: argparse.Namespace,
) -> dict[str, Any]:
    """Return the row of new data that have no channels: value before, and a fit with them."""
    settings, seed = fit_settings(arguments), arguments.seed + number
    sample, futures = fitted(before, settings, seed)
    size = plan_size(futures)
    started = time.process_time()
    value = value_of(futures, sample, size, np.random.default_rng([seed, 2]))
    seconds = time.process_time() - started
    _, after = fitted(with_it, settings, seed)
    row = row_of(value, futures, after, size, zone_of(patient))
    return {"patient": number, "nearest": 0.0, "unsampled": 0.0, **row, "seconds": seconds}


def connectome_rows(
    patient: Any, number: int, arguments: argparse.Namespace
) -> list[dict[str, Any]]:
    """Return the row of a patient's own connectome, after a fit with that of a group."""
    rng = np.random.default_rng([arguments.seed, number, 6])
    own = problem_of(patient)
    group = replace(
        own, weights=of_group(patient.weights, rng, LOG_SD), group_connectome="made",
        envelope=list(own.envelope), times=list(own.times),
    )  # fmt: skip
    return [row_without_channels(connectome_value, group, own, patient, number, arguments)]


def nothing_rows(patient: Any, number: int, arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """Return the row of the same data fitted again with other random numbers."""
    rng = np.random.default_rng([arguments.seed, number, 5])
    names = np.unique(patient.electrode)
    held = rng.choice(names, min(arguments.held_out, len(names) - 2), replace=False)
    problem = kept(problem_of(patient), ~np.isin(patient.electrode, held))
    settings, seed = fit_settings(arguments), arguments.seed + number
    _, futures = fitted(problem, settings, seed)
    _, after = fitted(problem, settings, seed + 1_000_000)
    none = Value(*(0.0 for _ in fields(Value)))
    row = row_of(none, futures, after, plan_size(futures), zone_of(patient))
    return [{"patient": number, "nearest": 0.0, "unsampled": 0.0, **row}]


def zone_of(patient: Any) -> set[int]:
    """Return the true zone, for scores only."""
    return set(np.flatnonzero(patient.truth.ez).tolist())


def measure(arguments: argparse.Namespace) -> pd.DataFrame:
    """Return all rows; they are also written while it runs."""
    cohort = ValidationCohort(arguments.seed, arguments.scenario)
    rows: list[dict[str, Any]] = []
    for number in range(arguments.first, arguments.first + arguments.patients):
        patient = cohort.draw(number)
        if patient.truth.sampled:
            rows += ROWS[arguments.datum](patient, number, arguments)
            pd.DataFrame(rows).to_csv(arguments.out, sep="\t", index=False)
    return pd.DataFrame(rows)


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Return rank correlations, and the realised gain of the advised and of other electrodes."""
    found = {}
    table = table.round(6)  # zeros are ties
    for realised in ("gained", "change", "entropy_fell", "found", "truth"):
        by = table.groupby("patient")
        found[realised] = {
            "rho": spearmanr(table["predicted"], table[realised]).statistic,
            "rho_entropy": spearmanr(table["entropy_drop"], table[realised]).statistic,
            "rho_share": spearmanr(table["share"], table[realised]).statistic,
            "rho_stated": spearmanr(table["stated"], table[realised]).statistic,
            "rho_unsampled": spearmanr(table["unsampled"], table[realised]).statistic,
            "rho_hidden": spearmanr(table["gain_hidden"], table[realised]).statistic,
            "rho_patients": spearmanr(by["predicted"].mean(), by[realised].mean()).statistic,
            "advised": table.loc[by["predicted"].idxmax(), realised].mean(),
            "by_stated": table.loc[by["stated"].idxmax(), realised].mean(),
            "by_share": table.loc[by["share"].idxmax(), realised].mean(),
            "by_unsampled": table.loc[by["unsampled"].idxmax(), realised].mean(),
            "by_entropy": table.loc[by["entropy_drop"].idxmax(), realised].mean(),
            "random": by[realised].mean().mean(),
            "nearest": table.loc[by["nearest"].idxmax(), realised].mean(),
            "best": by[realised].max().mean(),
        }
    return pd.DataFrame(found).T


ROWS = {"electrode": electrode_rows, "seizure": seizure_rows, "connectome": connectome_rows,
        "nothing": nothing_rows}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("out", type=Path)
    parser.add_argument("--scenario", default="early")
    parser.add_argument("--patients", type=int, default=40)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--moves", type=int, default=15_000)
    parser.add_argument("--held-out", type=int, default=4)
    parser.add_argument("--datum", choices=tuple(ROWS), default="electrode")
    table = measure(parser.parse_args())
    print(summary(table).round(3).to_string())
    print(table.describe().T[["mean", "min", "50%", "max"]].round(3).to_string())


if __name__ == "__main__":
    main()
