"""Compare the results of a finished run with the truth of a demo patient."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from virtualbrain.errors import InputError
from virtualbrain.io.images import read_image
from virtualbrain.io.layout import PatientLayout
from virtualbrain.io.seeg import read_channels, read_envelope
from virtualbrain.io.tables import read_matrix, read_table
from virtualbrain.synthetic.scores import (
    OnsetScore,
    Proportion,
    compare_onsets,
    compare_weights,
    depths_mm,
    dice_by_region,
)
from virtualbrain.synthetic.truth_files import (
    read_region_truth,
    read_true_channels,
    read_true_contacts,
    read_true_weights,
    true_labels,
)

DEEP_MM = 2.0


@dataclass(frozen=True)
class DemoScores:
    """Agreement of a run with the truth; None where the run or the truth has no such part.

    Parameters
    ----------
    label, priors : str
        Participant and prior set.
    dice : pandas.DataFrame, optional
        `region structure dice` for every true region; 0 if the run has no such region.
    weights_spearman : float, optional
        Rank correlation of recovered and true weights over the true connections.
    weights_log_pearson : float, optional
        Correlation of their logarithms over connections present in both.
    connections_found : float, optional
        Fraction of the true connections with a weight above zero.
    ranks : dict of str to int or None
        Rank in zones.tsv of every true epileptogenic region; None if it is not listed.
    recruited_in_first_ten : float, optional
        Fraction of the truly recruited regions among the first ten.
    n_regions : int
        Number of ranked regions.
    verdict : str, optional
        Verdict of the diagnosis.
    contact_accuracy : float, optional
        Fraction of the contacts in grey matter whose region is the true one.
    deep_contacts : Proportion, optional
        The same for contacts more than 2 mm inside their region.
    clear_contacts : Proportion, optional
        The same for contacts in grey matter more than 2 mm away from every other region.
    onsets : OnsetScore, optional
        Channel onsets of the first seizure.
    seconds : dict of str to float
        Duration of each stage.
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
    deep_contacts: Proportion | None
    clear_contacts: Proportion | None
    onsets: OnsetScore | None
    seconds: dict[str, float]

    @property
    def dice_cortical(self) -> float | None:
        """Median Dice of the cortical regions."""
        return self._median_dice("cortex")

    @property
    def dice_subcortical(self) -> float | None:
        """Median Dice of the subcortical regions."""
        return self._median_dice("subcortex")

    def _median_dice(self, structure: str) -> float | None:
        if self.dice is None:
            return None
        part = self.dice.loc[self.dice["structure"] == structure, "dice"]
        return float(part.median()) if len(part) else None

    @property
    def both_in_first_four(self) -> bool:
        """Whether every true epileptogenic region is among the first four ranks."""
        return bool(self.ranks) and all(r is not None and r <= 4 for r in self.ranks.values())


def score_demo(out: Path, dataset: Path, label: str = "01", priors: str = "default") -> DemoScores:
    """Compare the results of a run with the truth of a demo patient.

    Parameters
    ----------
    out : Path
        Output folder of the run.
    dataset : Path
        Dataset of the demo patient.
    label : str
        The participant, without ``sub-``.
    priors : str
        The prior set whose zones are scored.

    Raises
    ------
    InputError
        The dataset has no truth of this participant.
    """
    layout = PatientLayout(Path(out), label)
    truth = read_region_truth(dataset, label)
    connectome = _if_present(lambda: _weight_scores(layout, dataset, label))
    zones = _if_present(lambda: read_table(layout.zones(priors), required=("rank", "region")))
    diagnosis = _if_present(
        lambda: json.loads(layout.diagnostics(priors).read_text(encoding="utf-8"))
    )
    contacts = _if_present(lambda: _contact_scores(layout, dataset, label))
    return DemoScores(
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
        onsets=_if_present(lambda: _onset_score(layout, dataset, label)),
        seconds=stage_seconds(layout),
    )


def _if_present[Value](read: Callable[[], Value]) -> Value | None:
    """Return what `read` returns, or None if its file is missing."""
    try:
        return read()
    except (InputError, FileNotFoundError):
        return None


# ---- parts --------------------------------------------------------------------------------


def _dice_of(layout: PatientLayout, dataset: Path, label: str) -> pd.DataFrame | None:
    path, regions = true_labels(dataset, label)
    if not (path.is_file() and layout.labels.is_file() and layout.regions.is_file()):
        return None
    found = read_table(layout.regions, required=("index", "name"))
    return dice_by_region(read_image(path), regions, read_image(layout.labels), found)


def _weight_scores(
    layout: PatientLayout, dataset: Path, label: str
) -> tuple[float | None, float | None, float | None]:
    true = read_true_weights(dataset, label)
    found = read_matrix(layout.relmat("streamlines"))
    return compare_weights(true, found)


def _ranks(zones: pd.DataFrame | None, truth: pd.DataFrame) -> dict[str, int | None]:
    """Return the rank of every true epileptogenic region."""
    zone = truth.loc[truth["zone"] == "EZ", "region"]
    if zones is None:
        return dict.fromkeys(zone)
    listed = dict(zip(zones["region"], zones["rank"], strict=True))
    return {str(n): int(listed[n]) if n in listed else None for n in zone}


def _recruited(zones: pd.DataFrame | None, truth: pd.DataFrame) -> float | None:
    recruited = set(truth.loc[truth["zone"] == "PZ", "region"])
    if zones is None or not recruited:
        return None
    first = set(zones.loc[zones["rank"] <= 10, "region"])
    return len(recruited & first) / len(recruited)


def _contact_scores(
    layout: PatientLayout, dataset: Path, label: str
) -> tuple[float | None, Proportion | None, Proportion | None]:
    """Score the regions of contacts in grey matter: all, deep ones, unambiguous ones."""
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
        Proportion(int(right[deep].sum()), int(deep.sum())),
        Proportion(int(right[clear].sum()), int(clear.sum())),
    )


def _onset_score(layout: PatientLayout, dataset: Path, label: str) -> OnsetScore:
    """Score the channel onsets of the first seizure."""
    true = read_true_channels(dataset, label)
    faults = read_true_contacts(dataset, label).set_index("name")["fault"]
    faulty = [
        faults[a] != "none" or faults[c] != "none" for a, c in true[["anode", "cathode"]].values
    ]
    found = read_channels(layout.channels).set_index("name")["onset_s"]
    marked_s = float(read_envelope(layout.envelope(1)).attrs["onset_in_recording_s"])
    return compare_onsets(true.assign(faulty=faulty), found + marked_s)


def stage_seconds(layout: PatientLayout) -> dict[str, float]:
    """Return the duration of every stage with a benchmark, in order of completion."""
    folder = layout.benchmark("any").parent
    paths = sorted(folder.glob("*.tsv"), key=lambda path: path.stat().st_mtime)
    return {path.stem: _seconds(path) for path in paths}


def _seconds(path: Path) -> float:
    """Return the mean of column ``s`` of a benchmark file of Snakemake."""
    return float(pd.read_csv(path, sep="\t")["s"].mean())
