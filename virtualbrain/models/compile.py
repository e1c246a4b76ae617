"""Compile functions by numba, and cache the machine code where possible."""

import logging
from collections.abc import Callable
from typing import Any

import numba
from numba.extending import intrinsic

_log = logging.getLogger(__name__)


def compiled(
    *, allocates: bool = True, **options: Any
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return a decorator that compiles a function by numba; the function releases the GIL.

    The machine code is cached in ``NUMBA_CACHE_DIR``, or beside the source. If neither can be
    written, the function is compiled in each process, which is slower.

    Parameters
    ----------
    allocates : bool
        The function creates or returns arrays. Without it the code counts no references, which is
        faster in short loops.
    **options
        Arguments of `numba.njit`.

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
    """Return a decorator for functions that only compiled functions call and that create no array.

    Their code becomes part of the code of the caller, so it is not cached separately.

    Parameters
    ----------
    **options
        Arguments of `numba.njit`; ``forceinline=True`` for functions in an innermost loop.

    Returns
    -------
    callable
        The decorator.
    """
    return numba.njit(**_settings(False, options))  # type: ignore[no-any-return]


def _settings(allocates: bool, options: dict[str, Any]) -> dict[str, Any]:
    settings = {"nogil": True, "error_model": "numpy", **options}
    return settings if allocates else {**settings, "_nrt": False}


@intrinsic
def use_widest_vectors(typing_context: Any) -> Any:
    """Let the compiler use the widest vector registers in the function that calls this.

    By default LLVM uses half of them on processors with AVX-512, which long arithmetic loops are
    slower with.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        # The set refuses attributes that it does not know, though LLVM does.
        set.add(builder.function.attributes, '"prefer-vector-width"="512"')
        return context.get_dummy_value()

    return numba.types.void(), generate
