"""What the page says first: the verdict, the leading regions and plans, and the blind spots."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from arviz_stats.base.array import array_stats
from numpy.typing import NDArray

from virtualbrain.io.results import Posterior, PriorResults, chain_weights
from virtualbrain.models.reduced_physics import critical_x0
from virtualbrain.report.numbers import is_number, lookup, probability_interval, truth
from virtualbrain.seeg.gain import HARDLY_SEEN
from virtualbrain.surgery.calibration import believed

Array = NDArray[np.float64]

N_LEADING_REGIONS = 5
N_LEADING_PLANS = 3
SUSPECTED = 0.3
VERDICT_WORDS = {
    "interpretable": "Interpretable",
    "caution": "Interpret with caution",
    "do-not-use": "Do not use",
    "missing": "No verdict",
}


@dataclass(frozen=True)
class Verdict:
    """Whether the fit may be read, and why; `findings` allows rankings on the page."""

    key: str
    words: str
    reasons: tuple[str, ...]
    findings: bool


@dataclass(frozen=True)
class Region:
    """One region's row of the zones table, its probabilities with intervals."""

    index: int
    name: str
    hemisphere: str
    rank: int
    p_ez: float
    p_ez_interval: tuple[float, float] | None
    p_pz: float
    p_pz_interval: tuple[float, float] | None
    x0: tuple[float, float, float]
    x0_prior: float
    onset_s: float
    observability: float
    information_gain: float
    in_hypothesis: bool
    in_leading: float | None

    @property
    def unseen(self) -> bool:
        """No channel sees this region well enough to tell its state."""
        return is_number(self.observability) and self.observability < HARDLY_SEEN


@dataclass(frozen=True)
class Plan:
    """One row of the outcomes table."""

    index: int
    rank: int
    candidate: str
    kind: str
    regions: tuple[str, ...]
    region_indices: tuple[int, ...]
    volume_cm3: float
    eloquent: str
    before: float
    after: tuple[float, float, float]
    p_seizure_free: float
    p_interval: tuple[float, float] | None
    transmission_change: float = float("nan")
    p_sham: float = float("nan")
    p_six_dimensional: float = float("nan")
    sentence: str = ""

    @property
    def benefit(self) -> float:
        """Share of the seizing regions that the plan spares."""
        return 1 - self.after[0] / self.before if self.before else float("nan")

    @property
    def named_by_regions(self) -> bool:
        """Whether the plan's name lists its regions already."""
        return tuple(self.candidate.split(" + ")) == self.regions


def verdict_of(priors: PriorResults) -> Verdict:
    """Return the verdict; without diagnostics nothing on the page counts as a finding."""
    if priors.diagnostics is None:
        reason = "There are no diagnostics of the fit: " + priors.missing.get("diagnostics", "")
        return Verdict("missing", VERDICT_WORDS["missing"], (reason,), findings=False)
    key = str(priors.diagnostics.get("verdict", "missing"))
    reasons = tuple(str(reason) for reason in priors.diagnostics.get("reasons") or ())
    if key not in VERDICT_WORDS:
        key = "missing"
    return Verdict(key, VERDICT_WORDS[key], reasons, findings=key in ("interpretable", "caution"))


def regions_of(priors: PriorResults, names: Sequence[str]) -> tuple[Region, ...]:
    """Return the rows of the zones table in their order; `index` is the place in `names`."""
    if priors.zones is None:
        return ()
    frame = priors.zones.frame
    place = {name: i for i, name in enumerate(names)}
    effective, leading = _draws_behind(priors)
    return tuple(
        _region(row, place[str(row["region"])], effective, leading)
        for row in frame.to_dict("records")
        if str(row["region"]) in place
    )


def _region(row: Mapping[Any, Any], index: int, effective: pd.Series, leading: pd.Series) -> Region:
    name = str(row["region"])
    n = effective.get(name, np.nan)

    def interval(p: Any) -> tuple[float, float] | None:
        return probability_interval(p, n) if is_number(p) and is_number(n) else None

    return Region(
        index=index,
        name=name,
        hemisphere=str(row.get("hemisphere") or "–"),
        rank=int(row["rank"]),
        p_ez=_float(row, "p_ez"),
        p_ez_interval=interval(row.get("p_ez")),
        p_pz=_float(row, "p_pz"),
        p_pz_interval=interval(row.get("p_pz")),
        x0=(_float(row, "x0_mean"), _float(row, "x0_low"), _float(row, "x0_high")),
        x0_prior=_float(row, "prior_x0_mean"),
        onset_s=_float(row, "onset_s"),
        observability=_float(row, "observability"),
        information_gain=_float(row, "information_gain"),
        in_hypothesis=truth(row.get("in_hypothesis")),
        in_leading=float(leading[name]) if name in leading else None,
    )


