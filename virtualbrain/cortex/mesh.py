"""The surface of a patient as the model needs it: fewer vertices, distances, sides, normals."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from virtualbrain.anatomy.cortical_mesh import (
    Hemisphere,
    prepared_cortex,
    without_triangles,
    without_vertices,
)
from virtualbrain.anatomy.surface import vertex_area_vectors, vertex_areas
from virtualbrain.cortex.settings import CortexSettings
from virtualbrain.errors import ConfigError, InputError
from virtualbrain.io.anatomy import Surface
from virtualbrain.models.cortex import Cortex
from virtualbrain.models.local_kernel import LocalKernel

Array = NDArray[np.float64]

_WIDTH_PER_SPACING = 1.5
_REACH_PER_WIDTH = 3.0


@dataclass(frozen=True)
class PatientMesh:
    """The surface of a patient.

    Parameters
    ----------
    cortex : Cortex
        Vertices, areas, distances and regions.
    triangles : numpy.ndarray, shape (m, 3)
        Vertices of each triangle.
    sides : numpy.ndarray of str, shape (n,)
        ``L`` or ``R`` of each vertex.
    reach_mm : float
        Largest distance that is known.
    """

    cortex: Cortex
    triangles: NDArray[np.int64]
    sides: NDArray[np.str_]
    reach_mm: float

    @property
    def normals(self) -> Array:
        """Outward unit normals, shape (n, 3)."""
        summed = vertex_area_vectors(self.cortex.vertices_mm, self.triangles)
        length = np.linalg.norm(summed, axis=1, keepdims=True)
        return np.divide(summed, length, out=np.zeros_like(summed), where=length > 0)

    def without(self, removed: NDArray[np.bool_]) -> tuple["PatientMesh", NDArray[np.int64]]:
        """Return the surface without some vertices, and the former number of each other one."""
        if not removed.any():
            return self, np.arange(self.cortex.n_vertices)
        cortex, triangles, kept = without_vertices(
            self.cortex, self.triangles, removed, self.reach_mm
        )
        part = replace(self, cortex=cortex, triangles=triangles, sides=self.sides[kept])
        return part, kept

    def cut_through(self, cut: NDArray[np.bool_]) -> "PatientMesh":
        """Return the surface with the same vertices, and no path through some triangles."""
        if not cut.any():
            return self
        cortex = without_triangles(self.cortex, self.triangles, cut, self.reach_mm)
        return replace(self, cortex=cortex, triangles=self.triangles[~cut])


@dataclass(frozen=True)
class MeshPlan:
    """Kernel and largest distance that belong to a number of vertices.

    Parameters
    ----------
    kernel : LocalKernel
        The local kernel; its integral is 1.
    reach_mm : float
        Distance up to which geodesics are computed.
    spacing_mm : float
        Mean distance between neighbouring vertices.
    """

    kernel: LocalKernel
    reach_mm: float
    spacing_mm: float


def mesh_plan(surfaces: Mapping[str, Surface], settings: CortexSettings) -> MeshPlan:
    """Match the kernel to the mesh: wide enough that single vertices do not matter.

    Raises
    ------
    ConfigError
        More vertices than the surfaces have.
    """
    available = sum(len(surface.vertices) for surface in surfaces.values())
    if settings.n_vertices > available:
        raise ConfigError(
            f"{settings.n_vertices} vertices wanted",
            expected=f"at most {available}, the number in the pial surfaces",
            hint="set --vertices lower, or anatomy.surface_spacing_mm lower and run again",
        )
    area = sum(float(vertex_areas(s.vertices, s.triangles).sum()) for s in surfaces.values())
    spacing = float(np.sqrt(area / settings.n_vertices))
    width = settings.width_mm or round(_WIDTH_PER_SPACING * spacing, 2)
    reach = min(settings.cutoff_mm, round(_REACH_PER_WIDTH * width, 2))
    kernel = LocalKernel(width_mm=width, cutoff_mm=reach)
    return MeshPlan(replace(kernel, amplitude=1.0 / kernel.integral), reach, spacing)


def mesh_of(
    surfaces: Mapping[str, Surface], regions: pd.DataFrame, n_vertices: int, reach_mm: float
) -> PatientMesh:
    """Prepare the surfaces of a patient.

    Raises
    ------
    InputError
        There is no surface.
    """
    if not surfaces:
        raise InputError("no pial surface")
    names = {int(k): str(name) for k, name in zip(regions["index"], regions["name"], strict=True)}
    side_of = {str(n): str(h) for n, h in zip(regions["name"], regions["hemisphere"], strict=True)}
    parts = [
        Hemisphere(s.vertices, s.triangles, [names.get(int(k), "") for k in s.regions])
        for _, s in sorted(surfaces.items())
    ]
    cortex, triangles = prepared_cortex(parts, n_vertices, reach_mm)
    sides = np.array([side_of[str(name)] for name in cortex.regions])
    # As they are stored, so that a later run gives the same numbers.
    distances = cortex.distances_mm.astype(np.float32).astype(np.float64)
    return PatientMesh(replace(cortex, distances_mm=distances), triangles, sides, reach_mm)


def arrays_of(mesh: PatientMesh) -> dict[str, NDArray]:  # type: ignore[type-arg]
    """Return a surface as arrays, to store it."""
    names, region = np.unique([str(r) for r in mesh.cortex.regions], return_inverse=True)
    distances = sparse.csr_array(mesh.cortex.distances_mm)
    return {
        "vertices": mesh.cortex.vertices_mm,
        "areas": mesh.cortex.areas_mm2,
        "triangles": mesh.triangles.astype(np.int32),
        "names": names,
        "region": region.astype(np.int32),
        "sides": mesh.sides,
        "reach": np.array(mesh.reach_mm),
        "distance": distances.data.astype(np.float32),
        "column": distances.indices.astype(np.int32),
        "first": distances.indptr.astype(np.int64),
    }


def mesh_from(arrays: Mapping[str, NDArray]) -> PatientMesh:  # type: ignore[type-arg]
    """Return the surface that `arrays_of` stored."""
    n = len(arrays["areas"])
    distances = sparse.csr_array(
        (arrays["distance"].astype(np.float64), arrays["column"], arrays["first"]), shape=(n, n)
    )
    regions = tuple(str(name) for name in arrays["names"][arrays["region"]])
    cortex = Cortex(arrays["vertices"], arrays["areas"], distances, regions)
    triangles = arrays["triangles"].astype(np.int64)
    return PatientMesh(cortex, triangles, arrays["sides"], float(arrays["reach"]))
