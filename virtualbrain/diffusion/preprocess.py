"""From raw diffusion series to one corrected series: noise, ringing, motion, distortion, bias."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from virtualbrain.diffusion import mrtrix
from virtualbrain.diffusion.check import check_dwi, count_directions
from virtualbrain.diffusion.distortion import (
    Unwarping,
    encoding_on_grid,
    estimate_unwarping,
    sample_undistorted,
)
from virtualbrain.diffusion.fsl import correct_with_eddy, eddy_obstacle
from virtualbrain.diffusion.gradient_check import check_orientation
from virtualbrain.diffusion.head_mask import head_mask
from virtualbrain.diffusion.motion import (
    Motion,
    estimate_motion,
    hold_still,
    resample,
    rotate_gradients,
)
from virtualbrain.diffusion.quality import notes_on
from virtualbrain.diffusion.series import (
    PhaseEncoding,
    Series,
    load_epi,
    load_series,
    read_mif,
    write_mif,
)
from virtualbrain.diffusion.settings import DiffusionSettings
from virtualbrain.io.atomic import atomic_path
from virtualbrain.io.bids import DwiSeries, EpiImage
from virtualbrain.io.gradients import GradientTable
from virtualbrain.rigid_registration import (
    RegistrationTask,
    import_ants,
    one_thread_workers,
    register_all,
    volume_to_ants,
)

Array = NDArray[np.float64]
logger = logging.getLogger(__name__)


@dataclass
class _Journal:
    """What was corrected, what was not, and why."""

    corrections: list[dict[str, Any]] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)

    def note(self, name: str, done: bool, how: str) -> None:
        """Write down one correction."""
        self.corrections.append({"name": name, "done": done, "how": how})
        logger.info("%s: %s", name, how)


def preprocess_dwi(
    series: Sequence[DwiSeries],
    out_mif: Path,
    workdir: Path,
    settings: DiffusionSettings,
    threads: int,
    epi: Sequence[EpiImage] = (),
) -> dict[str, Any]:
    """Correct a patient's diffusion series and join them on the grid of the first one.

    Motion, eddy currents and distortion are FSL's where it is installed and the data allow it;
    elsewhere motion is found by registration, and distortion where series or images of `epi`
    were read out in opposite directions.

    Parameters
    ----------
    series : sequence of DwiSeries
        Every series of the patient.
    out_mif : Path
        MRtrix image to write, with the turned gradients in its header.
    workdir : Path
        Folder for files that are not kept.
    settings : DiffusionSettings
        What to correct.
    threads : int
        Cores to use; the result does not depend on it.
    epi : sequence of EpiImage
        Images without weighting of another phase encoding; they serve the unwarping alone.

    Returns
    -------
    dict
        Quality: shells, SNR, motion, the orientation check, and for each correction whether it
        was made, how, or why not; ``notes`` says in words what is out of the ordinary.

    Raises
    ------
    InputError
        The series are not as they must be; see `virtualbrain.diffusion.check.check_dwi`.
    ToolError
        MRtrix3 is missing or failed, or FSL is asked for and cannot be used.
    """
    problems = check_dwi(series, epi, settings)
    if problems:
        raise problems[0]
    workdir.mkdir(parents=True, exist_ok=True)
    journal = _Journal()
    loaded = [
        _cleaned(load_series(one), i, workdir, settings, threads, journal)
        for i, one in enumerate(series)
    ]
    maps = [load_epi(one) for one in epi] if settings.susceptibility != "none" else []
    obstacle = eddy_obstacle(loaded, settings)
    if not obstacle:
        joined = _through_eddy(loaded, maps, workdir, threads, journal)
    else:
        joined = _moved_together(loaded, maps, settings, threads, journal, obstacle)
    joined = _without_bias(joined, settings, journal)
    with atomic_path(out_mif) as temporary:
        write_mif(joined, temporary, workdir)
    return _quality(joined, len(series), journal)


def _cleaned(
    series: Series,
    number: int,
    workdir: Path,
    settings: DiffusionSettings,
    threads: int,
    journal: _Journal,
) -> Series:
    """Remove thermal noise and ringing, before anything is interpolated."""
    current = workdir / f"series-{number}.mif"
    write_mif(series, current, workdir)
    first = number == 0
    if settings.denoise and series.volumes.shape[3] >= _MIN_VOLUMES_TO_DENOISE:
        noise, target = workdir / f"noise-{number}.mif", workdir / f"denoised-{number}.mif"
        mrtrix.run("dwidenoise", current, target, "-noise", noise, "-force", threads=threads)
        current = target
        _note_noise(noise, read_mif(target, workdir), workdir, journal)
        if first:
            journal.note("noise", True, "MP-PCA (dwidenoise)")
    elif first:
        why = "switched off" if not settings.denoise else "too few volumes for MP-PCA"
        journal.note("noise", False, why)
    if settings.unring:
        target = workdir / f"unrung-{number}.mif"
        axes = _in_plane_axes(series)
        mrtrix.run("mrdegibbs", current, target, "-axes", axes, "-force", threads=threads)
        current = target
    if first:
        how = "sub-voxel shifts (mrdegibbs)" if settings.unring else "switched off"
        journal.note("ringing", settings.unring, how)
    read = read_mif(current, workdir)
    return replace(read, table=series.table, phase_encoding=series.phase_encoding)


_MIN_VOLUMES_TO_DENOISE = 10


def _in_plane_axes(series: Series) -> str:
    """Return the two axes of the slices for MRtrix, which reorders axes towards RAS."""
    reordered = np.argmax(np.abs(series.affine[:3, :3] / series.voxel_sizes), axis=0)
    return ",".join(str(axis) for axis in sorted(reordered[:2]))


def _note_noise(image: Path, series: Series, workdir: Path, journal: _Journal) -> None:
    """Note the noise level of the first series and its b0's signal over it, inside the head."""
    import nibabel as nib

    if "noise_sd" in journal.figures:
        return
    copy = workdir / f"{image.stem}.nii"
    mrtrix.convert(image, copy, "-strides", "1,2,3")
    inside = head_mask(series.mean_b0)
    sigma = float(np.median(np.asarray(nib.load(copy).dataobj, dtype=float)[inside]))
    journal.figures["noise_sd"] = sigma
    journal.figures["snr_b0"] = float(series.mean_b0[inside].mean()) / max(sigma, 1e-12)


