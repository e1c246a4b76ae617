"""Compiled functions that start warm where a cache can be written, and start where not."""

import logging
from collections.abc import Callable
from typing import Any

import numba

_log = logging.getLogger(__name__)


def compiled(
    *, allocates: bool = True, **options: Any
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Compile a function to machine code by numba, without the interpreter's lock.

    The machine code is kept where ``NUMBA_CACHE_DIR`` points, else beside the source. Where neither
    can be written the function is compiled anew in each process, which is slower and not an error.

    Parameters
    ----------
    allocates : bool
        Whether the function makes or returns arrays. One that does not is spared the counting of
        references, which costs more than the arithmetic of a short loop.
    **options
        Passed on to `numba.njit`.

    Returns
    -------
    callable
        The decorator.
    """
    settings = _settings(allocates, options)

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        try:
            return numba.njit(cache=True, **settings)(function)  # type: ignore[no-any-return]
        except RuntimeError as error:
            if "cannot cache" not in str(error):
                raise
            _log.debug("no writable cache for %s: %s", function.__qualname__, error)
            return numba.njit(**settings)(function)  # type: ignore[no-any-return]

    return decorate


def inner(**options: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Compile a function that only compiled ones call and that makes no array.

    Its code becomes part of its callers', so it needs no cache of its own.

    Parameters
    ----------
    **options
        Passed on to `numba.njit`; ``forceinline=True`` for what stands in an innermost loop.

    Returns
    -------
    callable
        The decorator.
    """
    return numba.njit(**_settings(False, options))  # type: ignore[no-any-return]


def _settings(allocates: bool, options: dict[str, Any]) -> dict[str, Any]:
    settings = {"nogil": True, "error_model": "numpy", **options}
    return settings if allocates else {**settings, "_nrt": False}
