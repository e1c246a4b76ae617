"""Read and write connectivity.zip, the connectome format of The Virtual Brain.

The members are text files, plain or compressed with bzip2 or gzip: weights, tract_lengths (also
tracts or lengths) and centres (also centers or positions), and optionally areas, volumes, cortical
and hemispheres.
"""

import bz2
import gzip
import io
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from virtualbrain.connectome import Array, Connectome, mirrored
from virtualbrain.errors import InputError
from virtualbrain.io.atomic import atomic_path
from virtualbrain.io.number_text import number, word_rows
from virtualbrain.io.square_matrix import square_matrix
from virtualbrain.io.text import decode

_LIMIT_BYTES = 64 * 2**20
_CENTRES_BYTES = 2**20
_ZIP_TIME = (1980, 1, 1, 0, 0, 0)  # constant, so that equal connectomes give equal files
_SPELLINGS: Mapping[str, tuple[str, ...]] = {
    "weights": ("weights",),
    "tract_lengths": ("tract_lengths", "tracts", "lengths"),
    "centres": ("centres", "centers", "positions"),
    "areas": ("areas",),
    "volumes": ("volumes",),
    "cortical": ("cortical",),
    "hemispheres": ("hemispheres",),
}
_UNPACKERS: Mapping[str, Callable[[Any], Any]] = {".bz2": bz2.BZ2File, ".gz": gzip.open}
_FLAGS = {"true": 1.0, "false": 0.0}
_HEADER_WORDS = {"index", "name", "label", "region", "x", "y", "z"}
_HINT = "export the connectome again"


@dataclass(frozen=True)
class Centres:
    """Names and places of the regions, from one file of a zip.

    Parameters
    ----------
    file : str
        Name of the file in the zip.
    names : tuple of str
        Names of the regions, in the order of the matrices.
    places : numpy.ndarray, shape (n_regions, 3)
        Region centres, mm.
    """

    file: str
    names: tuple[str, ...]
    places: Array

    @property
    def has_places(self) -> bool:
        """Whether the regions are at different places."""
        return len(self.names) < 2 or bool(np.ptp(self.places, axis=0).max() > 0)

    def equals(self, other: "Centres") -> bool:
        """Whether two lists have the same names and places."""
        return self.names == other.names and np.allclose(self.places, other.places, atol=1e-3)


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

    If the zip has several lists of centres, the one with places is used; lists with different
    places are refused. A matrix with one triangle is made symmetric.

    Raises
    ------
    InputError
        The file is not a zip, or a member is missing, repeated, too large or invalid.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            zipped = _Zip(archive, path)
            centres = _chosen_centres(zipped)
            n = len(centres.names)
            weights = mirrored(np.atleast_2d(zipped.numbers("weights", n)))
            lengths = mirrored(np.atleast_2d(zipped.numbers("tract_lengths", n)))
            extra = {
                key: zipped.numbers(key, n)
                for key in ("areas", "volumes", "cortical", "hemispheres")
                if zipped.members(key)
            }
    except (
        zipfile.BadZipFile,
        zlib.error,
        OSError,
        EOFError,
        RuntimeError,
        ValueError,
    ):
        raise InputError(
            "not a zip file, or a damaged one",
            where=path.name,
            expected="connectivity.zip of The Virtual Brain",
            hint=_HINT,
        ) from None
    for key, values in extra.items():
        if values.shape != (n,):
            raise InputError(
                f"{key}.txt has {values.size} values",
                where=path.name,
                expected=f"one value for each of the {n} regions of {centres.file}",
                hint=_HINT,
            )
    return Connectome(_region_table(centres, extra), weights, lengths, f"TVB zip, {centres.file}")


@dataclass(frozen=True)
class _Zip:
    """An open zip and its path, for messages."""

    archive: zipfile.ZipFile
    path: Path

    def members(self, key: str) -> list[zipfile.ZipInfo]:
        """Return the members for a key, in any spelling, plain or compressed."""
        names = {f"{one}.txt{end}" for one in _SPELLINGS[key] for end in ("", *_UNPACKERS)}
        return [
            info
            for info in self.archive.infolist()
            if Path(info.filename).name.lower() in names and "__MACOSX" not in info.filename
        ]

    def text(self, info: zipfile.ZipInfo, limit: int) -> str:
        """Return the text of a member; reject one that is too large for a connectome."""
        with self.archive.open(info) as stream:
            raw = stream.read(limit + 1)
        unpacker = _UNPACKERS.get(Path(info.filename).suffix.lower())
        if unpacker is not None and len(raw) <= limit:
            raw = unpacker(io.BytesIO(raw)).read(limit + 1)
        if len(raw) > limit:
            raise InputError(
                f"{info.filename} unpacks to more than {limit >> 10} KiB",
                where=self.path.name,
                expected="one row and one column per region of centres.txt",
                hint=_HINT,
            )
        return decode(raw)[0]

    def required(self, key: str) -> list[zipfile.ZipInfo]:
        """Return the members for a key; there must be one."""
        found = self.members(key)
        if not found:
            raise InputError(
                f"{key}.txt is missing",
                where=self.path.name,
                expected="weights.txt, tract_lengths.txt and centres.txt",
                hint=_HINT,
            )
        return found

    def numbers(self, key: str, n_regions: int) -> Array:
        """Return the numbers of a member: at most one row and one column per region."""
        limit = min(_LIMIT_BYTES, 4096 + 40 * n_regions**2)
        found = self.required(key)
        tables = [
            _numbers(self.text(info, limit), n_regions, f"{self.path.name}, {info.filename}")
            for info in found
        ]
        if any(not np.array_equal(tables[0], other, equal_nan=True) for other in tables[1:]):
            raise _two_lists([info.filename for info in found], self.path)
        return tables[0]


