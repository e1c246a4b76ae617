"""Accept only files that are safe to read: regular, inside the dataset, with a plain name."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from virtualbrain.errors import InputError

_NAME = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_.+-]*")
_SHOWN = 5

_Texts = tuple[str, str, str, str]
_KINDS: dict[str, _Texts] = {
    "outside": (
        "a symbolic link points outside the dataset",
        "{n} symbolic links point outside the dataset",
        "a file inside the dataset",
        "replace the link by a copy of the file, or allow such links with --allow-outside-links",
    ),
    "loop": (
        "a symbolic link points to itself",
        "{n} symbolic links point to themselves",
        "a file inside the dataset",
        "replace the link by the file",
    ),
    "name": (
        "the file name contains unsupported characters",
        "{n} file names contain unsupported characters",
        "only letters, digits and _ - + .",
        "rename the file",
    ),
    "irregular": (
        "not a regular file",
        "{n} are not regular files",
        "a file, not a folder, pipe or device",
        "copy the file into the dataset",
    ),
    "owner": (
        "the file name states another patient or session than its folder",
        "{n} file names state another patient or session than their folders",
        "the labels of the folder",
        "move the file to its patient and session, or rename it",
    ),
}


def visible(paths: Iterable[Path]) -> list[Path]:
    """Return the paths sorted, without those of hidden files."""
    return sorted(path for path in paths if not path.name.startswith("."))


@dataclass
class FileGuard:
    """Accepts files of one dataset and collects those that are refused, by kind.

    Parameters
    ----------
    root : Path
        Root of the dataset.
    outside_links : bool
        Accept symbolic links that leave the dataset.
    """

    root: Path
    outside_links: bool = False
    refused: dict[str, list[Path]] = field(default_factory=dict)

    def files(self, paths: Iterable[Path]) -> list[Path]:
        """Return the paths that are safe to read, sorted, without hidden files."""
        return [path for path in visible(paths) if self._accepts(path)]

    def file(self, path: Path) -> Path | None:
        """Return a path if something is there and safe to read."""
        return path if (path.is_symlink() or path.exists()) and self._accepts(path) else None

    def place(self, path: Path) -> Path | None:
        """Return a folder if it exists and is inside the dataset."""
        return path if self._is_inside(path) and path.is_dir() else None

    def folder(self, path: Path, *, any_name: bool = False) -> Path | None:
        """Return a folder if it exists and everything in it is safe to read."""
        if self.place(path) is None:
            return None
        checked = [one for one in visible(path.rglob("*")) if one.is_symlink() or not one.is_dir()]
        accepted = [self._accepts(one, any_name=any_name) for one in checked]
        return path if all(accepted) else None

    def problems(self) -> list[InputError]:
        """Return one error for each kind of refused file, with all their names."""
        return [_refusal(kind, paths) for kind, paths in self.refused.items()]

    def _refuse(self, kind: str, path: Path) -> bool:
        known = self.refused.setdefault(kind, [])
        if path not in known:
            known.append(path)
        return False

    def _accepts(self, path: Path, *, any_name: bool = False) -> bool:
        if not any_name and not _NAME.fullmatch(path.name):
            return self._refuse("name", path)
        if not self._is_inside(path):
            return False
        if path.exists() and not path.is_file():
            return self._refuse("irregular", path)
        return any_name or self._has_its_owner(path) or self._refuse("owner", path)

    def _is_inside(self, path: Path) -> bool:
        """Whether a path is inside the dataset; a loop of links is never followed."""
        try:
            target = path.resolve(strict=True)
        except FileNotFoundError:
            target = path.resolve()
        except (OSError, RuntimeError):
            return self._refuse("loop", path)
        if self.outside_links or target.is_relative_to(self.root.resolve()):
            return True
        return self._refuse("outside", path)

    def _has_its_owner(self, path: Path) -> bool:
        """Whether the labels sub- and ses- in a file name are those of its folders."""
        if not path.is_relative_to(self.root):
            return True
        folders = path.relative_to(self.root).parts[:-1]
        for kind in ("sub-", "ses-"):
            own = [part for part in folders if part.startswith(kind)]
            named = re.search(rf"(?:^|_)({kind}[A-Za-z0-9]+)(?=[_.])", path.name)
            if own and named and named[1] not in own:
                return False
        return True


def _refusal(kind: str, paths: list[Path]) -> InputError:
    one, several, expected, hint = _KINDS[kind]
    names = [path.name if path.name.isprintable() else repr(path.name) for path in paths]
    shown = ", ".join(names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")
    what = one if len(paths) == 1 else several.format(n=len(paths))
    return InputError(what, where=shown, expected=expected, hint=hint)


def require_safe(root: Path, path: Path, *, outside_links: bool = False) -> Path:
    """Return a path that is a regular file inside the dataset.

    Raises
    ------
    InputError
        It is outside the dataset, has an unsafe name, or is a folder, a pipe or a device.
    """
    guard = FileGuard(root, outside_links)
    guard.files([path])
    for problem in guard.problems():
        raise problem
    return path
