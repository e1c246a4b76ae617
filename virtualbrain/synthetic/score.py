"""A finished run beside the truth: overlap, correlation, ranks, times."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from scipy.ndimage import affine_transform
from scipy.stats import spearmanr

from virtualbrain.errors import InputError
from virtualbrain.io.images import Image, read_image, same_grid
from virtualbrain.io.layout import PatientLayout
from virtualbrain.io.seeg import read_channels, read_envelope
from virtualbrain.io.tables import read_matrix, read_table
from virtualbrain.synthetic.truth import (
    read_region_truth,
    read_true_channels,
    read_true_contacts,
    read_true_weights,
    true_labels,
)

DEEP_MM = 2.0
_REACH_MM = 6.0


@dataclass(frozen=True)
class Share:
    """How many of how many."""

    right: int
    n: int


@dataclass(frozen=True)
class OnsetScore:
    """Onsets of channels beside the simulated ones.

    Parameters
    ----------
    seizing, within_1_s : int
        Channels of faultless contacts that seize, and those found within a second of the truth.
    found, false : int
        Channels found to seize, and those of them that do not.
    """

    seizing: int
    within_1_s: int
    found: int
    false: int


@dataclass(frozen=True)
class Scores:
    """What a run got right; None where the run or the truth has no such part.

    Parameters
    ----------
    label, priors : str
        Participant and prior set.
    dice : pandas.DataFrame, optional
        `region structure dice` for every true region; 0 where the run has no such region.
    weights_spearman : float, optional
        Rank correlation of recovered and true weights over the true connections.
    weights_log_pearson : float, optional
        Correlation of their logarithms over connections present in both.
    connections_found : float, optional
        Share of the true connections with a weight above zero.
    ranks : dict of str to int or None
        Rank in zones.tsv of every true epileptogenic region; None where it is not listed.
    recruited_in_first_ten : float, optional
        Share of the truly recruited regions among the first ten.
    n_regions : int
        Regions ranked.
    verdict : str, optional
        Verdict of the diagnosis.
    contact_accuracy : float, optional
        Share of the contacts in grey matter whose region is the true one.
    deep_contacts : Share, optional
        The same for contacts deeper than 2 mm inside their region.
    clear_contacts : Share, optional
        The same for contacts in grey matter more than 2 mm away from every other region.
    onsets : OnsetScore, optional
        Channel onsets of the first seizure.
    seconds : dict of str to float
        Time of each stage.
    """

    label: str
    priors: str
    dice: pd.DataFrame | None
    weights_spearman: float | None
    weights_log_pearson: float | None
    connections_found: float | None
    ranks: dict[str, int | None]
    recruited_in_first_ten: float | None
    n_regions: int
    verdict: str | None
    contact_accuracy: float | None
    deep_contacts: Share | None
    clear_contacts: Share | None
    onsets: OnsetScore | None
    seconds: dict[str, float]

    @property
    def dice_cortical(self) -> float | None:
        """Median overlap of the cortical regions."""
        return self._median_dice("cortex")

    @property
    def dice_subcortical(self) -> float | None:
        """Median overlap of the subcortical regions."""
        return self._median_dice("subcortex")

    def _median_dice(self, structure: str) -> float | None:
        if self.dice is None:
            return None
        part = self.dice.loc[self.dice["structure"] == structure, "dice"]
        return float(part.median()) if len(part) else None

    @property
    def both_in_first_four(self) -> bool:
        """Whether every true epileptogenic region ranks among the first four."""
        return bool(self.ranks) and all(r is not None and r <= 4 for r in self.ranks.values())


def score_demo(out: Path, dataset: Path, label: str = "01", priors: str = "default") -> Scores:
    """Compare a run's results with the truth of a made patient.

    Parameters
    ----------
    out : Path
        The run's output folder.
    dataset : Path
        The made dataset.
    label : str
        The participant, without ``sub-``.
    priors : str
        The prior set whose zones are scored.

    Raises
    ------
    InputError
        The dataset holds no truth of this participant.
    """
    layout = PatientLayout(Path(out), label)
    truth = read_region_truth(dataset, label)
    connectome = _if_there(lambda: _weight_scores(layout, dataset, label))
    zones = _if_there(lambda: read_table(layout.zones(priors), required=("rank", "region")))
    diagnosis = _if_there(
        lambda: json.loads(layout.diagnostics(priors).read_text(encoding="utf-8"))
    )
    contacts = _if_there(lambda: _contact_scores(layout, dataset, label))
    return Scores(
        label=label,
        priors=priors,
        dice=_dice_of(layout, dataset, label),
        weights_spearman=connectome[0] if connectome else None,
        weights_log_pearson=connectome[1] if connectome else None,
        connections_found=connectome[2] if connectome else None,
        ranks=_ranks(zones, truth),
        recruited_in_first_ten=_recruited(zones, truth),
        n_regions=0 if zones is None else len(zones),
        verdict=None if diagnosis is None else str(diagnosis.get("verdict")),
        contact_accuracy=contacts[0] if contacts else None,
        deep_contacts=contacts[1] if contacts else None,
        clear_contacts=contacts[2] if contacts else None,
        onsets=_if_there(lambda: _onset_score(layout, dataset, label)),
        seconds=stage_seconds(layout),
    )


def _if_there[Value](read: Callable[[], Value]) -> Value | None:
    """Return what `read` reads, or None where its file is missing."""
    try:
        return read()
    except (InputError, FileNotFoundError):
        return None


# ---- parcellation ---------------------------------------------------------------------------


def _dice_of(layout: PatientLayout, dataset: Path, label: str) -> pd.DataFrame | None:
    path, regions = true_labels(dataset, label)
    if not (path.is_file() and layout.labels.is_file() and layout.regions.is_file()):
        return None
    found = read_table(layout.regions, required=("index", "name"))
    return dice_by_region(read_image(path), regions, read_image(layout.labels), found)


def dice_by_region(
    true_image: Image, true_table: pd.DataFrame, found_image: Image, found_table: pd.DataFrame
) -> pd.DataFrame:
    r"""Return :math:`2 |A \cap B| / (|A| + |B|)` of regions of the same name.

    Parameters
    ----------
    true_image, found_image : nibabel image
        Labels; where the grids differ the found one is read at the true one's voxels.
    true_table, found_table : pandas.DataFrame
        Region tables: `index`, `name`, and `structure` in the true one.

    Returns
    -------
    pandas.DataFrame
        `region structure dice`, one row per true region.
    """
    true = np.asarray(true_image.dataobj).astype(np.int64)
    found = _on_grid(found_image, true_image)
    names = {str(n): i + 1 for i, n in enumerate(true_table["name"])}
    a = _renumbered(true, true_table, names)
    b = _renumbered(found, found_table, names)
    count = len(names) + 1
    both = np.bincount(a[a == b], minlength=count)
    total = np.bincount(a.ravel(), minlength=count) + np.bincount(b.ravel(), minlength=count)
    dice = 2.0 * both[1:] / np.maximum(total[1:], 1)
    return pd.DataFrame(
        {"region": list(names), "structure": list(true_table["structure"]), "dice": dice}
    )


def _renumbered(
    values: NDArray[np.int64], table: pd.DataFrame, names: dict[str, int]
) -> NDArray[np.int64]:
    """Give voxels the position of their region's name; 0 for what has no name in common."""
    lookup = np.zeros(max(int(values.max()), int(table["index"].max())) + 1, dtype=np.int64)
    for index, name in zip(table["index"], table["name"], strict=True):
        lookup[int(index)] = names.get(str(name), 0)
    return np.asarray(lookup[np.maximum(values, 0)])


