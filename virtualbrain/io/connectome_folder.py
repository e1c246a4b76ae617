"""Choose the region table and the matrices of one atlas in the folder of a ready connectome."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from virtualbrain.connectome import REGION_COLUMNS
from virtualbrain.errors import InputError
from virtualbrain.io.safe_files import visible

_ATLAS = re.compile(r"(?:^|_)atlas-([^_.]+)")


def place_of(folder: Path) -> str:
    """Return the folder of a connectome for messages, with its parent's name."""
    return f"{folder.parent.name}/{folder.name}"


def matching(folder: Path, pattern: str) -> list[Path]:
    """Return the files of a folder that match a pattern in any case, sorted; no hidden files."""
    return visible(folder.glob(pattern, case_sensitive=False))


def atlas_of(path: Path) -> str:
    """Return the atlas label in a file name; empty if it has none."""
    found = _ATLAS.search(path.name)
    return found[1] if found else ""


def same_atlas(one: str, other: str) -> bool:
    """Whether two atlas labels are equal but for case, hyphens and underscores."""
    return _bare(one) == _bare(other)


def _bare(atlas: str) -> str:
    return re.sub(r"[^a-z0-9]", "", atlas.casefold().removeprefix("atlas"))


def chosen_table(folder: Path, matrices: Sequence[Path], atlas: str = "") -> Path:
    """Return the region table that belongs to the matrices of a folder.

    Parameters
    ----------
    folder : Path
        Folder of the ready connectome.
    matrices : sequence of Path
        Files with matrices; if their names have an atlas, the table must have the same one.
    atlas : str
        Atlas that the user chose; empty: none.

    Raises
    ------
    InputError
        No table, no table of the matrices' atlas, or several tables that could be meant.
    """
    tables = matching(folder, "*_dseg.tsv")
    if not tables:
        raise InputError(
            "0 region tables",
            where=place_of(folder),
            expected="one sub-<label>_atlas-<atlas>_dseg.tsv with " + ", ".join(REGION_COLUMNS),
            hint="add one table with the names and coordinates of the regions",
        )
    named = [one for one in map(atlas_of, matrices) if one]
    fitting = [
        table
        for table in tables
        if (not atlas or same_atlas(atlas_of(table), atlas))
        and (not named or any(same_atlas(atlas_of(table), one) for one in named))
    ]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise _which_atlas(folder, [atlas_of(table) or table.name for table in fitting])
    raise InputError(
        f"no region table for the matrices of {', '.join(_unique([atlas, *named]))}",
        where=place_of(folder),
        expected="matrices and region table of the same atlas (found: "
        f"{', '.join(table.name for table in tables)})",
        hint="name the region table sub-<label>_atlas-<atlas>_dseg.tsv after the matrices' atlas",
    )


def of_table(matrices: Sequence[Path], table: Path, folder: Path) -> list[Path]:
    """Return the matrices of a region table's atlas; those without an atlas if none has it.

    Raises
    ------
    InputError
        Several atlases, and none is that of the table.
    """
    own = [path for path in matrices if same_atlas(atlas_of(path), atlas_of(table))]
    return own or [path for path in matrices if not atlas_of(path)] or _refused(matrices, folder)


def only(paths: Sequence[Path], folder: Path, what: str) -> Path:
    """Return the only file of a kind.

    Raises
    ------
    InputError
        There are several.
    """
    if len(paths) != 1:
        raise InputError(
            f"{len(paths)} files with {what}: {', '.join(path.name for path in paths)}",
            where=place_of(folder),
            expected="one file",
            hint="keep the file to use, and move the others out of the folder",
        )
    return paths[0]


def _refused(matrices: Sequence[Path], folder: Path) -> list[Path]:
    raise _which_atlas(folder, [atlas_of(path) for path in matrices])


def _which_atlas(folder: Path, atlases: Iterable[str]) -> InputError:
    names = _unique(atlases)
    return InputError(
        f"connectomes of {len(names)} atlases: {', '.join(names)}",
        where=place_of(folder),
        expected="one atlas",
        hint=f'choose one, for example with --filter-file: {{"connectome": {{"atlas": '
        f'"{names[0]}"}}}}',
    )


def _unique(names: Iterable[str]) -> list[str]:
    return [name for name in dict.fromkeys(names) if name]
