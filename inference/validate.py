"""Validate the fit on synthetic patients: accuracy, calibration, baselines and plots.

A fit gets what a clinic has of a patient (`problem_of`); the truth is used only for its scores.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from inference.density import Density, build_density
from inference.diagnosis import diagnose
from inference.fitting import fit
from inference.priors import Priors
from inference.problem import Problem
from inference.settings import Settings
from inference.sources import evidence_probability, log_evidence, onset_order
from inference.zone_table import zones
from virtualbrain.io.atomic import atomic_path, write_json
from virtualbrain.io.tables import write_table
from virtualbrain.quality_limits import INTERPRETABLE
from virtualbrain.seeg.components import Signals, separate
from virtualbrain.synthetic.baselines import nearest_baseline, nnls_baseline
from virtualbrain.synthetic.scores import calibration_error, reliability, zone_scores
from virtualbrain.synthetic.validation_cohort import ValidationCohort
from virtualbrain.synthetic.validation_patient import ValidationPatient

Array = NDArray[np.float64]
OnFit = Callable[[int, xr.DataTree, pd.DataFrame, str], None]
_LOG = logging.getLogger(__name__)

# The fit, and the baselines that it is compared with.
METHODS = ("fit", "evidence", "onsets", "nnls", "nearest")


@dataclass(frozen=True)
class Validation:
    """The result of a validation.

    Parameters
    ----------
    patients : pandas.DataFrame
        One row per patient and method.
    regions : pandas.DataFrame
        One row per patient and region.
    summary : dict
        Means, reliability and verdicts, separately for sampled and unsampled zones.
    """

    patients: pd.DataFrame
    regions: pd.DataFrame
    summary: dict[str, Any]


@dataclass(frozen=True)
class PatientScores:
    """Scores of one patient.

    Parameters
    ----------
    rows : list of dict
        Scores of each method.
    regions : pandas.DataFrame
        Truth and probabilities of each region.
    """

    rows: list[dict[str, Any]]
    regions: pd.DataFrame

    def line(self) -> str:
        """Return a one-line summary."""
        by = {row["method"]: row for row in self.rows}
        kind = "sampled" if by["fit"]["sampled"] else "unsampled"
        return (
            f"patient {by['fit']['patient']} ({kind}): AUC-PR {by['fit']['auc_pr']:.2f}, "
            f"evidence {by['evidence']['auc_pr']:.2f}, onsets {by['onsets']['auc_pr']:.2f}, "
            f"nnls {by['nnls']['auc_pr']:.2f}, nearest {by['nearest']['auc_pr']:.2f}, "
            f"verdict {by['fit']['verdict']}"
        )

    def as_json(self) -> dict[str, Any]:
        """Return the content that `from_json` reads, with all digits."""
        return {"rows": self.rows, "regions": self.regions.to_dict("list")}

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> "PatientScores":
        """Read the content that `as_json` returned."""
        return cls(content["rows"], pd.DataFrame(content["regions"]))


def run_validation(
    n_patients: int,
    cohort: ValidationCohort,
    out: Path | str | None = None,
    settings: Settings | None = None,
    priors: str | Path | Priors = "default",
    progress: Callable[[str], None] | None = None,
    on_fit: OnFit | None = None,
) -> Validation:
    """Draw synthetic patients, fit each one, then compare the fit with the truth.

    Parameters
    ----------
    n_patients : int
        Number of patients.
    cohort : ValidationCohort
        Seed of patients and fits, and scenario.
    out : Path or str, optional
        Folder for tables, summary and plot.
    settings, priors
        Settings and priors of the fits.
    progress : callable, optional
        Called with a one-line summary of each patient.
    on_fit : callable, optional
        Called after each fit with the patient's number (from 0), posterior, zones and verdict;
        for example `inference.validate_surgery.SurgeryScorer`.

    Returns
    -------
    Validation
        Scores of the fit and of the baselines from the same data.
    """
    choices = settings or Settings()
    scores: list[PatientScores] = []
    for number in range(n_patients):
        patient = cohort.draw(number)
        posterior = fit_patient(problem_of(patient), cohort.seed, number, choices, priors)
        ranked, verdict = judge(posterior)
        if on_fit is not None:
            on_fit(number, posterior, ranked, verdict)
        scores.append(score_patient(number, patient, ranked, verdict))
        if progress is not None:
            progress(scores[-1].line())
        if out is not None:
            _write(Path(out), *joined(scores), cohort)
    return conclude(scores, cohort, choices, out)


def problem_of(patient: ValidationPatient) -> Problem:
    """Return what a clinic has of a patient as the problem to fit."""
    times = [seizure.times_s for seizure in patient.seizures]
    return Problem(
        [seizure.envelope for seizure in patient.seizures],
        patient.gain,
        patient.weights,
        times=times,
        components=separate(signals_of(patient), times),
    )


def signals_of(patient: ValidationPatient) -> Signals:
    """Return the recorded signals of a patient."""
    return Signals(
        tuple(seizure.signal for seizure in patient.seizures),
        tuple(seizure.signal_times_s for seizure in patient.seizures),
    )


def fit_patient(
    problem: Problem, seed: int, number: int, settings: Settings, priors: str | Path | Priors
) -> xr.DataTree:
    """Fit patient `number` (from 0) of a validation."""
    return fit(problem, priors, replace(settings, seed=seed + number))


def judge(posterior: xr.DataTree) -> tuple[pd.DataFrame, str]:
    """Return zones and verdict of a fit."""
    with threadpool_limits(1, user_api="blas"):
        return zones(posterior), str(diagnose(posterior)["verdict"])


def conclude(
    scores: Sequence[PatientScores],
    cohort: ValidationCohort,
    settings: Settings,
    out: Path | str | None = None,
) -> Validation:
    """Summarise the scores of all patients; write tables, summary and plot.

    Parameters
    ----------
    scores : sequence of PatientScores
        Scores of each patient, in order.
    cohort : ValidationCohort
        The patients.
    settings : Settings
        Settings of the fits.
    out : Path or str, optional
        Output folder.
    """
    patients, every = joined(scores)
    summary = summarise(patients, every)
    if out is not None:
        _write(Path(out), patients, every, cohort)
        written = {name: value for name, value in asdict(settings).items() if name != "cores"}
        about = {"seed": cohort.seed, "scenario": cohort.scenario, "settings": written}
        write_json(Path(out) / "summary.json", about | summary)
        plot_calibration(every, Path(out) / "calibration.png")
    return Validation(patients, every, summary)


def joined(scores: Sequence[PatientScores]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the tables of patients and of regions."""
    rows = [row for one in scores for row in one.rows]
    return pd.DataFrame(rows), pd.concat([one.regions for one in scores], ignore_index=True)


