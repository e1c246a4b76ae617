"""Read the results of the stage surgery: plans, recruitment, stimulation, next electrode."""

from dataclasses import dataclass
from pathlib import Path

from virtualbrain.io.atomic import read_json
from virtualbrain.io.result_files import Table, columns_of, load_table, rows_of


@dataclass(frozen=True)
class PlanRow:
    """One row of outcomes.tsv; the fields are its columns. `rank` is NaN without ranking."""

    rank: float
    candidate: str
    kind: str
    regions: str | None
    n_regions: int
    volume_mm3: float
    eloquent: str | None
    seizing_before: float
    seizing_after: float
    seizing_after_low: float
    seizing_after_high: float
    p_seizure_free: float
    share_free: float
    n_connections: int
    transmission_change: float
    p_sham: float
    on_front: bool
    p_seizure_free_6d: float
    sentence: str
    p_holds_ez: float = float("nan")

    @property
    def region_names(self) -> tuple[str, ...]:
        """The regions of the plan."""
        return tuple(self.regions.split(",")) if self.regions else ()


@dataclass(frozen=True)
class Outcomes:
    """outcomes.tsv with the sidecar's statements on all plans.

    Parameters
    ----------
    table : Table
        The file.
    rows : tuple of PlanRow
        Its rows.
    n_draws : int
        Number of posterior draws on which each plan was simulated.
    conclusion : str
        One sentence on all plans.
    p_elsewhere : float
        Probability that a region that is not suspected starts seizures.
    p_sampled : float
        Probability that the electrodes sampled the EZ; NaN in older results.
    eloquent_stated : bool
        Whether eloquent regions were stated.
    target : float
        Fraction of draws without a seizure that a plan should reach; NaN in older results.
    gains : tuple of (str, float)
        Regions of the first resection, the most useful first, and the fraction of draws without a
        seizure once each is added; empty in older results.
    fitted : bool
        Whether the draws come from a fit; else `p_seizure_free` equals `share_free`.
    eloquent : tuple of (str, str)
        Eloquent regions that were stated, and their functions; empty in older results.
    """

    table: Table
    rows: tuple[PlanRow, ...]
    n_draws: int
    conclusion: str
    p_elsewhere: float
    p_sampled: float
    eloquent_stated: bool
    target: float
    gains: tuple[tuple[str, float], ...] = ()
    fitted: bool = True
    eloquent: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class RecruitmentRow:
    """One row of recruitment.tsv; the fields are its columns."""

    candidate: str
    region: str
    onset_s: float
    onset_low_s: float
    onset_high_s: float
    p_seizing: float


@dataclass(frozen=True)
class StimulationRow:
    """One row of stimulation.tsv; the fields are its columns."""

    pair: str
    amplitude_ma: float
    p_evoked: float
    first_region: str | None
    p_first: float
    p_stopped: float
    n_seizures: float


@dataclass(frozen=True)
class NextRegionRow:
    """One row of next.tsv; the fields are its columns."""

    region: str
    p_ez: float
    p_unsampled: float
    observability: float
    value: float


@dataclass(frozen=True)
class ExplanationRow:
    """One row of explanations.tsv; the fields are its columns. Older ones lack `not_excluded`."""

    rank: int
    regions: str
    p: float
    p_error: float
    odds: float
    credible: bool
    certain: str | None
    possible: str | None
    n_zones: int
    order: str | None
    plan: str | None
    p_plan_holds: float
    p_plan_holds_all: float
    distinct_region: str | None
    distinct_channel: str | None
    distinctness: float
    onset_s: float
    onset_best_s: float
    p_seizing: float
    p_seizing_best: float
    not_excluded: str | None = None


@dataclass(frozen=True)
class Explanations:
    """explanations.tsv with the statements of its sidecar.

    Parameters
    ----------
    table : Table
        The file.
    rows : tuple of ExplanationRow
        Its rows, the most probable first.
    index, index_error : float
        Effective number of explanations, with its Monte Carlo error.
    listed : float
        Probability of all rows together.
    """

    table: Table
    rows: tuple[ExplanationRow, ...]
    index: float
    index_error: float
    listed: float


