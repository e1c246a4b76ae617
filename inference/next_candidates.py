"""Value of candidate electrodes, one more seizure and an own connectome, from one fit."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from inference.futures import Futures, futures_of
from inference.next_connectome import connectome_value
from inference.next_data import Value, electrode_value, plan_size
from inference.next_seizure import seizure_value
from inference.onsets.fit import OnsetSample
from inference.onsets.recording import flattened, unseen_regions
from virtualbrain.seeg.trajectories import Trajectory

Array = NDArray[np.float64]

N_TARGETS = 12
COLUMNS = (
    "datum", "target", "seen", "n_contacts", "length_mm", "x", "y", "z", "entry_x", "entry_y",
    "entry_z", "value", "share", "judged", "judged_error", "entropy_drop", "p_before", "effective",
    "flattened",
)  # fmt: skip


@dataclass(frozen=True)
class Candidate:
    """One more electrode.

    Parameters
    ----------
    target : str
        Region of its innermost contact.
    trajectory : Trajectory
        Its contacts.
    gain : numpy.ndarray, shape (n_channels, n_regions)
        Gain of its bipolar channels, in the order of the problem's regions.
    """

    target: str
    trajectory: Trajectory
    gain: Array


@dataclass(frozen=True)
class FittedPatient:
    """A fit and the possible truths that it leaves."""

    sample: OnsetSample
    futures: Futures


def fitted_patient(sample: OnsetSample, suspicion: float, seed: int) -> FittedPatient:
    """Return the possible truths of a sample from all data; see `inference.full_sample`."""
    return FittedPatient(sample, futures_of(sample, suspicion, np.random.default_rng([seed, 1])))


def uncertain_regions(patient: FittedPatient) -> list[str]:
    """Return the regions whose p_ez is least certain: targets of one more electrode."""
    futures = patient.futures
    p = futures.weight @ futures.p_zone
    order = np.argsort(-p * (1.0 - p), kind="stable")[:N_TARGETS]
    names = patient.sample.density.problem.regions
    return [str(names[i]) for i in order if p[i] > 0]


def values(
    patient: FittedPatient, candidates: Sequence[Candidate], seed: int,
    progress: Callable[[str, float], None] | None = None,
) -> pd.DataFrame:  # fmt: skip
    """Return the value of each candidate and of other new data, the largest gain first.

    Other new data are one more seizure and, where the connectome is that of a group, the patient's
    own one.

    Returns
    -------
    pandas.DataFrame
        Columns: ``datum`` (electrode, seizure or connectome); ``target``, and ``seen``, regions
        that only the new channels see; contacts, length, tip and entry (mm, scanner RAS);
        ``value``, ``share`` and ``entropy_drop``: `Value.stated`, `Value.share`,
        `Value.entropy_drop`; ``judged`` with its Monte Carlo error: `Value.gain`; ``p_before
        effective flattened``: see `Value`.
    """
    sample, futures = patient.sample, patient.futures
    size = plan_size(futures)
    names = np.array(sample.density.problem.regions)
    rows = []
    for number, one in enumerate(candidates):
        # The same random numbers: candidates are compared with each other.
        rng = np.random.default_rng([seed, 2])
        value = electrode_value(futures, one.gain, sample.data, sample.rules, size, rng)
        new = futures.unseen & ~unseen_regions(flattened(one.gain))
        rows.append({**_placed(one), "seen": ",".join(names[new]) or None, **_worth(value)})
        if progress is not None:
            progress(one.target, (number + 1) / len(candidates))
    seizure = seizure_value(futures, sample, size, np.random.default_rng([seed, 3]))
    rows.append({"datum": "seizure", **_worth(seizure)})
    if sample.density.problem.group_connectome:
        own = connectome_value(futures, sample, size, np.random.default_rng([seed, 4]))
        rows.append({"datum": "connectome", **_worth(own)})
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    return table.sort_values("share", ascending=False, kind="stable", ignore_index=True)


def _placed(one: Candidate) -> dict[str, object]:
    tip, entry = one.trajectory.target, one.trajectory.entry
    return {
        "datum": "electrode",
        "target": one.target,
        "n_contacts": len(one.trajectory.contacts),
        "length_mm": round(one.trajectory.length_mm, 1),
        **dict(zip(("x", "y", "z"), np.round(tip, 1), strict=True)),
        **dict(zip(("entry_x", "entry_y", "entry_z"), np.round(entry, 1), strict=True)),
    }


def _worth(value: Value) -> dict[str, float]:
    return {
        "value": value.stated,
        "share": value.share,
        "judged": value.gain,
        "judged_error": value.gain_error,
        "entropy_drop": value.entropy_drop,
        "p_before": value.p_before,
        "effective": value.effective,
        "flattened": value.flattened,
    }