def _estimates(
    ranked: pd.DataFrame, problem: Problem, nearest: NDArray[np.int64]
) -> dict[str, Array]:
    """Return the probabilities of each method in the order of the problem's regions."""
    by_name = ranked.set_index("region")["p_ez"]
    with threadpool_limits(1, user_api="blas"):
        return {
            "fit": by_name.loc[list(problem.regions)].to_numpy(dtype=np.float64),
            "evidence": evidence_probability(log_evidence(problem)),
            "onsets": onset_order(problem),
            "nnls": nnls_baseline(problem.envelope[0], problem.gain),
            "nearest": nearest_baseline(
                problem.envelope[0], problem.times[0], nearest, problem.n_regions
            ),
        }


def score_patient(
    number: int, patient: ValidationPatient, ranked: pd.DataFrame, verdict: str
) -> PatientScores:
    """Compare the estimates with the truth of patient `number` (from 0).

    Parameters
    ----------
    number, patient
        From `ValidationCohort.draw`.
    ranked, verdict
        From `judge`.
    """
    problem = problem_of(patient)
    estimates = _estimates(ranked, problem, patient.nearest)
    ez = patient.truth.ez
    rows = []
    for method, probability in estimates.items():
        rows.append(
            {
                "patient": number + 1,
                "method": method,
                "sampled": patient.truth.sampled,
                "regions": len(ez),
                "channels": problem.n_channels,
                "zone": int(ez.sum()),
                "recruited": int(patient.truth.recruited.sum()),
                "verdict": verdict if method == "fit" else None,
                "first_right": bool(ez[int(np.argmax(probability))]),
                **zone_scores(probability, ez),
            }
        )
    table = pd.DataFrame(
        {
            "patient": number + 1,
            "sampled": patient.truth.sampled,
            "region": list(problem.regions),
            "ez": ez,
            **estimates,
        }
    )
    return PatientScores(rows, table)