def _on_grid(image: Image, other: Image) -> NDArray[np.int64]:
    """Return an image's labels at the voxels of another's grid (nearest)."""
    values = np.asarray(image.dataobj).astype(np.int64)
    if same_grid(image, other):
        return values
    between = np.linalg.inv(image.affine) @ other.affine
    moved = affine_transform(
        values, between[:3, :3], between[:3, 3], output_shape=other.shape[:3], order=0
    )
    return np.asarray(moved, dtype=np.int64)


# ---- connectome, zones, contacts, times -----------------------------------------------------


def _weight_scores(
    layout: PatientLayout, dataset: Path, label: str
) -> tuple[float | None, float | None, float | None]:
    true = read_true_weights(dataset, label)
    found = read_matrix(layout.relmat("streamlines"))
    return compare_weights(true, found)


def compare_weights(
    true: pd.DataFrame, found: pd.DataFrame
) -> tuple[float | None, float | None, float | None]:
    """Compare weights by name over the connections of the true connectome.

    Returns
    -------
    spearman : float or None
        Rank correlation; connections that were not found count as the weakest.
    log_pearson : float or None
        Correlation of the logarithms over connections present in both.
    share : float or None
        Share of the connections found.
    """
    names = [name for name in true.index if name in found.index and name in found.columns]
    if len(names) < 3:
        return None, None, None
    upper = np.triu_indices(len(names), k=1)
    a = true.loc[names, names].to_numpy()[upper]
    b = found.loc[names, names].to_numpy()[upper]
    a, b = a[a > 0], b[a > 0]
    both = b > 0
    if both.sum() < 3:
        return None, None, float(both.mean()) if len(b) else None
    rank = float(spearmanr(a, b).statistic)
    logs = float(np.corrcoef(np.log(a[both]), np.log(b[both]))[0, 1])
    return rank, logs, float(both.mean())


