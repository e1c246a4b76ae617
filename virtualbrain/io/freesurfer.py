"""Find and read the files of FreeSurfer and FastSurfer subjects."""

import re
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from virtualbrain.errors import InputError
from virtualbrain.io.images import open_image
from virtualbrain.io.text import read_text

# The first existing file is used: first the names of recon-all, then those of FastSurfer.
LABEL_FILES = {
    "DesikanKilliany": (
        "aparc+aseg.mgz",
        "aparc.DKTatlas+aseg.mapped.mgz",
        "aparc.DKTatlas+aseg.deep.mgz",
        "aparc.DKTatlas+aseg.mgz",
    ),
    "Destrieux": ("aparc.a2009s+aseg.mgz",),
}
ANNOTATIONS = {
    "DesikanKilliany": ("aparc.annot", "aparc.DKTatlas.mapped.annot", "aparc.DKTatlas.annot"),
    "Destrieux": ("aparc.a2009s.annot",),
}
_T1_FILES = ("T1.mgz", "orig_nu.mgz", "nu.mgz", "orig.mgz")

_SIDES = {"L": "lh", "R": "rh"}


@dataclass(frozen=True)
class FreeSurferSubject:
    """The files of one subject.

    `pial`, `white` and `annotations` map the hemispheres ``L`` and ``R`` to existing files.
    """

    folder: Path
    labels: Path
    t1: Path | None
    pial: dict[str, Path]
    white: dict[str, Path]
    annotations: dict[str, Path]

    def require_t1(self) -> Path:
        """Return the file of the T1.

        Raises
        ------
        InputError
            The subject has no T1.
        """
        if self.t1 is None:
            raise InputError(
                "the FreeSurfer subject has no T1",
                where=str(self.folder / "mri"),
                expected=" or ".join(_T1_FILES),
                hint="run recon-all again, or remove the FreeSurfer subject",
            )
        return self.t1


def open_subject(folder: Path | str, atlas: str = "DesikanKilliany") -> FreeSurferSubject:
    """Find the files of a FreeSurfer or FastSurfer subject.

    Parameters
    ----------
    folder : Path or str
        The subject's folder, with ``mri/`` and optionally ``surf/`` and ``label/``.
    atlas : {"DesikanKilliany", "Destrieux"}
        Atlas of the label image.

    Raises
    ------
    InputError
        The folder does not exist, or it has no label image of the atlas.
    """
    folder = Path(folder)
    mri = folder / "mri"
    if not mri.is_dir():
        raise InputError(
            "the folder mri is missing",
            where=str(folder),
            expected="the folder of a FreeSurfer or FastSurfer subject",
            hint="provide the complete subject folder",
        )
    labels = _first(mri, LABEL_FILES.get(atlas, ()))
    if labels is None:
        raise InputError(
            f"the FreeSurfer subject has no label image of {atlas}",
            where=str(mri),
            expected=" or ".join(LABEL_FILES.get(atlas, ("aparc+aseg.mgz",))),
            hint="wait until recon-all or FastSurfer has finished, or remove the folder "
            "to use the built-in parcellation",
        )
    return FreeSurferSubject(
        folder=folder,
        labels=labels,
        t1=_first(mri, _T1_FILES),
        pial=_per_side(folder / "surf", ("pial", "pial.T1")),
        white=_per_side(folder / "surf", ("white",)),
        annotations=_per_side(folder / "label", ANNOTATIONS.get(atlas, ())),
    )


def _first(folder: Path, names: tuple[str, ...]) -> Path | None:
    return next((folder / name for name in names if (folder / name).is_file()), None)


def _per_side(folder: Path, names: tuple[str, ...]) -> dict[str, Path]:
    """Map each hemisphere to the first of its files that exists."""
    found = {
        side: _first(folder, tuple(f"{prefix}.{name}" for name in names))
        for side, prefix in _SIDES.items()
    }
    return {side: path for side, path in found.items() if path is not None}