def summarise(patients: pd.DataFrame, regions: pd.DataFrame) -> dict[str, Any]:
    """Return mean scores by method and kind of zone, calibration, and verdicts."""
    example = zone_scores(np.array([1.0, 0.0]), np.array([True, False]))
    measures = [c for c in patients if c in example]
    summary: dict[str, Any] = {}
    for kind, sampled in (("sampled", True), ("unsampled", False)):
        chosen = patients[patients["sampled"] == sampled]
        if chosen.empty:
            continue
        inside = regions[regions["sampled"] == sampled]
        summary[kind] = {
            method: {
                **chosen.loc[chosen["method"] == method, measures].mean().to_dict(),
                "calibration_error": calibration_error(
                    inside[method].to_numpy(), inside["ez"].to_numpy(dtype=bool)
                ),
            }
            for method in METHODS
        }
        summary[kind]["reliability"] = reliability(
            inside["fit"].to_numpy(), inside["ez"].to_numpy(dtype=bool)
        ).to_dict("records")
        summary[kind]["patients"] = int(chosen["patient"].nunique())
    fits = patients[patients["method"] == "fit"]
    wrong = fits[~fits["first_right"] & (fits["verdict"] == INTERPRETABLE)]
    summary["wrong_first_interpretable"] = len(wrong)
    summary["wrong_first_interpretable_unsampled"] = int((~wrong["sampled"]).sum())
    summary["first_right_by_verdict"] = {
        str(verdict): {"patients": len(rows), "first_right": int(rows["first_right"].sum())}
        for verdict, rows in fits.groupby("verdict")
    }
    summary["verdicts"] = fits.groupby("sampled")["verdict"].value_counts().unstack(fill_value=0)
    summary["verdicts"] = {
        "sampled" if kind else "unsampled": {str(k): int(v) for k, v in row.items()}
        for kind, row in summary["verdicts"].iterrows()
    }
    return summary


def _write(
    out: Path, patients: pd.DataFrame, regions: pd.DataFrame, cohort: ValidationCohort
) -> None:
    about = {
        "Description": "Scores on synthetic patients",
        "Seed": cohort.seed,
        "Scenario": cohort.scenario,
    }
    write_table(out / "patients.tsv", patients, about)
    write_table(out / "regions.tsv", regions, about)


def plot_calibration(regions: pd.DataFrame, path: Path | str) -> None:
    """Plot the fraction of regions in the true zone against p_ez from 0.1 up, with intervals."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 4.5), layout="constrained")
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color="0.7", linewidth=1)
    for sampled, label, marker in ((True, "zone sampled", "o"), (False, "zone unsampled", "s")):
        part = regions[regions["sampled"] == sampled]
        if len(part):
            bins = reliability(part["fit"].to_numpy(), part["ez"].to_numpy(dtype=bool)).dropna()
            around = np.abs(bins[["observed_low", "observed_high"]].to_numpy().T
                            - bins["observed"].to_numpy())  # fmt: skip
            axes.errorbar(
                bins["predicted"], bins["observed"], around, marker=marker, capsize=3, label=label
            )
    axes.set(
        xlabel="p_ez", ylabel="fraction in the true zone (90 % interval)", xlim=(0, 1), ylim=(0, 1)
    )
    axes.legend(frameon=False)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=150)


def rank_histograms(
    problem: Problem, priors: Priors, settings: Settings, n_draws: int, seed: int
) -> pd.DataFrame:
    """Simulation-based calibration: ranks of prior draws among their posteriors' draws.

    Each row is one parameter of one replica. A correct sampler gives ranks that are uniform
    between 0 and 1. The data come from the fitted model, so this tests the computation and not
    the model.

    Parameters
    ----------
    problem : Problem
        Connectome, gain and shape; the envelope is replaced.
    priors, settings
        Priors to draw from, and settings of the fit; tempering is set to 1.
    n_draws : int
        Number of replicas.
    seed : int
        Seed of draws and fits.
    """
    rows = []
    for replica in range(n_draws):
        rng = np.random.default_rng([seed, replica])
        untempered = replace(settings, tempering=1.0, seed=seed + replica)
        density = build_density(problem, priors, untempered)
        truth, envelope = simulate_prior(density, rng)
        copy = replace(problem, envelope=list(envelope), times=list(density.time_s))
        posterior = fit(copy, priors, untempered)["posterior"]
        for name in ("x0", "K", "tau0", "amplitude", "noise"):
            stored = "x0_fitted" if name == "x0" else name
            draws = np.moveaxis(posterior[stored].to_numpy(), (0, 1), (-2, -1))
            draws = draws.reshape(*draws.shape[:-2], -1)[..., ::10].reshape(
                -1, settings.draws * settings.chains // 10
            )
            for index, value in enumerate(np.atleast_1d(truth[name]).ravel()):
                rows.append({"replica": replica, "parameter": name, "index": index,
                             "rank": float((draws[index] < value).mean())})  # fmt: skip
    return pd.DataFrame(rows)


def simulate_prior(density: Density, rng: np.random.Generator) -> tuple[dict[str, Array], Array]:
    """Draw parameters from the prior and an envelope (S, T, m) from the model."""
    point = density.drawn_from_prior(rng)
    values = density.named(point)
    mean = density.expected(point)
    settings = density.settings
    noise = (
        rng.standard_normal(mean.shape)
        if settings.noise_family == "normal"
        else rng.standard_t(settings.degrees_of_freedom, mean.shape)
    )
    return values, mean + float(values["noise"]) * noise
