"""Ready connectomes of other tools: MRtrix, QSIRecon, micapipe, neurolib.

Their matrices carry numbers for names, or names without places, so each comes with a region
table ``*_dseg.tsv`` in the same folder. Where the matrix has names, the table's are matched to
them; where it has none, row k is the region whose ``index`` is k.
"""

import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from virtualbrain.connectome import REGION_COLUMNS, Connectome
from virtualbrain.errors import InputError
from virtualbrain.io.tables import read_table

Array = NDArray[np.float64]
_LIMIT_BYTES = 256 * 2**20
_WEIGHT_WORDS = ("sift2", "sift", "streamline", "weight", "count", "connectome", "connectivity")
_LENGTH_WORDS = ("length", "len")


def place_of(folder: Path) -> str:
    """Return a connectome's folder for messages: its own name alone is only the patient's."""
    return f"{folder.parent.name}/{folder.name}"


def read_other_connectome(folder: Path) -> Connectome | None:
    """Read the connectome that another tool left in a folder; None where there is none.

    Looked for, in this order: QSIRecon's ``*_connectivity.mat``, micapipe's
    ``*_full-connectome.shape.gii``, neurolib's ``*_CM.mat`` and ``*_LEN.mat`` (or any .mat with
    ``sc`` and ``len``), MRtrix's ``*.csv``.

    Raises
    ------
    InputError
        A file is broken, lengths or the region table are missing, or names do not match.
    """
    readers: tuple[tuple[str, Callable[[Path, Path], Connectome]], ...] = (
        ("*_connectivity.mat", _read_qsirecon),
        ("*_full-connectome.shape.gii", _read_micapipe),
        ("*.mat", _read_neurolib),
        ("*.csv", _read_mrtrix),
    )
    for pattern, reader in readers:
        found = sorted(folder.glob(pattern))
        if found:
            return reader(folder, found[0])
    return None


def _read_qsirecon(folder: Path, path: Path) -> Connectome:
    """QSIRecon: per atlas, names and several matrices; the SIFT-weighted count is taken."""
    content = _load_mat(path)
    atlases = sorted(
        key.removesuffix("_region_labels") for key in content if key.endswith("_region_labels")
    )
    table_path = _region_table_path(folder)
    atlas = _chosen_atlas(atlases, table_path, path)
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
    return _by_name(table_path, labels, weights, lengths, path, f"QSIRecon, {atlas}")


def _text(cell: Any) -> str:
    """Return the text of a MATLAB cell or of a padded row of characters."""
    while isinstance(cell, np.ndarray) and cell.size:
        cell = cell.ravel()[0]
    return str(cell).strip()


def _chosen_atlas(atlases: list[str], table: Path, path: Path) -> str:
    """Return the atlas of the file that the region table is named after, or its only one."""
    stated = table.name.split("_atlas-")[-1].split("_")[0].lower()
    for atlas in atlases:
        if atlas.removeprefix("atlas_").lower() == stated:
            return atlas
    if len(atlases) == 1:
        return atlases[0]
    raise InputError(
        f"the atlases {', '.join(atlases) or 'none'}",
        where=path.name,
        expected=f"one that the region table {table.name} is named after",
        hint="name the region table sub-<label>_atlas-<atlas>_dseg.tsv",
    )


def _read_micapipe(folder: Path, path: Path) -> Connectome:
    """Micapipe: GIFTI matrices of one triangle, rows in the order of its lookup table."""
    lengths = path.with_name(path.name.replace("full-connectome", "full-edgeLengths"))
    weights, between = _gifti_matrix(path), _gifti_matrix(lengths)
    return _by_index(_region_table_path(folder), weights, between, path, "micapipe")


def _gifti_matrix(path: Path) -> Array:
    _require_file(path)
    try:
        return np.asarray(nib.load(path).darrays[0].data, dtype=np.float64)
    except Exception as problem:
        raise InputError(
            "not a readable GIFTI matrix", where=path.name, hint="copy it again"
        ) from problem


def _read_neurolib(folder: Path, path: Path) -> Connectome:
    """Neurolib: one .mat with ``sc`` and one with ``len``, or both in one."""
    found: dict[str, Any] = {}
    for one in sorted(folder.glob("*.mat")):
        found |= {key: value for key, value in _load_mat(one).items() if key in ("sc", "len")}
    weights = _first_key(found, ["sc"], path)
    lengths = _first_key(found, ["len"], path)
    return _by_index(_region_table_path(folder), weights, lengths, path, "neurolib")


def _read_mrtrix(folder: Path, _: Path) -> Connectome:
    """MRtrix: a CSV of weights and a CSV of lengths, without names."""
    paths = sorted(folder.glob("*.csv"))
    lengths = [p for p in paths if _has_word(p, _LENGTH_WORDS)]
    weights = [p for p in paths if p not in lengths and _has_word(p, _WEIGHT_WORDS)]
    for kind, found in (("weights", weights), ("lengths", lengths)):
        if len(found) != 1:
            raise InputError(
                f"{len(found)} CSV files are the {kind}",
                where=place_of(folder),
                expected="one CSV named …weights.csv or …sift2.csv and one named …lengths.csv",
            )
    counts, between = _csv_matrix(weights[0]), _csv_matrix(lengths[0])
    return _by_index(_region_table_path(folder), counts, between, weights[0], "MRtrix3 CSV")


