"""Blind scores of a ranking of regions, and baselines computed from the same data."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import nnls
from sklearn.metrics import (  # type: ignore[import-untyped]
    average_precision_score,
    brier_score_loss,
    roc_auc_score,
)

from inference.problem import Problem

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

ONSET_LEVEL = float(np.log(5.0))
ONSET_TAU_S = 5.0


def score(probability: Array, ez: Mask) -> dict[str, float]:
    """Score one patient: every region counts, and nothing but the probability is looked at.

    Parameters
    ----------
    probability : numpy.ndarray, shape (n_regions,)
        Probability, or any score to rank by, between 0 and 1.
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
    """Return the share of the true zone among as many leading regions as it has."""
    k = int(ez.sum())
    return float(ez[np.argsort(-probability, kind="stable")[:k]].mean())


def calibration_curve(probability: Array, ez: Mask, n_bins: int = 10) -> pd.DataFrame:
    """Return, per bin of probability, how many regions it holds and how many are in the zone."""
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


def calibration_error(probability: Array, ez: Mask, n_bins: int = 10) -> float:
    """Return the mean distance between predicted and observed, weighted by regions."""
    curve = calibration_curve(probability, ez, n_bins).dropna()
    gap = (curve["predicted"] - curve["observed"]).abs()
    return float((gap * curve["regions"]).sum() / curve["regions"].sum())


def nnls_baseline(problem: Problem) -> Array:
    """Return the sources' mean power by non-negative least squares on the gain, 0 to 1."""
    power = np.expm1(np.clip(problem.envelope[0], 0, 30)).mean(axis=0)
    estimate, _ = nnls(problem.gain, power, maxiter=50 * problem.n_regions)
    return np.asarray(estimate / max(float(estimate.max()), 1e-12))


def nearest_baseline(problem: Problem, nearest: NDArray[np.int64]) -> Array:
    """Return energy, discounted by lateness, of the channel nearest to each region, 0 to 1.

    A channel's onset is its first sample above five times the baseline's power.
    """
    envelope, times = problem.envelope[0], problem.times[0]
    high = envelope > ONSET_LEVEL
    onset = np.where(high.any(axis=0), times[high.argmax(axis=0)], np.inf)
    delay = onset - onset.min() if np.isfinite(onset).any() else np.zeros(len(onset))
    energy = np.clip(envelope, 0, None).mean(axis=0)
    per_channel = energy * np.exp(-delay / ONSET_TAU_S)
    found = np.zeros(problem.n_regions)
    np.maximum.at(found, nearest, per_channel)
    return np.asarray(found / max(float(found.max()), 1e-12))
