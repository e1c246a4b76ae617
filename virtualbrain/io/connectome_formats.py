"""Read connectomes of MRtrix, QSIRecon, micapipe and neurolib.

Their matrices have no region names or no coordinates. Therefore each needs a region table
``*_dseg.tsv`` in the same folder. A matrix with names is matched to the table by name. In a
matrix without names, row k is the region with ``index`` k.
"""

import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from virtualbrain.connectome import REGION_COLUMNS, Connectome, mirrored
from virtualbrain.errors import InputError
from virtualbrain.io.connectome_folder import (
    atlas_of,
    chosen_table,
    matching,
    of_table,
    only,
    place_of,
    same_atlas,
)
from virtualbrain.io.gifti import load_gifti
from virtualbrain.io.mat import require_sound_mat
from virtualbrain.io.number_text import number_rows
from virtualbrain.io.square_matrix import square_matrix
from virtualbrain.io.tables import read_table
from virtualbrain.io.text import read_text

Array = NDArray[np.float64]
_LIMIT_BYTES = 256 * 2**20
_WEIGHT_WORDS = ("sift2", "sift", "streamline", "weight", "count", "connectome", "connectivity")
_LENGTH_WORDS = ("length", "len")


def read_other_connectome(folder: Path, atlas: str = "") -> Connectome | None:
    """Read the connectome of another tool in a folder; return None if there is none.

    The formats are searched in this order: QSIRecon's ``*_connectivity.mat``, micapipe's
    ``*_full-connectome.shape.gii``, neurolib's ``*_CM.mat`` and ``*_LEN.mat`` (or any .mat with
    ``sc`` and ``len``), MRtrix's ``*.csv``. Of several atlases, the one of the region table is
    read.

    Parameters
    ----------
    folder : Path
        Folder of the connectome.
    atlas : str
        Atlas that the user chose; empty: none.

    Raises
    ------
    InputError
        A file is unreadable, lengths or region table are missing, names do not match, or several
        connectomes could be meant.
    """
    readers: tuple[tuple[str, Callable[[list[Path], Path, Path], Connectome]], ...] = (
        ("*_connectivity.mat", _read_qsirecon),
        ("*_full-connectome.shape.gii", _read_micapipe),
        ("*.mat", _read_neurolib),
        ("*.csv", _read_mrtrix),
    )
    for pattern, reader in readers:
        found = matching(folder, pattern)
        if found:
            table = chosen_table(folder, found, atlas)
            return reader(of_table(found, table, folder), table, folder)
    return None


def _read_qsirecon(paths: list[Path], table: Path, folder: Path) -> Connectome:
    """Read a QSIRecon file: names and several matrices per atlas; SIFT-weighted counts first."""
    path = only(paths, folder, "connectomes of QSIRecon")
    content = _load_mat(path)
    atlases = sorted(
        key.removesuffix("_region_labels") for key in content if key.endswith("_region_labels")
    )
    atlas = _chosen_atlas(atlases, table, path)
    weights = _first_key(
        content,
        [
            f"{atlas}_sift_radius2_count_connectivity",
            f"{atlas}_sift_invnodevol_radius2_count_connectivity",
            f"{atlas}_radius2_count_connectivity",
        ],
        path,
    )
    lengths = _first_key(content, [f"{atlas}_radius2_meanlength_connectivity"], path)
    labels = [_text(name) for name in np.ravel(content[f"{atlas}_region_labels"])]
    return _by_name(table, labels, weights, lengths, path, f"QSIRecon, {atlas}")


def _text(cell: Any) -> str:
    """Return the text of a MATLAB cell or of a padded character array."""
    while isinstance(cell, np.ndarray) and cell.size:
        cell = cell.ravel()[0]
    return str(cell).strip()


def _chosen_atlas(atlases: list[str], table: Path, path: Path) -> str:
    """Return the atlas that matches the name of the region table, or the only atlas."""
    for atlas in atlases:
        if same_atlas(atlas, atlas_of(table)):
            return atlas
    if len(atlases) == 1:
        return atlases[0]
    raise InputError(
        f"no atlas matches the region table {table.name} (found: {', '.join(atlases) or 'none'})",
        where=path.name,
        expected="a region table named after one of the atlases",
        hint="name the region table sub-<label>_atlas-<atlas>_dseg.tsv",
    )


def _read_micapipe(paths: list[Path], table: Path, folder: Path) -> Connectome:
    """Read micapipe files: triangular GIFTI matrices, rows in the order of its lookup table."""
    path = only(paths, folder, "connectomes of micapipe")
    lengths = path.with_name(path.name.replace("full-connectome", "full-edgeLengths"))
    weights, between = _gifti_matrix(path), _gifti_matrix(lengths)
    return _by_index(table, weights, between, path, "micapipe")


def _gifti_matrix(path: Path) -> Array:
    _require_file(path)
    try:
        return np.asarray(load_gifti(path).darrays[0].data, dtype=np.float64)
    except Exception as problem:
        raise InputError(
            "unreadable GIFTI matrix",
            where=path.name,
            expected="a matrix written by micapipe",
            hint="copy the file again",
        ) from problem


def _read_neurolib(paths: list[Path], table: Path, folder: Path) -> Connectome:
    """Read neurolib files: one .mat with ``sc`` and one with ``len``, or one with both."""
    contents = {path: _load_mat(path) for path in paths}
    files = {key: [path for path in paths if key in contents[path]] for key in ("sc", "len")}
    for key, what in (("sc", "weights (sc)"), ("len", "lengths (len)")):
        if len(files[key]) > 1:
            only(files[key], folder, what)
    found = {key: contents[path][key] for key, own in files.items() for path in own}
    weights = _first_key(found, ["sc"], paths[0])
    lengths = _first_key(found, ["len"], paths[0])
    return _by_index(table, weights, lengths, paths[0], "neurolib")


