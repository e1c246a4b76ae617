"""Build the surfaces of an export: pial surfaces, and the outlines of plans."""

from dataclasses import dataclass
from typing import Any

import nibabel as nib
import numpy as np
from nibabel.affines import apply_affine
from numpy.typing import NDArray

from virtualbrain.anatomy.surface import level_surface, outward, smoothed
from virtualbrain.export.patient import ExportPatient, Images
from virtualbrain.export.volumes import LabelGrid, plan_mask
from virtualbrain.io.anatomy import Surface

_ROUNDS = 3


@dataclass(frozen=True)
class Mesh:
    """A closed surface.

    Parameters
    ----------
    name : str
        Part of the file name.
    vertices : numpy.ndarray, shape (n, 3)
        mm, scanner RAS.
    triangles : numpy.ndarray, shape (m, 3)
        Vertex numbers, counter-clockwise seen from outside.
    about : dict
        What the surface is, for the sidecar.
    """

    name: str
    vertices: NDArray[np.float64]
    triangles: NDArray[np.int64]
    about: dict[str, Any]


def pial_mesh(hemisphere: str, surface: Surface) -> Mesh:
    """Return the pial surface of a hemisphere."""
    about = {"Description": f"pial surface, hemisphere {hemisphere}", "Sources": ["pial.surf.gii"]}
    return Mesh(f"hemi-{hemisphere}_pial", surface.vertices, surface.triangles, about)


def plan_meshes(patient: ExportPatient, images: Images) -> list[Mesh]:
    """Return the outline of every plan whose regions have voxels."""
    grid = LabelGrid(images.labels, images.index_of)
    found = []
    for plan in patient.plans:
        mask = plan_mask(grid, plan.regions)
        if np.asarray(mask.dataobj).any():
            about = {**plan.about(), "Sources": ["outcomes.tsv"]}
            found.append(Mesh(plan.file_part, *mask_outline(mask), about))
    return found


def mask_outline(mask: nib.Nifti1Image) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the closed outline of a mask, smoothed without loss of volume.

    Parameters
    ----------
    mask : nibabel.Nifti1Image
        Above zero inside.

    Returns
    -------
    vertices, triangles
        mm in scanner RAS; the triangles face outward.
    """
    inside = np.asarray(mask.dataobj) > 0
    places = np.argwhere(inside)
    low, high = places.min(axis=0), places.max(axis=0) + 1
    box = inside[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]
    vertices, triangles = level_surface(np.pad(box, 1).astype(np.float32))
    vertices = apply_affine(mask.affine, vertices - 1 + low)
    return outward(smoothed(vertices, triangles, _ROUNDS), triangles)
