"""Versions of this project and of the libraries that its numbers depend on."""

from functools import cache
from importlib import metadata

_LIBRARIES = (
    "virtualbrain numpy scipy numba pymc pytensor nutpie arviz "
    "mne mne-bids nibabel antspyx snakemake"
)


def versions() -> dict[str, str]:
    """Return the version of this project and of each library, by name."""
    return {name: _version(name) for name in _LIBRARIES.split()}


@cache  # a search through the installed packages
def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"
