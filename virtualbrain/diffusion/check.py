"""What is wrong with the diffusion series, found before any long work starts."""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.measure import block_reduce

from virtualbrain.diffusion.fsl import eddy_obstacle
from virtualbrain.diffusion.gradient_check import check_order, check_orientation
from virtualbrain.diffusion.head_mask import head_mask
from virtualbrain.diffusion.series import Series, load_epi, load_series
from virtualbrain.diffusion.settings import DiffusionSettings
from virtualbrain.errors import InputError, ToolError, VirtualBrainError
from virtualbrain.io.bids import DwiSeries, EpiImage
from virtualbrain.io.gradients import GradientTable
from virtualbrain.io.images import read_image
from virtualbrain.rigid_registration import RegistrationTask, register_rigid

logger = logging.getLogger(__name__)

Array = NDArray[np.float64]
MIN_DIRECTIONS = 6
MIN_SHARE_IN_T1 = 0.8
"""Share of the head in the diffusion images that must lie in the T1's head."""
MIN_DIRECTIONS_TO_JUDGE_ORDER = 10
MIN_ORDER_ABOVE_CHANCE = 3.0
"""Standard deviations above random orders that the order as given must reach."""
_COARSE_MM = 4.0
MIN_ORIENTATION_MARGIN = 0.95
"""Continuity of the table as given over the best other one, below which it is refused."""


def check_dwi(
    series: Sequence[DwiSeries],
    epi: Sequence[EpiImage] = (),
    settings: DiffusionSettings | None = None,
) -> list[VirtualBrainError]:
    """Return every problem of a patient's diffusion series, one line each.

    Parameters
    ----------
    series : sequence of DwiSeries
        As `virtualbrain.io.bids.find_patient` found them; empty is no problem here.
    epi : sequence of EpiImage
        The images of fmap/ that belong to them.
    settings : DiffusionSettings, optional
        Refused when they ask for what these series or this machine cannot do.
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
    problems += [problem for image in epi for problem in _epi_problems(image)]
    if loaded and len(loaded) == len(series) and not problems:
        problems += _joint_problems(loaded, series)
        problems += _eddy_problems(loaded, settings or DiffusionSettings())
    return problems


def _epi_problems(files: EpiImage) -> list[VirtualBrainError]:
    """Problems of an image of fmap/: unreadable, or without its phase encoding."""
    try:
        load_epi(files)
    except VirtualBrainError as problem:
        return [problem]
    return []


def _eddy_problems(loaded: list[Series], settings: DiffusionSettings) -> list[VirtualBrainError]:
    """Say why FSL's eddy cannot be used where it is asked for by name."""
    obstacle = eddy_obstacle(loaded, settings) if settings.motion == "eddy" else ""
    if not obstacle:
        return []
    return [
        ToolError(
            f"FSL's eddy is asked for, but {obstacle}",
            where="configuration, diffusion.motion",
            expected="FSL on the PATH, FSLDIR set, and sidecars that state the read-out",
            hint="set diffusion.motion to auto",
        )
    ]


def count_directions(table: GradientTable) -> int:
    """Return the number of weighted directions that differ by more than a sign."""
    directions = table.directions[~table.is_b0]
    if not len(directions):
        return 0
    alike = np.abs(directions @ directions.T) > np.cos(np.deg2rad(2.0))
    first_of_its_kind = ~np.any(np.tril(alike, k=-1), axis=1)
    return int(first_of_its_kind.sum())