def _ranks(zones: pd.DataFrame | None, truth: pd.DataFrame) -> dict[str, int | None]:
    """Rank of every true epileptogenic region."""
    own = truth.loc[truth["zone"] == "EZ", "region"]
    if zones is None:
        return dict.fromkeys(own)
    listed = dict(zip(zones["region"], zones["rank"], strict=True))
    return {str(n): int(listed[n]) if n in listed else None for n in own}


def _recruited(zones: pd.DataFrame | None, truth: pd.DataFrame) -> float | None:
    recruited = set(truth.loc[truth["zone"] == "PZ", "region"])
    if zones is None or not recruited:
        return None
    first = set(zones.loc[zones["rank"] <= 10, "region"])
    return len(recruited & first) / len(recruited)


def _contact_scores(
    layout: PatientLayout, dataset: Path, label: str
) -> tuple[float | None, Share | None, Share | None]:
    """Score the regions of all contacts in grey matter, of deep ones, and of unambiguous ones."""
    true = read_true_contacts(dataset, label).set_index("name")
    true = true.dropna(subset="region")
    found = read_table(layout.contacts, required=("name", "region")).set_index("name")["region"]
    true = true.loc[true.index.isin(found.index)]
    right = (true["region"] == found.loc[true.index]).to_numpy()
    accuracy = float(right.mean()) if len(right) else None
    path, regions = true_labels(dataset, label)
    if not path.is_file():
        return accuracy, None, None
    index = dict(zip(regions["name"], regions["index"], strict=True))
    own = np.array([int(index[name]) for name in true["region"]])
    inside, apart = depths_mm(true[["x", "y", "z"]].to_numpy(float), own, read_image(path))
    deep, clear = inside > DEEP_MM, apart > DEEP_MM
    return (
        accuracy,
        Share(int(right[deep].sum()), int(deep.sum())),
        Share(int(right[clear].sum()), int(clear.sum())),
    )


