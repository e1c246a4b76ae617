"""Learn the constants of the calibrated p_ez from fits of patients with known truth.

Those of `inference.onsets.calibration`, and of `virtualbrain.posterior.p_ez_sampled`. Its second
step is learned with the values of patients left out of the first.

    python tests/benchmarks/learn_onset_calibration.py [--patients 24] [--seed 7101]
        [--finished RESULTS TRUTH]

Draws patients of every scenario, fits the onset model, and adds finished patients of other makers:
RESULTS is the output folder of `virtualbrain run --until seeg`, TRUTH a JSON file with the key
`subjects` and, for each subject, the regions `ez`. Each maker counts equally. Prints the constants,
and scores of patients left out in turn (a tenth at a time). Never use the seeds of a reported
validation here.
"""

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score

from inference.onsets.calibration import (
    Constants,
    RegionEvidence,
    UnseenConstants,
    evidence_of,
    first_step,
    second_step,
    unseen_columns,
)
from inference.onsets.fit import sample_onsets
from inference.priors import load_priors
from inference.problem import Problem
from inference.run import align
from inference.settings import Settings
from inference.sources import evidence_probability, log_evidence
from inference.validate import problem_of
from virtualbrain.io.connectome import read_connectome
from virtualbrain.io.layout import PatientLayout
from virtualbrain.io.seeg import read_envelopes, read_gain, read_signals
from virtualbrain.posterior import SampledConstants, signs_of_sampling
from virtualbrain.synthetic.scenarios import SCENARIOS
from virtualbrain.synthetic.scores import top_k_recall
from virtualbrain.synthetic.validation_cohort import UNSAMPLED_EVERY, ValidationCohort

FOLDS = 10
N_FIRST = 5
# Weight of patients with an unsampled EZ, as in a validation without a scenario.
UNSAMPLED = 1.0 / UNSAMPLED_EVERY
PRIORS = load_priors("default")


@dataclass(frozen=True)
class Known:
    """A patient with known truth.

    Parameters
    ----------
    cohort : str
        Patients with the same name count together.
    evidence : RegionEvidence
        What the calibration reads.
    p_evidence : numpy.ndarray, shape (n_regions,)
        Probability by the source evidence alone.
    ez : numpy.ndarray of bool, shape (n_regions,)
        The true zone.
    sampled : bool
        Whether a channel sees the zone.
    """

    cohort: str
    evidence: RegionEvidence
    p_evidence: np.ndarray
    ez: np.ndarray
    sampled: bool

    @property
    def maker(self) -> str:
        """Return who made the patient: the first word of the cohort."""
        return self.cohort.split()[0]

    @property
    def columns(self) -> np.ndarray:
        """Return the columns of the regression, (n_regions, 5), in the order of `Constants`.

        Peak and order of the components stand in for the order of the channels, which adds nothing
        to them.
        """
        found = self.evidence
        peak, order = (
            np.zeros((2, len(self.ez))) if found.components is None else found.components.T
        )
        return np.stack([found.model_log_odds, found.peak, found.p_recruited, peak, order], axis=1)


def known(
    cohort: str, problem: Problem, ez: np.ndarray, sampled: bool, settings: Settings
) -> Known:
    """Fit the onset model to a patient."""
    sample = sample_onsets(problem, PRIORS, settings)
    p_ez = np.concatenate([chain.p_ez for chain in sample.chains])
    active = np.concatenate([chain.active for chain in sample.chains])
    evidence = evidence_of(problem, PRIORS, p_ez, active)
    p_evidence = evidence_probability(log_evidence(problem))
    return Known(cohort, evidence, p_evidence, ez, sampled)


def own_patients(count: int, seed: int, settings: Settings) -> list[Known]:
    """Draw and fit patients of every scenario."""
    found = []
    for scenario in SCENARIOS:
        cohort = ValidationCohort(seed, scenario)
        for number in range(count):
            patient = cohort.draw(number)
            true = patient.truth
            problem = problem_of(patient)
            found.append(known(f"own {scenario}", problem, true.ez, true.sampled, settings))
    return found


