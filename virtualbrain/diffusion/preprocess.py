"""Correct diffusion series for noise, ringing, motion, distortion and bias, and join them."""

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
    itk_workers,
    register_all,
    volume_to_ants,
)

Array = NDArray[np.float64]
logger = logging.getLogger(__name__)


@dataclass
class _CorrectionLog:
    """Corrections made, corrections omitted with reasons, and quality figures."""

    corrections: list[dict[str, Any]] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)

    def note(self, name: str, *, done: bool, how: str) -> None:
        """Record one correction, made or omitted."""
        self.corrections.append({"name": name, "done": done, "how": how})
        logger.info("%s: %s", name, how)


def preprocess_dwi(
    series: Sequence[DwiSeries],
    out_mif: Path,
    workdir: Path,
    settings: DiffusionSettings,
    *,
    threads: int,
    epi: Sequence[EpiImage] = (),
) -> dict[str, Any]:
    """Correct a patient's diffusion series and join them on the grid of the first one.

    FSL corrects motion, eddy currents and susceptibility distortion if it is installed and the
    data allow it. Otherwise motion is corrected by registration, and susceptibility distortion is
    corrected if series or images of `epi` have opposite phase encodings.

    Parameters
    ----------
    series : sequence of DwiSeries
        All series of the patient.
    out_mif : Path
        MRtrix image to write, with the rotated gradients in its header.
    workdir : Path
        Folder for temporary files.
    settings : DiffusionSettings
        Corrections to make.
    threads : int
        Number of cores; the result does not depend on it.
    epi : sequence of EpiImage
        b = 0 images of another phase encoding, used only to estimate susceptibility distortion.

    Returns
    -------
    dict
        Quality figures: shells, SNR, motion, gradient check; ``corrections``: for each
        correction whether and how it was made, or why not; ``notes``: unusual figures in words.

    Raises
    ------
    InputError
        A series is invalid; see `virtualbrain.diffusion.check.check_dwi`.
    ToolError
        MRtrix3 is missing or failed, or FSL is required and cannot be used.
    """
    problems = check_dwi(series, epi, settings)
    if problems:
        raise problems[0]
    workdir.mkdir(parents=True, exist_ok=True)
    log = _CorrectionLog()
    # Single volumes last: the first series is the reference, and the log describes it.
    read = sorted((load_series(one) for one in series), key=lambda one: one.volumes.shape[3] == 1)
    loaded = [_without_noise(one, i, workdir, settings, threads, log) for i, one in enumerate(read)]
    maps = [load_epi(one) for one in epi] if settings.susceptibility != "none" else []
    obstacle = eddy_obstacle(loaded, settings)
    if not obstacle:
        joined = _corrected_by_eddy(loaded, maps, workdir, threads, log)
    else:
        joined = _corrected_by_registration(loaded, maps, settings, threads, log, obstacle)
    joined = _without_bias(joined, settings, log)
    with atomic_path(out_mif) as temporary:
        write_mif(joined, temporary, workdir)
    return _quality(joined, len(series), log)


def _without_noise(
    series: Series,
    number: int,
    workdir: Path,
    settings: DiffusionSettings,
    threads: int,
    log: _CorrectionLog,
) -> Series:
    """Remove thermal noise and Gibbs ringing; this must precede all interpolation."""
    current = workdir / f"series-{number}.mif"
    write_mif(series, current, workdir)
    first = number == 0
    if settings.denoise and series.volumes.shape[3] >= _MIN_VOLUMES_TO_DENOISE:
        noise, target = workdir / f"noise-{number}.mif", workdir / f"denoised-{number}.mif"
        mrtrix.run("dwidenoise", current, target, "-noise", noise, "-force", threads=threads)
        current = target
        _note_noise(noise, read_mif(target, workdir), workdir, log)
        if first:
            log.note("noise", done=True, how="MP-PCA (dwidenoise)")
    elif first:
        reason = "switched off" if not settings.denoise else "too few volumes for MP-PCA"
        log.note("noise", done=False, how=reason)
    if settings.unring:
        target = workdir / f"unringed-{number}.mif"
        axes = _in_plane_axes(series)
        mrtrix.run("mrdegibbs", current, target, "-axes", axes, "-force", threads=threads)
        current = target
    if first:
        how = "sub-voxel shifts (mrdegibbs)" if settings.unring else "switched off"
        log.note("ringing", done=settings.unring, how=how)
    read = read_mif(current, workdir)
    return replace(read, table=series.table, phase_encoding=series.phase_encoding)


_MIN_VOLUMES_TO_DENOISE = 10


def _in_plane_axes(series: Series) -> str:
    """Return the two in-plane axes in the axis order of MRtrix, which is close to RAS."""
    reordered = np.argmax(np.abs(series.affine[:3, :3] / series.voxel_sizes), axis=0)
    return ",".join(str(axis) for axis in sorted(reordered[:2]))


def _note_noise(image: Path, series: Series, workdir: Path, log: _CorrectionLog) -> None:
    """Record the noise level and the SNR of the b = 0 volumes of the first series in the head."""
    import nibabel as nib

    if "noise_sd" in log.figures:
        return
    copy = workdir / f"{image.stem}.nii"
    mrtrix.convert(image, copy, "-strides", "1,2,3")
    inside = series.head
    sigma = float(np.median(np.asarray(nib.load(copy).dataobj, dtype=float)[inside]))
    log.figures["noise_sd"] = sigma
    log.figures["snr_b0"] = float(series.mean_b0[inside].mean()) / max(sigma, 1e-12)


