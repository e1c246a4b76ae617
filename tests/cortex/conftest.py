"""A fitted patient whose hemispheres are spheres and whose regions are bands of them."""

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from nibabel.affines import apply_affine

from inference.posterior import save
from tests.anatomy.test_cortical_mesh import sphere
from virtualbrain.cortex.mesh import mesh_of, mesh_plan
from virtualbrain.cortex.settings import CortexSettings
from virtualbrain.io.anatomy import Surface, write_surface, write_vertex_labels
from virtualbrain.io.images import write_image
from virtualbrain.io.layout import PatientLayout
from virtualbrain.io.tables import write_matrix, write_table
from virtualbrain.models.reduced_physics import equilibrium
from virtualbrain.surgery.draws import draws_from

BANDS = 4
NAMES = [f"ctx-{h}h-b{k}" for h in "lr" for k in range(BANDS)] + ["Left-Thalamus"]
STARTS, FOLLOWS = "ctx-lh-b1", ("ctx-lh-b0", "Left-Thalamus")
CENTRE = {"L": np.array([-26.0, 0, 0]), "R": np.array([26.0, 0, 0])}
SETTINGS = CortexSettings(n_vertices=1600, draws=6, local=0.8)


def region_table() -> pd.DataFrame:
    """Bands from bottom to top of each hemisphere, and a nucleus."""
    z = [-15.0, -5.0, 5.0, 15.0]
    rows = [
        (1 + k + BANDS * (h == "r"), f"ctx-{h}h-b{k}", h.upper(), "cortex", s * 26.0, 0.0, z[k])
        for h, s in (("l", -1), ("r", 1))
        for k in range(BANDS)
    ]
    rows.append((20, "Left-Thalamus", "L", "subcortex", -26.0, 0.0, 0.0))
    table = pd.DataFrame(rows, columns=["index", "name", "hemisphere", "structure", *"xyz"])
    return table.assign(area=1000.0, volume=3000.0)


def band(points: np.ndarray) -> np.ndarray:
    return np.clip(((points[..., 2] + 20.0) / 10.0).astype(int), 0, BANDS - 1)


def surfaces(n: int = 900) -> dict[str, Surface]:
    """Spheres of 20 mm; a patch that faces the other hemisphere is no cortex."""
    found = {}
    for side, first in (("L", 1), ("R", 1 + BANDS)):
        points, triangles = sphere(n)
        a, b, c = (points[triangles[:, k]] for k in range(3))
        inward = np.einsum("ij,ij->i", np.cross(b - a, c - a), a) < 0
        triangles[inward] = triangles[inward][:, ::-1]
        region = (first + band(points)).astype(np.int32)
        medial = points[:, 0] > 18.0 if side == "L" else points[:, 0] < -18.0
        found[side] = Surface(points + CENTRE[side], triangles, np.where(medial, 0, region))
    return found


def label_image() -> nib.Nifti1Image:
    affine = np.diag([2.0, 2, 2, 1])
    affine[:3, 3] = [-50, -24, -24]
    grid = np.zeros((51, 25, 25), dtype=np.int16)
    places = apply_affine(affine, np.argwhere(grid == 0))
    values = np.zeros(len(places), dtype=np.int16)
    for side, first in (("L", 1), ("R", 1 + BANDS)):
        at = places - CENTRE[side]
        shell = (np.linalg.norm(at, axis=1) < 20.5) & (np.linalg.norm(at, axis=1) > 16)
        values[shell] = first + band(at)[shell]
    values[np.linalg.norm(places - CENTRE["L"], axis=1) < 6] = 20
    return nib.Nifti1Image(values.reshape(grid.shape), affine)


