"""Where seizures start: a focus smaller than a region, as a hypothesis."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csgraph

from virtualbrain.errors import InputError
from virtualbrain.models.cortex import Cortex

_FARTHEST_MM = 15.0


@dataclass(frozen=True)
class Focus:
    """A patch of cortex in which seizures start.

    Parameters
    ----------
    centre : int
        Vertex in its middle.
    vertices : numpy.ndarray of int
        Its vertices.
    region : str
        Region of the middle.
    area_cm2 : float
        Its area.
    """

    centre: int
    vertices: NDArray[np.int64]
    region: str
    area_cm2: float


def nearest_vertex(
    cortex: Cortex, point_mm: NDArray[np.float64], what: str = "the centre of the focus"
) -> int:
    """Return the vertex nearest to a point in scanner RAS; an error names it as `what`.

    Raises
    ------
    InputError
        There is no cortex near the point.
    """
    distance = np.linalg.norm(cortex.vertices_mm - point_mm, axis=1)
    nearest = int(distance.argmin())
    if distance[nearest] > _FARTHEST_MM:
        raise InputError(
            f"the nearest cortex is {distance[nearest]:.0f} mm from {what}",
            expected=f"a point at most {_FARTHEST_MM:g} mm from the cortex, scanner RAS, mm",
            hint="check the sign and the frame of the coordinates",
        )
    return nearest


def require_area(area_cm2: float) -> None:
    """Raise an error if a focus cannot have an area.

    Raises
    ------
    InputError
        The area is not above zero.
    """
    if not (np.isfinite(area_cm2) and area_cm2 > 0):
        raise InputError(f"a focus of {area_cm2:g} cm²", expected="an area above zero")


def focus_around(cortex: Cortex, centre: int, area_cm2: float) -> Focus:
    """Return the patch of a stated area around a vertex: the nearest vertices by geodesic distance.

    Raises
    ------
    InputError
        The vertex does not exist, the area is not above zero, or the cortex around the vertex is
        smaller.
    """
    if not 0 <= centre < cortex.n_vertices:
        raise InputError(
            f"no vertex {centre}", expected=f"a number from 0 to {cortex.n_vertices - 1}"
        )
    require_area(area_cm2)
    # A path that grows until the area is reached; steps are exact distances within the reach.
    limit = 20.0 + 4.0 * 10.0 * np.sqrt(area_cm2 / np.pi)
    distance = csgraph.dijkstra(cortex.distances_mm, indices=centre, limit=limit)
    order, area = nearest_first(cortex, distance)
    count = int(np.searchsorted(area, area_cm2)) + 1
    if count > len(order):
        raise InputError(
            f"less than {area_cm2:g} cm² of cortex around vertex {centre}",
            hint="state a smaller area",
        )
    chosen = np.sort(order[:count])
    return Focus(centre, chosen, str(cortex.regions[centre]), float(area[count - 1]))


def nearest_first(
    cortex: Cortex, distance: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the vertices at a finite distance in its order, and the area up to each (cm²)."""
    known = np.flatnonzero(np.isfinite(distance))
    order = known[np.argsort(distance[known], kind="stable")]
    return order, np.cumsum(cortex.areas_mm2[order]) / 100.0
