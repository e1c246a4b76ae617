"""Simulate the diffusion series of a synthetic head with its fibre bundles."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import nibabel as nib
import numpy as np
from nibabel.affines import apply_affine
from numpy.typing import NDArray
from scipy import ndimage

from virtualbrain.io.images import make_image
from virtualbrain.synthetic.bundles import Bundles
from virtualbrain.synthetic.deformation import random_pose, rigid
from virtualbrain.synthetic.head import Head

Array = NDArray[np.float32]
Floats = NDArray[np.float64]

_MIDDLE_MM = (0.0, -16.0, 4.0)
_FINE_STEP = 3  # points per mm of fibre
_LEAST_WHITE = 0.02  # fraction of white matter below which a voxel has no fibres


@dataclass(frozen=True)
class Acquisition:
    """Acquisition of the series.

    Parameters
    ----------
    directions, b0_images : int
        Number of weighted volumes, and of volumes without weighting throughout the series.
    b_value : float
        s/mm².
    voxel_mm : float
        Edge of a voxel.
    shape : tuple of int
        Voxels along the axes left, anterior, superior.
    echo_time_s, repetition_time_s : float
        Echo and repetition time.
    snr : float
        Unweighted signal of white matter over the standard deviation of the noise.
    """

    directions: int = 32
    b0_images: int = 4
    b_value: float = 2000.0
    voxel_mm: float = 3.0
    shape: tuple[int, int, int] = (72, 76, 56)
    echo_time_s: float = 0.089
    repetition_time_s: float = 8.2
    snr: float = 28.0


@dataclass(frozen=True)
class TissueProperties:
    """Diffusivities (mm²/s), T2 (s) and proton densities of a 3 T brain.

    `stick` is the fraction of a fascicle's signal inside axons; the remainder is a zeppelin.
    """

    along: float = 1.7e-3
    across: float = 0.4e-3
    stick: float = 0.6
    hindered: float = 0.75e-3
    grey: float = 0.85e-3
    fluid: float = 3.0e-3
    soft: float = 0.9e-3
    t2_s: dict[str, float] = field(
        default_factory=lambda: {"wm": 0.072, "gm": 0.085, "csf": 0.9, "soft": 0.045}
    )
    density: dict[str, float] = field(
        default_factory=lambda: {"wm": 0.70, "gm": 0.82, "csf": 1.0, "soft": 0.5}
    )


@dataclass(frozen=True)
class DiffusionImage:
    """A diffusion series and the truth about it.

    Parameters
    ----------
    series : nibabel.Nifti1Image
        Volumes last, int16.
    bvals : numpy.ndarray, shape (n_volumes,)
        s/mm².
    bvecs : numpy.ndarray, shape (3, n_volumes)
        FSL's convention: along the image's axes, the first negated if the determinant of the
        affine is positive.
    sidecar : dict
        BIDS metadata.
    t1_to_dwi : numpy.ndarray, shape (4, 4)
        Rigid map of T1 scanner mm to scanner mm of the series: head motion between the two.
    """

    series: nib.Nifti1Image
    bvals: Floats
    bvecs: Floats
    sidecar: dict[str, object]
    t1_to_dwi: Floats


@dataclass(frozen=True)
class _TissueFractions:
    """Tissue fractions of each voxel, shape (n_voxels,), and fascicles per direction."""

    wm: Array
    gm: Array
    csf: Array
    soft: Array
    occupied: NDArray[np.int64]  # voxels with white matter
    fascicles: Array  # (n_occupied, n_orientations), their sum at most `wm`


def make_diffusion(
    head: Head,
    bundles: Bundles,
    rng: np.random.Generator,
    acquisition: Acquisition | None = None,
    tissue: TissueProperties | None = None,
) -> DiffusionImage:
    r"""Synthesise a diffusion series of a head.

    .. math:: S = \sum_u f_u R(b, g \cdot u) + (f_{wm} - \sum_u f_u) R_h + f_{gm} R_{gm}
              + f_{csf} R_{csf} + f_{soft} R_{soft}

    with :math:`f_u` the density of fibres along u in the voxel, R the signal of a stick and a
    zeppelin with the tissue's T2, and Rician noise.

    Parameters
    ----------
    head : Head
        Tissues and pose.
    bundles : Bundles
        Fibres in the head's space.
    rng : numpy.random.Generator
        Source of all random numbers.
    acquisition, tissue : optional
        Protocol and tissue properties.

    Returns
    -------
    DiffusionImage
        Series, gradients, metadata, and the pose relative to the T1.
    """
    acquisition = acquisition or Acquisition()
    tissue = tissue or TissueProperties()
    moved = random_pose(rng, angle_deg=3.0, shift_mm=4.0)
    affine = _series_affine(head, moved, rng, acquisition)
    orientations = hemisphere_directions(321)
    fractions = _voxel_fractions(head, bundles, moved, affine, orientations, acquisition.shape)
    bvals, directions = gradient_table(acquisition)
    signal = _signal(fractions, orientations, bvals, directions, acquisition, tissue)
    volumes = signal.reshape(*acquisition.shape, len(bvals))
    scanned = _scan(rng, volumes, acquisition, tissue)
    return DiffusionImage(
        series=make_image(scanned, affine),
        bvals=bvals,
        bvecs=fsl_vectors(directions, affine),
        sidecar=_sidecar(acquisition),
        t1_to_dwi=moved,
    )


# ---- directions -----------------------------------------------------------------------------


def hemisphere_directions(count: int) -> Floats:
    """Return `count` evenly distributed unit vectors of a half sphere (Fibonacci spiral)."""
    k = np.arange(count) + 0.5
    z = k / count
    turn = np.pi * (1 + 5**0.5) * k
    across = np.sqrt(1 - z**2)
    return np.column_stack([across * np.cos(turn), across * np.sin(turn), z])


def repelled_directions(count: int, rounds: int = 400) -> Floats:
    """Return `count` directions distributed by electrostatic repulsion (Jones 1999).

    Every second vector is reversed, so that eddy currents balance.
    """
    vectors = hemisphere_directions(count)
    for k in range(rounds):
        force = np.zeros_like(vectors)
        for sign in (1.0, -1.0):
            away = vectors[:, None] - sign * vectors[None]
            cube = (away**2).sum(axis=-1, keepdims=True) ** 1.5
            force += np.where(cube > 1e-9, away / np.maximum(cube, 1e-9), 0.0).sum(axis=1)
        force -= (force * vectors).sum(axis=1, keepdims=True) * vectors
        vectors = vectors + 0.5 * (1 - k / rounds) * force / np.abs(force).max() / count**0.5
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors * np.where(np.arange(count) % 2 == 0, 1.0, -1.0)[:, None])


def gradient_table(acquisition: Acquisition) -> tuple[Floats, Floats]:
    """Return b-values (n,) and gradient directions in scanner RAS (n, 3); zero where b is zero."""
    n = acquisition.directions + acquisition.b0_images
    at = np.rint(np.linspace(0, n, acquisition.b0_images, endpoint=False)).astype(int)
    weighted = np.setdiff1d(np.arange(n), at)
    bvals, directions = np.zeros(n), np.zeros((n, 3))
    bvals[weighted] = acquisition.b_value
    directions[weighted] = repelled_directions(acquisition.directions)
    return bvals, directions


def fsl_vectors(directions: Floats, affine: Floats) -> Floats:
    """Return scanner directions (n, 3) as FSL's b-vectors (3, n) for an image.

    FSL's vectors are along the image's axes; the first component is negated if the determinant
    of the affine is positive.
    """
    axes = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    along = directions @ np.linalg.inv(axes).T
    if np.linalg.det(axes) > 0:
        along[:, 0] *= -1
    return np.asarray(along.T)


# ---- contents of a voxel --------------------------------------------------------------------


def _series_affine(
    head: Head, moved: Floats, rng: np.random.Generator, acquisition: Acquisition
) -> Floats:
    """Return axes L, A, S (as converters write them), tilted as slices along the callosum."""
    tilt = np.deg2rad(np.array([-8.0, 0.0, 0.0]) + rng.normal(0.0, 1.5, 3))
    linear = rigid(tilt, np.zeros(3))[:3, :3] @ np.diag([-1.0, 1.0, 1.0]) * acquisition.voxel_mm
    middle = apply_affine(moved @ head.deformation.pose, np.array(_MIDDLE_MM))
    origin = middle - linear @ ((np.array(acquisition.shape) - 1) / 2)
    return np.asarray(nib.affines.from_matvec(linear, origin))


def _voxel_fractions(
    head: Head,
    bundles: Bundles,
    moved: Floats,
    affine: Floats,
    orientations: Floats,
    shape: tuple[int, int, int],
) -> _TissueFractions:
    """Return the tissue fractions of each voxel, and its fibres by orientation."""
    wm, gm, csf, soft = _averaged((head.wm, head.gm, head.csf, head.soft), moved, affine, shape)
    occupied = np.flatnonzero(wm > _LEAST_WHITE)
    density = _fibre_density(bundles, moved, affine, orientations, occupied, shape)
    total, white = density.sum(axis=1), wm[occupied]
    # The fraction of fibres saturates at the fraction of white matter.
    held = white * (1 - np.exp(-total / white))
    density *= (held / np.maximum(total, 1e-9))[:, None]
    return _TissueFractions(wm, gm, csf, soft, occupied, density.astype(np.float32))


def _averaged(
    images: Sequence[nib.Nifti1Image], moved: Floats, affine: Floats, shape: tuple[int, int, int]
) -> list[Array]:
    """Return the means of 1 mm maps on one grid over each voxel of the series (27 samples)."""
    back = np.linalg.inv(images[0].affine) @ np.linalg.inv(moved) @ affine
    centres = np.ascontiguousarray(
        apply_affine(back, np.moveaxis(np.indices(shape), 0, -1).reshape(-1, 3)).T
    )
    steps = np.array([-1.0, 0.0, 1.0]) / 3
    shifts = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(-1, 3) @ back[:3, :3].T

    def averaged(image: nib.Nifti1Image) -> Array:
        volume = np.asarray(image.dataobj, dtype=np.float32)
        total = np.zeros(centres.shape[1], dtype=np.float32)
        for shift in shifts:
            places = centres + shift[:, None]
            total += ndimage.map_coordinates(volume, places, order=1, mode="constant")
        return np.asarray(total / 27, dtype=np.float32)

    with ThreadPoolExecutor() as pool:  # SciPy releases the interpreter lock
        return list(pool.map(averaged, images))


def _fibre_density(
    bundles: Bundles,
    moved: Floats,
    affine: Floats,
    orientations: Floats,
    occupied: NDArray[np.int64],
    shape: tuple[int, int, int],
) -> Floats:
    """Return the fraction of each occupied voxel that fibres fill, by orientation."""
    number = np.full(int(np.prod(shape)), -1)
    number[occupied] = np.arange(len(occupied))
    inner = np.ones(len(bundles.points) - 1, dtype=bool)
    inner[bundles.starts[1:-1] - 1] = False
    weights = np.repeat(bundles.fibre_weights, np.diff(bundles.starts))[:-1][inner]
    start = bundles.points[:-1][inner]
    step = bundles.points[1:][inner] - start
    volume = weights * np.linalg.norm(step, axis=1) / _FINE_STEP
    nearest = _nearest_orientation(step @ moved[:3, :3].T, orientations)
    back = np.linalg.inv(affine) @ moved
    density = np.zeros(len(occupied) * len(orientations))
    for k in range(_FINE_STEP):
        voxels = np.rint(apply_affine(back, start + (k + 0.5) / _FINE_STEP * step)).astype(int)
        inside = ((voxels >= 0) & (voxels < shape)).all(axis=1)
        place = np.full(len(voxels), -1)
        place[inside] = number[np.ravel_multi_index(tuple(voxels[inside].T), shape)]
        held = place >= 0
        flat = place[held] * len(orientations) + nearest[held]
        density += np.bincount(flat, weights=volume[held], minlength=len(density))
    voxel_volume = float(abs(np.linalg.det(affine[:3, :3])))
    return density.reshape(len(occupied), len(orientations)) / voxel_volume


def _nearest_orientation(
    steps: Floats, orientations: Floats, block: int = 20_000
) -> NDArray[np.int64]:
    """Return the index of the orientation nearest to each step, ignoring signs."""
    parts = [
        np.abs(np.einsum("ij,kj->ik", steps[k : k + block], orientations)).argmax(axis=1)
        for k in range(0, len(steps), block)
    ]
    return np.concatenate(parts)


# ---- signal ---------------------------------------------------------------------------------


def _weights_at_echo(tissue: TissueProperties, echo_time_s: float) -> dict[str, float]:
    """Return the signal of a pure voxel of each tissue without diffusion weighting."""
    return {
        name: tissue.density[name] * float(np.exp(-echo_time_s / t2))
        for name, t2 in tissue.t2_s.items()
    }


def fascicle_signal(bval: float, cosines: Floats, tissue: TissueProperties) -> Floats:
    r"""Return the attenuation of a fascicle: a stick and a zeppelin.

    .. math:: f e^{-b d_\parallel c^2}
              + (1 - f) e^{-b (d_\perp + (d_\parallel - d_\perp) c^2)}

    Parameters
    ----------
    bval : float
        s/mm².
    cosines : numpy.ndarray
        Cosines of the angle between gradient and fascicle.
    tissue : TissueProperties
        Diffusivities and stick fraction.
    """
    squares = np.asarray(cosines) ** 2
    stick = np.exp(-bval * tissue.along * squares)
    zeppelin = np.exp(-bval * (tissue.across + (tissue.along - tissue.across) * squares))
    return np.asarray(tissue.stick * stick + (1 - tissue.stick) * zeppelin)


def _signal(
    fractions: _TissueFractions,
    orientations: Floats,
    bvals: Floats,
    directions: Floats,
    acquisition: Acquisition,
    tissue: TissueProperties,
) -> Array:
    """Return the signal without noise, shape (n_voxels, n_volumes)."""
    at_echo = _weights_at_echo(tissue, acquisition.echo_time_s)
    occupied, fascicles = fractions.occupied, fractions.fascicles
    loose = fractions.wm.copy()
    loose[occupied] -= fascicles.sum(axis=1)
    signal = np.zeros((len(fractions.wm), len(bvals)), dtype=np.float32)
    for k, (bval, direction) in enumerate(zip(bvals, directions, strict=True)):
        response = fascicle_signal(bval, orientations @ direction, tissue).astype(np.float32)
        signal[occupied, k] = at_echo["wm"] * np.einsum("vu,u->v", fascicles, response)
        signal[:, k] += at_echo["wm"] * loose * np.exp(-bval * tissue.hindered)
        signal[:, k] += at_echo["gm"] * fractions.gm * np.exp(-bval * tissue.grey)
        signal[:, k] += at_echo["csf"] * fractions.csf * np.exp(-bval * tissue.fluid)
        signal[:, k] += at_echo["soft"] * fractions.soft * np.exp(-bval * tissue.soft)
    return signal


def _scan(
    rng: np.random.Generator, volumes: Array, acquisition: Acquisition, tissue: TissueProperties
) -> NDArray[np.int16]:
    """Apply the receive field, add Rician noise and convert to integers."""
    white = _weights_at_echo(tissue, acquisition.echo_time_s)["wm"]
    coarse = ndimage.gaussian_filter(rng.normal(size=acquisition.shape), 14.0, mode="nearest")
    receive = np.exp(0.12 * coarse / coarse.std()).astype(np.float32)
    sd = np.float32(white / acquisition.snr)
    real = volumes * receive[..., None] + sd * rng.standard_normal(volumes.shape, np.float32)
    imaginary = sd * rng.standard_normal(volumes.shape, np.float32)
    return np.asarray(np.rint(np.hypot(real, imaginary) * (900.0 / white)), dtype=np.int16)


def _sidecar(acquisition: Acquisition) -> dict[str, object]:
    """Return BIDS metadata of the series; no susceptibility distortion is simulated."""
    return {
        "MagneticFieldStrength": 3.0,
        "Manufacturer": "synthetic",
        "EchoTime": acquisition.echo_time_s,
        "RepetitionTime": acquisition.repetition_time_s,
        "PhaseEncodingDirection": "j-",
        "TotalReadoutTime": 0.0342,
        "EffectiveEchoSpacing": 0.0342 / (acquisition.shape[1] - 1),
        "FlipAngle": 90,
    }
