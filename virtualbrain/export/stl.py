"""Export pial surfaces and plans as STL, in LPS."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from virtualbrain.export.meshes import pial_mesh, plan_meshes
from virtualbrain.export.patient import ExportPatient
from virtualbrain.io.atomic import atomic_path, write_json

LPS = "LPS, the patient coordinates of DICOM (x to the left, y to the back, z upward)"
_HEADER = b"virtualbrain, research use only. UNIT=mm SPACE=LPS"
_TRIANGLE = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])


def write_stl(patient: ExportPatient, folder: Path) -> tuple[str, ...]:
    """Write the pial surfaces and the leading plans as STL.

    An STL file states no frame. Viewers for surgery read it as LPS; the header, the sidecar and
    the file names say so.

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
    images = patient.images("stl")
    pial = [pial_mesh(side, surface) for side, surface in sorted(images.surfaces.items())]
    for mesh in [*pial, *plan_meshes(patient, images)]:
        path = folder / patient.name(f"space-LPS_{mesh.name}.stl")
        write_binary_stl(path, mesh.vertices * (-1.0, -1.0, 1.0), mesh.triangles)
        about = patient.about(CoordinateSystem=LPS, CoordinateUnits="mm", **mesh.about)
        write_json(path.with_suffix(".json"), about)
    return patient.notes


def write_binary_stl(
    path: Path, vertices: NDArray[np.float64], triangles: NDArray[np.int64]
) -> None:
    """Write a surface as binary STL, atomically.

    Parameters
    ----------
    path : Path
        The file.
    vertices : numpy.ndarray, shape (n, 3)
        mm, LPS.
    triangles : numpy.ndarray, shape (m, 3)
        Vertex numbers, counter-clockwise seen from outside.
    """
    rows = np.zeros(len(triangles), dtype=_TRIANGLE)
    rows["corners"] = vertices[triangles]
    a, b, c = (vertices[triangles[:, i]] for i in range(3))
    normal = np.cross(b - a, c - a)
    length = np.linalg.norm(normal, axis=1, keepdims=True)
    rows["normal"] = np.divide(normal, length, out=np.zeros_like(normal), where=length > 0)
    with atomic_path(path) as temporary:
        temporary.write_bytes(
            _HEADER.ljust(80) + np.uint32(len(rows)).astype("<u4").tobytes() + rows.tobytes()
        )
