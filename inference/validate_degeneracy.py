"""Validate explanations and ablation: compare what they say of synthetic patients with the truth.

The truth is read after the list of explanations is made and all subsets are fitted.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from inference.ablation import ablate
from inference.full_sample import sample_all
from inference.priors import Priors
from inference.settings import Settings
from inference.validate import problem_of, signals_of
from virtualbrain.io.atomic import write_json
from virtualbrain.io.tables import write_table
from virtualbrain.seeg.gain import LOW_OBSERVABILITY
from virtualbrain.surgery.explanations import Explanations, explanations
from virtualbrain.surgery.resection_constraints import ResectionConstraints
from virtualbrain.surgery.settings import SurgerySettings
from virtualbrain.surgery.zone_plans import plan_of
from virtualbrain.synthetic.validation_cohort import ValidationCohort
from virtualbrain.synthetic.validation_patient import ValidationPatient

ABLATION_SCORES = ("first_right", "found", "p_ez", "clear", "same_plan", "p_plan_holds")


@dataclass(frozen=True)
class AblationFits:
    """How the subsets of the data are fitted: priors and settings of the validation."""

    priors: Priors
    settings: Settings


@dataclass
class DegeneracyScorer:
    """List the explanations of each fit of a validation, then compare them with the truth.

    Called once per fit by `run_validation`; the tables are written after every patient.

    Parameters
    ----------
    cohort : ValidationCohort
        The patients, who are drawn again.
    out : Path, optional
        Folder for ``explanations.tsv``, ``ablation.tsv`` and ``degeneracy.json``.
    settings : SurgerySettings
        Suspicion, target and largest size of a plan.
    ablation : AblationFits, optional
        Also fit subsets of each patient's data.
    scores, subsets : list of pandas.DataFrame
        Scores of the patients so far.
    """

    cohort: ValidationCohort
    out: Path | None = None
    settings: SurgerySettings = field(default_factory=SurgerySettings)
    ablation: AblationFits | None = None
    scores: list[pd.DataFrame] = field(default_factory=list)
    subsets: list[pd.DataFrame] = field(default_factory=list)

    def __call__(
        self, number: int, posterior: xr.DataTree, zones: pd.DataFrame, verdict: str
    ) -> None:
        """List and fit, then compare with the truth of patient `number` (from 0)."""
        patient = self.cohort.draw(number)
        regions = [str(name) for name in posterior["posterior"]["region"].to_numpy()]
        free = ResectionConstraints(pd.DataFrame({"name": regions}))
        found = explanations(posterior, self.settings, free)
        table = None
        if self.ablation is not None:
            table = ablated(patient, self.ablation, self.settings, self.cohort.seed + number)
        known = {
            "patient": number + 1,
            "sampled": patient.truth.sampled,
            "n_zone": int(patient.truth.ez.sum()),
        }
        row = {**known, "verdict": verdict, **score_list(found, zones, patient.true_zone)}
        self.scores.append(pd.DataFrame([row]))
        if table is not None:
            self.subsets.append(score_ablation(table, patient.true_zone).assign(**known))
        self.write()

    def write(self) -> None:
        """Write the tables of all patients so far."""
        if self.out is None:
            return
        about = {"Seed": self.cohort.seed, "Scenario": self.cohort.scenario}
        write_table(self.out / "explanations.tsv", self.table, about)
        if self.subsets:
            write_table(self.out / "ablation.tsv", self.ablation_table, about)
        case = {"seed": self.cohort.seed, "scenario": self.cohort.scenario}
        write_json(self.out / "degeneracy.json", case | self.summary())

    @property
    def table(self) -> pd.DataFrame:
        """Scored lists of all patients so far."""
        return pd.concat(self.scores, ignore_index=True)

    @property
    def ablation_table(self) -> pd.DataFrame:
        """Scored subsets of all patients so far; empty without ablation."""
        return pd.concat(self.subsets, ignore_index=True) if self.subsets else pd.DataFrame()

    def summary(self) -> dict[str, Any]:
        """Return the summary of all patients so far."""
        return summarise_degeneracy(self.table, self.ablation_table)

    def as_json(self) -> dict[str, Any]:
        """Return the content that `add_json` reads, with all digits."""
        return {"list": self.table.to_dict("list"), "subsets": self.ablation_table.to_dict("list")}

    def add_json(self, content: dict[str, Any]) -> None:
        """Add patients from the content that `as_json` returned."""
        self.scores.append(pd.DataFrame(content["list"]))
        if content["subsets"]:
            self.subsets.append(pd.DataFrame(content["subsets"]))


def ablated(
    patient: ValidationPatient, fits: AblationFits, surgery: SurgerySettings, seed: int
) -> pd.DataFrame:
    """Fit subsets of a synthetic patient's data; see `inference.ablation.ablate`."""
    problem, settings = problem_of(patient), replace(fits.settings, seed=seed)
    if not settings.components:
        problem = problem.without_components()
    sample = sample_all(problem, fits.priors, settings)
    electrodes = [f"E{number}" for number in np.asarray(patient.electrode)]
    plan = plan_of(surgery, problem.regions)
    return ablate(
        problem, electrodes, sample, fits.priors, settings, plan, signals=signals_of(patient)
    )


