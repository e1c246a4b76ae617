"""Calibration as a command: virtual patients, the same fit, blind scores, baselines, plots."""

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
from inference.diagnose import INTERPRETABLE, diagnose
from inference.fit import fit
from inference.patients import VirtualPatient, draw_patient
from inference.priors import Priors
from inference.problem import Problem
from inference.scores import (
    calibration_curve,
    calibration_error,
    nearest_baseline,
    nnls_baseline,
    score,
)
from inference.settings import Settings
from inference.zones import zones
from virtualbrain.io.atomic import atomic_path, write_json
from virtualbrain.io.tables import write_table

Array = NDArray[np.float64]
OnFit = Callable[[int, bool, xr.DataTree, pd.DataFrame, str], None]
_LOG = logging.getLogger(__name__)

UNSAMPLED_EVERY = 4
METHODS = ("fit", "nnls", "nearest")


@dataclass(frozen=True)
class Validation:
    """The result of a validation.

    `patients`: one row per patient and method; `regions`: one per patient and region;
    `summary`: means, calibration and verdicts, for sampled and unsampled zones apart.
    """

    patients: pd.DataFrame
    regions: pd.DataFrame
    summary: dict[str, Any]


@dataclass(frozen=True)
class Scores:
    """One patient beside its truth: a row per method (`rows`), and per region (`regions`)."""

    rows: list[dict[str, Any]]
    regions: pd.DataFrame

    def line(self) -> str:
        """Return one line on the patient."""
        by = {row["method"]: row for row in self.rows}
        kind = "sampled" if by["fit"]["sampled"] else "unsampled"
        return (
            f"patient {by['fit']['patient']} ({kind}): AUC-PR {by['fit']['auc_pr']:.2f}, "
            f"nnls {by['nnls']['auc_pr']:.2f}, nearest {by['nearest']['auc_pr']:.2f}, "
            f"verdict {by['fit']['verdict']}"
        )

    def as_json(self) -> dict[str, Any]:
        """Return what `from_json` reads back, every digit kept."""
        return {"rows": self.rows, "regions": self.regions.to_dict("list")}

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> "Scores":
        """Read what `as_json` gave."""
        return cls(content["rows"], pd.DataFrame(content["regions"]))


def run_validation(
    n_patients: int,
    seed: int,
    out: Path | str | None = None,
    settings: Settings | None = None,
    priors: str | Path | Priors = "default",
    progress: Callable[[str], None] | None = None,
    on_fit: OnFit | None = None,
) -> Validation:
    """Draw virtual patients, fit each, and only then look at the truth.

    Parameters
    ----------
    n_patients : int
        Every fourth has a zone that no channel sees.
    seed : int
        Of patients and fits.
    out : Path or str, optional
        Folder for tables, summary and plot.
    settings, priors
        Of the fit.
    progress : callable, optional
        Told one line per patient.
    on_fit : callable, optional
        Given each patient's number (from 0), whether its zone is sampled, posterior, zones and
        verdict, such as `inference.validate_surgery.SurgeryScorer`.

    Returns
    -------
    Validation
        Scores of the fit and of two baselines computed from the same data.
    """
    choices = settings or Settings()
    scores: list[Scores] = []
    for number in range(n_patients):
        patient = draw(seed, number)
        posterior = fit_patient(patient.problem, seed, number, choices, priors)
        ranked, verdict = judge(posterior)
        if on_fit is not None:
            on_fit(number, is_sampled(number), posterior, ranked, verdict)
        scores.append(score_patient(number, patient, ranked, verdict))
        if progress is not None:
            progress(scores[-1].line())
        if out is not None:
            _write(Path(out), *joined(scores), seed)
    return conclude(scores, seed, choices, out)


def draw(seed: int, number: int) -> VirtualPatient:
    """Draw patient `number` (from 0) of the validation of a seed."""
    with threadpool_limits(1, user_api="blas"):  # the same digits on any number of cores
        return draw_patient(np.random.default_rng([seed, number]), is_sampled(number))


def fit_patient(
    problem: Problem, seed: int, number: int, settings: Settings, priors: str | Path | Priors
) -> xr.DataTree:
    """Fit patient `number` of a validation to what a clinic has of it."""
    return fit(problem, priors, replace(settings, seed=seed + number))


def judge(posterior: xr.DataTree) -> tuple[pd.DataFrame, str]:
    """Return zones and verdict of a fit."""
    with threadpool_limits(1, user_api="blas"):
        return zones(posterior), str(diagnose(posterior)["verdict"])


def conclude(
    scores: Sequence[Scores], seed: int, settings: Settings, out: Path | str | None = None
) -> Validation:
    """Put the scores of all patients together; write tables, summary and plot.

    Parameters
    ----------
    scores : sequence of Scores
        Of each patient, in order.
    seed : int
        Of the validation.
    settings : Settings
        Of the fits.
    out : Path or str, optional
        Folder for what is written.
    """
    patients, every = joined(scores)
    summary = summarise(patients, every)
    if out is not None:
        _write(Path(out), patients, every, seed)
        told = {name: value for name, value in asdict(settings).items() if name != "cores"}
        write_json(Path(out) / "summary.json", {"seed": seed, "settings": told, **summary})
        plot_calibration(every, Path(out) / "calibration.png")
    return Validation(patients, every, summary)


