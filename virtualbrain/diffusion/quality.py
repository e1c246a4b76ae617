"""Compute quality figures of diffusion series and connectome, and describe unusual ones."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from virtualbrain.connectome import Connectome
from virtualbrain.diffusion import mrtrix
from virtualbrain.diffusion.alignment import header_in_dwi
from virtualbrain.quality_limits import QualityLimit, outside

Array = NDArray[np.float64]
MIN_COVERAGE = 0.9
"""Smallest fraction of a region inside the diffusion image; regions below it are named."""
_LENGTH_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


LIMITS: Mapping[str, QualityLimit] = {
    "n_directions": QualityLimit(
        30,
        np.inf,
        "number of diffusion directions",
        "Crossing fibres are poorly resolved: long connections may be missing.",
    ),
    "snr_b0": QualityLimit(
        10,
        np.inf,
        "signal-to-noise ratio of the b = 0 volumes",
        "Weak bundles are lost.",
    ),
    "max_motion_mm": QualityLimit(
        0, 3, "largest head motion in mm", "Look at the corrected series."
    ),
    "orientation_margin": QualityLimit(
        1,
        np.inf,
        "ratio of fibre continuity with the gradient table to that with the best other table",
        "Check the gradient directions.",
    ),
    "t1_overlap": QualityLimit(
        0.8, 1, "overlap of T1 and diffusion after alignment", "Look at the alignment."
    ),
    "white_matter_likeness": QualityLimit(
        0.40,
        1,
        "correlation of white matter in the T1 and in the diffusion series",
        "Check that both images show this patient and are aligned.",
    ),
    "assigned_share": QualityLimit(0.5, 1, "share of streamlines with a region at both ends"),
    "left_right_correlation": QualityLimit(
        0.5,
        1,
        "correlation of the weights of the left and the right hemisphere",
        "One side may have poor data or a lesion.",
    ),
    "median_reliability": QualityLimit(
        0.5, 1, "median reliability of connections under resampling", "More streamlines would help."
    ),
    "reference_spearman": QualityLimit(0.4, 1, "rank correlation with the reference connectome"),
}
_NAMED = {
    "poorly_covered_regions": "lie partly or wholly outside the diffusion image",
    "regions_without_voxels": "have no voxel in this brain; they are in the tables without "
    "connections",
    "isolated_regions": "have no connection",
}


def notes_on(figures: Mapping[str, Any]) -> list[str]:
    """Describe in words the figures outside their quality limits and the regions with problems."""
    notes = outside(figures, LIMITS)
    for name, words in _NAMED.items():
        regions: Sequence[str] = figures.get(name) or ()
        if regions:
            notes.append(f"{len(regions)} regions {words}: {', '.join(regions)}.")
    return notes


def connectome_quality(
    connectome: Connectome,
    counts: Array | None = None,
    reliability: Array | None = None,
    reference: Connectome | None = None,
) -> dict[str, Any]:
    """Return figures on density, symmetry, lengths, reliability and isolated regions.

    Figures on streamlines require `counts`.

    Parameters
    ----------
    connectome : Connectome
        The connectome.
    counts : numpy.ndarray, shape (n_regions, n_regions), optional
        Streamline counts.
    reliability : numpy.ndarray, shape (n_regions, n_regions), optional
        Reliability of each connection, 0 to 1.
    reference : Connectome, optional
        Connectome of the same regions to compare with.
    """
    upper = np.triu_indices(connectome.n_regions, k=1)
    present = connectome.weights[upper] > 0
    lengths = connectome.lengths_mm[upper][present]
    quantiles = np.quantile(lengths, _LENGTH_QUANTILES) if present.any() else np.full(5, np.nan)
    figures: dict[str, Any] = {
        "n_regions": connectome.n_regions,
        "n_edges": int(present.sum()),
        "edge_share": float(present.mean()) if len(present) else 0.0,
        "isolated_regions": list(connectome.isolated()),
        "left_right_correlation": left_right_correlation(connectome),
        "length_mm_quantiles": dict(
            zip([str(q) for q in _LENGTH_QUANTILES], quantiles.tolist(), strict=True)
        ),
    }
    if counts is not None:
        figures["streamlines_between_regions"] = float(counts[upper].sum())
        per_region = counts.sum(axis=1).astype(int).tolist()
        figures["streamlines_per_region"] = dict(zip(connectome.names, per_region, strict=True))
        figures["regions_without_voxels"] = _without_voxels(connectome.regions)
    if reliability is not None and present.any():
        values = reliability[upper][present]
        figures["median_reliability"] = float(np.median(values))
        figures["share_reliable"] = float((values > 0.5).mean())
    if reference is not None:
        compared = compare_connectomes(connectome, reference)
        figures |= {f"reference_{name}": compared[name] for name in ("spearman", "n_regions")}
    return figures


def _without_voxels(regions: pd.DataFrame) -> list[str]:
    return regions.loc[regions["volume"].fillna(0) == 0, "name"].tolist()


def mirror_name(name: str) -> str:
    """Return the name of the homologous region (the name itself for a midline region)."""
    for left, right in (("ctx-lh-", "ctx-rh-"), ("Left-", "Right-"), ("L-", "R-"), ("lh", "rh")):
        if name.startswith(left):
            return right + name.removeprefix(left)
        if name.startswith(right):
            return left + name.removeprefix(right)
    return name


def left_right_correlation(connectome: Connectome) -> float:
    """Return Spearman's correlation of the weights within the left and the right hemisphere.

    NaN if fewer than three regions have a homologous region.
    """
    places = {name: i for i, name in enumerate(connectome.names)}
    is_left = (connectome.regions["hemisphere"] == "L").to_numpy()
    pairs = [
        (i, places[mirror_name(name)])
        for name, i in places.items()
        if is_left[i] and mirror_name(name) != name and mirror_name(name) in places
    ]
    if len(pairs) < 3:
        return float("nan")
    left, right = np.array(pairs).T
    upper = np.triu_indices(len(pairs), k=1)
    values = [connectome.weights[np.ix_(side, side)][upper] for side in (left, right)]
    return rank_correlation(values[0], values[1])


def rank_correlation(first: Array, second: Array) -> float:
    """Return Spearman's correlation; NaN if one variable is constant."""
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return float("nan")
    return float(pd.Series(first).rank().corr(pd.Series(second).rank()))


