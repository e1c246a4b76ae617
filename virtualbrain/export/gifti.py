"""Export pial surfaces with p_ez, and plans, as GIFTI in scanner RAS."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from virtualbrain.export.meshes import plan_meshes
from virtualbrain.export.patient import SCANNER_RAS, ExportPatient, Images
from virtualbrain.io.anatomy import Surface, write_mesh, write_surface, write_vertex_values
from virtualbrain.io.atomic import write_json


def write_gifti(patient: ExportPatient, folder: Path) -> tuple[str, ...]:
    """Write pial surfaces, p_ez and plans on their vertices, and the outlines of the plans.

    Parameters
    ----------
    patient : ExportPatient
        The patient.
    folder : Path
        Folder of the files.

    Returns
    -------
    tuple of str
        What is left out.

    Raises
    ------
    InputError
        The patient has no images.
    """
    images = patient.images("gifti")
    frame = {"CoordinateSystem": SCANNER_RAS, "CoordinateUnits": "mm"}
    for side, surface in sorted(images.surfaces.items()):
        path = folder / patient.name(f"hemi-{side}_pial.surf.gii")
        write_surface(path, surface, side)
        about = patient.about(Description=f"pial surface, hemisphere {side}", **frame)
        write_json(folder / patient.name(f"hemi-{side}_pial.json"), about)
        _write_values(patient, folder, images, side, surface)
    for mesh in plan_meshes(patient, images):
        stem = folder / patient.name(mesh.name)
        write_mesh(stem.with_suffix(".surf.gii"), mesh.vertices, mesh.triangles, {})
        write_json(stem.with_suffix(".json"), patient.about(**frame, **mesh.about))
    return patient.notes


def _write_values(
    patient: ExportPatient, folder: Path, images: Images, side: str, surface: Surface
) -> None:
    """Write p_ez and the plans on the vertices of a pial surface."""
    if patient.usable:
        p_ez = patient.zones().set_index("region")["p_ez"].astype(float).to_dict()
        by_index = {index: p_ez.get(name, np.nan) for name, index in images.index_of.items()}
        path = folder / patient.name(f"hemi-{side}_stat-pez_map.shape.gii")
        write_vertex_values(path, _on_vertices(surface, by_index), side)
    for plan in patient.plans:
        taken = {images.index_of[name]: 1.0 for name in plan.regions}
        path = folder / patient.name(f"hemi-{side}_{plan.file_part}_mask.shape.gii")
        write_vertex_values(path, _on_vertices(surface, taken), side)


def _on_vertices(surface: Surface, value: dict[int, float]) -> NDArray[np.float32]:
    """Return the value of its region at every vertex; 0 on the medial wall and elsewhere."""
    table = np.zeros(max(int(surface.regions.max()), *value) + 1, dtype=np.float32)
    table[list(value)] = list(value.values())
    return np.asarray(table[surface.regions])