def _float(row: Mapping[Any, Any], key: str) -> float:
    value = row.get(key)
    return float(value) if is_number(value) else float("nan")  # type: ignore[arg-type]


def threshold_of(posterior: Posterior | None) -> float | None:
    """Return the excitability above which a region seizes alone, at the mean fitted tau0."""
    if posterior is None or "tau0" not in posterior.parameters:
        return None
    return float(np.mean(_thresholds(posterior)))


def _thresholds(posterior: Posterior) -> Array:
    current = posterior.attributes.get("I1", 3.1)
    tau0 = posterior.parameters["tau0"]
    per_draw = tau0.mean([dim for dim in tau0.dims if dim not in ("chain", "draw")])
    tau0_draws = np.maximum(per_draw.transpose("chain", "draw").to_numpy(), 0.76)
    return np.asarray(critical_x0(tau0_draws, float(current)))


def _draws_behind(priors: PriorResults) -> tuple[pd.Series, pd.Series]:
    """Return per region the effective draws behind p_ez, and how often it is among the leading.

    Where no draw or every draw passes the threshold the indicator has no variance: the
    effective size of x0 itself stands in.
    """
    empty = pd.Series(dtype=float)
    posterior = priors.posterior
    if posterior is None or "x0" not in posterior.parameters:
        fallback = lookup((priors.diagnostics or {}).get("figures", {}), ("ess_bulk_min",))
        if priors.zones is None or not is_number(fallback):
            return empty, empty
        return pd.Series(float(fallback), index=priors.zones.frame["region"].astype(str)), empty
    x0 = posterior.parameters["x0"].transpose("chain", "draw", "region")
    names = [str(name) for name in x0["region"].to_numpy()]
    weights = chain_weights(posterior.sample_stats, x0.sizes["chain"])
    effective = _effective(x0.to_numpy(), weights)
    if "tau0" in posterior.parameters:
        above = x0.to_numpy() > _thresholds(posterior)[..., None]
        varies = above.any((0, 1)) & ~above.all((0, 1))
        if varies.any():
            effective[varies] = _effective(above[..., varies].astype(float), weights)
    order = np.argsort(-x0.to_numpy(), axis=-1)[..., :N_LEADING_REGIONS]
    per_draw = np.repeat(weights / order.shape[1], order.shape[1] * order.shape[2])
    share = np.bincount(order.ravel(), weights=per_draw, minlength=len(names))
    return pd.Series(effective, index=names), pd.Series(share, index=names)


def _effective(draws: Array, weights: Array) -> Array:
    """Effective number of draws of every column, between one and their number.

    Chains of equal weight are taken together; of unequal weight (separate explanations) each
    counts by itself, and the variances of a weighted mean add up.
    """
    total = float(draws.shape[0] * draws.shape[1])
    if np.allclose(weights, weights[0]):
        return _chains_together(draws, total)
    alone = np.stack([_chains_together(chain[None], total) for chain in draws])
    return np.asarray(1.0 / (weights[:, None] ** 2 / alone).sum(axis=0))


def _chains_together(draws: Array, total: float) -> Array:
    with np.errstate(all="ignore"):
        effective = array_stats.ess(  # type: ignore[no-untyped-call]
            draws, chain_axis=0, draw_axis=1, method="mean"
        )
    return np.asarray(np.clip(np.nan_to_num(effective, nan=1.0), 1.0, total))


def plans_of(
    priors: PriorResults, names: Sequence[str], provenance: Mapping[str, Any] | None = None
) -> tuple[Plan, ...]:
    """Return the rows of the outcomes table in their order.

    How many posterior draws stand behind a probability is read from the table's sidecar, else
    from the configuration in `provenance`.
    """
    if priors.outcomes is None:
        return ()
    configured = ((provenance or {}).get("configuration") or {}).get("surgery") or {}
    n_draws = lookup({**configured, **priors.outcomes.sidecar}, ("n_draws", "draws"))
    place = {name: i for i, name in enumerate(names)}
    rows = priors.outcomes.frame.to_dict("records")
    starts = priors.outcomes.sidecar.get("expected_ez_regions")
    return tuple(_plan(i, row, place, n_draws, starts) for i, row in enumerate(rows))


