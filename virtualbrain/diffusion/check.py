"""Check the diffusion series before any long computation."""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.measure import block_reduce
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from virtualbrain.diffusion.fsl import eddy_obstacle
from virtualbrain.diffusion.gradient_check import check_order, check_orientation
from virtualbrain.diffusion.head_mask import head_mask
from virtualbrain.diffusion.series import Series, load_epi, load_series
from virtualbrain.diffusion.settings import DiffusionSettings
from virtualbrain.errors import InputError, ToolError, VirtualBrainError
from virtualbrain.io.bids import DwiSeries, EpiImage
from virtualbrain.io.gradients import GradientTable
from virtualbrain.io.images import ImageReader, read_image
from virtualbrain.rigid_registration import RegistrationTask, register_rigid

logger = logging.getLogger(__name__)

Array = NDArray[np.float64]
_HINT_SAME_SERIES = "provide the bval and bvec files of this series"
MIN_DIRECTIONS = 6
MIN_SHARE_IN_T1 = 0.8
"""Smallest fraction of the head in the diffusion series that is inside the head in the T1."""
MIN_DIRECTIONS_TO_JUDGE_ORDER = 10
MIN_VOXELS_TO_JUDGE_AXES = 200
MIN_ORDER_ABOVE_CHANCE = 3.0
"""Smallest distance of the given volume order from random orders, in standard deviations."""
_COARSE_MM = 4.0
MIN_ORIENTATION_MARGIN = 0.95
"""Smallest ratio of the continuity of the given gradient table to that of the best other one."""


def check_dwi(
    series: Sequence[DwiSeries],
    epi: Sequence[EpiImage] = (),
    settings: DiffusionSettings | None = None,
    t1: Path | None = None,
    read: ImageReader = read_image,
) -> list[VirtualBrainError]:
    """Return every problem of a patient's diffusion series.

    Parameters
    ----------
    series : sequence of DwiSeries
        Series from `virtualbrain.io.bids.find_patient`; none is not a problem.
    epi : sequence of EpiImage
        Images in fmap/ for these series.
    settings : DiffusionSettings, optional
        Methods; checked against the series and the installed programs.
    t1 : Path, optional
        The T1; its head must be that of the first series.
    read : callable
        Reads the T1.
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
        with threadpool_limits(1, user_api="blas"):  # the products are too small for threads
            problems += _joint_problems(loaded, series)
        problems += _eddy_problems(loaded, settings or DiffusionSettings())
    if loaded and t1 is not None and not problems:
        problems += check_same_head(t1, loaded[0], series[0].image.name, read)
    return problems


def _epi_problems(files: EpiImage) -> list[VirtualBrainError]:
    """Check that an image in fmap/ is readable and states its phase encoding."""
    try:
        load_epi(files)
    except VirtualBrainError as problem:
        return [problem]
    return []


def _eddy_problems(loaded: list[Series], settings: DiffusionSettings) -> list[VirtualBrainError]:
    """Check that FSL's eddy can be used if the settings require it."""
    obstacle = eddy_obstacle(loaded, settings) if settings.motion == "eddy" else ""
    if not obstacle:
        return []
    return [
        ToolError(
            f"diffusion.motion is eddy, but {obstacle}",
            where="configuration, diffusion.motion",
            expected="FSL on the PATH, FSLDIR set, and sidecars with PhaseEncodingDirection and "
            "TotalReadoutTime",
            hint="set diffusion.motion to auto",
        )
    ]


def count_directions(table: GradientTable) -> int:
    """Return the number of distinct gradient directions; opposite directions count once."""
    directions = table.directions[~table.is_b0]
    if not len(directions):
        return 0
    same = np.abs(directions @ directions.T) > np.cos(np.deg2rad(2.0))
    is_new = ~np.any(np.tril(same, k=-1), axis=1)
    return int(is_new.sum())


def check_same_head(
    t1: Path, series: Series, name: str, read: ImageReader = read_image
) -> list[VirtualBrainError]:
    """Check that a rigid transform aligns the T1 with the diffusion series.

    This finds a T1 of another body part. It does not distinguish two people: the figure
    ``white_matter_likeness`` does, after the FODs have been estimated.
    """
    image = read(t1)
    b0, b0_affine = _coarse(series.mean_b0, series.affine)
    head, t1_affine = _coarse(np.asarray(image.dataobj), np.asarray(image.affine))
    within = _coarse(series.head, series.affine)[0] > 0.5
    filled = head_mask(head).astype(np.float32)

    def fraction_inside(matrix: Array) -> float:
        """Return the fraction of the series' head inside the transformed head of the T1."""
        pull = np.linalg.inv(t1_affine) @ matrix @ b0_affine
        moved = ndimage.affine_transform(
            filled, pull[:3, :3], pull[:3, 3], output_shape=within.shape, order=1
        )
        return float((moved[within] > 0.5).mean())

    if fraction_inside(np.eye(4)) >= MIN_SHARE_IN_T1:
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
    fraction = fraction_inside(register_rigid(task))
    if fraction >= MIN_SHARE_IN_T1:
        return []
    return [
        InputError(
            f"after registration only {fraction:.0%} of the head in the diffusion series is "
            "inside the head in the T1",
            where=f"{t1.name}, {name}",
            expected=f"{MIN_SHARE_IN_T1:.0%} or more",
            hint="check that both images show the whole head of this patient",
        )
    ]