def finished_patients(results: Path, truth: Path, settings: Settings) -> list[Known]:
    """Fit patients of another maker, whose tables a run has written."""
    found = []
    for subject, true in json.loads(truth.read_text())["subjects"].items():
        layout = PatientLayout.of_results(results, subject.removeprefix("sub-"))
        connectome = read_connectome(layout)
        problem = align(
            read_envelopes(layout), read_gain(layout.gain), connectome.weights, connectome.names,
            None, (), settings, signals=read_signals(layout),
        )  # fmt: skip
        ez = np.isin(connectome.names, true["ez"])
        cohort = f"other {truth.parent.name}"
        found.append(known(cohort, problem, ez, true.get("sampled", True), settings))
    return found


def learned(patients: list[Known]) -> Constants:
    """Return intercept and slopes: model, peak, order, recruited; from regions that are seen.

    Each maker counts equally.
    """
    makers = [patient.maker for patient in patients]
    weight = [len(patients) / makers.count(maker) / len(set(makers)) for maker in makers]
    seen = [patient.evidence.seen for patient in patients]
    model = LogisticRegression(C=100.0, max_iter=1000).fit(
        np.concatenate([p.columns[s] for p, s in zip(patients, seen, strict=True)]),
        np.concatenate([p.ez[s] for p, s in zip(patients, seen, strict=True)]),
        sample_weight=np.repeat(weight, [s.sum() for s in seen]),
    )
    # the prior log odds have the slope one and are the same everywhere
    prior = float(patients[0].evidence.prior_log_odds.mean())
    of_model, of_peak, of_recruited, *of_components = model.coef_[0]
    return Constants(
        model.intercept_[0] - prior, of_model, of_peak, 0.0, -of_recruited, *of_components
    )


def sampling_weights(patients: list[Known]) -> np.ndarray:
    """Return weights with which patients with an unsampled zone are as many as in a validation."""
    sampled = np.array([patient.sampled for patient in patients])
    share = sampled.mean()
    return np.where(sampled, (1.0 - UNSAMPLED) / share, UNSAMPLED / (1.0 - share))


def learned_second(patients: list[Known], first: list[np.ndarray]) -> UnseenConstants:
    """Return intercept and slopes of the second step, from regions that are not seen."""
    unseen = [~patient.evidence.seen for patient in patients]
    columns = [unseen_columns(p.evidence, f) for p, f in zip(patients, first, strict=True)]
    model = LogisticRegression(C=100.0, max_iter=1000).fit(
        np.concatenate([c[u] for c, u in zip(columns, unseen, strict=True)]),
        np.concatenate([p.ez[u] for p, u in zip(patients, unseen, strict=True)]),
        sample_weight=np.repeat(sampling_weights(patients), [u.sum() for u in unseen]),
    )
    prior = float(patients[0].evidence.prior_log_odds.mean())
    of_model, of_share, of_sampled = model.coef_[0]
    return UnseenConstants(model.intercept_[0] - prior, of_model, of_share, -of_sampled)


def sampled_constants(
    patients: list[Known], values: list[np.ndarray], with_rise: bool
) -> SampledConstants:
    """Return intercept and slopes of the log odds that the EZ is sampled."""
    sampled = np.array([patient.sampled for patient in patients])
    seen = [value * p.evidence.seen for p, value in zip(patients, values, strict=True)]
    signs = np.array([signs_of_sampling(value) for value in seen])
    if with_rise:
        signs[:, 1] = [patient.evidence.rise for patient in patients]
    model = LogisticRegression(C=100.0).fit(
        signs, sampled, sample_weight=sampling_weights(patients)
    )
    intercept, per_regions, other = map(float, [*model.intercept_, *model.coef_[0]])
    if with_rise:
        return SampledConstants(intercept, per_regions, 0.0, other)
    return SampledConstants(intercept, per_regions, other)


def folds(patients: list[Known]) -> np.ndarray:
    """Return the tenth that each patient belongs to."""
    return np.random.default_rng(0).permutation(len(patients)) % FOLDS


