"""Write the overview of all patients of a run as one HTML page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from virtualbrain.io.atomic import write_text
from virtualbrain.io.results import PatientResults
from virtualbrain.report import assets, findings
from virtualbrain.report.numbers import percent
from virtualbrain.report.page import environment, region_names
from virtualbrain.report.tables import Cell, Column, View
from virtualbrain.surgery.outcome_prediction import PredictionScore, score_predictions

N_REGIONS = 3


@dataclass(frozen=True)
class Summary:
    """The row of one patient in the overview."""

    label: str
    priors: str
    verdict: findings.Verdict
    leading: tuple[findings.Region, ...]
    plan: findings.Plan | None
    n_regions: int
    n_low_observability: int
    n_seizures: int
    predicted: float | None = None


def summary_of(results: PatientResults) -> Summary:
    """Return the row of one patient in the overview."""
    names = region_names(results)
    predicted = results.main.predicted
    verdict = findings.verdict_of(results.main)
    regions = findings.regions_of(results.main, names)
    plans = findings.leading_plans(findings.plans_of(results.main, names))
    return Summary(
        label=results.label,
        priors=results.main.name,
        verdict=verdict,
        leading=findings.leading_regions(regions)[:N_REGIONS] if verdict.usable else (),
        plan=plans[0] if plans and verdict.usable else None,
        n_regions=len(regions),
        n_low_observability=sum(region.unseen for region in regions),
        n_seizures=len(results.seizures),
        predicted=predicted.p_seizure_free if verdict.usable and predicted else None,
    )


def build_cohort(
    summaries: Sequence[Summary], out: Path | str, free: Mapping[str, bool] | None = None
) -> Path:
    """Write the overview of several patients.

    Parameters
    ----------
    summaries : sequence of Summary
        One per patient, from `summary_of`.
    out : Path or str
        The file to write, or the output folder, where it becomes ``cohort.html``.
    free : mapping of str to bool, optional
        True for patients who became seizure-free, by label; only sums are shown.

    Returns
    -------
    Path
        The file written.
    """
    target = Path(out)
    if target.is_dir():
        target = target / "cohort.html"
    script = assets.page_script()
    page = (
        environment()
        .get_template("cohort.html")
        .render(
            view=_view(summaries),
            n_patients=len(summaries),
            prediction=_prediction(summaries, free or {}),
            n_usable=sum(summary.verdict.usable for summary in summaries),
            policy=assets.content_policy(script),
            style=assets.static("report.css"),
            script=script,
            embedded=assets.embedded_json(
                {"regions": [], "plans": [], "metrics": [], "recruitment": {}, "ranked": False}
            ),
        )
    )
    write_text(target, page)
    return target


def _prediction(summaries: Sequence[Summary], free: Mapping[str, bool]) -> PredictionScore | None:
    """Score the predictions for the resections that were done."""
    predicted = {s.label: s.predicted for s in summaries if s.predicted is not None}
    return score_predictions(predicted, free)


def _view(summaries: Sequence[Summary]) -> View:
    columns = (
        Column("Patient", False),
        Column("Verdict", False),
        Column("Leading regions, P(EZ)", False),
        Column("Leading plan", False),
        Column("Seizing before", True, "regions that seize without surgery"),
        Column("Seizing after", True, "regions that seize after the leading plan"),
        Column("Low observability", True, "regions that no channel records well"),
        Column("Seizures", True),
        Column("Prior set", False),
    )
    ordered = sorted(summaries, key=lambda summary: summary.label)
    return View("cohort", "All patients.", columns, tuple(map(_row, ordered)), None)


def _row(summary: Summary) -> tuple[Cell, ...]:
    plan = summary.plan
    withheld = "withheld" if not summary.verdict.usable else "–"
    labels = "; ".join(region.name for region in summary.leading)
    leading = "; ".join(f"{region.spoken} {percent(region.p_ez)}" for region in summary.leading)
    after = (
        "–" if plan is None else f"{plan.after[0]:.3g} [{plan.after[1]:.3g}, {plan.after[2]:.3g}]"
    )
    return (
        Cell(f"sub-{summary.label}", summary.label, link=f"sub-{summary.label}.html"),
        Cell(summary.verdict.words, summary.verdict.words),
        Cell(leading or withheld, leading.lower(), labels),
        Cell(plan.title, plan.title.lower(), plan.candidate) if plan else Cell(withheld, ""),
        Cell(f"{plan.before:g}" if plan else "–", repr(plan.before) if plan else ""),
        Cell(after, repr(plan.after[0]) if plan else ""),
        Cell(
            f"{summary.n_low_observability} of {summary.n_regions}",
            str(summary.n_low_observability),
        ),
        Cell(str(summary.n_seizures), str(summary.n_seizures)),
        Cell(summary.priors, summary.priors),
    )