def _read_mrtrix(paths: list[Path], table: Path, folder: Path) -> Connectome:
    """Read MRtrix files: a CSV of weights and a CSV of lengths, without names."""
    lengths = [p for p in paths if _has_word(p, _LENGTH_WORDS)]
    weights = [p for p in paths if p not in lengths and _has_word(p, _WEIGHT_WORDS)]
    for kind, found in (("weights", weights), ("lengths", lengths)):
        if len(found) != 1:
            names = f": {', '.join(p.name for p in found)}" if found else ""
            raise InputError(
                f"{len(found)} CSV files with {kind}{names}",
                where=place_of(folder),
                expected="one CSV named …weights.csv or …sift2.csv and one named …lengths.csv",
                hint="rename the files, or add the missing one",
            )
    counts, between = _csv_matrix(weights[0]), _csv_matrix(lengths[0])
    return _by_index(table, counts, between, weights[0], "MRtrix3 CSV")


def _has_word(path: Path, words: tuple[str, ...]) -> bool:
    return any(word in path.stem.lower() for word in words)


def _csv_matrix(path: Path) -> Array:
    """Read numbers in any encoding and with any separator, without comment lines."""
    _require_file(path)
    try:
        return square_matrix(number_rows(read_text(path)))
    except ValueError:
        raise InputError(
            "not a table of numbers",
            where=path.name,
            expected="a square CSV of MRtrix without header",
            hint="write the file again with tck2connectome",
        ) from None


def _load_mat(path: Path) -> dict[str, Any]:
    """Read a MATLAB file without its private keys."""
    from scipy import io as matlab  # slow to import and rarely needed

    _require_file(path)
    require_sound_mat(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            content = matlab.loadmat(path)
    except Exception as problem:
        raise InputError(
            "unreadable MATLAB file",
            where=path.name,
            expected="a .mat file of version 7 or older",
            hint="save it with -v7",
        ) from problem
    return {key: value for key, value in content.items() if not key.startswith("__")}


def _require_file(path: Path) -> None:
    """Reject a file that is missing or too large for a connectome."""
    if not path.is_file():
        raise InputError(
            "no such file",
            where=path.name,
            expected="a file of weights and a file of lengths",
            hint="add the missing file",
        )
    if path.stat().st_size > _LIMIT_BYTES:
        raise InputError(
            f"the file is larger than {_LIMIT_BYTES >> 20} MiB",
            where=path.name,
            expected="a connectome",
            hint="provide the connectome, not the streamlines",
        )


def _first_key(content: Mapping[str, Any], keys: list[str], path: Path) -> Array:
    for key in keys:
        if key in content:
            return np.asarray(content[key], dtype=np.float64)
    raise InputError(
        f"the matrix {keys[0]} is missing",
        where=path.name,
        expected=" or ".join(keys),
        hint="write the connectome again with this matrix",
    )


def _by_index(table: Path, weights: Array, lengths: Array, path: Path, source: str) -> Connectome:
    """Build a connectome from matrices whose row k is the region with index k."""
    regions = read_table(table, required=REGION_COLUMNS)
    index = pd.to_numeric(regions["index"], errors="coerce").to_numpy(float)
    wrong = ~np.isfinite(index) | (index != np.round(index))
    if wrong.any():
        raise InputError(
            f"no index of {', '.join(regions['name'].astype(str)[wrong][:5])}",
            where=table.name,
            expected="the row of the region in the matrices, counted from 1",
            hint="enter the column index",
        )
    rows = index.astype(int) - 1
    return _joined(regions, rows, weights, lengths, path, source)


def _by_name(
    table: Path, labels: list[str], weights: Array, lengths: Array, path: Path, source: str
) -> Connectome:
    """Build a connectome from matrices whose rows have region names."""
    regions = read_table(table, required=REGION_COLUMNS)
    places = {label: row for row, label in enumerate(labels)}
    missing = [name for name in regions["name"].astype(str) if name not in places]
    if missing:
        raise InputError(
            f"the region {missing[0]} is missing",
            where=path.name,
            expected="every region of the region table",
            hint="use the same region names in both files",
        )
    rows = np.array([places[str(name)] for name in regions["name"]], dtype=np.int64)
    return _joined(regions, rows, weights, lengths, path, source)


def _joined(
    regions: pd.DataFrame, rows: NDArray[np.int_], weights: Array, lengths: Array, path: Path,
    source: str,
) -> Connectome:  # fmt: skip
    """Select the rows of the regions from the matrices; make triangular matrices symmetric."""
    for kind, matrix in (("weights", weights), ("lengths", lengths)):
        if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
            raise InputError(
                f"the shape of the matrix of {kind} is {' x '.join(map(str, matrix.shape))}",
                where=path.name,
                expected="a square matrix",
                hint="write the connectome again",
            )
    size = min(len(weights), len(lengths))
    if len(weights) != len(lengths) or rows.min(initial=0) < 0 or rows.max(initial=0) >= size:
        raise InputError(
            f"{len(weights)} rows of weights and {len(lengths)} rows of lengths",
            where=path.name,
            expected=f"{rows.max(initial=0) + 1} rows or more in both: row k is the region with "
            "index k",
            hint="provide the region table that belongs to these matrices",
        )
    square = np.ix_(rows, rows)
    pair = [np.nan_to_num(mirrored(matrix), nan=0.0)[square] for matrix in (weights, lengths)]
    pair[1] = np.where(pair[0] > 0, pair[1], 0.0)
    return Connectome(regions, pair[0], pair[1], f"{source} ({path.name})")