def _plan(
    index: int, row: Mapping[Any, Any], place: Mapping[str, int], n_draws: Any, starts: Any
) -> Plan:
    regions = split_regions(row.get("regions"), place)
    p = _float(row, "p_seizure_free")
    eloquent = row.get("eloquent")
    return Plan(
        index=index,
        rank=int(row["rank"]) if is_number(row.get("rank")) else index + 1,
        candidate=str(row["candidate"]),
        kind=str(row["kind"]),
        regions=regions,
        region_indices=tuple(place[name] for name in regions if name in place),
        volume_cm3=_float(row, "volume_mm3") / 1000,
        eloquent="" if _is_nothing(eloquent) else str(eloquent),
        before=_float(row, "seizing_before"),
        after=(
            _float(row, "seizing_after"),
            _float(row, "seizing_after_low"),
            _float(row, "seizing_after_high"),
        ),
        p_seizure_free=p,
        p_interval=_promise_interval(row, n_draws, starts) if is_number(p) else None,
        transmission_change=_float(row, "transmission_change"),
        p_sham=_float(row, "p_sham"),
        p_six_dimensional=_float(row, "p_seizure_free_6d"),
        sentence="" if _is_nothing(row.get("sentence")) else str(row["sentence"]),
    )


def _promise_interval(
    row: Mapping[Any, Any], n_draws: Any, starts: Any
) -> tuple[float, float] | None:
    """Return the sampling interval of the share of draws, each end as far as it is believed."""
    share = _float(row, "share_free")
    if not is_number(share) or not is_number(n_draws):
        return None
    low, high = probability_interval(share, n_draws)
    if share == _float(row, "p_seizure_free"):
        return low, high
    if not is_number(starts):
        return None
    n = int(n_draws)
    return believed(low, n, float(starts)), believed(high, n, float(starts))


def conclusion_of(priors: PriorResults) -> str:
    """Return the one sentence on all plans, such as that none is better than sham."""
    return "" if priors.outcomes is None else str(priors.outcomes.sidecar.get("Conclusion") or "")


def risk_elsewhere(priors: PriorResults) -> float | None:
    """Return the probability that a region which is not suspected seizes by itself."""
    found = None if priors.outcomes is None else priors.outcomes.sidecar.get("p_elsewhere")
    return float(found) if found is not None and is_number(found) else None


def _is_nothing(value: Any) -> bool:
    if value is None or (isinstance(value, float) and not np.isfinite(value)):
        return True
    return str(value).strip().lower() in {"", "n/a", "false", "0", "0.0", "no", "none"}


def split_regions(cell: Any, known: Mapping[str, int]) -> tuple[str, ...]:
    """Return the region names in a cell; the separator is the one that yields known names."""
    if _is_nothing(cell):
        return ()
    text = str(cell)
    choices = [[text], *(re.split(rf"\s*{mark}\s*", text) for mark in (";", r"\|", ",", r"\+"))]
    best = max(choices, key=lambda parts: sum(part in known for part in parts) / len(parts))
    return tuple(part for part in best if part)


def leading_regions(regions: Sequence[Region]) -> tuple[Region, ...]:
    """Return the first regions of the ranking."""
    return tuple(sorted(regions, key=lambda region: region.rank)[:N_LEADING_REGIONS])


def leading_plans(plans: Sequence[Plan]) -> tuple[Plan, ...]:
    """Return the first plans that are plans: neither sham nor leaving everything as it is."""
    real = [plan for plan in plans if plan.kind not in ("none", "sham")]
    return tuple(sorted(real, key=lambda plan: plan.rank)[:N_LEADING_PLANS])


def suspected_unseen(regions: Sequence[Region]) -> tuple[Region, ...]:
    """Return regions with a high probability that no channel sees."""
    return tuple(r for r in regions if r.unseen and (r.p_ez >= SUSPECTED or r.p_pz >= SUSPECTED))