def _through_eddy(
    loaded: list[Series], maps: list[Series], workdir: Path, threads: int, journal: _Journal
) -> Series:
    """Let FSL correct motion, eddy currents and, with two directions, susceptibility."""
    joined, movement = correct_with_eddy(loaded, maps, workdir, threads)
    journal.note("motion", True, "FSL's eddy (dwifslpreproc), gradients turned")
    journal.note("eddy currents", True, "FSL's eddy (dwifslpreproc)")
    directions = {_rounded(one.phase_encoding) for one in (*loaded, *maps)}
    opposite = len(directions) > 1
    how = "FSL's topup and eddy" if opposite else "one phase-encoding direction, and no field map"
    journal.note("susceptibility", opposite, how)
    journal.figures["motion_mm"] = movement.round(3).tolist() or [0.0]
    return joined


def _rounded(encoding: PhaseEncoding | None) -> tuple[float, ...]:
    return () if encoding is None else tuple(round(part, 2) for part in encoding.direction)


def _moved_together(
    loaded: list[Series],
    maps: list[Series],
    settings: DiffusionSettings,
    threads: int,
    journal: _Journal,
    obstacle: str,
) -> Series:
    """Correct motion within and between series and distortion; one interpolation for all."""
    motions = [_motion_of(one, settings, threads, journal) for one in (*loaded, *maps)]
    journal.note("eddy currents", False, f"their shear and scaling: {obstacle}")
    every, reference = [*loaded, *maps], loaded[0]
    still = [resample(one, motion.matrices) for one, motion in zip(every, motions, strict=True)]
    between = [np.eye(4), *_between_series(reference, still[1:])]
    unwarping, signs = _unwarping(every, still, between, settings, journal)
    n = len(loaded)
    pieces = [
        _on_reference(one, motion.matrices @ step, reference, unwarping, sign)
        for one, motion, step, sign in zip(loaded, motions[:n], between[:n], signs[:n], strict=True)
    ]
    return Series(
        np.concatenate([piece.volumes for piece in pieces], axis=3),
        reference.affine,
        GradientTable(
            np.concatenate([piece.table.bvals for piece in pieces]),
            np.vstack([piece.table.directions for piece in pieces]),
        ),
    )


