"""Measure the surface model: convergence, a large mesh, speed of fronts, a focus in a region.

Run directly, with one of

    python tests/benchmarks/measure_cortex.py convergence
    python tests/benchmarks/measure_cortex.py large
    python tests/benchmarks/measure_cortex.py speed
    python tests/benchmarks/measure_cortex.py focus OUT [--cases 20] [--seed 0] [--moves 20000]

OUT are the results of a fitted patient with surfaces, such as the demo patient. For each case of
`focus` a focus of 2 cm² is drawn in a region that the channels see. The surface model makes the
seizure, on a mesh of its own; channels get errors of gain and noise, with `--hard` also errors of
gain by region and slow noise. A case in which fewer than six channels seize is drawn again. The
project's fit sees the envelopes; the focus is then sought as `cortex --find-focus` does. The answer
of the region model is the vertex nearest to the centre of its leading region.
"""

import argparse
import resource
import sys
import time
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from scipy.signal import lfilter
from scipy.spatial import ConvexHull, cKDTree

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import inference
from inference.posterior import load
from inference.settings import Settings
from tests.models.sheets import sheet
from virtualbrain.anatomy.cortical_mesh import decimated, geodesic_distances
from virtualbrain.anatomy.surface import vertex_areas
from virtualbrain.cortex.channels import channel_gain
from virtualbrain.cortex.ensemble import Simulator
from virtualbrain.cortex.focus import focus_around
from virtualbrain.cortex.focus_search import GrowthModel, search_focus, seizure_data
from virtualbrain.cortex.focus_simulation import FocusSimulator, SimulatedSearch, refine_focus
from virtualbrain.cortex.mesh import arrays_of, mesh_from, mesh_of, mesh_plan
from virtualbrain.cortex.network import States, nodes_of
from virtualbrain.cortex.settings import CortexSettings
from virtualbrain.io.layout import PatientLayout
from virtualbrain.io.seeg import read_channels, read_contacts, read_gain
from virtualbrain.models.cortex import Cortex, CortexOptions, FiringCoupling, simulate_cortex
from virtualbrain.models.epileptor import Epileptor2D
from virtualbrain.models.local_kernel import LocalKernel
from virtualbrain.models.reduced_physics import critical_x0, equilibrium
from virtualbrain.pipeline.cortex import _anatomy
from virtualbrain.seeg.gain import observability
from virtualbrain.seeg.settings import SeegSettings
from virtualbrain.surgery.draws import FittedDraws, draws_from

UNIT_S = 2.2  # seconds per unit of model time, as in a fit of 40 s
SIZES = (5_000, 10_000, 20_000, 40_000)
CONVERGENCE_KERNEL = LocalKernel(width_mm=2.0, cutoff_mm=4.0)


def folded_sphere(n):
    """Return a closed surface with folds 5 mm deep and some 14 mm apart."""
    k = np.arange(n) + 0.5
    polar, around = np.arccos(1 - 2 * k / n), np.pi * (1 + 5**0.5) * k
    unit = np.column_stack(
        [np.cos(around) * np.sin(polar), np.sin(around) * np.sin(polar), np.cos(polar)]
    )
    wave = np.sin(14 * unit[:, 0]) * np.sin(13 * unit[:, 1]) + np.sin(15 * unit[:, 2] + 1)
    return unit * (35 + 2.5 * wave)[:, None], ConvexHull(unit).simplices.astype(np.int64)


def spread(cortex, kernel, place, seconds=150.0, n_threads=None):
    """Return onsets of a seizure that starts within 9 mm of a place and spreads locally."""
    inside = np.linalg.norm(cortex.vertices_mm - place, axis=1) < 9.0
    x0 = np.where(inside, -1.7, -2.12)
    kernel = replace(kernel, amplitude=1.0 / kernel.integral)
    return simulate_cortex(
        cortex, Epileptor2D(x0=x0, r=1 / 27.0, seconds_per_unit=UNIT_S), kernel=kernel,
        coupling=FiringCoupling(fast=1.2, threshold_x1=0.0), duration=seconds,
        dt=0.02 * UNIT_S, sample_rate=1.0, initial=np.array(equilibrium(np.minimum(x0, -2.12))),
        options=CortexOptions(keep=("x1",), n_threads=n_threads),
    )  # fmt: skip


