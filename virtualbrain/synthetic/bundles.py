"""Draw fibre bundles between the regions of a synthetic head, and the true connectome."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from nibabel.affines import apply_affine
from numpy.typing import NDArray
from scipy import ndimage
from skimage.graph import MCP_Geometric

from virtualbrain.rigid_registration import itk_workers
from virtualbrain.synthetic.head import Head

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_GRID_MM = 2
_STEP_MM = 1.0


@dataclass(frozen=True)
class BundleSettings:
    """Properties of the true connectome and of its bundles.

    Parameters
    ----------
    density : float
        Fraction of region pairs that are connected.
    decay_mm : float
        Path length over which weights fall by e.
    spread : float
        Standard deviation of the random part of a log weight, which length, size, hubs and
        homology do not explain.
    foot_mm2 : float
        Area of the grey-white interface per end point of fibres.
    paths, copies : int
        Number of paths of a bundle, and of fibres around each path.
    width_mm : float
        Standard deviation of the distance of fibres from their path.
    """

    density: float = 0.30
    decay_mm: float = 15.0
    spread: float = 0.5
    foot_mm2: float = 260.0
    paths: int = 12
    copies: int = 3
    width_mm: float = 1.2


@dataclass(frozen=True)
class Bundles:
    """The true connectome and its fibres.

    Parameters
    ----------
    names : tuple of str
        Regions, in the order of the matrices.
    true_weights : numpy.ndarray, shape (n_regions, n_regions)
        Summed cross-section of the fibres (mm²), symmetric, zero without a connection.
    true_lengths_mm : numpy.ndarray, shape (n_regions, n_regions)
        Mean length of the fibres of a connection; zero without one.
    points : numpy.ndarray, shape (n_points, 3)
        Points of all fibres in sequence, 1 mm apart; T1 scanner RAS, mm.
    starts : numpy.ndarray, shape (n_fibres + 1,)
        Fibre f is ``points[starts[f]:starts[f + 1]]``.
    fibre_weights : numpy.ndarray, shape (n_fibres,)
        Cross-section (mm²) of each fibre.
    ends : numpy.ndarray, shape (n_fibres, 2)
        Indices in `names` of the two regions of each fibre.
    """

    names: tuple[str, ...]
    true_weights: Floats
    true_lengths_mm: Floats
    points: Floats
    starts: Ints
    fibre_weights: Floats
    ends: Ints


@dataclass(frozen=True)
class _Ground:
    """White matter on a coarse grid: passable voxels, and end points (feet) of paths."""

    affine: Floats
    passable: NDArray[np.bool_]
    white: Floats
    feet: Ints  # (n_feet, 3) voxels in white matter
    tips: Floats  # (n_feet, 3) mm, in grey matter next to the foot
    region: Ints  # (n_feet,) index in the region table
    area: Floats  # (n_feet,)


def make_bundles(
    head: Head,
    rng: np.random.Generator,
    settings: BundleSettings | None = None,
    workers: int = 1,
) -> Bundles:
    """Draw a connectome and its bundles in the white matter of a head.

    Fibres follow shortest paths in white matter between end points under the cortex and at the
    nuclei. The hemispheres are connected by the corpus callosum only. The initial weights
    (distance, size, hubs, homology, log-normal scatter) are scaled until the fibres fit into the
    available white matter. The summed fibres are the true connectome.

    Parameters
    ----------
    head : Head
        From `virtualbrain.synthetic.head.make_head`.
    rng : numpy.random.Generator
        Source of all random numbers.
    settings : BundleSettings, optional
        Density, decay, spread and fibres of the bundles.
    workers : int
        Number of processes that search for paths; the result is the same.

    Returns
    -------
    Bundles
        Connectome and fibres.
    """
    settings = settings or BundleSettings()
    ground = _find_ground(head, rng, settings)
    trees = _grow_trees(ground, rng, workers)
    pairs, guess = _choose_connections(head.regions, ground, trees.lengths_mm, rng, settings)
    plan = _plan_paths(pairs, guess, ground, trees.lengths_mm, rng, settings)
    paths = _trace(plan.feet, ground, trees)
    points, starts = _fibres(paths, plan.feet, ground, rng, settings)
    ends = np.repeat(pairs[plan.pair], settings.copies, axis=0)
    fibre_weights = np.repeat(plan.weights, settings.copies) / settings.copies
    fibre_weights = _fit_into_white_matter(points, starts, fibre_weights, ground)
    weights, lengths = _carried(ends, fibre_weights, starts, len(head.regions))
    return Bundles(
        names=tuple(head.regions["name"]),
        true_weights=weights,
        true_lengths_mm=lengths,
        points=points,
        starts=starts,
        fibre_weights=fibre_weights,
        ends=ends,
    )


# ---- passable white matter and end points ---------------------------------------------------


def _coarse(volume: NDArray[np.generic]) -> Floats:
    """Return means over blocks of `_GRID_MM` voxels."""
    blocks = volume.reshape([m for n in volume.shape for m in (n // _GRID_MM, _GRID_MM)])
    return np.asarray(blocks.mean(axis=(1, 3, 5)), dtype=np.float64)


def _find_ground(head: Head, rng: np.random.Generator, settings: BundleSettings) -> _Ground:
    """Find passable white matter and distribute the end points of fibres over its border."""
    labels = np.asarray(head.labels.dataobj)
    white = _coarse(np.asarray(head.wm.dataobj))
    half = np.eye(4) * _GRID_MM
    half[:3, 3], half[3, 3] = (_GRID_MM - 1) / 2, 1
    affine = head.t1.affine @ half
    passable = (white > 0.4) & (_coarse(labels > 0) < 0.6)
    passable &= ~_closed_midline(head, affine, passable.shape)
    parts, _ = ndimage.label(passable, np.ones((3, 3, 3)))
    passable = parts == np.bincount(parts[parts > 0]).argmax()
    voxels, tips, region = _borders(head, labels, affine, passable)
    return _pick_feet(rng, affine, passable, white, (voxels, tips, region), settings)


def _closed_midline(head: Head, affine: Floats, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Return the voxels at the midline outside the corpus callosum (template mm)."""
    points = apply_affine(affine, np.moveaxis(np.indices(shape), 0, -1).astype(np.float64))
    x, y, z = np.moveaxis(head.deformation.to_template(points), -1, 0)
    below_body = (y > -32) & (y < 24) & (z < 15)
    callosum = (z > -4) & (y > -48) & (y < 42) & (z < 36) & ~below_body
    return np.asarray((np.abs(x) < 3.0) & ~callosum)


