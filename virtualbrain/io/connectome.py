"""Read and write connectomes as named matrices, and read ready connectomes in any format."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from virtualbrain.connectome import PATIENT_FRAME, REGION_COLUMNS, Array, Connectome, mirrored
from virtualbrain.errors import InputError, VirtualBrainError
from virtualbrain.io.atomic import read_json
from virtualbrain.io.connectome_folder import (
    atlas_of,
    chosen_table,
    matching,
    only,
    place_of,
    same_atlas,
)
from virtualbrain.io.connectome_formats import read_other_connectome
from virtualbrain.io.layout import PatientLayout
from virtualbrain.io.tables import (
    read_matrix,
    read_table,
    sidecar_of,
    write_matrix,
    write_table,
)
from virtualbrain.io.tvb_zip import read_tvb_zip, write_tvb_zip

ZIP_NAME = "connectivity.zip"
_ZIPS = "*connectivity*.zip"
"""Other names of The Virtual Brain's zip, such as ``connectivity_76.zip``."""
GROUP_AUTO, GROUP_NONE = "auto", "none"
"""Values of the setting `diffusion.group_connectome` that are not paths."""
WEIGHTS = "*_stat-streamlines_relmat.tsv"
"""Pattern of the named matrices of weights in a folder."""
EDGE_UNITS = {
    "count": "streamlines",
    "density": "weight per mm3 of the two regions' mean volume",
    "reliability": "one minus the coefficient of variation",
}
"""Matrices beside weights and lengths, with their units."""


# ---- results of this project ------------------------------------------------------------


def write_connectome(
    layout: PatientLayout, connectome: Connectome, sidecar: Mapping[str, Any]
) -> None:
    """Write the region table, both matrices and The Virtual Brain's zip."""
    about = {
        **sidecar,
        "Source": connectome.source,
        **origin_of(connectome),
        "Directed": False,
        "DiagonalZeroed": True,
    }
    frame = {"CoordinateSystem": connectome.frame, "CoordinateUnits": "mm"}
    write_table(layout.connectome_regions, connectome.regions, {**about, **frame})
    for stat, matrix, unit in (
        ("streamlines", connectome.weights, "as in the source, not normalised"),
        ("length", connectome.lengths_mm, "mm"),
    ):
        names = connectome.names
        write_matrix(layout.relmat(stat), matrix, names, names, {**about, "Units": unit})
    write_tvb_zip(layout.tvb_zip, connectome)


def origin_of(connectome: Connectome) -> dict[str, str]:
    """Return what sidecars state of a connectome that is not the patient's own; else nothing."""
    origin = {"GroupConnectome": connectome.group} if connectome.group else {}
    if connectome.frame != PATIENT_FRAME:
        origin["Anatomy"] = f"template {connectome.frame}"
    return origin


def write_edge_matrices(
    layout: PatientLayout,
    names: Sequence[str],
    matrices: Mapping[str, Array],
    sidecar: Mapping[str, Any],
) -> None:
    """Write further matrices of the connections: those in `EDGE_UNITS`, by name."""
    for stat, unit in EDGE_UNITS.items():
        about = {**sidecar, "Units": unit}
        write_matrix(layout.relmat(stat), matrices[stat], names, names, about)


def read_connectome(layout: PatientLayout) -> Connectome:
    """Read a connectome written by this project, with its group and coordinate frame."""
    about = read_json(sidecar_of(layout.connectome_regions))
    return replace(
        read_relmats(layout.connectome, layout.atlas),
        group=str(about.get("GroupConnectome", "")),
        frame=str(about.get("CoordinateSystem", PATIENT_FRAME)),
    )


# ---- ready connectomes ------------------------------------------------------------------


def ready_atlas(folder: Path, atlas: str = "") -> str:
    """Return the atlas label in the file names of a ready connectome, else ``Given``.

    Parameters
    ----------
    folder : Path
        Folder of the connectome.
    atlas : str
        Atlas that the user chose; empty: none.

    Raises
    ------
    InputError
        The folder has connectomes of several atlases.
    """
    matrices = matching(folder, WEIGHTS)
    if matrices:
        return atlas_of(chosen_table(folder, matrices, atlas))
    labels = dict.fromkeys(filter(None, map(atlas_of, matching(folder, "*_dseg.tsv"))))
    chosen = [label for label in labels if not atlas or same_atlas(label, atlas)]
    return chosen[0] if len(chosen) == 1 else "Given"


def read_ready_connectome(folder: Path, atlas: str = "") -> Connectome:
    """Read the ready connectome of a dataset, in any of the known formats.

    Parameters
    ----------
    folder : Path
        Folder of the connectome.
    atlas : str
        Atlas to read if there are several; empty: there must be one.

    Raises
    ------
    InputError
        The folder has no connectome, an invalid one, or several that could be meant.
    """
    try:
        return _read_ready(folder, atlas)
    except InputError as error:
        raise error.at(place_of(folder)) from error