def _coarse(volume: NDArray[np.generic], affine: Array) -> tuple[Array, Array]:
    """Average a volume to voxels of about 4 mm."""
    sizes = np.linalg.norm(affine[:3, :3], axis=0)
    factors = np.maximum(np.rint(_COARSE_MM / sizes), 1).astype(int)
    kept = tuple(slice(n // f * f) for n, f in zip(volume.shape, factors, strict=True))
    small = block_reduce(volume[kept], tuple(factors), np.mean, func_kwargs={"dtype": np.float64})
    centre = np.eye(4)
    centre[:3, :3], centre[:3, 3] = np.diag(factors), (factors - 1) / 2
    return np.asarray(small), np.asarray(affine @ centre)


def _problems_of(series: Series, files: DwiSeries) -> list[VirtualBrainError]:
    """Return the problems of a readable series."""
    table, name = series.table, files.image.name
    if not table.is_b0.any():
        return [
            InputError(
                "no b = 0 volume",
                where=files.bval.name,
                expected="at least one volume without diffusion weighting (b-value 0)",
                hint="add the b = 0 volume of the same scan",
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
                hint="convert the b-values to s/mm²",
            )
        ]
    if not np.isfinite(series.volumes).all():
        return [
            InputError(
                "some voxel values are not finite numbers",
                where=name,
                expected="finite values in every voxel",
                hint="convert the series again",
            )
        ]
    return _signal_problems(series, files)


def _signal_problems(series: Series, files: DwiSeries) -> list[VirtualBrainError]:
    """Check the signal: the b = 0 volumes are not empty and are the brightest."""
    if not (series.mean_b0 > 0).any() or np.ptp(series.mean_b0) == 0:
        return [
            InputError(
                "the b = 0 volumes are empty",
                where=files.image.name,
                expected="positive signal in the head",
                hint="convert the series again",
            )
        ]
    means = series.volumes[series.head].mean(axis=0)
    is_b0 = series.table.is_b0
    if is_b0.all():
        return []
    if means[is_b0].min() <= np.median(means[~is_b0]):
        volume = int(np.flatnonzero(is_b0)[np.argmin(means[is_b0])]) + 1
        return [
            InputError(
                f"volume {volume} has b-value 0 but is darker than the diffusion-weighted volumes",
                where=files.bval.name,
                expected="b-values in the order of the volumes",
                hint=_HINT_SAME_SERIES,
            )
        ]
    return []


def _joint_problems(loaded: list[Series], files: Sequence[DwiSeries]) -> list[VirtualBrainError]:
    """Check the series together: number of directions, volume order and gradient axes."""
    table = GradientTable(
        np.concatenate([one.table.bvals for one in loaded]),
        np.vstack([one.table.directions for one in loaded]),
    )
    n_directions = count_directions(table)
    if n_directions < MIN_DIRECTIONS:
        return [
            InputError(
                f"only {n_directions} diffusion directions",
                where=", ".join(one.bvec.name for one in files),
                expected=f"{MIN_DIRECTIONS} or more distinct directions",
                hint="provide all series of the scan, or a ready connectome",
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
    """Return the error if the directions are not in the order of the volumes, else None."""
    found = check_order(series)
    if found.above_chance < MIN_ORDER_ABOVE_CHANCE:
        reason = "they predict the volumes no better than in a random order"
    elif found.better:
        reason = f"{found.better} they predict the volumes better"
    else:
        return None
    return InputError(
        f"the gradient directions are not in the order of the volumes: {reason}",
        where=files.bvec.name,
        expected="one direction per volume, in the order of the volumes",
        hint=_HINT_SAME_SERIES,
    )


def orientation_problem(series: Series, files: DwiSeries) -> InputError | None:
    """Return the error if the axes of the gradient table are wrong, else None."""
    found = check_orientation(series)
    if found.n_voxels < MIN_VOXELS_TO_JUDGE_AXES or found.margin >= MIN_ORIENTATION_MARGIN:
        return None
    return InputError(
        f"the axes of the gradient table are probably wrong: with {found.best} the fibres are "
        f"more continuous (continuity {found.scores[found.best]:.3f}; as given "
        f"{found.scores['as given']:.3f})",
        where=files.bvec.name,
        expected="directions along the image axes in FSL's convention",
        hint="convert the series again, or correct the bvec file",
    )
