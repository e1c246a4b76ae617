"""Made CTs after implantation, with the true place of every contact."""

from dataclasses import dataclass

import nibabel as nib
import numpy as np
import pandas as pd
from scipy.interpolate import interp1d

VOXEL_MM = (0.9, 0.9, 1.5)
OUTER_MM, INNER_MM, SCALP_MM = 62.0, 56.0, 67.0
CONTACT_MM = 2.0
SCALES = ("hounsfield", "wide", "offset", "8-bit", "8-bit window")


@dataclass(frozen=True)
class Scene:
    """What a made CT shows."""

    spacing_mm: float = 3.5
    scale: str = "8-bit"
    bolts: bool = True
    bend_mm: float = 0.0
    crossing: bool = False
    peak_hu: float = 5000.0
    psf_mm: float = 0.6
    off_mm: float = 1.5
    n_electrodes: int = 6
    entry_at_skull: bool = True


@dataclass(frozen=True)
class Shaft:
    """One electrode: its centre line from the tip outwards, and its contacts."""

    name: str
    line: np.ndarray
    contacts: np.ndarray
    entry: np.ndarray


def make_ct(scene: Scene, seed: int) -> tuple[nib.Nifti1Image, pd.DataFrame, dict]:
    """Return a CT, end points that are wrong by `off_mm` in each axis, and true contacts."""
    rng = np.random.default_rng(seed)
    shafts = place_shafts(scene, rng)
    half = np.array([72.0, 72, 72])
    shape = tuple(int(2 * h / v) for h, v in zip(half, VOXEL_MM, strict=True))
    affine = np.diag([*VOXEL_MM, 1.0])
    affine[:3, 3] = -half + rng.uniform(-1, 1, 3)
    values = head(shape, affine)
    for shaft in shafts:
        add_shaft(values, affine, shaft, scene, rng)
    values += rng.normal(0, rng.uniform(15, 40), shape)
    image = nib.Nifti1Image(scaled(values, scene.scale), affine)
    rows = [endpoints(shaft, scene, rng) for shaft in shafts]
    return image, pd.DataFrame(rows), {shaft.name: shaft.contacts for shaft in shafts}


def place_shafts(scene: Scene, rng: np.random.Generator) -> list[Shaft]:
    """Return electrodes from the skull inwards, apart from each other unless they cross."""
    shafts: list[Shaft] = []
    while len(shafts) < scene.n_electrodes:
        crosses = scene.crossing and len(shafts) % 2 == 1
        shaft = one_shaft(scene, rng, "ABCDEFGH"[len(shafts)], shafts[-1] if crosses else None)
        if shaft is None:
            continue
        others = shafts[:-1] if crosses else shafts
        if all(distance(shaft.line, other.line) > 7 for other in others):
            shafts.append(shaft)
    return shafts


def one_shaft(
    scene: Scene, rng: np.random.Generator, name: str, crossed: Shaft | None
) -> Shaft | None:
    """Return an electrode, or None where it does not fit into the head."""
    n = int(rng.choice([5, 8, 10, 12, 15] if scene.spacing_mm < 4 else [5, 8, 10]))
    length = scene.spacing_mm * (n - 1)
    inward = unit(rng.normal(size=3))
    if crossed is None:
        skull = -INNER_MM * unit(inward + rng.normal(0, 0.35, 3))
    else:
        along = unit(crossed.line[-1] - crossed.line[0])
        inward = unit(np.cross(along, rng.normal(size=3)) + rng.uniform(-1, 1) * along)
        gap = unit(np.cross(along, inward)) * rng.choice([-1, 1]) * rng.uniform(1.8, 3.5)
        # Through a point near the crossed electrode, up to one spacing beyond its tip.
        end = int(np.linalg.norm(crossed.contacts[-1] - crossed.contacts[0]) / 0.1)
        through = crossed.line[int(rng.integers(end))] + gap
        through = through - rng.choice([0, 0, 1]) * scene.spacing_mm * along
        half = through @ inward
        skull = through - inward * (half + np.sqrt(half**2 + INNER_MM**2 - through @ through))
    free = rng.uniform(0.5, 12)
    total = length + free
    tip = skull + inward * total
    if np.linalg.norm(tip) > INNER_MM - 8:
        return None
    if crossed is not None and np.linalg.norm(through - skull) > total - 3:
        return None
    s = np.arange(0, total + 30, 0.1)
    straight = tip - np.outer(s, inward)
    aside = unit(np.cross(inward, rng.normal(size=3)))
    bend = (
        min(scene.bend_mm, total / 6) * rng.uniform(0.5, 1) * np.clip(1 - s / total, 0, None) ** 2
    )
    line = straight + bend[:, None] * aside
    arc = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])
    at = interp1d(arc, line, axis=0)
    contacts = at(CONTACT_MM / 2 + scene.spacing_mm * np.arange(n))
    entry = skull if scene.entry_at_skull else contacts[-1]
    return Shaft(name, at(np.arange(0, arc[-1], 0.1)), contacts, entry)


def unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector)


def distance(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.linalg.norm(one[::10, None] - other[None, ::10], axis=-1).min())


