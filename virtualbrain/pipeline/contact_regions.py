"""Collect the atlases that are in the coordinate frame of a patient's contacts."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from virtualbrain.anatomy.atlases import (
    check_labels,
    desikan_killiany,
    destrieux,
    make_atlas,
    read_label_table,
)
from virtualbrain.anatomy.freesurfer_subject import read_subject, subject_atlas
from virtualbrain.anatomy.settings import AnatomySettings
from virtualbrain.anatomy.user_atlas import read_user_labels
from virtualbrain.errors import InputError
from virtualbrain.io.bids import PatientFiles
from virtualbrain.io.connectome_folder import atlas_of, matching
from virtualbrain.io.freesurfer import LABEL_FILES
from virtualbrain.io.images import read_image
from virtualbrain.io.layout import PatientLayout
from virtualbrain.io.tables import read_table
from virtualbrain.seeg.contacts_in_atlases import ContactAtlas


def atlases_of(
    files: PatientFiles, out: Path | str, given: Sequence[Sequence[str]] = ()
) -> list[ContactAtlas]:
    """Return the atlases in the frame of a patient's contacts; of one name, the first.

    These are the images that the user gives, the built-in atlases for contacts in the template,
    the label images of the FreeSurfer subject, the parcellation of a run, and the region tables of
    the ready connectome (by distance to the region centres).

    Parameters
    ----------
    files : PatientFiles
        The patient's files.
    out : Path or str
        Results of a run; they may be missing.
    given : sequence of (name, image, table)
        Label images of the user in the frame of the contacts, with their label tables. ``{label}``
        in a path is replaced by the participant's label.

    Raises
    ------
    InputError
        An atlas is invalid, or there is none.
    """
    found = [_given(name, image, table, files.label) for name, image, table in given]
    if files.uses_template:
        found += [
            ContactAtlas(one.label, one.table, one.image, one.source)
            for one in (desikan_killiany(), destrieux())
        ]
    found += [*_of_freesurfer(files), *_of_run(out, files), *_of_connectome(files)]
    if not found:
        raise InputError(
            "no atlas in the frame of the contacts",
            where=f"sub-{files.label}",
            expected="a FreeSurfer subject, results of a run, a ready connectome, or contacts in "
            "MNI152",
            hint="run the anatomy first (virtualbrain run BIDS OUT --until anatomy), or give a "
            "label image with --atlas",
        )
    return list({one.name.casefold(): one for one in reversed(found)}.values())[::-1]


def _given(name: str, image: str, table: str, label: str) -> ContactAtlas:
    """Read a label image and its label table."""
    image, table = (path.replace("{label}", label) for path in (image, table))
    labels, rows = read_user_labels(image, read_label_table(table))
    check_labels(labels, rows, Path(image).name, Path(table).name)
    atlas = make_atlas(name, labels, rows, space="T1w", source=Path(image).name)
    return ContactAtlas(name, atlas.table, atlas.image, atlas.source)


def _of_freesurfer(files: PatientFiles) -> list[ContactAtlas]:
    """Return the label images of the FreeSurfer subject: Desikan-Killiany and Destrieux."""
    folder = None if files.uses_template else files.freesurfer
    if folder is None:
        return []
    found = []
    for name, images in LABEL_FILES.items():
        if not any((folder / "mri" / image).is_file() for image in images):
            continue
        settings = replace(AnatomySettings(), atlas=name)
        subject, head, values = read_subject(folder, None, settings)
        atlas = subject_atlas(np.asarray(values), head, name)
        found.append(ContactAtlas(name, atlas.table, atlas.image, subject.labels.name))
    return found


def _of_run(out: Path | str, files: PatientFiles) -> list[ContactAtlas]:
    """Return the parcellation of a run, if it has one."""
    layout = PatientLayout.of_results(out, files.label)
    if not (layout.labels.is_file() and layout.regions.is_file()):
        return []
    regions = read_table(layout.regions, ("index", "name"))
    return [ContactAtlas(layout.atlas, regions, read_image(layout.labels), layout.labels.name)]


def _of_connectome(files: PatientFiles) -> list[ContactAtlas]:
    """Return the region tables of the ready connectome that have centres."""
    tables = matching(files.connectome, "*_dseg.tsv") if files.connectome is not None else []
    found = []
    for path in tables:
        regions = read_table(path, ("name", "x", "y", "z"), ("volume",))
        if regions[["x", "y", "z"]].notna().all(axis=1).sum() > 1:
            name = atlas_of(path) or path.stem
            found.append(ContactAtlas(name, regions, None, f"{path.name}, region centres"))
    return found
