"""Connectomes in and out: named matrices, The Virtual Brain's zip, ready ones of a dataset."""

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
_ZIP_LIMIT_BYTES = 64 * 2**20
_CENTRES_BYTES = 2**20
_ZIP_TIME = (1980, 1, 1, 0, 0, 0)  # fixed, so that equal connectomes give equal files


# ---- this project's own results ---------------------------------------------------------


def write_connectome(
    layout: PatientLayout, connectome: Connectome, sidecar: Mapping[str, Any]
) -> None:
    """Write region table, both matrices and The Virtual Brain's zip."""
    about = {**sidecar, "Source": connectome.source, "Directed": False, "DiagonalZeroed": True}
    place = {"CoordinateSystem": "T1w scanner RAS", "CoordinateUnits": "mm"}
    write_table(layout.connectome_regions, connectome.regions, {**about, **place})
    for stat, matrix, unit in (
        ("streamlines", connectome.weights, "as the source gives them, not normalised"),
        ("length", connectome.lengths_mm, "mm"),
    ):
        names = connectome.names
        write_matrix(layout.relmat(stat), matrix, names, names, {**about, "Units": unit})
    write_tvb_zip(layout.tvb_zip, connectome)


def write_edge_matrices(
    layout: PatientLayout,
    names: Sequence[str],
    *,
    counts: Array,
    density: Array,
    reliability: Array,
    sidecar: Mapping[str, Any],
) -> None:
    """Write streamline count, density and reliability of every connection."""
    for stat, matrix, unit in (
        ("count", counts, "streamlines"),
        ("density", density, "weight per mm3 of the two regions' mean volume"),
        ("reliability", reliability, "one minus the coefficient of variation"),
    ):
        write_matrix(layout.relmat(stat), matrix, names, names, {**sidecar, "Units": unit})


def read_connectome(layout: PatientLayout) -> Connectome:
    """Read a connectome that this project wrote."""
    return read_relmats(layout.connectome, layout.atlas)


# ---- ready connectomes ------------------------------------------------------------------


def ready_atlas(folder: Path) -> str:
    """Return the atlas label that a ready connectome's files state, else ``Given``."""
    for path in sorted([*folder.glob("*_atlas-*_relmat.tsv"), *folder.glob("*_atlas-*_dseg.tsv")]):
        return path.name.split("_atlas-")[1].split("_")[0]
    return "Given"


def read_ready_connectome(folder: Path) -> Connectome:
    """Read a dataset's ready connectome: named matrices, or The Virtual Brain's zip.

    Raises
    ------
    InputError
        Neither is there, or what is there is no connectome.
    """
    try:
        return _read_ready(folder)
    except InputError as error:
        raise error.at(place_of(folder)) from error


def _read_ready(folder: Path) -> Connectome:
    """Read the first kind of connectome that is there."""
    if any(folder.glob("*_stat-streamlines_relmat.tsv")):
        return read_relmats(folder, ready_atlas(folder))
    if (folder / ZIP_NAME).is_file():
        return read_tvb_zip(folder / ZIP_NAME)
    other = read_other_connectome(folder)
    if other is not None:
        return other
    raise InputError(
        "no connectome",
        where=place_of(folder),
        expected=f"*_stat-streamlines_relmat.tsv with its region table, {ZIP_NAME}, or the "
        "matrices of MRtrix, QSIRecon, micapipe or neurolib with a region table",
    )


def read_given_connectome(path: Path) -> Connectome:
    """Read a connectome that a user names: The Virtual Brain's zip, or a ready one's folder."""
    return read_tvb_zip(path) if path.is_file() else read_ready_connectome(path)


def check_connectome(folder: Path) -> list[VirtualBrainError]:
    """Find the problem of a ready connectome, if it has one."""
    try:
        connectome = read_ready_connectome(folder)
        _require_centres(connectome, folder)
    except VirtualBrainError as error:
        return [error]
    return []


def check_reference(path: str) -> list[VirtualBrainError]:
    """Find the problem of a connectome to compare with; an empty path is none."""
    try:
        if path:
            read_given_connectome(Path(path))
    except VirtualBrainError as error:
        return [error]
    return []


def _require_centres(connectome: Connectome, folder: Path) -> None:
    """Refuse a connectome without a single region centre: no contact could be placed."""
    if connectome.regions[["x", "y", "z"]].isna().all(axis=None):
        raise InputError(
            "no region has a centre",
            where=place_of(folder),
            expected="x, y and z in mm (T1w scanner RAS) in the region table",
        )


