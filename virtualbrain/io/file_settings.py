"""Settings by which a user says which files are meant, and matching of file names with them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from virtualbrain.errors import ConfigError

GROUPS = ("t1w", "dwi", "fmap", "ieeg", "electrodes", "lesion", "connectome")
"""Groups of files that a filter can limit; ``electrodes`` includes coordsystem.json."""
_SHORT = {
    "subject": "sub",
    "session": "ses",
    "acquisition": "acq",
    "ceagent": "ce",
    "reconstruction": "rec",
    "direction": "dir",
    "description": "desc",
}
_ENTITIES = {
    *(*_SHORT.values(), "task", "run", "echo", "part", "space", "split", "recording", "atlas"),
    *("label", "mod", "proc", "hemi", "res", "den", "datatype", "suffix", "extension"),
}


@dataclass(frozen=True)
class FileSettings:
    """What a user says about the files of a dataset.

    Parameters
    ----------
    sessions : tuple of str
        Only files of these sessions, and files of no session, are used; empty: all.
    filters : mapping of str to mapping
        For a group of files (`GROUPS`), the entities that their names must have, as in the filter
        files of BIDS Apps: ``{"t1w": {"session": "pre", "acquisition": None}}``. None: the entity
        is absent; ``*``: it is present; a list: one of these.
    outside_links : bool
        Follow symbolic links that leave the dataset.
    template : bool
        Leave out T1w image, FreeSurfer subject, lesion mask and diffusion series: contacts in
        MNI152 are placed in the template.

    Raises
    ------
    ConfigError
        A group or an entity is unknown.
    """

    sessions: tuple[str, ...] = ()
    filters: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    outside_links: bool = False
    template: bool = False

    def __post_init__(self) -> None:
        sessions = tuple(str(one).removeprefix("ses-") for one in self.sessions)
        object.__setattr__(self, "sessions", sessions)
        object.__setattr__(self, "filters", _checked(self.filters))

    def accepts(self, path: Path, group: str) -> bool:
        """Return whether a file may be used for a group."""
        found = entities(path)
        session = found.get("ses")
        if self.sessions and session is not None and session not in self.sessions:
            return False
        wanted = self.filters.get(group, {})
        return all(_matches(found.get(name), value) for name, value in wanted.items())

    def atlas(self) -> str:
        """Return the atlas of the ready connectome that the user chose; empty: none."""
        return str(self.filters.get("connectome", {}).get("atlas") or "")


def _checked(filters: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return filters with groups in lower case and short names of entities."""
    checked: dict[str, dict[str, Any]] = {}
    for group, wanted in filters.items():
        if group.lower() not in GROUPS:
            raise _unknown(f"files.filters.{group}", GROUPS)
        if not isinstance(wanted, Mapping):
            raise ConfigError(
                f"files.filters.{group} is {wanted!r}", expected="entities and their values"
            )
        short = {_SHORT.get(str(name), str(name)): value for name, value in wanted.items()}
        for name in short:
            if name not in _ENTITIES:
                raise _unknown(f"files.filters.{group}.{name}", sorted({*_SHORT, *_ENTITIES}))
        checked[group.lower()] = short
    return checked


def _unknown(key: str, known: Any) -> ConfigError:
    return ConfigError(f"unknown key {key}", expected="one of " + ", ".join(known))


def entities(path: Path) -> dict[str, str]:
    """Return the entities in a file's name, and its datatype (folder), suffix and extension."""
    stem, _, extension = path.name.partition(".")
    *pairs, suffix = stem.split("_")
    found = dict(pair.split("-", 1) for pair in pairs if "-" in pair)
    return found | {"datatype": path.parent.name, "suffix": suffix, "extension": f".{extension}"}


def session_of(path: Path) -> str:
    """Return the session of a file, from its name or its folder; empty if it has none."""
    folders = [part for part in path.parts if re.fullmatch(r"ses-[A-Za-z0-9]+", part)]
    return entities(path).get("ses", folders[-1].removeprefix("ses-") if folders else "")


def _matches(found: str | None, wanted: Any) -> bool:
    """Return whether an entity has a wanted value; run 1 and run 01 are equal."""
    if isinstance(wanted, list | tuple):
        return any(_matches(found, one) for one in wanted)
    if wanted is None:
        return found is None
    if wanted == "*":
        return found is not None
    bare = re.sub(r"^(sub|ses|run)-", "", str(wanted))
    if found is None:
        return False
    return found == bare or (found.isdigit() and bare.isdigit() and int(found) == int(bare))
