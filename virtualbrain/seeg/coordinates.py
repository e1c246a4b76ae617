"""Convert contact coordinates to scanner RAS of the T1w in mm."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from virtualbrain.errors import InputError
from virtualbrain.io.coordsystem import CoordinateSystem
from virtualbrain.io.freesurfer import tkras_to_scanner as freesurfer_tkras_to_scanner


def to_scanner_mm(
    coordinates: NDArray[np.float64], system: CoordinateSystem, freesurfer: Path | None, where: str
) -> NDArray[np.float64]:
    """Convert coordinates to scanner RAS of the T1w in mm.

    Parameters
    ----------
    coordinates : numpy.ndarray, shape (n_contacts, 3)
        Coordinates in the frame and unit of `system`; NaN rows stay NaN.
    system : CoordinateSystem
        Coordinate frame and unit stated in the dataset.
    freesurfer : Path, optional
        Folder of the FreeSurfer subject that defines tkRAS.
    where : str
        File name, for messages.

    Raises
    ------
    InputError
        The frame is tkRAS, and no FreeSurfer subject defines it.
    """
    scaled = np.asarray(coordinates, dtype=np.float64) * system.mm_per_unit
    if system.frame != "tkras":
        return scaled
    matrix = tkras_to_scanner(freesurfer, where)
    return scaled @ matrix[:3, :3].T + matrix[:3, 3]


def tkras_to_scanner(freesurfer: Path | None, where: str) -> NDArray[np.float64]:
    """Return the affine from FreeSurfer's tkRAS to scanner RAS.

    Raises
    ------
    InputError
        No FreeSurfer subject with orig.mgz or T1.mgz.
    """
    volumes = [] if freesurfer is None else [freesurfer / "mri" / n for n in ("orig.mgz", "T1.mgz")]
    volume = next((path for path in volumes if path.is_file()), None)
    if volume is None:
        raise InputError(
            "the coordinates are in FreeSurfer tkRAS, but there is no FreeSurfer subject",
            where=where,
            expected="derivatives/freesurfer/sub-<label>/mri/orig.mgz",
            hint="add the FreeSurfer subject, or convert the coordinates to scanner RAS",
        )
    return freesurfer_tkras_to_scanner(volume)