def joined(scores: Sequence[Scores]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the tables of patients and of regions."""
    rows = [row for one in scores for row in one.rows]
    return pd.DataFrame(rows), pd.concat([one.regions for one in scores], ignore_index=True)


def is_sampled(number: int) -> bool:
    """Return whether channels see the zone of patient `number` (from 0) of a validation."""
    return number % UNSAMPLED_EVERY != UNSAMPLED_EVERY - 1


def _estimates(
    ranked: pd.DataFrame, problem: Problem, nearest: NDArray[np.int64]
) -> dict[str, Array]:
    """Return each method's probabilities in the problem's order."""
    by_name = ranked.set_index("region")["p_ez"]
    with threadpool_limits(1, user_api="blas"):
        return {
            "fit": by_name.loc[list(problem.regions)].to_numpy(dtype=np.float64),
            "nnls": nnls_baseline(problem),
            "nearest": nearest_baseline(problem, nearest),
        }


def score_patient(
    number: int, patient: VirtualPatient, ranked: pd.DataFrame, verdict: str
) -> Scores:
    """Compare estimates with the truth of patient `number` (from 0): where the truth is opened.

    Parameters
    ----------
    number, patient
        From `draw`.
    ranked, verdict
        From `judge`.
    """
    estimates = _estimates(ranked, patient.problem, patient.nearest)
    ez = patient.truth.ez
    rows = []
    for method, probability in estimates.items():
        rows.append(
            {
                "patient": number + 1,
                "method": method,
                "sampled": patient.truth.sampled,
                "regions": len(ez),
                "channels": patient.problem.n_channels,
                "zone": int(ez.sum()),
                "recruited": int(patient.truth.recruited.sum()),
                "verdict": verdict if method == "fit" else None,
                "first_right": bool(ez[int(np.argmax(probability))]),
                **score(probability, ez),
            }
        )
    table = pd.DataFrame(
        {
            "patient": number + 1,
            "sampled": patient.truth.sampled,
            "region": list(patient.problem.regions),
            "ez": ez,
            **estimates,
        }
    )
    return Scores(rows, table)


def summarise(patients: pd.DataFrame, regions: pd.DataFrame) -> dict[str, Any]:
    """Return mean scores per method and kind of zone, calibration, and wrong verdicts."""
    measures = [c for c in patients if c in score(np.array([1.0, 0.0]), np.array([True, False]))]
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
        summary[kind]["patients"] = int(chosen["patient"].nunique())
    fits = patients[patients["method"] == "fit"]
    wrong = fits[~fits["first_right"] & (fits["verdict"] == INTERPRETABLE)]
    summary["wrong_first_interpretable"] = len(wrong)
    summary["wrong_first_interpretable_unsampled"] = int((~wrong["sampled"]).sum())
    summary["verdicts"] = fits.groupby("sampled")["verdict"].value_counts().unstack(fill_value=0)
    summary["verdicts"] = {
        "sampled" if kind else "unsampled": {str(k): int(v) for k, v in row.items()}
        for kind, row in summary["verdicts"].iterrows()
    }
    return summary


def _write(out: Path, patients: pd.DataFrame, regions: pd.DataFrame, seed: int) -> None:
    about = {"Description": "Blind scores on virtual patients", "Seed": seed}
    write_table(out / "patients.tsv", patients, about)
    write_table(out / "regions.tsv", regions, about)


def plot_calibration(regions: pd.DataFrame, path: Path | str) -> None:
    """Draw how often regions of each predicted probability are in the true zone."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 4.5), layout="constrained")
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color="0.7", linewidth=1)
    for sampled, label, marker in ((True, "zone sampled", "o"), (False, "zone unsampled", "s")):
        part = regions[regions["sampled"] == sampled]
        if len(part):
            curve = calibration_curve(part["fit"].to_numpy(), part["ez"].to_numpy(dtype=bool))
            axes.plot(curve["predicted"], curve["observed"], marker=marker, label=label)
    axes.set(
        xlabel="predicted probability", ylabel="share in the true zone", xlim=(0, 1), ylim=(0, 1)
    )
    axes.legend(frameon=False)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=150)


def rank_histograms(
    problem: Problem, priors: Priors, settings: Settings, n_draws: int, seed: int
) -> pd.DataFrame:
    """Simulation-based calibration: ranks of prior draws among their posteriors' draws.

    Each row is one parameter of one replica; under a right sampler ranks are uniform on
    0 ... 1. The data come from the fitted model itself, so this tests the computation and not
    the model.

    Parameters
    ----------
    problem : Problem
        Gives connectome, gain and shape; its envelope is replaced.
    priors, settings
        Beliefs to draw from, and the fit's choices; the share of independent samples is one.
    n_draws : int
        Replicas.
    seed : int
        Of everything.
    """
    rows = []
    for replica in range(n_draws):
        rng = np.random.default_rng([seed, replica])
        honest = replace(settings, tempering=1.0, seed=seed + replica)
        density = build_density(problem, priors, honest)
        truth, envelope = simulate_prior(density, rng)
        copy = replace(problem, envelope=list(envelope), times=list(density.time_s))
        posterior = fit(copy, priors, honest)["posterior"]
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