def head(shape: tuple[int, ...], affine: np.ndarray) -> np.ndarray:
    """Return brain, ventricle, skull, scalp and air in Hounsfield units."""
    axes = [affine[i, 3] + affine[i, i] * np.arange(n) for i, n in enumerate(shape)]
    x, y, z = np.ix_(*axes)
    radius = np.sqrt(x**2 + y**2 + z**2)
    values = np.full(shape, -1000.0)
    values[radius < SCALP_MM] = 60
    values[radius < OUTER_MM] = 1300
    values[radius < INNER_MM] = 35
    values[np.sqrt((x / 2) ** 2 + y**2 + (z / 1.5) ** 2) < 7] = 8
    return values


def add_shaft(
    values: np.ndarray, affine: np.ndarray, shaft: Shaft, scene: Scene, rng: np.random.Generator
) -> None:
    """Add contacts, the lead with its wires, a bolt, and streaks."""
    psf = np.array([scene.psf_mm, scene.psf_mm, np.hypot(scene.psf_mm, 0.35)])
    arc = 0.1 * np.arange(len(shaft.line))
    first = CONTACT_MM / 2
    last = first + scene.spacing_mm * (len(shaft.contacts) - 1)
    centres = first + scene.spacing_mm * np.arange(len(shaft.contacts))
    metal = (np.abs(arc[:, None] - centres) <= CONTACT_MM / 2).any(axis=1)
    wires = 0.05 + 0.15 * np.clip(arc / last, 0, 1)
    density = np.where(metal, 1.0, wires) * scene.peak_hu
    # A long line of this density has the wanted peak across its axis.
    step = 0.1 / (np.sqrt(2 * np.pi) * psf.mean())
    for point, amount in zip(shaft.line, density * step, strict=True):
        add_blob(values, affine, point, amount, psf)
    radial = np.linalg.norm(shaft.line, axis=1)
    if scene.bolts:
        inside = rng.uniform(-2, 2)
        bolt = shaft.line[(radial > INNER_MM + 1 + inside) & (radial < OUTER_MM + 18)]
        add_tube(values, affine, bolt, rng.uniform(1.6, 2.4), max(scene.peak_hu, 4000.0))
    for contact in shaft.contacts:
        add_streaks(values, affine, contact, rng)


def window(
    values: np.ndarray, affine: np.ndarray, point: np.ndarray, reach: float
) -> tuple[tuple[slice, ...], list[np.ndarray]]:
    """Return the voxels within `reach` of a point, and their offsets from it in each axis."""
    slices, offsets = [], []
    for axis in range(3):
        size, start = affine[axis, axis], affine[axis, 3]
        low = max(int(np.ceil((point[axis] - reach - start) / size)), 0)
        high = min(int((point[axis] + reach - start) / size) + 1, values.shape[axis])
        slices.append(slice(low, max(high, low)))
        offsets.append(start + size * np.arange(low, max(high, low)) - point[axis])
    return tuple(slices), offsets


def add_blob(
    values: np.ndarray, affine: np.ndarray, point: np.ndarray, amount: float, psf: np.ndarray
) -> None:
    where, offsets = window(values, affine, point, 4 * float(psf.max()))
    x, y, z = (np.exp(-0.5 * (o / p) ** 2) for o, p in zip(offsets, psf, strict=True))
    values[where] += amount * x[:, None, None] * y[None, :, None] * z[None, None, :]


def add_tube(
    values: np.ndarray, affine: np.ndarray, line: np.ndarray, radius: float, hu: float
) -> None:
    for point in line[::4]:
        where, offsets = window(values, affine, point, radius + 1)
        x, y, z = np.ix_(*offsets)
        inside = 1 / (1 + np.exp((np.sqrt(x**2 + y**2 + z**2) - radius) / 0.2))
        values[where] = np.maximum(values[where], hu * inside)


def add_streaks(
    values: np.ndarray, affine: np.ndarray, point: np.ndarray, rng: np.random.Generator
) -> None:
    """Add bright and dark streaks in the axial plane."""
    where, (dx, dy, dz) = window(values, affine, point, 9.0)
    x, y, z = np.ix_(dx, dy, dz)
    pattern = np.cos(rng.integers(3, 6) * np.arctan2(y, x) + rng.uniform(0, 6))
    values[where] += 150 * pattern * np.exp(-np.hypot(x, y) / 4) * (np.abs(z) < 1.2)


def scaled(values: np.ndarray, scale: str) -> np.ndarray:
    """Return Hounsfield units as a scanner or a converter stores them."""
    if scale == "wide":
        return values.astype(np.float32)
    hu = np.clip(values, -1024, 3071)
    if scale == "hounsfield":
        return hu.astype(np.int16)
    if scale == "offset":
        return (hu + 1024).astype(np.uint16)
    low, high = (-1024, 3071) if scale == "8-bit" else (-200, 2300)
    return np.round(np.clip((hu - low) / (high - low), 0, 1) * 255).astype(np.uint8)


def endpoints(shaft: Shaft, scene: Scene, rng: np.random.Generator) -> dict:
    """Return the row of end points, wrong by `off_mm` in each axis."""
    target = shaft.contacts[0] + scene.off_mm * rng.choice([-1, 1], 3)
    entry = shaft.entry + scene.off_mm * rng.choice([-1, 1], 3)
    ends = {f"target_{a}": v for a, v in zip("xyz", target, strict=True)}
    ends |= {f"entry_{a}": v for a, v in zip("xyz", entry, strict=True)}
    row = {"electrode": shaft.name, **ends, "n_contacts": len(shaft.contacts)}
    return {**row, "spacing_mm": str(scene.spacing_mm)}