def _borders(
    head: Head, labels: NDArray[np.int16], affine: Floats, passable: NDArray[np.bool_]
) -> tuple[Ints, Floats, Ints]:
    """Return passable voxels near a region, with the region and a point inside it."""
    distance, nearest = ndimage.distance_transform_edt(labels == 0, return_indices=True)
    voxels = np.argwhere(passable)
    fine = np.rint(
        apply_affine(np.linalg.inv(head.t1.affine), apply_affine(affine, voxels))
    ).astype(int)
    at = tuple(np.clip(fine, 0, np.array(labels.shape) - 1).T)
    near = distance[at] <= 3.2
    label_voxels = np.stack([axis[at][near] for axis in nearest], axis=-1)
    position = np.full(int(head.regions["index"].max()) + 1, -1)
    position[head.regions["index"]] = np.arange(len(head.regions))
    region = position[labels[tuple(label_voxels.T)]]
    return voxels[near], apply_affine(head.t1.affine, label_voxels), region


def _pick_feet(
    rng: np.random.Generator,
    affine: Floats,
    passable: NDArray[np.bool_],
    white: Floats,
    border: tuple[Ints, Floats, Ints],
    settings: BundleSettings,
) -> _Ground:
    """Choose distant end points of every region and divide its border among them."""
    voxels, tips, region = border
    chosen, areas = [], []
    voxel_mm2 = _GRID_MM**2
    for r in np.unique(region):
        members = np.flatnonzero(region == r)
        count = max(2, round(len(members) * voxel_mm2 / settings.foot_mm2))
        chosen.append(members[_farthest(tips[members], min(count, len(members)), rng)])
        areas.append(np.full(len(chosen[-1]), len(members) * voxel_mm2 / len(chosen[-1])))
    picked = np.concatenate(chosen)
    return _Ground(
        affine, passable, white, voxels[picked], tips[picked], region[picked], np.concatenate(areas)
    )


