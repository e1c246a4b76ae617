"""Simulate a phantom head with three straight bundles and its diffusion signal."""

from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd

from virtualbrain.diffusion.series import Series
from virtualbrain.io.bids import DwiSeries
from virtualbrain.io.gradients import GradientTable, write_fsl_gradients

SHAPE = (40, 40, 32)
AFFINE = np.array([[-3.0, 0, 0, 60], [0, 3.0, 0, -58], [0, 0, 3.0, -40], [0, 0, 0, 1]])
BUNDLES = (  # end voxels; all are oblique, so that a reversed axis is detectable
    ((9, 10, 9), (29, 30, 9)),
    ((8, 26, 14), (22, 26, 26)),
    ((30, 15, 10), (30, 25, 22)),
)
RADIUS = 3.5


def directions(n):
    """Return n directions distributed over a hemisphere."""
    i = np.arange(n) + 0.5
    z, angle = 1 - i / n, np.pi * (1 + 5**0.5) * i
    flat = np.sqrt(1 - z**2)
    return np.column_stack([flat * np.cos(angle), flat * np.sin(angle), z])


def gradient_table(n_directions=30, b=2000.0, n_b0=3):
    return GradientTable(
        np.r_[np.zeros(n_b0), np.full(n_directions, b)],
        np.vstack([np.zeros((n_b0, 3)), directions(n_directions)]),
    )


@dataclass(frozen=True)
class Phantom:
    """Voxel maps of the phantom: head, bundle number (0: none), direction along the axes."""

    head: np.ndarray
    bundle: np.ndarray
    axis: np.ndarray
    ends: np.ndarray  # label image: region 2k+1 and 2k+2 at the ends of bundle k


def make_phantom():
    grid = np.stack(np.indices(SHAPE), axis=-1).astype(float)
    centre, radii = (np.array(SHAPE) - 1) / 2, np.array(SHAPE) / 2 - 2
    head = (((grid - centre) / radii) ** 2).sum(axis=-1) < 1
    bundle, labels = np.zeros(SHAPE, int), np.zeros(SHAPE, np.int32)
    axis = np.zeros((*SHAPE, 3))
    for k, (start, stop) in enumerate(BUNDLES):
        start, stop = np.array(start, float), np.array(stop, float)
        length = np.linalg.norm(stop - start)
        unit = (stop - start) / length
        along = (grid - start) @ unit
        aside = np.linalg.norm(grid - start - along[..., None] * unit, axis=-1)
        tube = (aside < RADIUS) & (along > 0) & (along < length) & head
        bundle[tube], axis[tube] = k + 1, unit
        for which, where in enumerate((along <= 0, along >= length)):
            cap = where & (aside < RADIUS + 1) & (along > -3) & (along < length + 3) & head
            labels[cap & (bundle == 0)] = 2 * k + 1 + which
    return Phantom(head, bundle, axis, labels)


def make_series(table=None, noise_sd=15.0, seed=0, phantom=None):
    """Return the phantom's diffusion series with Rician noise."""
    phantom = phantom or make_phantom()
    table = table or gradient_table()
    signs = np.sign(np.diag(AFFINE)[:3])  # voxel axes to scanner axes
    cosine = (phantom.axis * signs) @ table.directions.T
    grey = np.exp(-table.bvals * 0.9e-3) * 900
    white = 700 * np.exp(-table.bvals * (0.25e-3 + 1.45e-3 * cosine**2))
    fluid = 2000 * np.exp(-table.bvals * 3e-3)
    depth = nib.affines.apply_affine(np.eye(4), np.stack(np.indices(SHAPE), axis=-1))
    rim = phantom.head & (np.abs(depth[..., 0] - SHAPE[0] / 2) < 3) & (phantom.bundle == 0)
    clean = np.where((phantom.bundle > 0)[..., None], white, grey)
    clean = np.where(rim[..., None], fluid, clean) * phantom.head[..., None]
    rng = np.random.default_rng(seed)
    parts = rng.normal(0, noise_sd, (2, *clean.shape))
    noisy = np.hypot(clean + parts[0], parts[1]) if noise_sd else clean
    return Series(noisy.astype(np.float32), AFFINE, table)


def save_series(series, folder: Path, name="sub-01_dwi", sidecar=None):
    """Write a series in BIDS format."""
    folder.mkdir(parents=True, exist_ok=True)
    image = folder / f"{name}.nii.gz"
    nifti = nib.Nifti1Image(series.volumes, series.affine)
    nifti.header.set_xyzt_units("mm", "sec")
    nifti.set_sform(series.affine, code=1)
    nifti.set_qform(series.affine, code=1)
    nib.save(nifti, image)
    bval, bvec = folder / f"{name}.bval", folder / f"{name}.bvec"
    write_fsl_gradients(series.table, series.affine, bval, bvec)
    if sidecar is not None:
        (folder / f"{name}.json").write_text(sidecar)
    return DwiSeries(image, bval, bvec, folder / f"{name}.json" if sidecar else None)


def region_table():
    """Return the region table: one region at each end of each bundle."""
    n = 2 * len(BUNDLES)
    return pd.DataFrame(
        {
            "index": np.arange(1, n + 1),
            "name": [f"{'L' if i % 2 else 'R'}-area{i // 2}" for i in range(n)],
            "hemisphere": ["L" if i % 2 else "R" for i in range(n)],
            "structure": "cortex",
            **{axis: np.zeros(n) for axis in "xyz"},
            "area": np.nan,
            "volume": 100.0,
        }
    )