def read_surface(
    path: Path | str, volume: Path | str
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    r"""Read a FreeSurfer surface in scanner RAS.

    FreeSurfer stores surfaces in tkRAS, a frame centred on the conformed volume. With ``T`` the
    voxel-to-tkRAS and ``S`` the voxel-to-scanner matrix of that volume,
    :math:`x = S T^{-1} x_{tk}`. A file marked as scanner RAS is not transformed.

    Parameters
    ----------
    path : Path or str
        ``lh.pial`` or the like.
    volume : Path or str
        A conformed volume of the same subject (``mri/T1.mgz`` or the label image).

    Returns
    -------
    vertices : numpy.ndarray, shape (n, 3)
        mm, scanner RAS.
    triangles : numpy.ndarray, shape (m, 3)
        Vertex numbers; their order gives outward normals.

    Raises
    ------
    InputError
        The surface is unreadable, or the volume has no tkRAS frame.
    """
    from nibabel.affines import apply_affine  # slow to import, as the next
    from nibabel.freesurfer import io as fsio

    path = Path(path)
    try:
        vertices, triangles = fsio.read_geometry(path)
    except Exception as error:  # nibabel raises many kinds
        raise InputError(
            "unreadable FreeSurfer surface",
            where=path.name,
            expected="a complete surface file of recon-all",
            hint="copy the file again, or run recon-all again",
        ) from error
    vertices = np.asarray(vertices, dtype=float)
    if not _is_scanner_ras(path, len(vertices), len(triangles)):
        vertices = apply_affine(tkras_to_scanner(volume), vertices)
    return vertices, np.asarray(triangles, dtype=np.int64)


def _is_scanner_ras(path: Path, n_vertices: int, n_triangles: int) -> bool:
    """Whether a surface file is marked as scanner RAS: tag 2 after the triangles has value 1."""
    content = path.read_bytes()
    header = content.index(b"\n", content.index(b"\n") + 1) + 1
    footer = header + 8 + 12 * (n_vertices + n_triangles)
    return content[footer : footer + 8] == struct.pack(">2i", 2, 1)


def tkras_to_scanner(volume: Path | str) -> NDArray[np.float64]:
    """Return the matrix (4, 4) from tkRAS to scanner RAS, from an MGZ header.

    Raises
    ------
    InputError
        The volume is not an MGZ image and therefore has no tkRAS frame.
    """
    import nibabel as nib  # slow to import

    image = open_image(volume)
    if not isinstance(image, nib.MGHImage):
        raise InputError(
            "the image has no tkRAS frame",
            where=Path(volume).name,
            expected="an MGZ volume of the FreeSurfer subject",
            hint="provide mri/T1.mgz",
        )
    try:
        matrix = image.header.get_vox2ras() @ np.linalg.inv(image.header.get_vox2ras_tkr())
    except np.linalg.LinAlgError:
        raise InputError(
            "the voxel size in the header is 0 or not a number",
            where=Path(volume).name,
            expected="an MGZ volume of the FreeSurfer subject",
            hint="copy the file again, or run recon-all again",
        ) from None
    return np.asarray(matrix, dtype=float)


def read_annotation(path: Path | str, prefix: str) -> NDArray[np.object_]:
    """Return the region name of every vertex of an annotation; ``""`` for no region.

    With `prefix` (``ctx-lh-`` or ``ctx_lh_``) the names equal those of the label image.
    """
    from nibabel.freesurfer import io as fsio  # slow to import

    try:
        codes, _, names = fsio.read_annot(path)
        table = np.array([prefix + name.decode() for name in names] + [""], dtype=object)
        return np.asarray(table[np.where(codes < 0, len(names), codes)], dtype=object)
    except Exception as error:  # nibabel raises many kinds
        raise InputError(
            "unreadable FreeSurfer annotation",
            where=Path(path).name,
            expected="a complete .annot file of recon-all",
            hint="copy the file again, or run recon-all again",
        ) from error


def freesurfer_names() -> dict[int, str]:
    """Return FreeSurfer's colour table from the installed mne: label value to name."""
    from mne import read_freesurfer_lut

    ids, _ = read_freesurfer_lut()
    return {int(value): str(name) for name, value in ids.items()}


def read_lookup(path: Path | str) -> pd.DataFrame:
    """Read a lookup table separated by white space, as of FreeSurfer, MRtrix or Schaefer.

    Rows are ``index name [R G B A]`` or ``index short-name name [R G B A]``; ``#`` starts a
    comment.

    Returns
    -------
    pandas.DataFrame
        Columns index and name.

    Raises
    ------
    InputError
        A row does not start with a label value and a name.
    """
    path = Path(path)
    rows = []
    for number, line in enumerate(_lines(path), start=1):
        cells = line.split("#")[0].split()
        if not cells:
            continue
        if len(cells) < 2 or not re.fullmatch(r"\d+", cells[0]):
            raise InputError(
                f"unreadable row {line.strip()[:40]!r}",
                where=f"{path.name}, row {number}",
                expected="a label value, white space and a name",
                hint="save the table as TSV with the columns index and name",
            )
        rows.append((int(cells[0]), _name_of(cells)))
    return pd.DataFrame(rows, columns=["index", "name"])


def _lines(path: Path) -> list[str]:
    if not path.is_file():
        raise InputError(
            "no such file",
            where=str(path),
            expected="the label table of the atlas",
            hint="check the path in anatomy.atlas_table",
        )
    return read_text(path).splitlines()


def _name_of(cells: list[str]) -> str:
    """Return the name; MRtrix tables have a short name before it."""
    has_short = len(cells) >= 3 and not cells[2].lstrip("-").replace(".", "").isdigit()
    return cells[2] if has_short else cells[1]