def _motion_of(
    series: Series, settings: DiffusionSettings, threads: int, journal: _Journal
) -> Motion:
    """Estimate the motion of one series, or say that it was not done."""
    n = series.volumes.shape[3]
    first = "motion_mm" not in journal.figures
    if settings.motion == "none" or n < 2:
        motion = Motion(np.tile(np.eye(4), (n, 1, 1)), np.zeros(n))
        how = "switched off" if settings.motion == "none" else "one volume"
    else:
        motion = estimate_motion(series, threads)
        how = "rigid registration to predicted volumes (ANTs), gradients turned"
    if first:
        journal.note("motion", settings.motion != "none" and n > 1, how)
    journal.figures.setdefault("motion_mm", []).extend(motion.displacement_mm.round(3).tolist())
    return hold_still(motion, settings.motion_floor_mm)


def _between_series(reference: Series, others: list[Series]) -> list[Array]:
    """Register the mean b0 of each further series to the first one's."""
    mask = head_mask(reference.mean_b0)
    tasks = [
        RegistrationTask(
            fixed=reference.mean_b0.astype(np.float32),
            moving=other.mean_b0.astype(np.float32),
            fixed_affine=reference.affine,
            moving_affine=other.affine,
            fixed_mask=mask,
            shrink=(4, 2, 1),
            iterations=(100, 100, 30),
        )
        for other in others
    ]
    return register_all(tasks, 1) if tasks else []


def _unwarping(
    loaded: list[Series],
    still: list[Series],
    between: list[Array],
    settings: DiffusionSettings,
    journal: _Journal,
) -> tuple[Unwarping | None, list[int]]:
    """Estimate distortion where two series are read out in opposite directions."""
    reference = loaded[0]
    nothing = [0] * len(loaded)
    encodings = [one.phase_encoding for one in loaded]
    known = [
        encoding_on_grid(encoding, reference.affine)
        for encoding in encodings
        if encoding is not None
    ]
    readouts = {round(e.readout_s, 4) for e in encodings if e is not None}
    reason = ""
    if settings.susceptibility == "none":
        reason = "switched off"
    elif len(known) < len(loaded):
        reason = "the sidecar does not state PhaseEncodingDirection"
    elif len({axis for axis, _ in known}) > 1 or len({sign for _, sign in known}) < 2:
        reason = "no series and no image of fmap/ with opposite phase encoding"
    elif len(readouts) > 1 and not all(np.isnan(r) for r in readouts):
        reason = "the series differ in total readout time"
    if reason:
        journal.note("susceptibility", False, reason)
        return None, nothing
    axis, signs = known[0][0], [sign for _, sign in known]
    means = [
        _on_reference(one, np.tile(step, (one.volumes.shape[3], 1, 1)), reference, None, 0).mean_b0
        for one, step in zip(still, between, strict=True)
    ]
    pair = [
        np.mean([m for m, s in zip(means, signs, strict=True) if s == sign], axis=0)
        for sign in (1, -1)
    ]
    unwarping = estimate_unwarping(pair[0], pair[1], reference.voxel_sizes, axis)
    _judge_unwarping(unwarping, pair, reference, journal)
    return unwarping, signs