def compare_connectomes(first: Connectome, second: Connectome) -> dict[str, float]:
    """Return correlations of two connectomes over their common regions.

    Returns
    -------
    dict
        ``pearson_log``: Pearson's correlation of log(1 + w) after scaling each connectome to a
        mean weight of 1000; ``spearman``: Spearman's correlation of all weights;
        ``spearman_present``: of the weights of connections present in both; ``n_regions``: number
        of common regions.
    """
    names = [name for name in first.names if name in set(second.names)]
    upper = np.triu_indices(len(names), k=1)
    a, b = (one.ordered(names).weights[upper] for one in (first, second))
    scaled = [np.log1p(1000 * w / max(w.mean(), 1e-300)) for w in (a, b)]
    both = (a > 0) & (b > 0)
    return {
        "pearson_log": float(np.corrcoef(scaled[0], scaled[1])[0, 1]),
        "spearman": rank_correlation(a, b),
        "spearman_present": rank_correlation(a[both], b[both]) if both.sum() > 2 else float("nan"),
        "n_regions": float(len(names)),
    }


def field_of_view(
    labels: Path, t1_to_dwi: Path, fod: Path, regions: pd.DataFrame, workdir: Path
) -> dict[str, Any]:
    """Return the fraction of each region inside the diffusion image, and the poorly covered ones.

    A voxel is covered if there is an FOD within two diffusion voxels, because cortex lies at the
    edge of the mask.
    """
    from scipy import ndimage  # slow to import

    copy = workdir / "fod-extent.nii"
    mrtrix.convert(fod, copy, "-coord", 3, 0, "-axes", "0,1,2", "-strides", "1,2,3")
    image, label_image = nib.load(copy), nib.load(labels)
    inside = ndimage.binary_dilation(np.asarray(image.dataobj) > 0, iterations=2)
    values = np.asarray(label_image.dataobj).astype(np.int64)
    voxels = np.argwhere(values > 0)
    to_dwi = np.linalg.inv(image.affine) @ header_in_dwi(
        np.asarray(label_image.affine, dtype=float), t1_to_dwi
    )
    places = np.rint(voxels @ to_dwi[:3, :3].T + to_dwi[:3, 3]).astype(int)
    within = ((places >= 0) & (places < inside.shape)).all(axis=1)
    covered = np.zeros(len(voxels), dtype=bool)
    covered[within] = inside[tuple(places[within].T)]
    label_of = values[tuple(voxels.T)]
    size = int(max(label_of.max(initial=0), regions["index"].max())) + 1
    n_voxels = np.bincount(label_of, minlength=size)
    n_covered = np.bincount(label_of, weights=covered, minlength=size)
    index = regions["index"].to_numpy(dtype=int)
    fraction = np.divide(n_covered, n_voxels, out=np.zeros(size), where=n_voxels > 0)[index]
    coverage = dict(zip(regions["name"], fraction.tolist(), strict=True))
    poorly_covered = [
        name
        for name, covered_fraction, n in zip(
            regions["name"], fraction, n_voxels[index], strict=True
        )
        if covered_fraction < MIN_COVERAGE and n > 0
    ]
    return {"coverage": coverage, "poorly_covered_regions": poorly_covered}
