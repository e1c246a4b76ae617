"""Measures that compare results with the truth of a synthetic patient: arrays and tables in.

For the zones: AUC, precision, recall, calibration. For the structure: Dice, connection weights,
depth of contacts. For the recording: channel onsets.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.ndimage import affine_transform
from scipy.stats import binomtest, spearmanr
from sklearn.metrics import (  # type: ignore[import-untyped]
    average_precision_score,
    brier_score_loss,
    roc_auc_score,
)

from virtualbrain.io.images import Image, same_grid

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

RELIABILITY_EDGES = (0.1, 0.3, 0.5, 0.7, 0.9, 1.0)
_LARGEST_DEPTH_MM = 6.0
_ONSET_TOLERANCE_S = 1.0


@dataclass(frozen=True)
class Proportion:
    """A number of correct ones among n."""

    right: int
    n: int


@dataclass(frozen=True)
class OnsetScore:
    """Channel onsets compared with the simulated ones.

    Parameters
    ----------
    seizing, within_1_s : int
        Seizing channels without faults, and those with an onset within 1 s of the true one.
    found, false : int
        Channels with an onset, and those of them that do not seize.
    """

    seizing: int
    within_1_s: int
    found: int
    false: int


# ---- zones --------------------------------------------------------------------------------


def zone_scores(probability: Array, ez: Mask) -> dict[str, float]:
    """Score one patient's probabilities over all regions.

    Parameters
    ----------
    probability : numpy.ndarray, shape (n_regions,)
        Probability of being in the zone, or any ranking score, between 0 and 1.
    ez : numpy.ndarray, shape (n_regions,)
        The true zone.
    """
    called = probability > 0.5
    hits = float((called & ez).sum())
    precision = hits / called.sum() if called.any() else 0.0
    recall = hits / ez.sum()
    both = precision + recall
    return {
        "auc_pr": float(average_precision_score(ez, probability)),
        "auc_roc": float(roc_auc_score(ez, probability)),
        "precision": float(precision),
        "recall": float(recall),
        "f1": float(2 * precision * recall / both) if both else 0.0,
        "top_k_recall": top_k_recall(probability, ez),
        "brier": float(brier_score_loss(ez, probability)),
    }


def top_k_recall(probability: Array, ez: Mask) -> float:
    """Return the fraction of the k zone regions among the k regions of highest probability."""
    k = int(ez.sum())
    return float(ez[np.argsort(-probability, kind="stable")[:k]].mean())


def calibration_curve(probability: Array, ez: Mask, n_bins: int = 10) -> pd.DataFrame:
    """Return the number of regions, mean probability and fraction in the zone per bin."""
    edges = np.linspace(0, 1, n_bins + 1)
    place = np.clip(np.digitize(probability, edges) - 1, 0, n_bins - 1)
    rows = []
    for b in range(n_bins):
        inside = place == b
        count = int(inside.sum())
        rows.append(
            {
                "low": edges[b],
                "high": edges[b + 1],
                "regions": count,
                "predicted": float(probability[inside].mean()) if count else np.nan,
                "observed": float(ez[inside].mean()) if count else np.nan,
            }
        )
    return pd.DataFrame(rows)


def reliability(probability: Array, ez: Mask) -> pd.DataFrame:
    """Compare p_ez with the fraction of regions in the zone, in the bins that matter.

    Nineteen of twenty regions have a p_ez near zero, so a mean over all regions hides the others.

    Parameters
    ----------
    probability : numpy.ndarray, shape (n_regions,)
        p_ez of the regions of all patients.
    ez : numpy.ndarray of bool, shape (n_regions,)
        The true zones.

    Returns
    -------
    pandas.DataFrame
        ``low high regions predicted observed observed_low observed_high``: bins from 0.1 up; the
        observed fraction with its 90 % interval (Clopper and Pearson 1934).
    """
    rows = []
    for low, high in pairwise(RELIABILITY_EDGES):
        inside = (probability >= low) & ((probability < high) | (high == 1.0))
        count, hits = int(inside.sum()), int(ez[inside].sum())
        row = {"low": low, "high": high, "regions": count, "predicted": np.nan,
               "observed": np.nan, "observed_low": np.nan, "observed_high": np.nan}  # fmt: skip
        if count:
            interval = binomtest(hits, count).proportion_ci(0.9, "exact")
            row |= {
                "predicted": float(probability[inside].mean()),
                "observed": hits / count,
                "observed_low": float(interval.low),
                "observed_high": float(interval.high),
            }
        rows.append(row)
    return pd.DataFrame(rows)


def calibration_error(probability: Array, ez: Mask, n_bins: int = 10) -> float:
    """Return the mean difference of predicted and observed frequency, weighted by regions."""
    curve = calibration_curve(probability, ez, n_bins).dropna()
    gap = (curve["predicted"] - curve["observed"]).abs()
    return float((gap * curve["regions"]).sum() / curve["regions"].sum())


# ---- parcellation -------------------------------------------------------------------------


def dice_by_region(
    true_image: Image, true_table: pd.DataFrame, found_image: Image, found_table: pd.DataFrame
) -> pd.DataFrame:
    r"""Return :math:`2 |A \cap B| / (|A| + |B|)` of regions of the same name.

    Parameters
    ----------
    true_image, found_image : nibabel image
        Labels; the found one is resampled to the grid of the true one if the grids differ.
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
    """Replace labels by the number of their region's name; 0 for other names."""
    lookup = np.zeros(max(int(values.max()), int(table["index"].max())) + 1, dtype=np.int64)
    for index, name in zip(table["index"], table["name"], strict=True):
        lookup[int(index)] = names.get(str(name), 0)
    return np.asarray(lookup[np.maximum(values, 0)])