def _read_ready(folder: Path, atlas: str) -> Connectome:
    """Read the connectome in the first format found."""
    if matching(folder, WEIGHTS):
        return read_relmats(folder, ready_atlas(folder, atlas))
    zips = matching(folder, ZIP_NAME) or matching(folder, _ZIPS)
    if zips:
        return read_tvb_zip(only(zips, folder, "a connectome of The Virtual Brain"))
    other = read_other_connectome(folder, atlas)
    if other is not None:
        return other
    raise InputError(
        "no connectome in the folder",
        where=place_of(folder),
        expected=f"{WEIGHTS} with its region table, {ZIP_NAME}, or the "
        "matrices of MRtrix, QSIRecon, micapipe or neurolib with a region table",
        hint="add the files, or remove the folder",
    )


def group_path(setting: str) -> str:
    """Return the setting `diffusion.group_connectome` with an absolute path if it is a path."""
    return setting if setting in (GROUP_AUTO, GROUP_NONE) else str(Path(setting).absolute())


def group_files(setting: str) -> list[Path]:
    """Return the files of the user's group connectome (`diffusion.group_connectome`), if any."""
    path = Path(setting)
    if setting in (GROUP_AUTO, GROUP_NONE):
        return []
    return [path] if path.is_file() else matching(path, "*") if path.is_dir() else []


def read_given_connectome(path: Path) -> Connectome:
    """Read a connectome from a user's path: The Virtual Brain's zip, or a folder."""
    return read_tvb_zip(path) if path.is_file() else read_ready_connectome(path)


def read_placed_connectome(folder: Path, atlas: str = "") -> Connectome:
    """Read a ready connectome as `read_ready_connectome`; its regions must have centres."""
    connectome = read_ready_connectome(folder, atlas)
    _require_centres(connectome, folder)
    return connectome


def check_reference(path: str) -> list[VirtualBrainError]:
    """Check the reference connectome of the settings; an empty path is valid."""
    try:
        if path:
            read_given_connectome(Path(path))
    except VirtualBrainError as error:
        return [error]
    return []


def _require_centres(connectome: Connectome, folder: Path) -> None:
    """Reject a connectome without region centres: contacts could not be assigned to regions."""
    if connectome.regions[["x", "y", "z"]].isna().all(axis=None):
        raise InputError(
            "no region has coordinates",
            where=place_of(folder),
            expected="x, y and z in mm (T1w scanner RAS) in the region table",
            hint="add the columns x, y and z to the region table",
        )


def read_relmats(folder: Path, atlas: str) -> Connectome:
    """Read named matrices and their region table, and align them by name.

    Raises
    ------
    InputError
        A file is missing, or the names in table and matrices differ.
    """
    table_path = _only_file(folder, f"*_atlas-{atlas}_dseg.tsv")
    regions = read_table(table_path, ["name", "x", "y", "z"], REGION_COLUMNS)
    for column in REGION_COLUMNS:
        if column not in regions:
            regions[column] = np.arange(1, len(regions) + 1) if column == "index" else np.nan
    names = [str(name) for name in regions["name"]]
    matrices = {}
    for stat in ("streamlines", "length"):
        path = _only_file(folder, f"*_atlas-{atlas}_stat-{stat}_relmat.tsv")
        matrices[stat] = mirrored(_aligned(read_matrix(path), names, path))
    extra = [column for column in regions if column not in REGION_COLUMNS]
    ordered = regions[[*REGION_COLUMNS, *extra]]
    return Connectome(ordered, matrices["streamlines"], matrices["length"], "named matrices")


def _only_file(folder: Path, pattern: str) -> Path:
    found = matching(folder, pattern)
    if len(found) != 1:
        raise InputError(
            f"{len(found)} files match {pattern}",
            where=place_of(folder),
            expected="exactly one file",
            hint="add the missing file" if not found else "keep one of them",
        )
    return found[0]


def _aligned(matrix: pd.DataFrame, names: list[str], path: Path) -> Array:
    """Return the matrix with rows and columns in the order of the region table."""
    for axis, found in (("row", matrix.index), ("column", matrix.columns)):
        missing = [name for name in names if name not in found]
        extra = [name for name in found if name not in names]
        if missing or extra:
            raise InputError(
                f"the {axis} {missing[0]} is missing" if missing else f"unknown {axis} {extra[0]}",
                where=path.name,
                expected="exactly the regions of the region table",
                hint="use the same region names in both files",
            )
    return np.asarray(matrix.loc[names, names], dtype=np.float64)
