"""How good a diffusion series and a connectome are: figures, limits, and words for a reader."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import ndimage, stats

from virtualbrain.connectome import Connectome
from virtualbrain.diffusion import mrtrix
from virtualbrain.diffusion.fod import header_in_dwi
from virtualbrain.quality_limits import QualityLimit, outside

Array = NDArray[np.float64]
MIN_COVERAGE = 0.9
"""Share of a region inside the diffusion image, below which it is named."""
_LENGTH_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


LIMITS: Mapping[str, QualityLimit] = {
    "n_directions": QualityLimit(
        30,
        np.inf,
        "number of diffusion directions",
        "Crossing fibres are told apart poorly: long connections may be missing.",
    ),
    "snr_b0": QualityLimit(
        10,
        np.inf,
        "signal of the images without weighting over the noise",
        "Weak bundles are lost.",
    ),
    "max_motion_mm": QualityLimit(
        0, 3, "largest head motion in mm", "Look at the corrected series."
    ),
    "orientation_margin": QualityLimit(
        1,
        np.inf,
        "continuity of fibres with the gradient table over the best other table",
        "Check the gradient directions.",
    ),
    "t1_overlap": QualityLimit(
        0.8, 1, "overlap of T1 and diffusion after alignment", "Look at the alignment."
    ),
    "white_matter_likeness": QualityLimit(
        0.40,
        1,
        "correlation of the T1's white matter with the diffusion's",
        "Make sure that both images are of this patient and lie over each other.",
    ),
    "assigned_share": QualityLimit(0.5, 1, "share of streamlines with a region at both ends"),
    "left_right_correlation": QualityLimit(
        0.5,
        1,
        "correlation of the left hemisphere's weights with the right one's",
        "One side may be badly measured, or injured.",
    ),
    "median_reliability": QualityLimit(
        0.5, 1, "median reliability of connections under resampling", "More streamlines would help."
    ),
    "reference_spearman": QualityLimit(0.4, 1, "rank correlation with the reference connectome"),
}
_NAMED = {
    "poorly_covered_regions": "lie partly or wholly outside the diffusion image",
    "regions_without_voxels": "have no voxel in this brain; they stay in the tables, unconnected",
    "isolated_regions": "have no connection",
}


def notes_on(figures: Mapping[str, Any]) -> list[str]:
    """Return a sentence for each figure outside its usual range and for each list of regions."""
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

    Figures on streamlines are there only for a connectome made from them.

    Parameters
    ----------
    connectome : Connectome
        The connectome.
    counts : numpy.ndarray, shape (n_regions, n_regions), optional
        Streamline counts.
    reliability : numpy.ndarray, shape (n_regions, n_regions), optional
        Of each connection, 0 to 1.
    reference : Connectome, optional
        One of the same regions to compare with.
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
        trusted = reliability[upper][present]
        figures["median_reliability"] = float(np.median(trusted))
        figures["share_reliable"] = float((trusted > 0.5).mean())
    if reference is not None:
        alike = compare_connectomes(connectome, reference)
        figures |= {f"reference_{name}": alike[name] for name in ("spearman", "n_regions")}
    return figures


def _without_voxels(regions: pd.DataFrame) -> list[str]:
    return regions.loc[regions["volume"].fillna(0) == 0, "name"].tolist()


def mirror_name(name: str) -> str:
    """Return the name of the same region in the other hemisphere (the name itself if midline)."""
    for left, right in (("ctx-lh-", "ctx-rh-"), ("Left-", "Right-"), ("L-", "R-"), ("lh", "rh")):
        if name.startswith(left):
            return right + name.removeprefix(left)
        if name.startswith(right):
            return left + name.removeprefix(right)
    return name


def left_right_correlation(connectome: Connectome) -> float:
    """Return Spearman's correlation of weights within the left and within the right hemisphere.

    NaN where fewer than three regions have a namesake on the other side.
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
    """Return Spearman's correlation, NaN where one side is constant."""
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return float("nan")
    return float(stats.spearmanr(first, second).statistic)


def compare_connectomes(first: Connectome, second: Connectome) -> dict[str, float]:
    """Return how alike two connectomes are, over the regions that both name.

    Returns
    -------
    dict
        ``pearson_log``: Pearson's correlation of log(1 + w) after scaling each to a mean
        weight of 1000; ``spearman``: of all weights; ``spearman_present``: where both have a
        connection; ``n_regions``: how many regions both name.
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
    """Return the share of each region that the diffusion image covers, and who lacks much.

    Covered is a voxel with an orientation distribution in reach of one diffusion voxel (cortex
    lies at the edge of the mask).
    """
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
    share = np.divide(n_covered, n_voxels, out=np.zeros(size), where=n_voxels > 0)[index]
    coverage = dict(zip(regions["name"], share.tolist(), strict=True))
    lacking = [
        name
        for name, part, n in zip(regions["name"], share, n_voxels[index], strict=True)
        if part < MIN_COVERAGE and n > 0
    ]
    return {"coverage": coverage, "poorly_covered_regions": lacking}
