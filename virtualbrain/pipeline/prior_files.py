"""Find the files of prior sets by name or path."""

import re
from collections.abc import Iterable
from pathlib import Path

from virtualbrain.config import project_root
from virtualbrain.errors import ConfigError

_NAME = re.compile(r"[A-Za-z0-9_-]+")


def prior_files(priors: Iterable[str], folder: Path) -> dict[str, Path]:
    """Map each prior set's name to its file.

    Parameters
    ----------
    priors : iterable of str
        Names of files in `folder` (without ``.yaml``), or paths of a user's own files.
    folder : Path
        Folder of the project's prior sets.

    Raises
    ------
    ConfigError
        No prior set given, a missing file, an invalid name, or one name for two files.
    """
    found: dict[str, Path] = {}
    for given in priors:
        path = Path(given)
        if path.suffix not in (".yaml", ".yml"):
            path = folder / f"{given}.yaml"
        if not path.is_file():
            known = ", ".join(sorted(file.stem for file in folder.glob("*.yaml")))
            raise ConfigError(
                f"unknown prior set {given!r}",
                expected=f"one of {known}, or the path of a YAML file",
            )
        if not _NAME.fullmatch(path.stem):
            raise ConfigError(
                f"invalid name of a prior file: {path.stem!r}",
                expected="letters, digits, - and _, as for the folder of the results",
            )
        if path.stem in found:
            raise ConfigError(f"two prior sets have the name {path.stem}", hint="rename one file")
        found[path.stem] = path.absolute()
    if not found:
        raise ConfigError("no prior set given", expected="at least one")
    return found


def chosen_priors(priors: Iterable[str]) -> dict[str, Path]:
    """Map each prior set's name to its file, including the project's own sets."""
    return prior_files(priors, project_root() / "config" / "priors")
