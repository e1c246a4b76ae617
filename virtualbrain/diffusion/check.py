"""What is wrong with the diffusion series, found before any long work starts."""

import logging
from collections.abc import Sequence

import numpy as np

from virtualbrain.diffusion.orientation import brain_voxels, check_orientation
from virtualbrain.diffusion.series import Series, load_series
from virtualbrain.errors import InputError, VirtualBrainError
from virtualbrain.io.bids import DwiSeries
from virtualbrain.io.gradients import GradientTable

logger = logging.getLogger(__name__)

MIN_DIRECTIONS = 6
MIN_ORIENTATION_MARGIN = 0.95
"""Continuity of the table as given over the best other one, below which it is refused."""


def check_dwi(series: Sequence[DwiSeries]) -> list[VirtualBrainError]:
    """Return every problem of a patient's diffusion series, one line each.

    Parameters
    ----------
    series : sequence of DwiSeries
        As `virtualbrain.io.bids.find_patient` found them; empty is no problem here.
    """
    problems: list[VirtualBrainError] = []
    loaded = []
    for files in series:
        try:
            one = load_series(files)
            loaded.append(one)
            problems += _problems_of(one, files)
        except VirtualBrainError as problem:
            problems.append(problem)
    if loaded and len(loaded) == len(series) and not problems:
        problems += _joint_problems(loaded, series)
    return problems


def count_directions(table: GradientTable) -> int:
    """Return the number of weighted directions that differ by more than a sign."""
    directions = table.directions[~table.is_b0]
    if not len(directions):
        return 0
    alike = np.abs(directions @ directions.T) > np.cos(np.deg2rad(2.0))
    first_of_its_kind = ~np.any(np.tril(alike, k=-1), axis=1)
    return int(first_of_its_kind.sum())


def _problems_of(series: Series, files: DwiSeries) -> list[VirtualBrainError]:
    """Problems of one series that could be read."""
    table, name = series.table, files.image.name
    if not table.is_b0.any():
        return [
            InputError(
                "no volume without diffusion weighting",
                where=files.bval.name,
                expected="at least one b-value of 0",
                cure="add the b0 image of the same scan",
            )
        ]
    if table.is_b0.all():
        return _signal_problems(series, files)
    if table.bvals.max() < 300:
        return [
            InputError(
                f"the largest b-value is {table.bvals.max():g}",
                where=files.bval.name,
                expected="b-values in s/mm², 700 or more for tractography",
            )
        ]
    if not np.isfinite(series.volumes).all():
        return [InputError("values that are not numbers", where=name, cure="convert it again")]
    return _signal_problems(series, files)


def _signal_problems(series: Series, files: DwiSeries) -> list[VirtualBrainError]:
    """Problems that show in the signal: an empty image, volumes in another order."""
    if not (series.mean_b0 > 0).any() or np.ptp(series.mean_b0) == 0:
        return [InputError("the b0 image is empty", where=files.image.name)]
    means = series.volumes[brain_voxels(series.mean_b0)].mean(axis=0)
    is_b0 = series.table.is_b0
    if is_b0.all():
        return []
    if means[is_b0].min() <= np.median(means[~is_b0]):
        volume = int(np.flatnonzero(is_b0)[np.argmin(means[is_b0])]) + 1
        return [
            InputError(
                f"volume {volume} has a b-value of 0 but is darker than the weighted ones",
                where=files.bval.name,
                expected="b-values in the order of the volumes",
                cure="take bval and bvec of this very series",
            )
        ]
    return []


def _joint_problems(loaded: list[Series], files: Sequence[DwiSeries]) -> list[VirtualBrainError]:
    """Problems of the series together: too few directions, a turned gradient table."""
    table = GradientTable(
        np.concatenate([one.table.bvals for one in loaded]),
        np.vstack([one.table.directions for one in loaded]),
    )
    n_directions = count_directions(table)
    if n_directions < MIN_DIRECTIONS:
        return [
            InputError(
                f"{n_directions} diffusion directions",
                where=", ".join(one.bvec.name for one in files),
                expected=f"{MIN_DIRECTIONS} or more that differ",
                cure="give every series of the scan, or a ready connectome",
            )
        ]
    pairs = zip(loaded, files, strict=True)
    return [
        problem
        for one, its in pairs
        if count_directions(one.table) >= MIN_DIRECTIONS
        and (problem := orientation_problem(one, its)) is not None
    ]


def orientation_problem(series: Series, files: DwiSeries) -> InputError | None:
    """Return the error of a gradient table that does not belong to its image, else None."""
    found = check_orientation(series.volumes, series.affine, series.table)
    if found.margin >= MIN_ORIENTATION_MARGIN:
        return None
    return InputError(
        f"fibres are more continuous with the gradient table's {found.best} "
        f"(continuity {found.scores[found.best]:.3f} against {found.scores['as given']:.3f})",
        where=files.bvec.name,
        expected="directions along the image's axes in FSL's convention",
        cure="convert the series again, or correct the bvec file",
    )