def read_relmats(folder: Path, atlas: str) -> Connectome:
    """Read named matrices and their region table, aligned by name.

    Raises
    ------
    InputError
        A file is missing, or the names of table and matrices differ.
    """
    table_path = _only(folder, f"*_atlas-{atlas}_dseg.tsv")
    regions = read_table(table_path, required=["name", "x", "y", "z"])
    for column in REGION_COLUMNS:
        if column not in regions:
            regions[column] = np.arange(1, len(regions) + 1) if column == "index" else np.nan
    names = [str(name) for name in regions["name"]]
    matrices = {}
    for stat in ("streamlines", "length"):
        path = _only(folder, f"*_atlas-{atlas}_stat-{stat}_relmat.tsv")
        matrices[stat] = _aligned(read_matrix(path), names, path)
    extra = [column for column in regions if column not in REGION_COLUMNS]
    ordered = regions[[*REGION_COLUMNS, *extra]]
    return Connectome(ordered, matrices["streamlines"], matrices["length"], "named matrices")


def _only(folder: Path, pattern: str) -> Path:
    found = sorted(folder.glob(pattern))
    if len(found) != 1:
        raise InputError(
            f"{len(found)} files fit {pattern}", where=place_of(folder), expected="exactly one"
        )
    return found[0]


def _aligned(matrix: pd.DataFrame, names: list[str], path: Path) -> Array:
    """Put rows and columns into the region table's order."""
    for axis, found in (("row", matrix.index), ("column", matrix.columns)):
        missing = [name for name in names if name not in found]
        extra = [name for name in found if name not in names]
        if missing or extra:
            raise InputError(
                f"no {axis} {missing[0]}" if missing else f"an unknown {axis} {extra[0]}",
                where=path.name,
                expected="exactly the regions of the region table",
                hint="give both the same names",
            )
    return np.asarray(matrix.loc[names, names], dtype=np.float64)


# ---- The Virtual Brain's zip ------------------------------------------------------------


def write_tvb_zip(path: Path, connectome: Connectome) -> None:
    """Write a connectome as The Virtual Brain reads it, hemispheres included."""
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
        No zip, a member that is missing, larger than any connectome, or not what it must be.
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
        raise InputError("not a zip file, or a broken one", where=path.name) from None
    regions = _region_table(centres, extra, path)
    return Connectome(regions, np.atleast_2d(weights), np.atleast_2d(lengths), "TVB zip")


def _member(members: Mapping[str, zipfile.ZipInfo], key: str) -> zipfile.ZipInfo | None:
    """Return the member of a key, also by the older name of centres."""
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
    """Return a member's text, refusing what unpacks to more than a connectome can be."""
    info = _member(members, key)
    if info is None:
        raise InputError(f"no {key}.txt", where=path.name, hint="export the connectome again")
    with archive.open(info) as stream:
        raw = stream.read(limit + 1)
    if len(raw) > limit:
        raise InputError(
            f"{key}.txt unpacks to more than {limit >> 10} KiB",
            where=path.name,
            expected="no more numbers than the regions of centres.txt need",
        )
    return raw.decode("utf-8", errors="replace")


def _numbers(
    archive: zipfile.ZipFile,
    members: Mapping[str, zipfile.ZipInfo],
    key: str,
    path: Path,
    n_regions: int,
) -> Array:
    """Return a member's numbers: at most one row and one column per region."""
    limit = min(_ZIP_LIMIT_BYTES, 4096 + 40 * n_regions**2)
    text = _content(archive, members, key, path, limit)
    lines = [line for line in text.splitlines() if line.strip()][: n_regions + 1]
    rows = [line.replace(",", " ").split(maxsplit=n_regions) for line in lines]
    try:
        values = np.array(rows, dtype=np.float64)
    except ValueError:
        raise InputError(
            f"{key}.txt is no matrix of numbers",
            where=path.name,
            expected=f"rows of numbers for the {n_regions} regions of centres.txt",
            hint="export it again",
        ) from None
    return values if values.shape[1:] != (1,) else values[:, 0]


def _region_table(centres: list[str], extra: Mapping[str, Array], path: Path) -> pd.DataFrame:
    """Return the region table of a zip's centres and what else it tells."""
    rows = [line.rsplit(maxsplit=3) for line in centres]
    for number, row in enumerate(rows, start=1):
        if len(row) != 4:
            raise InputError(
                f"{len(row)} words", where=f"{path.name}, centres.txt, row {number}",
                expected="name x y z",
            )  # fmt: skip
    names = [row[0] for row in rows]
    try:
        places = np.array([row[1:] for row in rows], dtype=np.float64).reshape(-1, 3)
    except ValueError:
        raise InputError(
            "a place that is no number", where=f"{path.name}, centres.txt", expected="name x y z"
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
    """Return L or R, from the zip's own flags or else the side of the midline."""
    right = x > 0 if hemispheres is None else hemispheres > 0
    return ["R" if is_right else "L" for is_right in right]