def convergence():
    points, triangles = folded_sphere(max(SIZES))
    onset, vertices, top = {}, {}, points[points[:, 2].argmax()]
    for n in SIZES:
        begin = time.process_time()
        v, faces, _ = decimated(points, triangles, n)
        distances = geodesic_distances(v, faces, CONVERGENCE_KERNEL.cutoff_mm)
        cortex = Cortex(v, vertex_areas(v, faces), distances, ["a"] * len(v))
        geometry = time.process_time() - begin
        onset[n], vertices[n] = spread(cortex, CONVERGENCE_KERNEL, top)["onset_s"].to_numpy(), v
        spacing = np.sqrt(np.median(cortex.areas_mm2))
        print(
            f"{len(v)} vertices: area {cortex.areas_mm2.sum() / 100:.1f} cm², spacing "
            f"{spacing:.2f} mm, geometry {geometry:.0f} CPU s, recruited "
            f"{np.isfinite(onset[n]).mean():.0%}, last onset {np.nanmax(onset[n]):.1f} s",
            flush=True,
        )
    finest = SIZES[-1]
    for n in SIZES[:-1]:
        nearest = cKDTree(vertices[finest]).query(vertices[n])[1]
        error = onset[n] - onset[finest][nearest]
        size = np.abs(error[np.isfinite(error)])
        print(
            f"{n} vertices against {finest}: onset differs by {np.median(size):.2f} s (median), "
            f"{np.quantile(size, 0.95):.2f} s (95 %), mean {np.nanmean(error):+.2f} s; of "
            f"{np.nanmax(onset[finest]):.0f} s",
            flush=True,
        )


def large():
    cortex = sheet(400, 400, 1.0, cutoff=4.5)
    kernel = LocalKernel(width_mm=1.5, cutoff_mm=4.5)
    begin, cpu = time.perf_counter(), time.process_time()
    found = spread(cortex, kernel, cortex.vertices_mm[80_200], seconds=44.0)
    print(
        f"{cortex.n_vertices} vertices, {cortex.distances_mm.nnz / cortex.n_vertices:.0f} "
        f"neighbours, 44 s of a fitted seizure (1000 steps): {time.perf_counter() - begin:.0f} s, "
        f"{time.process_time() - cpu:.0f} CPU s, {np.isfinite(found['onset_s']).mean():.0%} "
        f"recruited, {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB at most"
    )


def speed():
    """Print the speed of straight fronts on a sheet, by strength and distance to the threshold."""
    cortex, limit = sheet(80, 12, 2.5, cutoff=10.0), float(critical_x0(27.0))
    kernel = LocalKernel(width_mm=4.0)
    kernel = replace(kernel, amplitude=1.0 / kernel.integral)
    x = cortex.vertices_mm[:, 0]
    print("strength; mm/s at 0.02, 0.05, 0.1, 0.2 and 0.4 below the threshold (0: no front)")
    for strength in (0.2, 0.35, 0.5, 0.8, 1.2):
        row = []
        for below in (0.02, 0.05, 0.1, 0.2, 0.4):
            x0 = np.where(x < 15, -1.6, limit - below)
            start = np.array(equilibrium(np.minimum(x0, limit - below)))
            found = simulate_cortex(
                cortex, Epileptor2D(x0=x0, r=1 / 27.0, seconds_per_unit=UNIT_S), kernel=kernel,
                coupling=FiringCoupling(fast=strength, threshold_x1=0.0), duration=120.0,
                dt=0.05 * UNIT_S, sample_rate=1.0, initial=start,
                options=CortexOptions(keep=("x1",)),
            )["onset_s"].to_numpy()  # fmt: skip
            ahead = (x > 50) & (x < 120) & np.isfinite(found)
            fitted = ahead.sum() > 100
            row.append(1 / np.polyfit(x[ahead], found[ahead], 1)[0] if fitted else 0.0)
        print(f"{strength}; " + ", ".join(f"{v:.2f}" for v in row), flush=True)