def _numbers(text: str, n_regions: int, where: str) -> Array:
    """Return a vector, or a matrix with a row per region; a triangle gets zeros beside it."""
    rows = word_rows(text)[: n_regions + 1]
    try:
        values = square_matrix([[_number(cell) for cell in row[: n_regions + 1]] for row in rows])
    except ValueError:
        raise InputError(
            "not a table of numbers",
            where=where,
            expected=f"rows of numbers for the {n_regions} regions of centres.txt",
            hint=_HINT,
        ) from None
    return values if values.shape[1:] != (1,) else values[:, 0]


def _number(cell: str) -> float:
    """Return a number; flags may be words."""
    flag = _FLAGS.get(cell.lower())
    return number(cell) if flag is None else flag


def _two_lists(names: Sequence[str], path: Path) -> InputError:
    return InputError(
        f"{len(names)} files of the same kind with different content: {', '.join(names)}",
        where=path.name,
        expected="one of them",
        hint="remove the files that do not belong to the weights",
    )


def _chosen_centres(zipped: _Zip) -> Centres:
    """Return the list of centres; of several, the only one with places."""
    found = zipped.required("centres")
    lists = [
        read_centres(zipped.text(one, _CENTRES_BYTES), one.filename, zipped.path) for one in found
    ]
    placed = [one for one in lists if one.has_places] or lists
    if any(not placed[0].equals(other) for other in placed[1:]):
        raise _two_lists([one.file for one in placed], zipped.path)
    return placed[0]


def read_centres(text: str, file: str, path: Path) -> Centres:
    """Return the names and places in a list of centres: a name and x, y, z in every line.

    A number before all names that counts the lines is left out. A name may have spaces. Lines
    with a fourth number that could be part of the name or another column are refused.

    Parameters
    ----------
    text : str
        The list.
    file : str
        Its name in the zip.
    path : Path
        The zip, for messages.

    Raises
    ------
    InputError
        A line has no name or too few numbers, or its columns cannot be distinguished.
    """
    rows = word_rows(text)
    if rows and {word.casefold() for word in rows[0]} <= _HEADER_WORDS:
        rows = rows[1:]
    if not rows:
        raise InputError(
            "the list of centres is empty",
            where=f"{path.name}, {file}",
            expected="name x y z in every row",
            hint=_HINT,
        )

    def refuse(is_wrong: Callable[[list[str]], bool], what: str) -> None:
        wrong = [str(number) for number, row in enumerate(rows, start=1) if is_wrong(row)]
        if wrong:
            raise InputError(
                f"{what} (row {', '.join(wrong[:5])}{', …' if len(wrong) > 5 else ''})",
                where=f"{path.name}, {file}",
                expected="name x y z in every row",
                hint="write one name without spaces and three numbers in every row",
            )

    refuse(lambda row: len(row) < 4, "fewer than 4 values")
    refuse(lambda row: _trailing_numbers(row) < 3, "a coordinate is not a number")
    names = [" ".join(row[:-3]) for row in rows]
    stems = [" ".join(row[:-4]) for row in rows]
    has_column = all(_trailing_numbers(row) > 3 and len(row) > 4 for row in rows)
    if has_column and len(set(stems)) == len(stems):
        refuse(lambda row: True, f"{len(rows[0])} values: the columns cannot be distinguished")
    names = _without_line_numbers(names)
    places = np.array([row[-3:] for row in rows], dtype=np.float64).reshape(-1, 3)
    return Centres(file, tuple(names), places)


def _trailing_numbers(row: Sequence[str]) -> int:
    """Return how many words at the end of a row are numbers."""
    count = 0
    for word in reversed(row):
        try:
            float(word)
        except ValueError:
            break
        count += 1
    return count


def _without_line_numbers(names: list[str]) -> list[str]:
    """Remove a first word that counts the lines, from 0 or from 1."""
    first = [name.split(maxsplit=1) for name in names]
    if not names or any(len(parts) < 2 for parts in first):
        return names
    for start in (0, 1):
        if [parts[0] for parts in first] == [str(start + i) for i in range(len(names))]:
            return [parts[1] for parts in first]
    return names


def _region_table(centres: Centres, extra: Mapping[str, Array]) -> pd.DataFrame:
    """Return the region table from the centres and the optional members of a zip."""
    n, places = len(centres.names), centres.places
    missing = np.full(n, np.nan)
    cortical = extra.get("cortical")
    return pd.DataFrame(
        {
            "index": np.arange(1, n + 1),
            "name": centres.names,
            "hemisphere": _sides(extra.get("hemispheres"), places[:, 0]),
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