@dataclass(frozen=True)
class SubsetRow:
    """One row of subsets.tsv; the fields are its columns."""

    regions: str
    n_regions: int
    volume_mm3: float
    eloquent: str | None
    seizing_before: float
    seizing_after: float
    seizing_after_low: float
    seizing_after_high: float
    p_seizure_free: float
    share_free: float
    p_sham: float
    p_holds_ez: float
    allowed: bool
    remaining: str | None
    p_remaining: str | None

    @property
    def region_names(self) -> tuple[str, ...]:
        """The resected regions."""
        return tuple(self.regions.split(","))

    @property
    def seizing(self) -> tuple[tuple[str, float], ...]:
        """The regions that go on seizing, the most frequent first, with the fraction of draws."""
        if self.remaining is None or self.p_remaining is None:
            return ()
        p = [float(part) for part in self.p_remaining.split(",")]
        return tuple(zip(self.remaining.split(","), p, strict=True))


@dataclass(frozen=True)
class Subsets:
    """subsets.tsv; no rows where nothing is ranked."""

    table: Table
    rows: tuple[SubsetRow, ...]


@dataclass(frozen=True)
class PredictedOutcome:
    """predicted.json: the model's prediction for the resection that was done."""

    p_seizure_free: float
    share_free: float
    seizing_before: float
    seizing_after: float
    n_regions: float


def load_outcomes(path: Path) -> Outcomes:
    """Read outcomes.tsv and its sidecar."""
    table = load_table(path, columns_of(PlanRow))
    about, rows = table.sidecar, rows_of(table.frame, PlanRow)
    return Outcomes(
        table=table,
        rows=rows,
        n_draws=about["n_draws"],
        conclusion=about["Conclusion"],
        p_elsewhere=about["p_elsewhere"],
        p_sampled=about.get("p_ez_sampled", float("nan")),
        eloquent_stated=about.get("EloquentStated", any(row.eloquent for row in rows)),
        target=about.get("Target", float("nan")),
        gains=tuple((str(name), float(share)) for name, share in about.get("Gains", ())),
        fitted=about.get("Fitted", True),
        eloquent=tuple((str(name), str(function)) for name, function in about.get("Eloquent", ())),
    )


def load_recruitment(path: Path) -> tuple[RecruitmentRow, ...]:
    """Read recruitment.tsv."""
    return rows_of(load_table(path, columns_of(RecruitmentRow)).frame, RecruitmentRow)


def load_stimulation(path: Path) -> Table:
    """Read stimulation.tsv; it has no row where no stimulation was planned."""
    return load_table(path, columns_of(StimulationRow))


def load_next_regions(path: Path) -> Table:
    """Read next.tsv; it has no row where nothing is ranked."""
    return load_table(path, columns_of(NextRegionRow))


def load_explanations(path: Path) -> Explanations:
    """Read explanations.tsv and its sidecar; it has no row where nothing is ranked."""
    table = load_table(path, columns_of(ExplanationRow))
    about = {name: float("nan") if v is None else v for name, v in table.sidecar.items()}
    return Explanations(
        table=table,
        rows=rows_of(table.frame, ExplanationRow),
        index=about["DegeneracyIndex"],
        index_error=about["DegeneracyIndexError"],
        listed=about["Listed"],
    )


def load_subsets(path: Path) -> Subsets:
    """Read subsets.tsv."""
    table = load_table(path, columns_of(SubsetRow))
    return Subsets(table, rows_of(table.frame, SubsetRow))


def load_predicted(path: Path) -> PredictedOutcome | None:
    """Read predicted.json; None where no resection was done."""
    predicted = read_json(path)["Predicted"]
    return None if predicted is None else PredictedOutcome(**predicted)