def _farthest(points: Floats, count: int, rng: np.random.Generator) -> Ints:
    """Return the indices of `count` points, each the farthest from those before it."""
    picked = [int(rng.integers(len(points)))]
    away = np.linalg.norm(points - points[picked[0]], axis=1)
    for _ in range(count - 1):
        picked.append(int(away.argmax()))
        away = np.minimum(away, np.linalg.norm(points - points[picked[-1]], axis=1))
    return np.array(picked)


# ---- shortest paths -------------------------------------------------------------------------


@dataclass(frozen=True)
class _Trees:
    """Shortest paths from every foot: lengths to all feet, and step back from each voxel."""

    lengths_mm: Floats  # (n_feet, n_feet)
    steps: NDArray[np.int8]  # (n_feet, n_passable)
    offsets: Ints  # (n_offsets, 3)
    number: Ints  # voxel grid -> index among passable voxels, -1 elsewhere


def _grow_trees(ground: _Ground, rng: np.random.Generator, workers: int) -> _Trees:
    """Run a shortest-path search from every foot.

    The cost is lowest in the middle of white matter. Three of four searches multiply it by a
    smooth random field, so that bundles do not all use the same few voxels.
    """
    deep = ndimage.distance_transform_edt(ground.passable) * _GRID_MM
    cost = 1.0 + 1.2 * np.exp(-deep / 2.5) + 1.0 * (1.0 - ground.white)
    costs = []
    for roughness in (0.0, 0.25, 0.25, 0.25):
        field = ndimage.gaussian_filter(rng.normal(size=cost.shape), 3.0)
        rough = cost * np.exp(roughness * field / field.std())
        costs.append(np.where(ground.passable, rough, -1.0))
    number = np.full(ground.passable.shape, -1)
    number[ground.passable] = np.arange(int(ground.passable.sum()))
    feet = np.arange(len(ground.feet))
    tasks = [(costs, ground.feet, part) for part in np.array_split(feet, workers)]
    if workers > 1:
        with itk_workers(workers) as pool:
            found = list(pool.map(_search, tasks))
    else:
        found = [_search(task) for task in tasks]
    lengths, steps = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return _Trees(lengths, steps, np.asarray(MCP_Geometric(costs[0]).offsets), number)


def _search(task: tuple[list[Floats], Ints, Ints]) -> tuple[Floats, NDArray[np.int8]]:
    """Return path lengths to all feet, and steps back from all passable voxels, of some feet."""
    costs, feet, chosen = task
    passable, at = costs[0] >= 0, tuple(feet.T)
    searches = [MCP_Geometric(cost) for cost in costs]
    lengths, steps = [], []
    for k in chosen:
        total, back = searches[k % len(searches)].find_costs([tuple(feet[k])])
        lengths.append(total[at] * _GRID_MM)
        steps.append(back[passable].astype(np.int8))
    return np.array(lengths), np.array(steps)


def _trace(feet: Ints, ground: _Ground, trees: _Trees) -> list[Ints]:
    """Return the voxel path from the second to the first foot of each pair."""
    place = ground.feet[feet[:, 1]].copy()
    walked = [place.copy()]
    going = np.ones(len(feet), dtype=bool)
    length = np.ones(len(feet), dtype=int)
    while going.any():
        step = trees.steps[feet[:, 0], trees.number[tuple(place.T)]]
        going &= step >= 0
        place = np.where(going[:, None], place - trees.offsets[step], place)
        length += going
        walked.append(place.copy())
    walk = np.stack(walked, axis=1)
    return [walk[k, :n] for k, n in enumerate(length)]


# ---- the connectome -------------------------------------------------------------------------