# ---- a focus in a region --------------------------------------------------------------------

TRUTH_VERTICES, MODEL_VERTICES, WIDTH_MM = 14_000, 10_000, 5.5
COLUMNS = (
    "case", "region", "cm2", "channels", "leading", "region_mm", "patch_mm", "surface_mm", "p_near",
    "supported", "cpu_s",
)  # fmt: skip
AREA_CM2, WITHIN_MM = 2.0, 10.0
TIMES_S = np.arange(-5.0, 40.0, 0.25)
LOG_POWER, FACTOR, LEAST_CHANNELS, HARD_GAIN_SD = 3.3, 4.5, 6, 0.7


class Patient:
    """The surface, the network and the channels of a fitted patient."""

    def __init__(self, out, cache):
        self.layout = PatientLayout.of_results(out, "01")
        self.anatomy = _anatomy(self.layout)
        tree = load(self.layout.posterior("default"))
        self.template = draws_from(tree, 1, np.random.default_rng(0), 0.05)
        channels = read_channels(self.layout.channels).set_index("name", drop=False)
        self.channels = channels.loc[list(tree["constant_data"]["channel"].to_numpy())]
        self.contacts = read_contacts(self.layout.contacts)
        self.gain = read_gain(self.layout.gain).loc[
            list(self.channels["name"]), list(self.template.regions)
        ]
        self.cache = cache

    def mesh(self, n_vertices):
        path = self.cache / f"measure-{n_vertices}.npz"
        if path.is_file():
            return mesh_from(dict(np.load(path)))
        found = mesh_of(self.anatomy.surfaces, self.anatomy.regions, n_vertices, 10.0)
        np.savez(path, **arrays_of(found))
        return found

    def settings(self, n_vertices, local):
        return CortexSettings(n_vertices=n_vertices, width_mm=WIDTH_MM, local=local)

    def kernel(self, settings):
        return mesh_plan(self.anatomy.surfaces, settings).kernel

    def forward(self, mesh, nodes):
        return channel_gain(
            mesh, nodes, self.channels, self.contacts, self.anatomy.regions, self.anatomy.labels,
            SeegSettings(),
        )  # fmt: skip


