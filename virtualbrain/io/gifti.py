"""Open GIFTI files that others wrote."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nibabel.gifti import GiftiImage

_DIMENSIONALITY = re.compile(rb"Dimensionality\s*=\s*[\"']([^\"']*)")
_MOST_AXES = 6


def load_gifti(path: Path) -> "GiftiImage":
    """Load a GIFTI file.

    Raises
    ------
    ValueError
        It states an impossible number of axes, for each of which the library would do work.
    Exception
        Whatever the library raises on a damaged file.
    """
    import nibabel as nib  # slow to import
    from nibabel.gifti import GiftiImage

    for stated in _DIMENSIONALITY.findall(path.read_bytes()):
        if not 1 <= int(stated) <= _MOST_AXES:
            raise ValueError(f"an array of {int(stated)} axes")
    image = nib.load(path)
    if not isinstance(image, GiftiImage):
        raise ValueError("no GIFTI file")
    return image