def check_same_head(t1: Path, files: DwiSeries) -> list[VirtualBrainError]:
    """Find a T1 that no turn or shift brings over the diffusion series, as another part's is.

    Heads of two people of one size pass: what tells them apart is the figure
    ``white_matter_likeness``, known when tissues and fibres are.
    """
    series, image = load_series(files), read_image(t1)
    b0, b0_affine = _coarse(series.mean_b0, series.affine)
    head, t1_affine = _coarse(np.asarray(image.dataobj, dtype=float), np.asarray(image.affine))
    within, filled = head_mask(b0), head_mask(head).astype(np.float32)

    def share(matrix: Array) -> float:
        """Share of the series' head in the T1's, once it is moved."""
        pull = np.linalg.inv(t1_affine) @ matrix @ b0_affine
        moved = ndimage.affine_transform(
            filled, pull[:3, :3], pull[:3, 3], output_shape=within.shape, order=1
        )
        return float((moved[within] > 0.5).mean())

    if share(np.eye(4)) >= MIN_SHARE_IN_T1:
        return []
    task = RegistrationTask(
        fixed=b0.astype(np.float32),
        moving=head.astype(np.float32),
        fixed_affine=b0_affine,
        moving_affine=t1_affine,
        fixed_mask=ndimage.binary_dilation(within, iterations=2),
        from_centres=True,
        shrink=(2, 1),
        iterations=(100, 50),
        sampling=0.5,
    )
    found = share(register_rigid(task))
    if found >= MIN_SHARE_IN_T1:
        return []
    return [
        InputError(
            f"only {found:.0%} of the head in the diffusion series lies in the T1's head, "
            "however the two are turned",
            where=f"{t1.name}, {files.image.name}",
            expected=f"{MIN_SHARE_IN_T1:.0%} or more",
            hint="check that both images are of this patient, and of the whole head",
        )
    ]


def _coarse(volume: Array, affine: Array) -> tuple[Array, Array]:
    """Average a volume to voxels of about 4 mm, for a first look."""
    sizes = np.linalg.norm(affine[:3, :3], axis=0)
    factors = np.maximum(np.rint(_COARSE_MM / sizes), 1).astype(int)
    kept = tuple(slice(n // f * f) for n, f in zip(volume.shape, factors, strict=True))
    small = block_reduce(volume[kept], tuple(factors), np.mean)
    centre = np.eye(4)
    centre[:3, :3], centre[:3, 3] = np.diag(factors), (factors - 1) / 2
    return np.asarray(small), np.asarray(affine @ centre)


def _problems_of(series: Series, files: DwiSeries) -> list[VirtualBrainError]:
    """Problems of one series that could be read."""
    table, name = series.table, files.image.name
    if not table.is_b0.any():
        return [
            InputError(
                "no volume without diffusion weighting",
                where=files.bval.name,
                expected="at least one b-value of 0",
                hint="add the b0 image of the same scan",
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
        return [InputError("values that are not numbers", where=name, hint="convert it again")]
    return _signal_problems(series, files)


def _signal_problems(series: Series, files: DwiSeries) -> list[VirtualBrainError]:
    """Problems that show in the signal: an empty image, volumes in another order."""
    if not (series.mean_b0 > 0).any() or np.ptp(series.mean_b0) == 0:
        return [InputError("the b0 image is empty", where=files.image.name)]
    means = series.volumes[head_mask(series.mean_b0)].mean(axis=0)
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
                hint="take bval and bvec of this very series",
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
                hint="give every series of the scan, or a ready connectome",
            )
        ]
    found = []
    for one, its in zip(loaded, files, strict=True):
        n = count_directions(one.table)
        problem = order_problem(one, its) if n >= MIN_DIRECTIONS_TO_JUDGE_ORDER else None
        if problem is None and n >= MIN_DIRECTIONS:
            problem = orientation_problem(one, its)
        found.append(problem)
    return [problem for problem in found if problem is not None]


def order_problem(series: Series, files: DwiSeries) -> InputError | None:
    """Return the error of directions that stand in another order than the volumes, else None."""
    found = check_order(series.volumes, series.table)
    if found.above_chance < MIN_ORDER_ABOVE_CHANCE:
        what = "the directions fit the volumes no better than in a random order"
    elif found.better:
        what = f"the directions {found.better} fit the volumes better"
    else:
        return None
    return InputError(
        what,
        where=files.bvec.name,
        expected="one direction per volume, in the order of the volumes",
        hint="take bval and bvec of this very series",
    )


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
        hint="convert the series again, or correct the bvec file",
    )