def truth(patient, mesh, nodes, gain, rng, hard=False):
    """Return the centre of a drawn focus and the envelopes that the channels see."""
    names = patient.template.regions
    seen = observability(patient.gain.to_numpy())
    area = np.bincount(
        nodes.region[: nodes.n_vertices], weights=mesh.cortex.areas_mm2, minlength=len(names)
    )
    able = np.flatnonzero((seen > 0.5) & (area > 600.0))
    region = int(rng.choice(able))
    centre = int(rng.choice(np.flatnonzero(nodes.region[: nodes.n_vertices] == region)))
    focus = focus_around(mesh.cortex, centre, AREA_CM2)
    tau0, K = 27.0, float(rng.uniform(1.0, 3.0))
    limit = float(critical_x0(tau0))
    x0 = limit - rng.uniform(0.06, 0.4, len(names))
    x0[region] = limit - rng.uniform(0.0, 0.06)
    # x0 as it would be without coupling; the input at rest is added.
    rest, z = equilibrium(x0)
    weights = patient.template.weights
    input_at_rest = weights @ rest - weights.sum(axis=1) * rest
    by_node = x0[nodes.region][None].copy()
    by_node[0, focus.vertices] = -1.6
    by_node -= K / 4 * input_at_rest[nodes.region]
    x, z = rest[nodes.region][None], z[nodes.region][None]
    draws = FittedDraws(
        regions=names, weights=patient.template.weights, x0=x0[None], own_x0=x0[None],
        in_ez=np.zeros((1, len(names)), bool), x_init=x0[None], z_init=x0[None],
        K=np.array([K]), tau0=np.array([tau0]), dt=0.1, time_s=np.linspace(-5, 39, 201), I1=3.1,
        integrator="heun", explained=1.0, p_elsewhere=0.0, expected_ez_regions=1.0,
        p_sampled=1.0,
    )  # fmt: skip
    settings = replace(patient.settings(TRUTH_VERTICES, float(rng.uniform(0.7, 1.3))), step=0.025)
    model = Simulator(mesh, nodes, draws, States(by_node, x, z), patient.kernel(settings), settings)
    found = model.ensemble()
    start = np.nanmin(found.onset_s[0]) if np.isfinite(found.onset_s).any() else 0.0
    onset, end = found.onset_s[0] - start, found.end_s[0] - start
    uneven = gain * np.exp(rng.normal(0, 0.3, gain.shape))
    if hard:
        by_region = np.exp(rng.normal(0, HARD_GAIN_SD, (len(gain), len(names))))
        uneven *= by_region[:, nodes.region]
    uneven /= uneven.sum(axis=1, keepdims=True)
    active = (TIMES_S[:, None] >= onset) & (TIMES_S[:, None] < end)
    power = np.log1p(np.expm1(LOG_POWER) * active @ uneven.T)
    noise = rng.normal(0, 0.25, power.shape)
    if hard:
        steps = rng.normal(0, 0.08, power.shape)
        noise += lfilter([1.0], [1.0, -0.96], steps, axis=0)
    envelope = xr.DataArray(
        power + noise, dims=("time", "channel"),
        coords={"time": TIMES_S, "channel": list(patient.channels["name"])},
    )  # fmt: skip
    size = mesh.cortex.areas_mm2[np.isfinite(onset[: nodes.n_vertices])].sum() / 100
    return mesh.cortex.vertices_mm[centre], names[region], envelope, size


def detected(envelope, factor=FACTOR):
    """Return the onset of each channel: power stays above a factor for two seconds."""
    above = pd.DataFrame(envelope.to_numpy() > np.log(factor)).astype(float)
    held = above[::-1].rolling(8, min_periods=8).mean()[::-1].to_numpy() >= 0.75
    held &= TIMES_S[:, None] >= 0
    return np.where(held.any(axis=0), TIMES_S[held.argmax(axis=0)], np.nan)


def searched(patient, mesh, nodes, gain, posterior, rng):
    """Return the focus found in the envelope of a fit, by the patch and by simulation."""
    model = GrowthModel()
    settings = patient.settings(MODEL_VERTICES, CortexSettings().local)
    simulator = FocusSimulator(
        mesh, nodes, draws_from(posterior, 1, rng, 0.05), patient.kernel(settings), settings,
        SimulatedSearch(),
    )  # fmt: skip
    data = seizure_data(
        posterior["observed_data"]["envelope"].to_numpy(),
        posterior["posterior_predictive"]["envelope"].sel(quantile=0.5).to_numpy(),
        posterior["constant_data"]["time_s"].to_numpy(),
        model,
    )
    patch = search_focus(mesh.cortex, gain, [data], model)
    refined = refine_focus(simulator, gain, [data], model, patch, rng) if patch.supported else patch
    return patch, refined