def _on_grid(image: Image, other: Image) -> NDArray[np.int64]:
    """Return the labels of an image at the voxels of another grid (nearest neighbour)."""
    values = np.asarray(image.dataobj).astype(np.int64)
    if same_grid(image, other):
        return values
    between = np.linalg.inv(image.affine) @ other.affine
    moved = affine_transform(
        values, between[:3, :3], between[:3, 3], output_shape=other.shape[:3], order=0
    )
    return np.asarray(moved, dtype=np.int64)


# ---- connectome ---------------------------------------------------------------------------


def compare_weights(
    true: pd.DataFrame, found: pd.DataFrame
) -> tuple[float | None, float | None, float | None]:
    """Compare weights by region name over the connections of the true connectome.

    Returns
    -------
    spearman : float or None
        Rank correlation; missing connections count as the weakest.
    log_pearson : float or None
        Correlation of the logarithms over connections present in both.
    found : float or None
        Fraction of the connections that were found.
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


# ---- contacts and channels ----------------------------------------------------------------


def depths_mm(
    points: NDArray[np.float64], own: NDArray[np.int64], labels: Image
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the distance of points to the nearest voxel outside their region.

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
        Distance in mm to a voxel outside the region, also of no region; 6 at most.
    apart : numpy.ndarray, shape (n_points,)
        Distance in mm to a voxel of another region; 6 at most.
    """
    values = np.asarray(labels.dataobj).astype(np.int64)
    sizes = np.linalg.norm(labels.affine[:3, :3], axis=0)
    inverse = np.linalg.inv(labels.affine)
    reach = np.ceil(_LARGEST_DEPTH_MM / sizes).astype(int) + 1
    inside, apart = np.full(len(points), _LARGEST_DEPTH_MM), np.full(len(points), _LARGEST_DEPTH_MM)
    for i, place in enumerate(points @ inverse[:3, :3].T + inverse[:3, 3]):
        low = np.clip(np.rint(place).astype(int) - reach, 0, values.shape)
        high = np.clip(np.rint(place).astype(int) + reach + 1, 0, values.shape)
        near = values[low[0] : high[0], low[1] : high[1], low[2] : high[2]]
        voxels = np.moveaxis(np.indices(near.shape), 0, -1) + low
        gap = np.maximum(np.abs(voxels - place) - 0.5, 0.0) * sizes
        distance = np.sqrt((gap**2).sum(axis=-1))
        inside[i] = distance[near != own[i]].min(initial=_LARGEST_DEPTH_MM)
        apart[i] = distance[(near != own[i]) & (near > 0)].min(initial=_LARGEST_DEPTH_MM)
    return inside, apart


def compare_onsets(true: pd.DataFrame, found_s: pd.Series) -> OnsetScore:
    """Compare channel onsets with the simulated ones.

    A seizing channel that the run excluded counts as not found. A channel with a fault is not
    counted as seizing; an onset of it is false if its sources do not seize.

    Parameters
    ----------
    true : pandas.DataFrame
        ``name onset_s faulty``; seconds, NaN if the channel does not seize.
    found_s : pandas.Series
        Onset by channel name, NaN if there is none; seconds from the same origin.
    """
    onset_s = true.set_index("name")["onset_s"].astype(float)
    seizing = onset_s[onset_s.notna() & ~true["faulty"].to_numpy(bool)]
    near = (found_s.reindex(seizing.index) - seizing).abs() <= _ONSET_TOLERANCE_S
    found = found_s.dropna()
    false = onset_s.reindex(found.index).isna()
    return OnsetScore(len(seizing), int(near.sum()), len(found), int(false.sum()))
