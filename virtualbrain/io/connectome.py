"""Read and write connectomes: named matrices, The Virtual Brain's zip, ready connectomes."""

import io
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from virtualbrain.connectome import REGION_COLUMNS, Array, Connectome
from virtualbrain.errors import InputError, VirtualBrainError
from virtualbrain.io.atomic import atomic_path
from virtualbrain.io.connectome_formats import place_of, read_other_connectome
from virtualbrain.io.layout import PatientLayout
from virtualbrain.io.tables import read_matrix, read_table, write_matrix, write_table

ZIP_NAME = "connectivity.zip"
EDGE_UNITS = {
    "count": "streamlines",
    "density": "weight per mm3 of the two regions' mean volume",
    "reliability": "one minus the coefficient of variation",
}
"""Matrices beside weights and lengths, with their units."""
_ZIP_LIMIT_BYTES = 64 * 2**20
_CENTRES_BYTES = 2**20
_ZIP_TIME = (1980, 1, 1, 0, 0, 0)  # constant, so that equal connectomes give equal files


# ---- results of this project ------------------------------------------------------------


def write_connectome(
    layout: PatientLayout, connectome: Connectome, sidecar: Mapping[str, Any]
) -> None:
    """Write the region table, both matrices and The Virtual Brain's zip."""
    about = {**sidecar, "Source": connectome.source, "Directed": False, "DiagonalZeroed": True}
    frame = {"CoordinateSystem": "T1w scanner RAS", "CoordinateUnits": "mm"}
    write_table(layout.connectome_regions, connectome.regions, {**about, **frame})
    for stat, matrix, unit in (
        ("streamlines", connectome.weights, "as in the source, not normalised"),
        ("length", connectome.lengths_mm, "mm"),
    ):
        names = connectome.names
        write_matrix(layout.relmat(stat), matrix, names, names, {**about, "Units": unit})
    write_tvb_zip(layout.tvb_zip, connectome)


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
    """Read a connectome written by this project."""
    return read_relmats(layout.connectome, layout.atlas)


# ---- ready connectomes ------------------------------------------------------------------


def ready_atlas(folder: Path) -> str:
    """Return the atlas label in the file names of a ready connectome, else ``Given``."""
    for path in sorted([*folder.glob("*_atlas-*_relmat.tsv"), *folder.glob("*_atlas-*_dseg.tsv")]):
        return path.name.split("_atlas-")[1].split("_")[0]
    return "Given"


def read_ready_connectome(folder: Path) -> Connectome:
    """Read the ready connectome of a dataset, in any of the known formats.

    Raises
    ------
    InputError
        The folder has no connectome, or an invalid one.
    """
    try:
        return _read_ready(folder)
    except InputError as error:
        raise error.at(place_of(folder)) from error


def _read_ready(folder: Path) -> Connectome:
    """Read the connectome in the first format found."""
    if any(folder.glob("*_stat-streamlines_relmat.tsv")):
        return read_relmats(folder, ready_atlas(folder))
    if (folder / ZIP_NAME).is_file():
        return read_tvb_zip(folder / ZIP_NAME)
    other = read_other_connectome(folder)
    if other is not None:
        return other
    raise InputError(
        "no connectome in the folder",
        where=place_of(folder),
        expected=f"*_stat-streamlines_relmat.tsv with its region table, {ZIP_NAME}, or the "
        "matrices of MRtrix, QSIRecon, micapipe or neurolib with a region table",
        hint="add the files, or remove the folder",
    )


def read_given_connectome(path: Path) -> Connectome:
    """Read a connectome from a user's path: The Virtual Brain's zip, or a folder."""
    return read_tvb_zip(path) if path.is_file() else read_ready_connectome(path)


def check_connectome(folder: Path) -> list[VirtualBrainError]:
    """Check a ready connectome; return its problem, if any."""
    try:
        connectome = read_ready_connectome(folder)
        _require_centres(connectome, folder)
    except VirtualBrainError as error:
        return [error]
    return []


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
    regions = read_table(table_path, required=["name", "x", "y", "z"])
    for column in REGION_COLUMNS:
        if column not in regions:
            regions[column] = np.arange(1, len(regions) + 1) if column == "index" else np.nan
    names = [str(name) for name in regions["name"]]
    matrices = {}
    for stat in ("streamlines", "length"):
        path = _only_file(folder, f"*_atlas-{atlas}_stat-{stat}_relmat.tsv")
        matrices[stat] = _aligned(read_matrix(path), names, path)
    extra = [column for column in regions if column not in REGION_COLUMNS]
    ordered = regions[[*REGION_COLUMNS, *extra]]
    return Connectome(ordered, matrices["streamlines"], matrices["length"], "named matrices")


def _only_file(folder: Path, pattern: str) -> Path:
    found = sorted(folder.glob(pattern))
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


# ---- The Virtual Brain's zip ------------------------------------------------------------