def focus_cases(out, first, n_cases, seed, moves, cache, hard):
    patient = Patient(out, cache)
    truth_mesh, mesh = patient.mesh(TRUTH_VERTICES), patient.mesh(MODEL_VERTICES)
    names = patient.template.regions
    truth_nodes, nodes = nodes_of(truth_mesh, names), nodes_of(mesh, names)
    truth_gain = patient.forward(truth_mesh, truth_nodes)
    gain = patient.forward(mesh, nodes)
    settings = Settings(moves=moves, chains=2, draws=100, cores=2)
    centres = (
        patient.anatomy.regions.set_index("name").loc[list(names), list("xyz")].to_numpy(float)
    )
    cortical = np.bincount(nodes.region[: nodes.n_vertices], minlength=len(names)) > 0
    rows = []
    for case in range(first, first + n_cases):
        rng = np.random.default_rng([seed, case])
        begin = time.process_time()
        drawn = 0
        while True:
            drawn += 1
            place, region, envelope, size = truth(
                patient, truth_mesh, truth_nodes, truth_gain, rng, hard
            )
            recorded = detected(envelope)
            if np.isfinite(recorded).sum() >= LEAST_CHANNELS:
                break
        fit = inference.run_inference(
            [envelope], patient.gain, patient.template.weights, names, settings=settings
        )
        order = [str(name) for name in fit.zones.sort_values("rank")["region"]]
        top = names.index(order[0])
        own = np.flatnonzero(nodes.region[: nodes.n_vertices] == top) if cortical[top] else None
        points = centres[[top]] if own is None else mesh.cortex.vertices_mm[own]
        away = np.linalg.norm(points - centres[top], axis=1)
        by_region = float(np.linalg.norm(points[away.argmin()] - place))
        patch, found = searched(patient, mesh, nodes, gain, fit.posterior, rng)
        by_patch = float(np.linalg.norm(mesh.cortex.vertices_mm[patch.vertex] - place))
        by_surface = float(np.linalg.norm(mesh.cortex.vertices_mm[found.vertex] - place))
        used = time.process_time() - begin
        rows.append((case, region, size, int(np.isfinite(recorded).sum()), order[0], by_region,
                     by_patch, by_surface, found.p_near, found.supported, used))  # fmt: skip
        print(
            f"case {case} (draw {drawn}): {region}, {size:.0f} cm² seize, "
            f"{rows[-1][3]} channels; leading {order[0]}; true region is "
            f"{order.index(region) + 1}.; region model "
            f"{by_region:.1f} mm, patch {by_patch:.1f} mm, surface {by_surface:.1f} mm, "
            f"said {found.p_near:.2f}"
            f"{'' if found.supported else ', not supported'}; {used:.0f} CPU s",
            flush=True,
        )
    table = pd.DataFrame(rows, columns=COLUMNS)
    for name in ("region_mm", "patch_mm", "surface_mm"):
        distance = table[name]
        print(
            f"{name}: within {WITHIN_MM:g} mm in {(distance <= WITHIN_MM).sum()} of {len(table)}, "
            f"median {distance.median():.1f} mm"
        )
    right = table["surface_mm"] <= WITHIN_MM
    supported = table["supported"]
    print(
        f"within {WITHIN_MM:g} mm: said {table['p_near'].mean():.2f}, seen {right.mean():.2f}; "
        f"supported {supported.sum()}, of these seen {right[supported].mean():.2f}"
    )
    print(f"leading region right in {(table['leading'] == table['region']).sum()} of {len(table)}")


def main():
    warnings.simplefilter("ignore")
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("convergence", "large", "speed", "focus"))
    parser.add_argument("out", nargs="?")
    parser.add_argument("--cases", type=int, default=20)
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--moves", type=int, default=20_000)
    parser.add_argument("--hard", action="store_true", help="larger errors of the gain")
    parser.add_argument("--cache", type=Path, default=Path())
    options = parser.parse_args()
    if options.what == "focus":
        focus_cases(
            options.out, options.first, options.cases, options.seed, options.moves, options.cache,
            options.hard,
        )  # fmt: skip
    else:
        {"convergence": convergence, "large": large, "speed": speed}[options.what]()


if __name__ == "__main__":
    main()
