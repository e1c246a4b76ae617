"""Write the results of a small patient whose T1 is oblique, with voxels that are not cubes.

Every region is a block of voxels that is symmetric about its landmark, so that the landmark is the
centre of the region in every format.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from nibabel.affines import apply_affine, from_matvec, voxel_sizes
from scipy.spatial.transform import Rotation

from virtualbrain.export.patient import load_patient
from virtualbrain.io.anatomy import Anatomy, Surface, write_anatomy
from virtualbrain.io.atomic import write_json
from virtualbrain.io.images import make_image
from virtualbrain.io.layout import PatientLayout
from virtualbrain.io.seeg import CONTACT_COLUMNS
from virtualbrain.io.tables import write_table

SHAPE = (44, 50, 32)
SIZES = (1.0, 1.25, 1.9)
BLOCKS = {  # centre and half width in voxels of the first storage orientation
    "ctx-lh-landmark": ((9, 30, 20), (2, 2, 1)),
    "ctx-rh-other": ((33, 20, 9), (3, 2, 2)),
    "Right-Third": ((28, 36, 22), (1, 1, 1)),
}
P_EZ = {"ctx-lh-landmark": 0.9, "ctx-rh-other": 0.4, "Right-Third": 0.05}


@dataclass(frozen=True)
class Made:
    """A patient, and the places of its landmarks in scanner RAS."""

    out: Path
    layout: PatientLayout
    landmarks: dict[str, np.ndarray]
    labels: np.ndarray
    affine: np.ndarray

    def patient(self):
        return load_patient(self.out, "01", "default")


def oblique_affine():
    turn = Rotation.from_euler("zyx", [17, -11, 8], degrees=True).as_matrix()
    matrix = turn @ np.diag(SIZES)
    centre = matrix @ ((np.array(SHAPE) - 1) / 2)
    return from_matvec(matrix, np.array([3.0, -15.0, 12.0]) - centre)


def stored(orientation: str):
    """Return affine and reordering of a storage orientation: RAS, LAS, or slices first."""
    affine = oblique_affine()
    if orientation == "RAS":
        return affine, lambda voxels: voxels
    if orientation == "LAS":
        flip = from_matvec(np.diag([-1.0, 1, 1]), [SHAPE[0] - 1, 0, 0])
        return affine @ flip, lambda voxels: voxels[::-1]
    order = from_matvec(np.array([[0, 1.0, 0], [0, 0, 1.0], [1.0, 0, 0]]), [0, 0, 0])
    return affine @ order, lambda voxels: voxels.transpose(2, 0, 1)


def write_made(out: Path, orientation: str = "RAS", verdict: str = "interpretable") -> Made:
    affine, reordered = stored(orientation)
    first = oblique_affine()
    values = np.zeros(SHAPE, dtype=np.int32)
    for index, (centre, half) in enumerate(BLOCKS.values(), start=1):
        values[tuple(slice(c - h, c + h + 1) for c, h in zip(centre, half, strict=True))] = index
    rng = np.random.default_rng(3)
    head = rng.uniform(80, 400, SHAPE).astype(np.float32) + 900 * (values > 0)
    landmarks = {name: apply_affine(first, centre) for name, (centre, _) in BLOCKS.items()}
    layout = PatientLayout(out, "01")
    regions = _regions(values, landmarks)
    labels = reordered(values)
    tissues = np.zeros((*labels.shape, 5), dtype=np.float32)
    anatomy = Anatomy(
        t1=make_image(reordered(head), affine),
        brain_mask=make_image(np.ones(labels.shape, dtype=bool), affine),
        labels=make_image(labels, affine),
        regions=regions,
        tissues=make_image(tissues, affine),
        surfaces={side: _surface(side, landmarks) for side in "LR"},
        quality={"dropped": [], "lost_regions": []},
    )
    write_anatomy(layout, anatomy, {})
    _write_tables(layout, regions, landmarks, verdict)
    return Made(out, layout, landmarks, labels, affine)


def _regions(values, landmarks):
    voxel = float(np.prod(voxel_sizes(oblique_affine())))
    rows = [
        {
            "index": index,
            "name": name,
            "hemisphere": "L" if "lh" in name else "R",
            "structure": "cortex" if "ctx" in name else "subcortex",
            **dict(zip("xyz", landmarks[name], strict=True)),
            "area": np.nan,
            "volume": voxel * int((values == index).sum()),
        }
        for index, name in enumerate(BLOCKS, start=1)
    ]
    return pd.DataFrame(rows)


def _surface(side, landmarks):
    """Return an octahedron about the landmark of a hemisphere."""
    centre = landmarks["ctx-lh-landmark" if side == "L" else "ctx-rh-other"]
    axes = np.vstack([np.eye(3), -np.eye(3)]) * 8
    triangles = [(0, 1, 2), (1, 3, 2), (3, 4, 2), (4, 0, 2)]
    triangles += [(1, 0, 5), (3, 1, 5), (4, 3, 5), (0, 4, 5)]
    index = 1 if side == "L" else 2
    return Surface(axes + centre, np.array(triangles), np.array([index] * 5 + [0], dtype=np.int32))


def _write_tables(layout, regions, landmarks, verdict):
    contacts = pd.DataFrame(
        [
            ("A'1", "A'", 1, *landmarks["ctx-lh-landmark"], "ctx-lh-landmark", 1.0, "grey", "good"),
            ("B1", "B", 1, *landmarks["ctx-rh-other"], "ctx-rh-other", 1.0, "grey", "bad"),
            ("B2", "B", 2, np.nan, np.nan, np.nan, None, np.nan, None, "good"),
        ],
        columns=CONTACT_COLUMNS,
    )
    contacts["status_description"] = ["", "seen by Dr. Alice", ""]
    write_table(layout.contacts, contacts, {})
    names = list(regions["name"])
    zones = pd.DataFrame({"rank": range(1, 4), "region": names, "hemisphere": list("LRR")})
    zones["p_ez"] = [P_EZ[name] for name in names]
    for column in ("p_pz", "x0_mean", "x0_sd", "x0_low", "x0_high", "onset_s"):
        zones[column] = 0.1
    zones["observability"] = [0.8, 0.5, 0.0]
    for column in ("prior_x0_mean", "information_gain"):
        zones[column] = 0.1
    zones["in_hypothesis"] = None
    write_table(layout.zones("default"), zones, {})
    content = {"verdict": verdict, "reasons": [], "figures": {}}
    write_json(layout.diagnostics("default"), content)
    _write_outcomes(layout, regions, ranked=verdict != "do-not-use")
    write_json(layout.provenance, {"configuration": {"anatomy": {}, "seed": 1}})


def _write_outcomes(layout, regions, *, ranked):
    volume = dict(zip(regions["name"], regions["volume"], strict=True))
    pair = "ctx-lh-landmark,Right-Third"
    plans = [
        ("ctx-lh-landmark", "resection", "ctx-lh-landmark", 1.0),
        ("no surgery", "none", None, 0.0),
        ("partial", "resection", "ctx-rh-other", 0.5),
        ("both", "ablation", pair, 1.0),
        ("sham: 20", "sham", None, 0.0),
        ("fourth", "resection", "Right-Third", 1.0),
    ]
    rows = []
    for rank, (name, kind, chosen, share) in enumerate(plans, start=1):
        taken = chosen.split(",") if chosen else []
        rows.append(
            {
                "rank": rank if ranked else np.nan,
                "candidate": name,
                "kind": kind,
                "regions": chosen,
                "n_regions": len(taken),
                "volume_mm3": sum(volume[one] * share for one in taken),
                "eloquent": None,
                **dict.fromkeys(("seizing_before", "seizing_after"), 2.0),
                **dict.fromkeys(("seizing_after_low", "seizing_after_high"), 1.0),
                **dict.fromkeys(("p_seizure_free", "share_free"), 0.7),
                "n_connections": 0,
                **dict.fromkeys(("transmission_change", "p_sham"), 0.1),
                "on_front": False,
                "p_seizure_free_6d": np.nan,
                "sentence": "It helps.",
            }
        )
    about = {"n_draws": 100, "Conclusion": "", "p_elsewhere": 0.2, "p_ez_sampled": 0.8}
    write_table(layout.outcomes("default"), pd.DataFrame(rows), about)


@pytest.fixture(scope="session", params=["RAS", "LAS", "slices first"])
def made(request, tmp_path_factory) -> Made:
    """A patient in each storage orientation."""
    return write_made(tmp_path_factory.mktemp("made"), request.param)


@pytest.fixture
def make_out(tmp_path):
    """Return a function that writes a patient of one's own."""
    return lambda **choices: write_made(tmp_path / "out", **choices)