def score_list(found: Explanations, zones: pd.DataFrame, zone: Sequence[str]) -> dict[str, Any]:
    """Return how long a list of explanations is, and whether it holds the true zone.

    Parameters
    ----------
    found : Explanations
        The list; its credible rows are scored.
    zones : pandas.DataFrame
        See `inference.zones`.
    zone : sequence of str
        The true zone.

    Returns
    -------
    dict
        - ``in_family``: the true zone is one of the zones of a credible explanation: it holds all
          its certain regions and no region that the explanation does not name;
        - ``without_excluded``: the same without the regions that are only not excluded;
        - ``in_draws``: it is the zone of a posterior draw of a credible explanation;
        - ``in_leading``: as many regions with the largest p_ez as the explanations name hold it;
        - ``plan_right``: the plan of the first explanation holds it; ``first_right``: the region of
          the largest p_ez is in it;
        - ``n_listed n_named n_certain n_possible n_not_excluded n_zones``: length of the list;
        - ``index effective_zones p_first left_out``: what might separate right from wrong lists;
          the last is the summed p_ez of the seen regions that are not named.
    """
    true = frozenset(zone)
    credible = found.table["credible"].to_numpy(bool)
    among = [true in listed for listed, use in zip(found.zones, credible, strict=True) if use]
    rows = list(found.table[credible].itertuples())
    families = [(_named(row.certain), _named(row.possible), _named(row.not_excluded))
                for row in rows]  # fmt: skip
    every = set().union(*(set().union(*family) for family in families))
    seen = zones["observability"] >= LOW_OBSERVABILITY
    return {
        "in_family": any(sure <= true <= sure | free | more for sure, free, more in families),
        "without_excluded": any(sure <= true <= sure | free for sure, free, _ in families),
        "in_draws": any(among),
        "in_leading": true <= set(zones["region"].iloc[: len(every)]),
        "plan_right": bool(rows) and true <= _named(rows[0].plan),
        "first_right": bool(zones["region"].iloc[0] in true),
        "n_listed": len(found.table),
        "n_named": len(every),
        "n_certain": len(families[0][0]) if families else 0,
        "n_possible": max((len(free | more) for _, free, more in families), default=0),
        "n_not_excluded": max((len(more) for *_, more in families), default=0),
        "n_zones": int(found.table["n_zones"][credible].sum()),
        "index": found.index,
        "effective_zones": found.index_zones,
        "p_first": float(zones["p_ez"].iloc[0]),
        "left_out": float(zones["p_ez"][seen & ~zones["region"].isin(every)].sum()),
    }


def score_ablation(table: pd.DataFrame, zone: Sequence[str]) -> pd.DataFrame:
    """Return the table of an ablation with its scores.

    Parameters
    ----------
    table : pandas.DataFrame
        See `inference.ablation.ablate`.
    zone : sequence of str
        The true zone.

    Returns
    -------
    pandas.DataFrame
        In addition ``first_right``: the first region of the subset is in the true zone;
        ``plan_right``: its plan holds the true zone; ``found``: fraction of the true zone in it.
    """
    true = set(zone)
    plans = [_named(cell) for cell in table["plan"]]
    return table.assign(
        first_right=table["first_region"].isin(true),
        plan_right=[true <= plan for plan in plans],
        found=[len(true & plan) / len(true) for plan in plans],
    )


def summarise_degeneracy(lists: pd.DataFrame, subsets: pd.DataFrame) -> dict[str, Any]:
    """Return how often the lists are right and how long they are; and how the data carry it.

    Separately for sampled and unsampled zones. `subsets` may be empty.
    """
    summary: dict[str, Any] = {}
    for kind, sampled in (("sampled", True), ("unsampled", False)):
        chosen = lists[lists["sampled"] == sampled]
        if chosen.empty:
            continue
        rates = ("in_family", "without_excluded", "in_draws", "plan_right", "first_right")
        lengths = ("n_listed", "n_named", "n_zones", "index", "effective_zones")
        summary[kind] = {
            "patients": len(chosen),
            **{name: float(chosen[name].mean()) for name in rates},
            **{f"{name}_median": float(chosen[name].median()) for name in lengths},
        }
        if len(subsets):
            summary[kind]["ablation"] = _subsets_of(subsets[subsets["sampled"] == sampled])
    return summary


def _subsets_of(subsets: pd.DataFrame) -> dict[str, Any]:
    """Return mean scores by what was kept or left out."""
    words = [_what(row) for row in subsets.to_dict("records")]
    return {
        str(name): {
            "fits": len(rows),
            **{score: float(rows[score].mean()) for score in ABLATION_SCORES},
        }
        for name, rows in subsets.groupby(np.array(words), sort=False)
    }


def _what(row: Mapping[Hashable, Any]) -> str:
    """Return what a subset keeps or leaves out; equal for subsets that are averaged."""
    if row["kind"] == "all":
        return "all"
    what = f"{row['kind']} {row['part']}"
    if row["kind"] == "without":
        return what
    if row["part"] == "electrode":  # their number differs between patients
        quarters = np.clip(np.round(4 * row["fraction"]), 1, 3)
        return f"{what} {quarters / 4:.0%}"
    return f"{what} {row['name']}"


def _named(cell: object) -> set[str]:
    """Return the regions of a cell of a table."""
    return set(cell.split(",")) if isinstance(cell, str) else set()