def _corrected_by_eddy(
    loaded: list[Series], maps: list[Series], workdir: Path, threads: int, log: _CorrectionLog
) -> Series:
    """Correct motion, eddy currents and, with two phase encodings, susceptibility with FSL."""
    joined, movement = correct_with_eddy(loaded, maps, workdir, threads)
    log.note("motion", done=True, how="FSL's eddy (dwifslpreproc), gradients rotated")
    log.note("eddy currents", done=True, how="FSL's eddy (dwifslpreproc)")
    directions = {_rounded(one.phase_encoding) for one in (*loaded, *maps)}
    opposite = len(directions) > 1
    how = "FSL's topup and eddy" if opposite else "only one phase encoding and no field map"
    log.note("susceptibility", done=opposite, how=how)
    log.figures["motion_mm"] = movement.round(3).tolist() or [0.0]
    return joined


def _rounded(encoding: PhaseEncoding | None) -> tuple[float, ...]:
    return () if encoding is None else tuple(round(part, 2) for part in encoding.direction)


def _corrected_by_registration(
    loaded: list[Series],
    maps: list[Series],
    settings: DiffusionSettings,
    threads: int,
    log: _CorrectionLog,
    obstacle: str,
) -> Series:
    """Correct motion within and between series and distortion, with a single interpolation."""
    motions = [_motion_of(one, settings, threads, log) for one in (*loaded, *maps)]
    log.note("eddy currents", done=False, how=f"their shear and scaling: {obstacle}")
    every, reference = [*loaded, *maps], loaded[0]
    still = [resample(one, motion.matrices) for one, motion in zip(every, motions, strict=True)]
    between = [np.eye(4), *_between_series(reference, still[1:])]
    unwarping, signs = _unwarping(every, still, between, settings, log)
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
    series: Series, settings: DiffusionSettings, threads: int, log: _CorrectionLog
) -> Motion:
    """Estimate the motion of one series, or record why this was omitted."""
    n = series.volumes.shape[3]
    first = "motion_mm" not in log.figures
    if settings.motion == "none" or n < 2:
        motion = Motion(np.tile(np.eye(4), (n, 1, 1)), np.zeros(n))
        how = "switched off" if settings.motion == "none" else "one volume"
    else:
        motion = estimate_motion(series, threads)
        how = "rigid registration to predicted volumes (ANTs), gradients rotated"
    if first:
        log.note("motion", done=settings.motion != "none" and n > 1, how=how)
    log.figures.setdefault("motion_mm", []).extend(motion.displacement_mm.round(3).tolist())
    return hold_still(motion, settings.motion_floor_mm)


def _between_series(reference: Series, others: list[Series]) -> list[Array]:
    """Register the mean b = 0 volume of every further series to that of the first."""
    mask = reference.head
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
    log: _CorrectionLog,
) -> tuple[Unwarping | None, list[int]]:
    """Estimate the susceptibility distortion if two series have opposite phase encodings."""
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
        reason = "no series or fmap/ image with opposite phase encoding"
    elif len(readouts) > 1 and not all(np.isnan(r) for r in readouts):
        reason = "the series differ in total readout time"
    if reason:
        log.note("susceptibility", done=False, how=reason)
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
    _note_unwarping(unwarping, pair, reference, log)
    return unwarping, signs


def _note_unwarping(
    unwarping: Unwarping, pair: list[Array], reference: Series, log: _CorrectionLog
) -> None:
    """Record the correlation of the two phase encodings before and after the correction."""
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
    log.figures["susceptibility"] = figures
    log.note(
        "susceptibility",
        done=True,
        how="symmetric registration of opposite phase encodings (ANTs); correlation of the b = 0 "
        f"volumes {figures['correlation_before']:.2f} before and "
        f"{figures['correlation_after']:.2f} after",
    )


def _on_reference(
    series: Series, matrices: Array, reference: Series, unwarping: Unwarping | None, sign: int
) -> Series:
    """Resample every volume to the reference grid and rotate the gradients."""
    table = rotate_gradients(series.table, matrices)
    same_grid = series.has_same_grid(reference, tolerance_mm=1e-4)
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


def _without_bias(series: Series, settings: DiffusionSettings, log: _CorrectionLog) -> Series:
    """Divide by the bias field, estimated by N4 on the mean b = 0 volume."""
    if not settings.bias:
        log.note("bias", done=False, how="switched off")
        return series
    with itk_workers(1) as pool:
        bias = pool.submit(_bias_field, series.mean_b0, series.affine).result()
    log.note("bias", done=True, how="N4 on the mean b = 0 volume (ANTs)")
    return series.with_volumes(series.volumes / bias[..., None])


def _bias_field(mean_b0: Array, affine: Array) -> NDArray[np.float32]:
    """Return the bias field, scaled to a mean of 1 inside the head."""
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


def _quality(series: Series, n_series: int, log: _CorrectionLog) -> dict[str, Any]:
    """Return the quality figures of all steps."""
    orientation = check_orientation(series)
    motion_mm = np.array(log.figures.get("motion_mm", [0.0]))
    figures = {
        "n_series": n_series,
        "n_directions": count_directions(series.table),
        "n_volumes": int(series.volumes.shape[3]),
        "shells": {str(b): n for b, n in series.table.shells().items()},
        "voxel_size_mm": series.voxel_sizes.round(4).tolist(),
        "max_motion_mm": float(motion_mm.max()),
        "mean_motion_mm": float(motion_mm.mean()),
        "orientation_margin": orientation.margin,
        "orientation_best": orientation.best,
        "corrections": log.corrections,
        **log.figures,
    }
    omitted = [f"{one['name']} ({one['how']})" for one in log.corrections if not one["done"]]
    omitted_note = [f"Not corrected: {'; '.join(omitted)}."] if omitted else []
    return {**figures, "notes": [*notes_on(figures), *omitted_note]}
