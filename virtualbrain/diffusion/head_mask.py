"""Compute a rough head mask of a diffusion series."""

import numpy as np
from numpy.typing import NDArray


def head_mask(mean_b0: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return a rough head mask: Otsu threshold, largest component, holes filled."""
    from scipy import ndimage  # slow to import, as the next
    from skimage.filters import threshold_otsu

    smooth = ndimage.median_filter(mean_b0, size=3)
    labels, _ = ndimage.label(smooth > 0.7 * threshold_otsu(smooth))
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    return np.asarray(ndimage.binary_fill_holes(labels == sizes.argmax()))