def posterior_tree() -> xr.DataTree:
    """The band `STARTS` starts seizures; two regions follow it over the network."""
    rng = np.random.default_rng(5)
    n = len(NAMES)
    at = {name: k for k, name in enumerate(NAMES)}
    weights = np.zeros((n, n))
    for follower in FOLLOWS:
        weights[at[STARTS], at[follower]] = weights[at[follower], at[STARTS]] = 0.5
    x0 = np.full(n, -3.2)
    x0[at[STARTS]], x0[[at[f] for f in FOLLOWS]] = -1.6, -2.25
    x0 = x0 + 0.02 * rng.standard_normal((2, 20, n))
    x_init, z_init = equilibrium(np.minimum(x0, -2.2))
    each, scalar = ("chain", "draw", "region"), ("chain", "draw")
    onset = np.full((2, 20, n), np.nan)
    onset[..., at[STARTS]] = 1.0
    samples = xr.Dataset(
        {
            "x0": (each, x0), "x_init": (each, x_init), "z_init": (each, z_init),
            "onset_s": (each, onset), "K": (scalar, np.full((2, 20), 2.0)),
            "tau0": (scalar, np.full((2, 20), 15.0)),
            "peak_log_power": (scalar, np.full((2, 20), 3.0)),
        },
        coords={"region": NAMES},
    )  # fmt: skip
    channels = channel_table()
    constant = xr.Dataset(
        {
            "weights": (("region", "source"), weights),
            "time_s": ("time", np.linspace(-5, 45, 251)),
        },
        coords={
            "region": NAMES, "source": NAMES,
            "channel": channels.loc[channels["status"] == "good", "name"].to_numpy(),
        },
    )  # fmt: skip
    tree = xr.DataTree.from_dict({"/posterior": samples, "/constant_data": constant})
    tree.attrs = {"dt": 0.1, "n_steps": 250, "I1": 3.1, "integrator": "heun", "method": "onsets"}
    return tree


def contact_table() -> pd.DataFrame:
    """An electrode from the middle of the left hemisphere outward through each of two bands."""
    rows = []
    for name, z in (("A", -5.0), ("B", 12.0)):
        for number in range(1, 6):
            rows.append((f"{name}{number}", name, number, -26.0 - 4.0 * number, 0.0, z))
    return pd.DataFrame(rows, columns=["name", "electrode", "number", *"xyz"]).assign(
        region="ctx-lh-b1", p_region=1.0, tissue="grey", status="good"
    )


def channel_table() -> pd.DataFrame:
    contacts = contact_table().set_index("name")
    rows = []
    for name in "AB":
        for number in range(1, 5):
            one, other = f"{name}{number}", f"{name}{number + 1}"
            middle = (contacts.loc[one, list("xyz")] + contacts.loc[other, list("xyz")]) / 2
            rows.append((f"{one}-{other}", one, other, name, *middle))
    table = pd.DataFrame(rows, columns=["name", "anode", "cathode", "electrode", *"xyz"])
    table = table.assign(region="ctx-lh-b1", p_region=1.0, status="good")
    return table.assign(onset_s=[1.0, 1.5, 1.2, 1.1, np.nan, np.nan, 8.0, 9.0])


def write_fitted(out) -> PatientLayout:
    """Write the results that the command reads."""
    layout = PatientLayout(out, "01")
    regions = region_table()
    write_table(layout.regions, regions, {})
    write_table(layout.connectome_regions, regions, {})
    write_image(layout.labels, label_image())
    for side, surface in surfaces().items():
        write_surface(layout.pial(side), surface, side)
        write_vertex_labels(layout.pial_labels(side), surface, regions, side)
    channels = channel_table()
    write_table(layout.channels, channels, {})
    write_table(layout.contacts, contact_table(), {})
    gain = np.full((len(channels), len(NAMES)), 0.1)
    gain[:4, 1], gain[4:, 3] = 1.0, 1.0
    write_matrix(layout.gain, gain, list(channels["name"]), NAMES, {})
    save(posterior_tree(), layout.posterior("default"))
    return layout


def gain_around(cortex, n_channels):
    """Return the gain of channels 6 mm outside both spheres; it falls with the square."""
    rng = np.random.default_rng(4)
    unit = rng.normal(size=(n_channels, 3))
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    side = np.where(np.arange(n_channels) % 2, 26.0, -26.0)[:, None]
    apart = np.linalg.norm((26.0 * unit + side * [1.0, 0, 0])[:, None] - cortex.vertices_mm, axis=2)
    gain = cortex.areas_mm2 / apart**2
    return gain / gain.sum(axis=1, keepdims=True)


@pytest.fixture(scope="session")
def plan():
    return mesh_plan(surfaces(), SETTINGS)


@pytest.fixture(scope="session")
def mesh(plan):
    return mesh_of(surfaces(), region_table(), SETTINGS.n_vertices, plan.reach_mm)


@pytest.fixture(scope="session")
def draws():
    return draws_from(posterior_tree(), SETTINGS.draws, np.random.default_rng(1), 0.05)