def write_tvb_zip(path: Path, connectome: Connectome) -> None:
    """Write a connectome in the format of The Virtual Brain, with hemispheres."""
    regions = connectome.regions
    names = [name.replace(" ", "_") for name in connectome.names]
    centres = [
        f"{name} {x:.4f} {y:.4f} {z:.4f}"
        for name, (x, y, z) in zip(names, regions[["x", "y", "z"]].to_numpy(float), strict=True)
    ]
    normals = (
        regions[["nx", "ny", "nz"]].to_numpy(float)
        if {"nx", "ny", "nz"} <= set(regions)
        else np.zeros((len(regions), 3))
    )
    flags = {
        "cortical.txt": (regions["structure"] == "cortex").to_numpy(int),
        "hemispheres.txt": (regions["hemisphere"] == "R").to_numpy(int),
    }
    texts = {
        "weights.txt": _text(connectome.weights),
        "tract_lengths.txt": _text(connectome.lengths_mm),
        "centres.txt": "\n".join(centres) + "\n",
        "areas.txt": _text(np.nan_to_num(regions["area"].to_numpy(float))),
        "volumes.txt": _text(np.nan_to_num(regions["volume"].to_numpy(float))),
        "average_orientations.txt": _text(np.nan_to_num(normals)),
        **{name: _text(values, "%d") for name, values in flags.items()},
    }
    with atomic_path(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for name, text in texts.items():
            entry = zipfile.ZipInfo(name, _ZIP_TIME)
            archive.writestr(entry, text, zipfile.ZIP_DEFLATED)


def _text(values: Any, number: str = "%.10g") -> str:
    buffer = io.StringIO()
    np.savetxt(buffer, np.asarray(values), fmt=number)
    return buffer.getvalue()


def read_tvb_zip(path: Path) -> Connectome:
    """Read The Virtual Brain's connectivity.zip.

    Raises
    ------
    InputError
        The file is not a zip, or a member is missing, too large or invalid.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = {Path(info.filename).name: info for info in archive.infolist()}
            centres = _content(archive, members, "centres", path, _CENTRES_BYTES).splitlines()
            centres = [line for line in centres if line.strip()]
            n = len(centres)
            weights = _numbers(archive, members, "weights", path, n)
            lengths = _numbers(archive, members, "tract_lengths", path, n)
            extra = {
                key: _numbers(archive, members, key, path, n)
                for key in ("areas", "volumes", "cortical", "hemispheres")
                if _member(members, key)
            }
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, RuntimeError, ValueError):
        raise InputError(
            "not a zip file, or a damaged one",
            where=path.name,
            expected="connectivity.zip of The Virtual Brain",
            hint="export the connectome again",
        ) from None
    regions = _region_table(centres, extra, path)
    return Connectome(regions, np.atleast_2d(weights), np.atleast_2d(lengths), "TVB zip")


def _member(members: Mapping[str, zipfile.ZipInfo], key: str) -> zipfile.ZipInfo | None:
    """Return the member for a key; centres has older names."""
    names = [f"{key}.txt", f"{key}.txt.bz2"]
    names += ["centers.txt", "positions.txt"] if key == "centres" else []
    return next((members[name] for name in names if name in members), None)


def _content(
    archive: zipfile.ZipFile,
    members: Mapping[str, zipfile.ZipInfo],
    key: str,
    path: Path,
    limit: int,
) -> str:
    """Return the text of a member; reject one that is too large for a connectome."""
    info = _member(members, key)
    if info is None:
        raise InputError(
            f"{key}.txt is missing",
            where=path.name,
            expected="weights.txt, tract_lengths.txt and centres.txt",
            hint="export the connectome again",
        )
    with archive.open(info) as stream:
        raw = stream.read(limit + 1)
    if len(raw) > limit:
        raise InputError(
            f"{key}.txt unpacks to more than {limit >> 10} KiB",
            where=path.name,
            expected="one row and one column per region of centres.txt",
            hint="export the connectome again",
        )
    return raw.decode("utf-8", errors="replace")


def _numbers(
    archive: zipfile.ZipFile,
    members: Mapping[str, zipfile.ZipInfo],
    key: str,
    path: Path,
    n_regions: int,
) -> Array:
    """Return the numbers of a member: at most one row and one column per region."""
    limit = min(_ZIP_LIMIT_BYTES, 4096 + 40 * n_regions**2)
    text = _content(archive, members, key, path, limit)
    lines = [line for line in text.splitlines() if line.strip()][: n_regions + 1]
    rows = [line.replace(",", " ").split(maxsplit=n_regions) for line in lines]
    try:
        values = np.array(rows, dtype=np.float64)
    except ValueError:
        raise InputError(
            f"{key}.txt is not a table of numbers",
            where=path.name,
            expected=f"rows of numbers for the {n_regions} regions of centres.txt",
            hint="export the connectome again",
        ) from None
    return values if values.shape[1:] != (1,) else values[:, 0]


def _region_table(centres: list[str], extra: Mapping[str, Array], path: Path) -> pd.DataFrame:
    """Return the region table from the centres and the optional members of a zip."""
    rows = [line.rsplit(maxsplit=3) for line in centres]
    for number, row in enumerate(rows, start=1):
        if len(row) != 4:
            raise InputError(
                f"the row has {len(row)} values",
                where=f"{path.name}, centres.txt, row {number}",
                expected="4 values: name x y z",
                hint="export the connectome again",
            )
    names = [row[0] for row in rows]
    try:
        places = np.array([row[1:] for row in rows], dtype=np.float64).reshape(-1, 3)
    except ValueError:
        raise InputError(
            "a coordinate is not a number",
            where=f"{path.name}, centres.txt",
            expected="name x y z in every row",
            hint="export the connectome again",
        ) from None
    n = len(names)
    missing = np.full(n, np.nan)
    cortical = extra.get("cortical")
    hemispheres = extra.get("hemispheres")
    return pd.DataFrame(
        {
            "index": np.arange(1, n + 1),
            "name": names,
            "hemisphere": _sides(hemispheres, places[:, 0]),
            "structure": (
                [None] * n
                if cortical is None
                else np.where(cortical > 0, "cortex", "subcortex").tolist()
            ),
            "x": places[:, 0],
            "y": places[:, 1],
            "z": places[:, 2],
            "area": extra.get("areas", missing),
            "volume": extra.get("volumes", missing),
        }
    )


def _sides(hemispheres: Array | None, x: Array) -> list[str]:
    """Return L or R from the flags in the zip, else from the sign of x."""
    right = x > 0 if hemispheres is None else hemispheres > 0
    return ["R" if is_right else "L" for is_right in right]
