"""Surgery on a surface: what is taken out, and what is disconnected."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import nibabel as nib
import numpy as np
import pandas as pd
from nibabel.affines import apply_affine
from numpy.typing import NDArray

from virtualbrain.cortex.cut import Cut, crossed_triangles
from virtualbrain.cortex.ensemble import Simulator
from virtualbrain.cortex.focus import Focus
from virtualbrain.cortex.mesh import PatientMesh
from virtualbrain.cortex.network import nodes_of, states_of
from virtualbrain.cortex.x0_field import with_field
from virtualbrain.errors import InputError
from virtualbrain.io.images import label_voxels
from virtualbrain.surgery.network_change import Change
from virtualbrain.surgery.outcome import remaining_x0

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

# Depths at which a mask is read below the pial surface: the cortex is some 2.5 mm thick.
_DEPTHS_MM = (0.0, 1.0, 2.0)


@dataclass(frozen=True)
class Sphere:
    """A ball of tissue.

    Parameters
    ----------
    centre_mm : tuple of float
        Scanner RAS.
    radius_mm : float
        Above zero.
    """

    centre_mm: tuple[float, float, float]
    radius_mm: float

    def __post_init__(self) -> None:
        if not (np.isfinite(self.centre_mm).all() and self.radius_mm > 0):
            raise InputError(
                f"a sphere at {self.centre_mm} with a radius of {self.radius_mm}",
                expected="mm, and a radius above zero",
            )

    def holds(self, points: Array) -> Flags:
        """Return which points are inside."""
        away = np.linalg.norm(points - np.array(self.centre_mm), axis=-1)
        return np.asarray(away <= self.radius_mm)


@dataclass(frozen=True)
class Mask:
    """Tissue inside an image.

    Parameters
    ----------
    inside : numpy.ndarray of bool
        Voxels.
    affine : numpy.ndarray, shape (4, 4)
        Voxels to scanner RAS.
    name : str
        File name.
    """

    inside: Flags
    affine: Array
    name: str

    @classmethod
    def of(cls, image: nib.Nifti1Image, name: str) -> "Mask":
        """Return the voxels above zero of an image.

        Raises
        ------
        InputError
            There is none.
        """
        inside = np.asarray(image.dataobj) > 0
        if not inside.any():
            raise InputError("the mask is empty", where=name, expected="voxels above zero")
        return cls(inside, np.asarray(image.affine, dtype=np.float64), name)

    def holds(self, points: Array) -> Flags:
        """Return which points are inside."""
        place = np.rint(apply_affine(np.linalg.inv(self.affine), points)).astype(np.int64)
        within = ((place >= 0) & (place < self.inside.shape)).all(axis=-1)
        found = np.zeros(points.shape[:-1], dtype=bool)
        found[within] = self.inside[tuple(place[within].T)]
        return found


@dataclass(frozen=True)
class Surgery:
    """A surgical plan on the surface.

    Parameters
    ----------
    volumes : sequence of Sphere or Mask
        Tissue that is taken out.
    regions : sequence of str
        Regions that are taken out completely.
    disconnected : sequence of str
        Regions whose connections to all others are cut; their tissue stays.
    cuts : sequence of Cut
        Subpial cuts: no local connection crosses them; tissue and white matter stay.
    vertices : sequence of int
        Vertices that are taken out.
    """

    volumes: Sequence[Sphere | Mask] = ()
    regions: Sequence[str] = ()
    disconnected: Sequence[str] = ()
    cuts: Sequence[Cut] = ()
    vertices: Sequence[int] = ()

    def __bool__(self) -> bool:
        parts = (self.volumes, self.regions, self.disconnected, self.cuts, self.vertices)
        return any(len(part) > 0 for part in parts)


@dataclass(frozen=True)
class Operated:
    """The model after surgery.

    Parameters
    ----------
    simulator : Simulator
        The draws on what remains.
    kept : numpy.ndarray of int
        Former number of each vertex that remains.
    removed : numpy.ndarray of bool, shape (n_vertices,)
        Vertices that were taken out, by their former number.
    removed_cm2 : float
        Area taken out.
    taken : mapping of str to float
        Fraction of each region that was taken out; regions of which nothing was are omitted.
    """

    simulator: Simulator
    kept: NDArray[np.int64]
    removed: Flags
    removed_cm2: float
    taken: Mapping[str, float]


def removed_vertices(mesh: PatientMesh, surgery: Surgery) -> Flags:
    """Return which vertices a plan takes out.

    A vertex is taken out if its cortex is inside at the pial surface or up to 2 mm below it.
    """
    removed = np.isin(np.array([str(r) for r in mesh.cortex.regions]), list(surgery.regions))
    removed[list(surgery.vertices)] = True
    for depth in _DEPTHS_MM:
        points = mesh.cortex.vertices_mm - depth * mesh.normals
        for volume in surgery.volumes:
            removed |= volume.holds(points)
    return removed


def taken_of_images(
    surgery: Surgery, labels: Any, regions: pd.DataFrame, names: Sequence[str]
) -> dict[str, float]:
    """Return the fraction of voxels of each named region that a plan takes out."""
    wanted = regions[regions["name"].isin(names)]
    values = label_voxels(labels)
    taken = {}
    for index, name in zip(wanted["index"], wanted["name"], strict=True):
        points = apply_affine(labels.affine, np.argwhere(values == int(index)))
        inside = np.zeros(len(points), dtype=bool)
        for volume in surgery.volumes:
            inside |= volume.holds(points)
        whole = str(name) in surgery.regions
        taken[str(name)] = 1.0 if whole else float(inside.mean()) if len(points) else 0.0
    return taken


def require_known(surgery: Surgery, known: Sequence[str]) -> None:
    """Raise an error if a plan names a region that does not exist."""
    for name in (*surgery.regions, *surgery.disconnected):
        if name not in known:
            raise InputError(
                f"no region {name}",
                expected="a name of the region table, such as " + ", ".join(list(known)[:2]),
                hint="check the spelling; names are separated by commas",
            )


def operated(
    before: Simulator,
    surgery: Surgery,
    taken_alone: Mapping[str, float],
    foci: Sequence[Focus],
    gone_share: float,
) -> Operated:
    """Return the model after a plan.

    Vertices are taken out with their area, and no path crosses the gap or a cut. A region without
    vertices is removed if at least `gone_share` of it is taken. The connections of a region are
    scaled by what remains of it at both ends, as in virtual surgery on regions; those of a
    disconnected region are cut.

    Parameters
    ----------
    before : Simulator
        The model before surgery.
    surgery : Surgery
        The plan.
    taken_alone : mapping of str to float
        Fraction taken of each region without vertices.
    foci : sequence of Focus
        As they were given to the model before surgery.
    gone_share : float
        Fraction from which a region without vertices counts as removed.

    Raises
    ------
    InputError
        The plan takes nothing out and disconnects nothing, or a cut crosses no cortex.
    ModelError
        No cortex remains.
    """
    mesh, draws, all_regions = before.mesh, before.draws, before.nodes.regions
    crossed = [crossed_triangles(mesh, cut) for cut in surgery.cuts]
    left, kept = mesh.without(removed_vertices(mesh, surgery))
    removed = np.ones(mesh.cortex.n_vertices, dtype=bool)
    removed[kept] = False  # single vertices without a triangle are gone too
    taken = _taken(before, removed, taken_alone)
    changes = (removed.any(), *taken.values(), surgery.disconnected, crossed)
    if not any(changes):
        raise InputError(
            "the plan takes out no cortex and no region",
            expected="coordinates in scanner RAS of the T1w image, mm",
            hint="check the frame of the sphere or mask",
        )
    if crossed:
        left = left.cut_through(np.any(crossed, axis=0)[(~removed[mesh.triangles]).all(axis=1)])
    nodes = nodes_of(left, draws.regions)
    change = _change(before, surgery, taken, gone_share)
    new = np.full(mesh.cortex.n_vertices, -1)
    new[kept] = np.arange(len(kept))
    remaining = [_shrunk(focus, new) for focus in foci]
    x0 = remaining_x0(draws, change)
    states = states_of(draws, nodes, x0, remaining, before.only_foci)
    field = None if before.field is None else before.field[:, kept]
    if field is not None:
        states = with_field(states, draws, field)
    gone_regions = {n for n, there in zip(draws.regions, change.counted, strict=True) if not there}
    gone_regions |= {name for name in all_regions if taken.get(name, 0.0) >= 1.0}
    gone = np.isin(nodes.names, sorted(gone_regions))
    gone[: nodes.n_vertices] = False  # what is left of the cortex can seize
    simulator = Simulator(
        mesh=left,
        nodes=nodes,
        draws=draws,
        states=states,
        kernel=before.kernel,
        settings=before.settings,
        only_foci=before.only_foci,
        weights=change.present[:, None] * draws.weights * change.present,
        gone=gone,
        cut=np.isin(nodes.names, list(surgery.disconnected)),
        field=field,
    )
    return Operated(
        simulator, kept, removed, float(mesh.cortex.areas_mm2[removed].sum() / 100.0),
        {name: share for name, share in taken.items() if share > 0},
    )  # fmt: skip


def _shrunk(focus: Focus, new: NDArray[np.int64]) -> Focus:
    """Return what remains of a focus, with the new numbers of its vertices."""
    vertices = new[focus.vertices]
    return Focus(focus.centre, vertices[vertices >= 0], focus.region, focus.area_cm2)


def _taken(before: Simulator, removed: Flags, alone: Mapping[str, float]) -> dict[str, float]:
    """Return the fraction taken of every region, by area or as given."""
    nodes, areas = before.nodes, before.mesh.cortex.areas_mm2
    region = nodes.region[: nodes.n_vertices]
    n = len(nodes.regions)
    whole = np.bincount(region, weights=areas, minlength=n)
    gone = np.bincount(region, weights=areas * removed, minlength=n)
    return {
        name: float(gone[k] / whole[k]) if whole[k] > 0 else float(alone.get(name, 0.0))
        for k, name in enumerate(nodes.regions)
    }


def _change(
    before: Simulator, surgery: Surgery, taken: Mapping[str, float], gone_share: float
) -> Change:
    """Return the change of the fitted network."""
    draws, nodes = before.draws, before.nodes
    with_vertices = set(nodes.names[: nodes.n_vertices].tolist())
    share = np.array([taken[name] for name in draws.regions])
    alone = np.array([name not in with_vertices for name in draws.regions])
    removed = (alone & (share >= gone_share)) | (share >= 1.0)
    present = np.where(removed, 0.0, 1.0 - share)
    present[np.isin(draws.regions, list(surgery.disconnected))] = 0.0
    return Change(
        present=present,
        counted=~removed,
        healthy=np.zeros(len(share), dtype=bool),
        weights=draws.weights,
        carried=present,
    )
