"""Which prior sets a run uses: their names and files."""

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
        Where the project's own prior sets stand.

    Raises
    ------
    ConfigError
        None given, no such file, a name that is no name, or one name for two files.
    """
    found: dict[str, Path] = {}
    for given in priors:
        path = Path(given)
        if path.suffix not in (".yaml", ".yml"):
            path = folder / f"{given}.yaml"
        if not path.is_file():
            known = ", ".join(sorted(file.stem for file in folder.glob("*.yaml")))
            raise ConfigError(
                f"no priors {given!r}", expected=f"one of {known}, or the path of a YAML file"
            )
        if not _NAME.fullmatch(path.stem):
            raise ConfigError(
                f"the prior file's name {path.stem!r} cannot name a folder",
                expected="letters, digits, - and _",
            )
        if path.stem in found:
            raise ConfigError(f"two prior sets are called {path.stem}", hint="rename one file")
        found[path.stem] = path.absolute()
    if not found:
        raise ConfigError("no priors given", expected="at least one prior set")
    return found


def chosen_priors(priors: Iterable[str]) -> dict[str, Path]:
    """Map each prior set's name to its file, with the project's own sets known (`prior_files`)."""
    return prior_files(priors, project_root() / "config" / "priors")