def first_left_out(patients: list[Known]) -> list[np.ndarray]:
    """Return the first step of each patient from constants learned on others."""
    fold = folds(patients)
    constants = [
        learned([p for p, own in zip(patients, fold, strict=True) if own != k])
        for k in range(FOLDS)
    ]
    return [
        first_step(p.evidence, constants=constants[own])
        for p, own in zip(patients, fold, strict=True)
    ]


def second_left_out(patients: list[Known], first: list[np.ndarray]) -> list[np.ndarray]:
    """Return the second step of each patient from constants learned on others."""
    fold = folds(patients)
    pairs = list(zip(patients, first, fold, strict=True))
    constants = [
        learned_second(
            [p for p, _, own in pairs if own != k], [value for _, value, own in pairs if own != k]
        )
        for k in range(FOLDS)
    ]
    return [
        np.where(p.evidence.seen, value, second_step(p.evidence, value, constants[own]))
        for p, value, own in pairs
    ]


def hidden_found(patients: list[Known], values: list[np.ndarray]) -> str:
    """Return in how many patients one of the first unseen regions is in the unsampled zone."""
    found = []
    for patient, value in zip(patients, values, strict=True):
        unseen = np.flatnonzero(~patient.evidence.seen)
        if not patient.sampled and patient.ez[unseen].any():
            first = unseen[np.argsort(-value[unseen], kind="stable")[:N_FIRST]]
            found.append(bool(patient.ez[first].any()))
    return f"{sum(found)} of {len(found)}"


def scores(patients: list[Known], values: list[np.ndarray]) -> str:
    """Return AUC-PR, top-k recall, and p_ez said and seen above one half."""
    pairs = list(zip(patients, values, strict=True))
    area = np.mean([average_precision_score(p.ez, value) for p, value in pairs])
    recall = np.mean([top_k_recall(value, p.ez) for p, value in pairs])
    value, ez = np.concatenate(values), np.concatenate([p.ez for p in patients])
    high = value > 0.5
    said, seen = (value[high].mean(), ez[high].mean()) if high.any() else (0.0, 0.0)
    return f"{area:.3f}, {recall:.3f} ({said:.2f}, {seen:.2f}, {high.sum()})"


def report(patients: list[Known]) -> None:
    """Print the constants and the scores of each cohort."""
    print(
        "WITH_COMPONENTS = Constants("
        + ", ".join(f"{value:.3f}" for value in learned(patients))
        + ")"
    )
    first = first_left_out(patients)
    print("SAMPLED =", sampled_constants(patients, first, with_rise=False))
    print("SAMPLED_WITH_RISE =", sampled_constants(patients, first, with_rise=True))
    print("UNSEEN =", learned_second(patients, first))
    values = second_left_out(patients, first)
    print(
        "unsampled zone: one of its regions among the first five unseen ones, after each step:",
        hidden_found(patients, first),
        hidden_found(patients, values),
    )
    print("AUC-PR, top-k recall (said, seen, number above one half)")
    print("cohort | patients | onset model | source evidence | calibrated, left out")
    cohorts = sorted({patient.cohort for patient in patients})
    for cohort in [*cohorts, "all"]:
        chosen = [i for i, p in enumerate(patients) if cohort in (p.cohort, "all")]
        some = [patients[i] for i in chosen]
        print(
            cohort, len(some), scores(some, [p.evidence.p_model for p in some]),
            scores(some, [p.p_evidence for p in some]), scores(some, [values[i] for i in chosen]),
            sep=" | ",
        )  # fmt: skip


def main() -> None:
    """Fit all patients; print constants and scores."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--patients", type=int, default=24, help="of each scenario")
    parser.add_argument("--seed", type=int, default=7101)
    parser.add_argument("--moves", type=int, default=15_000)
    parser.add_argument("--finished", nargs=2, type=Path, action="append", default=[])
    options = parser.parse_args()
    settings = Settings(moves=options.moves, chains=2, draws=100)
    patients = own_patients(options.patients, options.seed, settings)
    for results, truth in options.finished:
        patients += finished_patients(results, truth, settings)
    report(patients)


if __name__ == "__main__":
    main()
