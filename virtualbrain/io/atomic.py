"""Write files atomically; read and write JSON."""

import errno
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from virtualbrain.errors import InputError
from virtualbrain.io.text import read_text

_LIMIT_BYTES = 64 * 2**20
_PARTIAL = ".partial-"
_NO_SPACE_BYTES = 2**20


@contextmanager
def atomic_path(path: Path | str) -> Iterator[Path]:
    """Yield a temporary path that replaces `path` when the block ends without an exception.

    The temporary path has the suffixes of `path`, because libraries choose the format by suffix
    (``.nii.gz``). If the block raises, the temporary file is removed and an earlier file stays
    unchanged. On a full disk the exception is an OSError, whatever the block raised.

    Parameters
    ----------
    path : Path or str
        The file to write; its folder is created if it is missing.

    Yields
    ------
    Path
        The temporary path.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(
        prefix=_PARTIAL, suffix="".join(target.suffixes[-2:]), dir=target.parent
    )
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        _flush_to_disk(temporary)
        temporary.replace(target)
    except Exception as error:
        _require_space(target, error)
        raise
    finally:
        temporary.unlink(missing_ok=True)


def remove_abandoned(folder: Path, before_s: float) -> None:
    """Remove temporary files of killed processes, last written before a time (epoch, s)."""
    for path in folder.rglob(f"{_PARTIAL}*"):
        with suppress(FileNotFoundError):
            if path.is_file() and path.stat().st_mtime < before_s:
                path.unlink()


def _require_space(target: Path, error: Exception) -> None:
    """Raise "no space left" if the disk is full and a library raised another exception."""
    if not isinstance(error, OSError) and shutil.disk_usage(target.parent).free < _NO_SPACE_BYTES:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(target)) from error


def _flush_to_disk(path: Path) -> None:
    """Flush a file's content to the disk before the file is renamed."""
    with path.open("rb") as stream:
        os.fsync(stream.fileno())


def write_text(path: Path | str, text: str) -> None:
    """Write text as UTF-8, atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path | str, content: Mapping[str, Any]) -> None:
    """Write a JSON object atomically; non-finite numbers become null."""
    text = json.dumps(plain(content), indent=2, ensure_ascii=False, allow_nan=False)
    write_text(path, text + "\n")


def plain(value: Any) -> Any:
    """Convert numpy values, paths and non-finite numbers to JSON types."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(item) for item in value]
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if isinstance(value, float):
        return value if value == value and abs(value) != float("inf") else None
    if isinstance(value, Path):
        return str(value)
    return value


def read_json(path: Path | str) -> dict[str, Any]:
    """Read a JSON object in any encoding (`io.text`).

    Raises
    ------
    InputError
        The file is missing or holds no JSON object.
    """
    path = Path(path)
    try:
        if path.stat().st_size > _LIMIT_BYTES:
            raise InputError(f"larger than {_LIMIT_BYTES >> 20} MiB", where=path.name)
        content = json.loads(read_text(path))
    except FileNotFoundError:
        raise InputError("no such file", where=str(path)) from None
    except (ValueError, RecursionError) as error:
        fault = "nested too deeply" if isinstance(error, RecursionError) else error
        raise InputError(
            f"not JSON ({fault})",
            where=path.name,
            hint="correct the file: keys and texts in double quotes, no comma before } or ]",
        ) from None
    if not isinstance(content, dict):
        raise InputError("not a JSON object", where=path.name, expected="keys and values")
    return content
