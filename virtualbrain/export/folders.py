"""Write the folder of an export atomically."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from virtualbrain.errors import InputError


@contextmanager
def export_folder(target: Path, *, overwrite: bool) -> Iterator[Path]:
    """Yield an empty folder that becomes `target` when the block ends without an exception.

    If the block raises, the folder is removed and an earlier export stays unchanged.

    Parameters
    ----------
    target : Path
        Folder of the export.
    overwrite : bool
        Replace an earlier export.

    Raises
    ------
    InputError
        There is an earlier export and `overwrite` is False.
    """
    require_free(target, overwrite=overwrite)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".partial-", dir=target.parent) as scratch:
        work = Path(scratch) / "new"
        work.mkdir()
        yield work
        if target.exists():
            target.replace(Path(scratch) / "old")
        work.replace(target)


def require_free(target: Path, *, overwrite: bool) -> None:
    """Raise an error if there is an earlier export that may not be replaced.

    Raises
    ------
    InputError
        There is an earlier export and `overwrite` is False, or `target` is not a folder.
    """
    if target.is_dir() and overwrite:
        return
    if target.exists() or target.is_symlink():
        raise InputError(
            "the export exists already",
            where=str(target),
            expected="a folder that does not exist yet",
            hint="add --overwrite to replace it",
        )
