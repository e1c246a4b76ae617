"""Files that appear whole or not at all."""

import errno
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from virtualbrain.errors import InputError

_LIMIT_BYTES = 64 * 2**20
_NO_SPACE_BYTES = 2**20


@contextmanager
def atomic_path(path: Path | str) -> Iterator[Path]:
    """Yield a temporary name beside `path` that takes its place when the block ends well.

    The temporary name keeps every suffix of `path`, so libraries that go by suffix
    (``.nii.gz``) write the right format. When the block raises, nothing is left behind
    and an earlier file stays as it was; a full disk is an OSError whatever the block raised.

    Parameters
    ----------
    path : Path or str
        Where the finished file will stand; its folder is made if it is missing.

    Yields
    ------
    Path
        The name to write to.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(
        prefix=".partial-", suffix="".join(target.suffixes[-2:]), dir=target.parent
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


def _require_space(target: Path, error: Exception) -> None:
    """Say that the disk is full where a library failed for that reason without saying so."""
    if not isinstance(error, OSError) and shutil.disk_usage(target.parent).free < _NO_SPACE_BYTES:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(target)) from error


def _flush_to_disk(path: Path) -> None:
    """Push a file's bytes to the disk before its name becomes the real one."""
    with path.open("rb") as stream:
        os.fsync(stream.fileno())


def write_text(path: Path | str, text: str) -> None:
    """Write text as UTF-8, whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path | str, content: Mapping[str, Any]) -> None:
    """Write a JSON object, whole or not at all; numbers that are not finite become null."""
    text = json.dumps(_plain(content), indent=2, ensure_ascii=False, allow_nan=False)
    write_text(path, text + "\n")


def _plain(value: Any) -> Any:
    """Turn numpy scalars, arrays, paths and non-finite numbers into what JSON knows."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(item) for item in value]
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    if isinstance(value, float):
        return value if value == value and abs(value) != float("inf") else None
    if isinstance(value, Path):
        return str(value)
    return value


def read_json(path: Path | str) -> dict[str, Any]:
    """Read a JSON object.

    Raises
    ------
    InputError
        No such file, or it does not hold a JSON object.
    """
    path = Path(path)
    try:
        if path.stat().st_size > _LIMIT_BYTES:
            raise InputError(f"larger than {_LIMIT_BYTES >> 20} MiB", where=path.name)
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise InputError("no such file", where=str(path)) from None
    except (ValueError, RecursionError) as error:
        raise InputError(f"not JSON ({error})", where=path.name, hint="mend the file") from None
    if not isinstance(content, dict):
        raise InputError("not a JSON object", where=path.name, expected="keys and values")
    return content
