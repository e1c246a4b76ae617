"""Predict the outcome of the resection that was done, and score predictions over patients."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from virtualbrain.surgery.candidates import Candidate, no_surgery
from virtualbrain.surgery.draws import FittedDraws
from virtualbrain.surgery.seizure_freedom import SeizureFreedom
from virtualbrain.surgery.settings import SurgerySettings

Array = NDArray[np.float64]
N_GROUPS = 3
# Smallest number of patients of each outcome for an AUC.
LEAST_OF_EACH = 3


def predicted_outcome(
    done: Candidate, draws: FittedDraws, settings: SurgerySettings, *, fitted: bool = True
) -> dict[str, float]:
    """Return the predicted outcome of the resection that was done.

    Parameters
    ----------
    done : Candidate
        The resection.
    draws : FittedDraws
        The fitted network.
    settings : SurgerySettings
        Settings.
    fitted : bool
        Whether the draws come from a fit; else `p_seizure_free` equals `share_free`.

    Returns
    -------
    dict of str to float
        ``p_seizure_free`` and ``share_free`` (`virtualbrain.surgery.seizure_freedom`), and the
        mean number of seizing regions before and after.
    """
    from virtualbrain.surgery.outcome import simulate_plans  # on use, as it loads numba

    before, after = simulate_plans([no_surgery(), done], draws, settings)
    freedom = SeizureFreedom(draws.p_elsewhere, draws.p_sampled, fitted)
    return {
        "p_seizure_free": freedom.probability(after.share_free),
        "share_free": after.share_free,
        "seizing_before": float(before.seizing.mean()),
        "seizing_after": float(after.seizing.mean()),
        "n_regions": float(len(done.regions)),
    }


@dataclass(frozen=True)
class Group:
    """Patients with similar predictions: number, mean prediction, fraction seizure-free."""

    n_patients: int
    predicted: float
    observed: float


@dataclass(frozen=True)
class PredictionScore:
    """Score of predictions against outcomes, from aggregates only.

    Parameters
    ----------
    n_free, n_not_free : int
        Patients with each outcome.
    auc : float or None
        Area under the ROC curve; None with fewer than three patients of one outcome.
    brier : float
        Mean squared error.
    groups : tuple of Group
        Groups of equal size, sorted by prediction.
    calibration_error : float
        Mean absolute difference of predicted and observed over groups, weighted by patients.
    """

    n_free: int
    n_not_free: int
    auc: float | None
    brier: float
    groups: tuple[Group, ...]
    calibration_error: float


def score_predictions(
    predicted: Mapping[str, float], free: Mapping[str, bool]
) -> PredictionScore | None:
    """Score the predictions of patients with known outcome.

    Parameters
    ----------
    predicted : mapping of str to float
        Probability of seizure freedom, by patient.
    free : mapping of str to bool
        Whether the patient became seizure-free.

    Returns
    -------
    PredictionScore or None
        None if no patient has both.
    """
    both = sorted(set(predicted) & set(free))
    if not both:
        return None
    from sklearn.metrics import (  # type: ignore[import-untyped]  # on use, as it loads slowly
        brier_score_loss,
        roc_auc_score,
    )

    p = np.array([predicted[label] for label in both])
    y = np.array([free[label] for label in both])
    n_free = int(y.sum())
    enough = min(n_free, len(y) - n_free) >= LEAST_OF_EACH
    groups = _groups(p, y)
    gaps = [group.n_patients * abs(group.predicted - group.observed) for group in groups]
    return PredictionScore(
        n_free=n_free,
        n_not_free=len(y) - n_free,
        auc=float(roc_auc_score(y, p)) if enough else None,
        brier=float(brier_score_loss(y, p)),
        groups=tuple(groups),
        calibration_error=float(sum(gaps) / len(y)),
    )


def _groups(p: Array, y: NDArray[np.bool_]) -> Sequence[Group]:
    """Split patients into groups of equal size, sorted by prediction."""
    parts = np.array_split(np.argsort(p, kind="stable"), min(N_GROUPS, len(p)))
    return [Group(len(i), float(p[i].mean()), float(y[i].mean())) for i in parts]
