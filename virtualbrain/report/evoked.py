"""Show evoked responses of stimulation beside the connectome of diffusion MRI."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from virtualbrain.anatomy.spoken_names import spoken_name
from virtualbrain.io.results import PatientResults
from virtualbrain.report.evoked_pictures import Frame, HeatMap, frame_of, heat_map
from virtualbrain.report.numbers import is_number, percent, show
from virtualbrain.report.tables import (
    Cell,
    Column,
    Download,
    View,
    download_of,
    number_cell,
    percent_cell,
    region_cell,
)

Array = NDArray[np.float64]

N_TOP = 5
FEWEST_PAIRS = 10
# A response is likely, or a weight is strong or weak among the measured pairs, beyond these.
_LIKELY = 0.5
_STRONG, _WEAK = 2 / 3, 1 / 3


@dataclass(frozen=True)
class EvokedPart:
    """The part of the report on evoked responses.

    Parameters
    ----------
    problem : str
        Why there are no responses; empty if there are.
    sentences : tuple of str
        What was measured, and how it agrees with the connectome.
    rows, columns : tuple of str
        Names of the regions stimulated and recorded.
    maps : tuple of HeatMap
        Responses, and weights of the same pairs.
    frame : Frame or None
        Geometry of the two.
    evoked_only, diffusion_only : View or None
        Pairs that one method shows clearly and the other hardly.
    sites : View or None
        PCIst of each site.
    download : Download or None
        The table of pairs.
    in_fit : bool
        Whether the responses changed the connectome of the fit.
    """

    problem: str
    sentences: tuple[str, ...] = ()
    rows: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    maps: tuple[HeatMap, ...] = ()
    frame: Frame | None = None
    evoked_only: View | None = None
    diffusion_only: View | None = None
    sites: View | None = None
    download: Download | None = None
    in_fit: bool = False


def evoked_of(results: PatientResults, names: Sequence[str]) -> EvokedPart | None:
    """Return the part on evoked responses; None for a patient without them.

    Parameters
    ----------
    results : PatientResults
        The results.
    names : sequence of str
        Regions, in the order of their numbers in the report.
    """
    found = results.evoked
    if found is None:
        reason = results.missing.get("evoked")
        return EvokedPart(reason) if reason else None
    if found.problem or found.sites.frame.empty:
        return EvokedPart(found.problem or "no site could be used")
    sites = _sites_view(found.sites.frame, _regions_of(results), download_of(found.sites))
    counted = _counted(found.sites.frame)
    if found.pairs is None:
        return EvokedPart("", (counted, "The contacts have no regions."), sites=sites)
    pairs = _with_weights(found.pairs.frame, results)
    order = {name: k for k, name in enumerate(names)}
    rows, columns = (
        sorted(set(pairs[end]), key=lambda name: (order.get(name, len(order)), name))
        for end in ("stimulated", "recorded")
    )
    zones = results.main.zones
    between = pairs[pairs["stimulated"] != pairs["recorded"]]
    maps = (
        heat_map("Evoked responses", pairs, "amplitude_v", rows, columns),
        heat_map("Diffusion connectome", pairs, "weight", rows, columns),
    )
    spoken = tuple(map(spoken_name, rows)), tuple(map(spoken_name, columns))
    return EvokedPart(
        "",
        (counted, _measured(between), *_agreement(between)),
        *spoken,
        maps,
        frame_of(*spoken),
        *_differences(between, order),
        sites,
        download_of(found.pairs),
        zones is not None and "EvokedResponses" in zones.table.sidecar,
    )


# ---- sentences ------------------------------------------------------------------------------


def _counted(sites: pd.DataFrame) -> str:
    n_n1, n_channels = int(sites["n_n1"].sum()), int(sites["n_channels"].sum())
    return (
        f"{len(sites)} pairs of contacts were stimulated, with a median of "
        f"{show(float(sites['n_trials'].median()))} pulses each; {percent(n_n1 / n_channels)} of "
        "the channels responded."
    )


def _measured(between: pd.DataFrame) -> str:
    n_regions = between["stimulated"].nunique(), between["recorded"].nunique()
    return (
        f"This measures {len(between)} connections, from {n_regions[0]} regions to "
        f"{n_regions[1]}; all others remain unknown."
    )


def _agreement(between: pd.DataFrame) -> tuple[str, ...]:
    """Return the rank correlation of responses and weights."""
    both = between.dropna(subset=["weight"])
    if (
        len(both) < FEWEST_PAIRS
        or both["weight"].nunique() < 2
        or both["amplitude_v"].nunique() < 2
    ):
        return ("Too few connections are in both, so they are not compared.",)
    value = float(both["amplitude_v"].rank().corr(both["weight"].rank()))
    words = "hardly agree" if value < 0.2 else "agree in part" if value < 0.6 else "agree well"
    return (
        f"Responses and diffusion connectome {words}: rank correlation {show(value, 2)} over "
        f"{len(both)} connections.",
    )


# ---- pairs ----------------------------------------------------------------------------------


def _with_weights(pairs: pd.DataFrame, results: PatientResults) -> pd.DataFrame:
    """Add the weight of the connectome to each pair; NaN where it lacks a region."""
    if results.weights is None:
        return pairs.assign(weight=np.nan)
    frame = results.weights.frame
    weights = frame.to_numpy(float)
    row_of, column_of = ({str(n): k for k, n in enumerate(i)} for i in (frame.index, frame.columns))
    found = [
        weights[row_of[target], column_of[source]]
        if target in row_of and source in column_of
        else np.nan
        for source, target in zip(pairs["stimulated"], pairs["recorded"], strict=True)
    ]
    return pairs.assign(weight=found)


def _differences(
    between: pd.DataFrame, order: Mapping[str, int]
) -> tuple[View | None, View | None]:
    """Return pairs with a likely response and a weak weight, and strong weights without one."""
    both = between.dropna(subset=["weight"])
    if len(both) < FEWEST_PAIRS:
        return None, None
    response, weight = (_share(both[name].to_numpy(float)) for name in ("amplitude_v", "weight"))
    likely = both["probability"].to_numpy(float) > _LIKELY
    apart = response - weight
    kinds = (
        ("evoked-only", "Responses that the diffusion connectome does not explain", apart,
         likely & (response > _STRONG) & (weight < _WEAK)),
        ("diffusion-only", "Strong diffusion connections without a likely response", -apart,
         ~likely & (response < _WEAK) & (weight > _STRONG)),
    )  # fmt: skip
    views = [
        _pairs_view(
            key, caption, both[chosen].iloc[np.argsort(-size[chosen], kind="stable")], order
        )
        for key, caption, size, chosen in kinds
    ]
    return views[0], views[1]


def _share(values: Array) -> Array:
    """Return the position of each value among all, 0 to 1."""
    return np.asarray((pd.Series(values).rank() - 0.5) / len(values))


def _pairs_view(
    key: str, caption: str, pairs: pd.DataFrame, order: Mapping[str, int]
) -> View | None:
    """Return the first pairs as a table."""
    if pairs.empty:
        return None
    columns = (
        Column("Stimulated", False),
        Column("Recorded", False),
        Column(
            "N1 (µV)",
            True,
            "mean N1 at equal background of all channels; in brackets its 90 % interval",
        ),
        Column("P(N1)", True, "mean probability of an N1"),
        Column("Latency (ms)", True, "median latency of the N1"),
        Column("Diffusion weight", True),
        Column("Site-channel pairs", True),
    )
    rows = tuple(
        (
            region_cell(row["stimulated"], order.get(row["stimulated"])),
            region_cell(row["recorded"], order.get(row["recorded"])),
            _amplitude_cell(row["amplitude_v"], row["amplitude_low_v"], row["amplitude_high_v"]),
            percent_cell(row["probability"]),
            number_cell(1e3 * row["latency_s"], 2),
            number_cell(row["weight"], 2),
            number_cell(int(row["n_pairs"])),
        )
        for row in pairs.head(N_TOP).to_dict("records")
    )
    return View(key, caption, columns, rows, None)


def _amplitude_cell(value: float, low: float, high: float) -> Cell:
    text = f"{1e6 * value:.0f}"
    if is_number(low):
        text += f" ({1e6 * low:.0f}–{1e6 * high:.0f})"
    return Cell(text, repr(float(value)), repr(value))


# ---- sites ----------------------------------------------------------------------------------


def _regions_of(results: PatientResults) -> dict[str, str]:
    """Return the region of each contact that has one."""
    if results.contacts is None:
        return {}
    frame = results.contacts.frame
    return {
        str(name): str(region)
        for name, region in zip(frame["name"], frame["region"], strict=True)
        if isinstance(region, str)
    }


def _sites_view(
    sites: pd.DataFrame, region_of: Mapping[str, str], download: Download | None
) -> View:
    """Return the table of sites, the most complex response first."""
    columns = (
        Column("Site", False),
        Column("Regions", False),
        Column("Pulses", True),
        Column("Channels with an N1", True),
        Column("PCIst", True, "complexity of the response: more is richer and longer"),
    )
    rows = tuple(
        (
            Cell(row["site"], str(row["site"]).lower()),
            _regions_cell(str(row["site"]), region_of),
            number_cell(int(row["n_trials"])),
            _share_cell(int(row["n_n1"]), int(row["n_channels"])),
            number_cell(float(row["pcist"]), 3),
        )
        for row in sites.sort_values("pcist", ascending=False, kind="stable").to_dict("records")
    )
    return View("sites", "Stimulated pairs of contacts", columns, rows, download)


def _share_cell(part: int, whole: int) -> Cell:
    return Cell(f"{part} of {whole}", repr(part / whole))


def _regions_cell(site: str, region_of: Mapping[str, str]) -> Cell:
    labels = dict.fromkeys(region_of[c] for c in site.split("-") if c in region_of)
    text = ", ".join(map(spoken_name, labels))
    return Cell(text or "–", text.lower())