def _judge_unwarping(
    unwarping: Unwarping, pair: list[Array], reference: Series, journal: _Journal
) -> None:
    """Note how alike the two directions are before and after."""
    mask = head_mask((pair[0] + pair[1]) / 2)
    after = [
        sample_undistorted(
            image.astype(np.float32), unwarping.positions(sign), np.eye(4), unwarping.axis
        )
        for image, sign in zip(pair, (1, -1), strict=True)
    ]
    figures = {
        "correlation_before": float(np.corrcoef(pair[0][mask], pair[1][mask])[0, 1]),
        "correlation_after": float(np.corrcoef(after[0][mask], after[1][mask])[0, 1]),
        "largest_shift_mm": unwarping.largest_shift(mask)
        * float(reference.voxel_sizes[unwarping.axis]),
    }
    journal.figures["susceptibility"] = figures
    journal.note(
        "susceptibility",
        True,
        "symmetric registration of opposite phase encodings (ANTs), "
        f"b0 correlation {figures['correlation_before']:.2f} to {figures['correlation_after']:.2f}",
    )


def _on_reference(
    series: Series, matrices: Array, reference: Series, unwarping: Unwarping | None, sign: int
) -> Series:
    """Sample every volume on the reference grid, gradients turned with it."""
    table = rotate_gradients(series.table, matrices)
    same_grid = series.volumes.shape[:3] == reference.volumes.shape[:3] and np.allclose(
        series.affine, reference.affine, atol=1e-4
    )
    positions, axis = np.indices(reference.volumes.shape[:3], dtype=float)[0], 0
    if unwarping is not None:
        positions, axis = unwarping.positions(sign), unwarping.axis
    shape = (*reference.volumes.shape[:3], series.volumes.shape[3])
    moved = np.empty(shape, dtype=np.float32)
    for i, matrix in enumerate(matrices):
        volume = series.volumes[..., i]
        if unwarping is None and same_grid and np.array_equal(matrix, np.eye(4)):
            moved[..., i] = volume
            continue
        pull = np.linalg.inv(series.affine) @ matrix @ reference.affine
        moved[..., i] = sample_undistorted(volume, positions, pull, axis)
    return Series(moved, reference.affine, table)


def _without_bias(series: Series, settings: DiffusionSettings, journal: _Journal) -> Series:
    """Divide by the receive field, estimated by N4 on the mean b0."""
    if not settings.bias:
        journal.note("bias", False, "switched off")
        return series
    with one_thread_workers(1) as pool:
        bias = pool.submit(_bias_field, series.mean_b0, series.affine).result()
    journal.note("bias", True, "N4 on the mean b0 (ANTs)")
    return series.with_volumes(series.volumes / bias[..., None])


def _bias_field(mean_b0: Array, affine: Array) -> NDArray[np.float32]:
    """Return the receive field, scaled to a mean of one inside the head."""
    ants = import_ants()
    mask = head_mask(mean_b0)
    image = volume_to_ants(mean_b0.astype(np.float32), affine)
    field = ants.n4_bias_field_correction(
        image,
        mask=volume_to_ants(mask.astype(np.float32), affine),
        shrink_factor=4,
        return_bias_field=True,
    ).numpy()
    return np.asarray(np.maximum(field / field[mask].mean(), 0.05), dtype=np.float32)


def _quality(series: Series, n_series: int, journal: _Journal) -> dict[str, Any]:
    """Join the figures of all steps."""
    orientation = check_orientation(series.volumes, series.affine, series.table)
    moved = np.array(journal.figures.get("motion_mm", [0.0]))
    figures = {
        "n_series": n_series,
        "n_directions": count_directions(series.table),
        "n_volumes": int(series.volumes.shape[3]),
        "shells": {str(b): n for b, n in series.table.shells().items()},
        "voxel_size_mm": series.voxel_sizes.round(4).tolist(),
        "max_motion_mm": float(moved.max()),
        "mean_motion_mm": float(moved.mean()),
        "orientation_margin": orientation.margin,
        "orientation_best": orientation.best,
        "corrections": journal.corrections,
        **journal.figures,
    }
    undone = [f"{one['name']} ({one['how']})" for one in journal.corrections if not one["done"]]
    left = [f"Not corrected: {'; '.join(undone)}."] if undone else []
    return {**figures, "notes": [*notes_on(figures), *left]}
