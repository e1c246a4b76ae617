"""Compiled functions that start warm where a cache can be written, and start where not."""

import logging
from collections.abc import Callable
from typing import Any

import numba

_log = logging.getLogger(__name__)


def compiled(
    *, cache: bool = True, **options: Any
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Compile a function to machine code by numba, without the interpreter's lock.

    The machine code is kept where ``NUMBA_CACHE_DIR`` points, else beside the source. Where neither
    can be written the function is compiled anew in each process, which is slower and not an error.

    Parameters
    ----------
    cache : bool
        Whether to keep the machine code on disk. Only for functions called from Python: what
        they call is kept inside them.
    **options
        Passed on to `numba.njit`.

    Returns
    -------
    callable
        The decorator.
    """
    settings: dict[str, Any] = {"nogil": True, "error_model": "numpy", **options}

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        if not cache:
            return numba.njit(**settings)(function)  # type: ignore[no-any-return]
        try:
            return numba.njit(cache=True, **settings)(function)  # type: ignore[no-any-return]
        except RuntimeError as error:
            if "cannot cache" not in str(error):
                raise
            _log.debug("no writable cache for %s: %s", function.__qualname__, error)
            return numba.njit(**settings)(function)  # type: ignore[no-any-return]

    return decorate