def _choose_connections(
    regions: pd.DataFrame,
    ground: _Ground,
    lengths_mm: Floats,
    rng: np.random.Generator,
    settings: BundleSettings,
) -> tuple[Ints, Floats]:
    """Choose the connected pairs of regions and their initial weights."""
    n = len(regions)
    shortest = _region_lengths(ground.region, lengths_mm, n)
    log_weight = _log_guess(regions, ground, shortest, rng, settings)
    upper = np.array(np.triu_indices(n, 1)).T
    score = log_weight[tuple(upper.T)]
    count = round(settings.density * len(upper))
    order = np.argsort(-score, kind="stable")
    kept = np.zeros(len(upper), dtype=bool)
    kept[order[:count]] = True
    kept &= np.isfinite(score)
    area = np.bincount(ground.region, weights=ground.area, minlength=n)
    size = 0.35 * np.log(area[upper[kept]]).sum(axis=1)
    log_weight_kept = score[kept] + size
    return upper[kept], np.exp(log_weight_kept - log_weight_kept.max())


def _region_lengths(region: Ints, lengths_mm: Floats, n: int) -> Floats:
    """Return the 10th percentile of path lengths between regions; infinite without a path."""
    result = np.full((n, n), np.inf)
    both = np.minimum(lengths_mm, lengths_mm.T)
    groups = [np.flatnonzero(region == r) for r in range(n)]
    for i in range(n):
        for j in range(i + 1, n):
            block = both[np.ix_(groups[i], groups[j])]
            if block.size and np.isfinite(block).any():
                result[i, j] = result[j, i] = np.percentile(block[np.isfinite(block)], 10)
    return result


def _log_guess(
    regions: pd.DataFrame,
    ground: _Ground,
    shortest: Floats,
    rng: np.random.Generator,
    settings: BundleSettings,
) -> Floats:
    """Return log weights from path length, size, hubs, homology and normal scatter; symmetric."""
    n = len(regions)
    area = np.bincount(ground.region, weights=ground.area, minlength=n)
    bare = regions["name"].str.replace(r"^(ctx-[lr]h-|Left-|Right-)", "", regex=True).to_numpy()
    cortex = (regions["structure"] == "cortex").to_numpy()
    homotopic = (bare[:, None] == bare[None, :]) & cortex[:, None]
    side = regions["hemisphere"].to_numpy()
    across = side[:, None] != side[None, :]
    hub = rng.normal(0.0, 0.45, n)
    rest = np.triu(rng.normal(0.0, settings.spread, (n, n)), 1)
    result = (
        -np.where(homotopic, 0.4, 1.0) * shortest / settings.decay_mm
        + 0.5 * np.log(np.outer(area, area) + 1e-9)
        + hub[:, None]
        + hub[None, :]
        + 3.0 * homotopic
        - 1.0 * across
        + rest
        + rest.T
    )
    return np.asarray(result)


@dataclass(frozen=True)
class _Plan:
    """Planned paths: pair of regions, feet and cross-section."""

    pair: Ints
    feet: Ints
    weights: Floats


def _plan_paths(
    pairs: Ints,
    guess: Floats,
    ground: _Ground,
    lengths_mm: Floats,
    rng: np.random.Generator,
    settings: BundleSettings,
) -> _Plan:
    """Draw the end points of the paths of every bundle, preferably close ones."""
    groups = [np.flatnonzero(ground.region == r) for r in range(int(ground.region.max()) + 1)]
    which, feet, weights = [], [], []
    for k, (i, j) in enumerate(pairs):
        block = lengths_mm[np.ix_(groups[i], groups[j])]
        chance = np.exp(-(block - block.min()) / 20.0).ravel()
        chance *= np.outer(ground.area[groups[i]], ground.area[groups[j]]).ravel()
        count = min(settings.paths, int((chance > 1e-3 * chance.max()).sum()))
        drawn = rng.choice(chance.size, count, replace=False, p=chance / chance.sum())
        a, b = np.unravel_index(drawn, block.shape)
        which.append(np.full(count, k))
        feet.append(np.column_stack([groups[i][a], groups[j][b]]))
        weights.append(np.full(count, guess[k] / count))
    return _Plan(np.concatenate(which), np.concatenate(feet), np.concatenate(weights))


# ---- fibres ---------------------------------------------------------------------------------