def _has_word(path: Path, words: tuple[str, ...]) -> bool:
    return any(word in path.stem.lower() for word in words)


def _csv_matrix(path: Path) -> Array:
    """Read numbers separated by commas, spaces or tabs; comment lines left out."""
    _require_file(path)
    lines = [line for line in path.read_text("utf-8").splitlines() if line and line[0] != "#"]
    try:
        rows = [[float(cell) for cell in line.replace(",", " ").split()] for line in lines]
        return np.array(rows, dtype=np.float64)
    except ValueError:
        raise InputError(
            "not a square table of numbers", where=path.name, expected="MRtrix's CSV, no header"
        ) from None


def _load_mat(path: Path) -> dict[str, Any]:
    """Read a MATLAB file without its private keys."""
    from scipy import io as matlab  # slow to import, and hardly a connectome comes as one

    _require_file(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            content = matlab.loadmat(path)
    except Exception as problem:
        raise InputError(
            "not a readable MATLAB file", where=path.name, hint="save it as version 7 or older"
        ) from problem
    return {key: value for key, value in content.items() if not key.startswith("__")}


def _require_file(path: Path) -> None:
    """Refuse a file that is missing or larger than any connectome."""
    if not path.is_file():
        raise InputError("no such file", where=path.name, expected="weights and lengths together")
    if path.stat().st_size > _LIMIT_BYTES:
        raise InputError(
            f"larger than {_LIMIT_BYTES >> 20} MiB", where=path.name, expected="a connectome"
        )


def _first_key(content: Mapping[str, Any], keys: list[str], path: Path) -> Array:
    for key in keys:
        if key in content:
            return np.asarray(content[key], dtype=np.float64)
    raise InputError(f"no {keys[0]}", where=path.name, expected=" or ".join(keys))


def _region_table_path(folder: Path) -> Path:
    found = sorted(folder.glob("*_dseg.tsv"))
    if len(found) != 1:
        raise InputError(
            f"{len(found)} region tables",
            where=place_of(folder),
            expected="one sub-<label>_atlas-<atlas>_dseg.tsv with " + ", ".join(REGION_COLUMNS),
            hint="write one: without it the regions have neither names nor places",
        )
    return found[0]


def _by_index(table: Path, weights: Array, lengths: Array, path: Path, source: str) -> Connectome:
    """Take row k of the matrices for the region with index k."""
    regions = read_table(table, required=REGION_COLUMNS)
    rows = regions["index"].to_numpy(dtype=int) - 1
    return _joined(regions, rows, weights, lengths, path, source)


def _by_name(
    table: Path, labels: list[str], weights: Array, lengths: Array, path: Path, source: str
) -> Connectome:
    """Take the row whose label is the region's name."""
    regions = read_table(table, required=REGION_COLUMNS)
    places = {label: row for row, label in enumerate(labels)}
    missing = [name for name in regions["name"].astype(str) if name not in places]
    if missing:
        raise InputError(
            f"no region {missing[0]}",
            where=path.name,
            expected="every name of the region table among the labels",
            hint="give both the same names",
        )
    rows = np.array([places[str(name)] for name in regions["name"]])
    return _joined(regions, rows, weights, lengths, path, source)


def _joined(
    regions: pd.DataFrame, rows: NDArray[np.int_], weights: Array, lengths: Array, path: Path,
    source: str,
) -> Connectome:  # fmt: skip
    """Cut the regions' rows out of the matrices; a single triangle is mirrored."""
    for matrix in (weights, lengths):
        if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
            raise InputError(
                f"a matrix of the shape {matrix.shape}", where=path.name, expected="a square one"
            )
    size = min(len(weights), len(lengths))
    if len(weights) != len(lengths) or rows.min(initial=0) < 0 or rows.max(initial=0) >= size:
        raise InputError(
            f"{len(weights)} rows of weights and {len(lengths)} of lengths",
            where=path.name,
            expected=f"{rows.max(initial=0) + 1} or more: row k is the region with index k",
        )
    square = np.ix_(rows, rows)
    pair = [_full(np.nan_to_num(matrix, nan=0.0))[square] for matrix in (weights, lengths)]
    pair[1] = np.where(pair[0] > 0, pair[1], 0.0)
    return Connectome(regions, pair[0], pair[1], f"{source} ({path.name})")


def _full(matrix: Array) -> Array:
    """Mirror a matrix whose one triangle is empty; leave any other as it is."""
    upper, lower = np.triu(matrix, 1), np.tril(matrix, -1)
    if upper.any() and lower.any():
        return matrix
    return np.asarray(upper + upper.T + lower + lower.T)