def depths_mm(
    points: NDArray[np.float64], own: NDArray[np.int64], labels: Image
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return how far points lie from the nearest voxel that is not their region's.

    Parameters
    ----------
    points : numpy.ndarray, shape (n_points, 3)
        Scanner RAS, mm.
    own : numpy.ndarray, shape (n_points,)
        Label of each point's region.
    labels : nibabel image
        The true labels.

    Returns
    -------
    inside : numpy.ndarray, shape (n_points,)
        Distance in mm to a voxel of anything else, white matter and fluid among it; 6 at most.
    apart : numpy.ndarray, shape (n_points,)
        Distance in mm to a voxel of another region.
    """
    values = np.asarray(labels.dataobj).astype(np.int64)
    sizes = np.linalg.norm(labels.affine[:3, :3], axis=0)
    inverse = np.linalg.inv(labels.affine)
    reach = np.ceil(_REACH_MM / sizes).astype(int) + 1
    inside, apart = np.full(len(points), _REACH_MM), np.full(len(points), _REACH_MM)
    for i, place in enumerate(points @ inverse[:3, :3].T + inverse[:3, 3]):
        low = np.clip(np.rint(place).astype(int) - reach, 0, values.shape)
        high = np.clip(np.rint(place).astype(int) + reach + 1, 0, values.shape)
        near = values[low[0] : high[0], low[1] : high[1], low[2] : high[2]]
        voxels = np.moveaxis(np.indices(near.shape), 0, -1) + low
        gap = np.maximum(np.abs(voxels - place) - 0.5, 0.0) * sizes
        distance = np.sqrt((gap**2).sum(axis=-1))
        inside[i] = distance[near != own[i]].min(initial=_REACH_MM)
        apart[i] = distance[(near != own[i]) & (near > 0)].min(initial=_REACH_MM)
    return inside, apart


def _onset_score(layout: PatientLayout, dataset: Path, label: str) -> OnsetScore:
    """Score the first seizure's channel onsets."""
    true = read_true_channels(dataset, label)
    faults = read_true_contacts(dataset, label).set_index("name")["fault"]
    faulty = [
        faults[a] != "none" or faults[c] != "none" for a, c in true[["anode", "cathode"]].values
    ]
    found = read_channels(layout.channels).set_index("name")["onset_s"]
    marked_s = float(read_envelope(layout.envelope(1)).attrs["onset_in_recording_s"])
    return compare_onsets(true.assign(faulty=faulty), found + marked_s)


def compare_onsets(true: pd.DataFrame, found_s: pd.Series) -> OnsetScore:
    """Compare channel onsets with the simulated ones.

    A seizing channel that the run left out counts as missed. Contacts with a fault are no part
    of the seizing ones; found to seize, they are false where their sources do not.

    Parameters
    ----------
    true : pandas.DataFrame
        ``name onset_s faulty``; seconds, NaN where the channel does not seize.
    found_s : pandas.Series
        Onset under each channel's name, NaN where none was found; seconds of the same origin.
    """
    onset_s = true.set_index("name")["onset_s"].astype(float)
    seizing = onset_s[onset_s.notna() & ~true["faulty"].to_numpy(bool)]
    near = (found_s.reindex(seizing.index) - seizing).abs() <= 1.0
    found = found_s.dropna()
    false = onset_s.reindex(found.index).isna()
    return OnsetScore(len(seizing), int(near.sum()), len(found), int(false.sum()))


def stage_seconds(layout: PatientLayout) -> dict[str, float]:
    """Return the time of every stage with a benchmark, in the order in which they ended."""
    folder = layout.benchmark("any").parent
    paths = sorted(folder.glob("*.tsv"), key=lambda path: path.stat().st_mtime)
    return {path.stem: _seconds(path) for path in paths}


def _seconds(path: Path) -> float:
    """Mean of the column ``s`` of a benchmark of Snakemake."""
    return float(pd.read_csv(path, sep="\t")["s"].mean())


# ---- the table ------------------------------------------------------------------------------


def print_scores(scores: Scores, console: Console) -> None:
    """Print scores and times as tables."""
    console.print(_found_table(scores))
    if scores.seconds:
        console.print(_time_table(scores))


def _found_table(scores: Scores) -> Table:
    table = Table(title=f"sub-{scores.label}: found against the truth", title_justify="left")
    table.add_column("what")
    table.add_column("value", justify="right")
    rows: list[tuple[str, Any]] = [
        ("parcellation, Dice, cortex (median)", _number(scores.dice_cortical)),
        ("parcellation, Dice, subcortex (median)", _number(scores.dice_subcortical)),
        ("connectome, Spearman over true connections", _number(scores.weights_spearman)),
        ("connectome, correlation of logarithms", _number(scores.weights_log_pearson)),
        ("connectome, connections found", _share(scores.connections_found)),
        ("contacts in the right region", _share(scores.contact_accuracy)),
        ("the same, deeper than 2 mm inside it", _of(scores.deep_contacts)),
        ("the same, over 2 mm from other regions", _of(scores.clear_contacts)),
        *_onset_rows(scores.onsets),
        *(
            (f"rank of {name} (epileptogenic)", _rank(r, scores))
            for name, r in scores.ranks.items()
        ),
        ("recruited regions among the first ten", _share(scores.recruited_in_first_ten)),
        (f"verdict ({scores.priors})", scores.verdict or "none"),
    ]
    for row in rows:
        table.add_row(*row)
    return table


def _time_table(scores: Scores) -> Table:
    table = Table(title="time of each stage", title_justify="left")
    table.add_column("stage")
    table.add_column("seconds", justify="right")
    for stage, seconds in scores.seconds.items():
        table.add_row(stage, f"{seconds:.0f}")
    table.add_row("together", f"{sum(scores.seconds.values()):.0f}", style="bold")
    return table


def _number(value: float | None) -> str:
    return "none" if value is None or not np.isfinite(value) else f"{value:.2f}"


def _share(value: float | None) -> str:
    return "none" if value is None else f"{value:.0%}"


def _of(share: Share | None) -> str:
    if share is None or not share.n:
        return "none"
    return f"{share.right / share.n:.0%} of {share.n}"


def _onset_rows(onsets: OnsetScore | None) -> list[tuple[str, Any]]:
    if onsets is None:
        return []
    return [
        ("channel onsets within 1 s", _of(Share(onsets.within_1_s, onsets.seizing))),
        ("false among channels found to seize", _of(Share(onsets.false, onsets.found))),
    ]


def _rank(rank: int | None, scores: Scores) -> str:
    return "not ranked" if rank is None else f"{rank} of {scores.n_regions}"