def _fibres(
    paths: list[Ints],
    feet: Ints,
    ground: _Ground,
    rng: np.random.Generator,
    settings: BundleSettings,
) -> tuple[Floats, Ints]:
    """Smooth every path, add its ends in grey matter, and draw fibres around it."""
    fibres = []
    for path, (first, last) in zip(paths, feet, strict=True):
        inner = apply_affine(ground.affine, path[::-1])
        line = _smooth(np.vstack([ground.tips[first], inner, ground.tips[last]]))
        for _ in range(settings.copies):
            fibres.append(_with_offset(line, rng, settings.width_mm))
    starts = np.concatenate([[0], np.cumsum([len(fibre) for fibre in fibres])])
    return np.concatenate(fibres), starts


def _resample(line: Floats) -> Floats:
    """Return points every `_STEP_MM` along a line, with both ends."""
    run = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])
    at = np.linspace(0.0, run[-1], max(3, round(run[-1] / _STEP_MM) + 1))
    return np.column_stack([np.interp(at, run, axis) for axis in line.T])


def _smooth(line: Floats, sigma_mm: float = 4.0) -> Floats:
    """Smooth a line with a Gaussian; its ends stay fixed (point reflection)."""
    line = _resample(line)
    pad = min(len(line) - 1, int(3 * sigma_mm / _STEP_MM))
    before, after = 2 * line[0] - line[pad:0:-1], 2 * line[-1] - line[-2 : -pad - 2 : -1]
    wide = np.vstack([before, line, after])
    smooth = ndimage.gaussian_filter1d(wide, sigma_mm / _STEP_MM, axis=0)
    return _resample(smooth[pad : pad + len(line)])


def _with_offset(line: Floats, rng: np.random.Generator, width_mm: float) -> Floats:
    """Return the line with an offset that changes slowly along it."""
    knots = max(2, round(len(line) / 20) + 1)
    offsets = rng.normal(0.0, width_mm, 3) * 0.8 + rng.normal(0.0, width_mm, (knots, 3)) * 0.6
    at = np.linspace(0, knots - 1, len(line))
    moved = [np.interp(at, np.arange(knots), axis) for axis in offsets.T]
    return np.asarray(line + np.column_stack(moved))


def _fit_into_white_matter(
    points: Floats, starts: Ints, weights: Floats, ground: _Ground, rounds: int = 3
) -> Floats:
    """Scale the fibres so that they fill no more than the available white matter.

    In each round a fibre is scaled by the square root of the mean ratio of white matter to
    fibres along it. The ratio is bounded, so that the result depends on the initial weights.
    """
    voxels = np.rint(apply_affine(np.linalg.inv(ground.affine), points)).astype(int)
    voxels = np.clip(voxels, 0, np.array(ground.white.shape) - 1)
    flat = np.ravel_multi_index(tuple(voxels.T), ground.white.shape)
    counts = np.diff(starts)
    available = ndimage.gaussian_filter(ground.white, 1.0).ravel()
    for _ in range(rounds):
        each = np.repeat(weights, counts)
        filled = np.bincount(flat, weights=each * _STEP_MM, minlength=available.size)
        filled = ndimage.gaussian_filter(filled.reshape(ground.white.shape), 1.0).ravel()
        typical = (filled[flat] * each).sum() / (available[flat] * each).sum()
        ratio = typical * available[flat] / np.maximum(filled[flat], 1e-12)
        mean = np.add.reduceat(np.clip(ratio, 0.1, 10.0), starts[:-1]) / counts
        weights = weights * np.sqrt(mean)
    each = np.repeat(weights, counts)
    filled = np.bincount(flat, weights=each * _STEP_MM, minlength=available.size)
    scale = np.percentile((filled / (np.maximum(available, 0.3) * _GRID_MM**3))[filled > 0], 90)
    return np.asarray(weights / scale)


def _carried(ends: Ints, weights: Floats, starts: Ints, n: int) -> tuple[Floats, Floats]:
    """Return the summed weights and mean lengths of the fibres, symmetric."""
    flat = ends[:, 0] * n + ends[:, 1]
    lengths = (np.diff(starts) - 1) * _STEP_MM
    carried = np.bincount(flat, weights=weights, minlength=n * n).reshape(n, n)
    travelled = np.bincount(flat, weights=weights * lengths, minlength=n * n).reshape(n, n)
    carried, travelled = carried + carried.T, travelled + travelled.T
    return carried, np.divide(travelled, carried, out=np.zeros_like(carried), where=carried > 0)
