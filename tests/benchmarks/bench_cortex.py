"""Compare the speed of the surface simulation with The Virtual Brain, in one process.

Run directly or by ``make bench``. Runs of both alternate, so that load on the machine slows both.
The surface is fsaverage5 (20,484 vertices) with 160 regions and 2 subcortical ones. A focus of
1000 vertices seizes and spreads. Both take Heun steps of 0.2 ms with the same weights. Steps per
second of CPU compare one thread of each, also on a machine that others use.
"""

import resource
import sys
import time
import warnings
from pathlib import Path

import nibabel as nib
import nilearn.datasets
import numpy as np
from scipy.spatial import cKDTree

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.models.sheets import tvb_simulator
from virtualbrain.anatomy.cortical_mesh import Hemisphere, prepared_cortex
from virtualbrain.models.cortex import CortexOptions, FiringCoupling, simulate_cortex
from virtualbrain.models.epileptor import Epileptor
from virtualbrain.models.local_kernel import LocalKernel
from virtualbrain.network import Network

DT = 0.2
REPEATS = 3
TVB_STEPS, OUR_STEPS, LONG_STEPS = 30, 3000, 200_000
KERNEL = LocalKernel(width_mm=4.0, amplitude=0.25)
COUPLING = FiringCoupling(fast=0.18, between=0.05)
REST = np.array([-1.46, -9.69, 2.95, -1.11, 0.0, -0.146])


def hemisphere(side, n_regions=80):
    path = Path(nilearn.datasets.__file__).parent / "data" / "fsaverage5"
    surface = nib.load(path / f"white_{side}.gii.gz")
    vertices = np.asarray(surface.agg_data("pointset"), dtype=float)
    centres = vertices[np.random.default_rng(0).choice(len(vertices), n_regions, replace=False)]
    regions = [f"{side}-{k}" for k in cKDTree(centres).query(vertices)[1]]
    return Hemisphere(vertices, np.asarray(surface.agg_data("triangle"), dtype=np.int64), regions)


def network_of(cortex):
    names = [*dict.fromkeys(cortex.regions), "thalamus-left", "thalamus-right"]
    rng = np.random.default_rng(1)
    weights = rng.lognormal(0, 2, (len(names), len(names)))
    return Network(weights + weights.T, regions=names).normalised()


def start_of(cortex):
    """Return initial states and x0: a focus in the left hemisphere, in seizure."""
    n = cortex.n_vertices + 2
    start = REST[:, np.newaxis] + np.random.default_rng(2).normal(0, 0.01, (6, n))
    near = np.argsort(np.linalg.norm(cortex.vertices_mm - cortex.vertices_mm[0], axis=1))[:1000]
    start[2, near] = 2.6
    x0 = np.full(n, -2.2)
    x0[near] = -1.8
    return start, x0


def our_run(cortex, network, weights, start, x0, n_steps, sample_rate=100.0, n_threads=None):
    begin, cpu = time.perf_counter(), time.process_time()
    found = simulate_cortex(
        cortex, Epileptor(x0=x0, tt=0.17, r=1 / 20000), kernel=weights, coupling=COUPLING,
        network=network, duration=n_steps * DT * 1e-3, dt=DT * 1e-3, initial=start,
        sample_rate=sample_rate, options=CortexOptions(n_threads=n_threads),
    )  # fmt: skip
    return time.perf_counter() - begin, time.process_time() - cpu, found


def tvb_run(cortex, triangles, network, weights, start, x0):
    """Return the simulator of The Virtual Brain, after its first steps."""
    from tvb.simulator.models.epileptor import Epileptor as TvbEpileptor

    position = {name: k for k, name in enumerate(network.regions)}
    region = np.array([position[name] for name in cortex.regions])
    area = np.bincount(region, weights=cortex.areas_mm2)
    simulator = tvb_simulator(
        cortex.vertices_mm, triangles, weights,
        np.concatenate([cortex.areas_mm2 / area[region], [1.0, 1.0]]), region, network,
        TvbEpileptor(x0=x0, tt=np.array([0.17]), r=np.array([1 / 20000]), Kvf=np.array([1.0])),
        COUPLING, start, DT,
    )  # fmt: skip
    simulator.run(simulation_length=5 * DT)
    return simulator


def main():
    warnings.simplefilter("ignore")
    begin = time.perf_counter()
    cortex, triangles = prepared_cortex([hemisphere("left"), hemisphere("right")], 20_484)
    print(f"geometry: {time.perf_counter() - begin:.0f} s, {cortex.n_vertices} vertices")
    network = network_of(cortex)
    weights = KERNEL.weights(cortex.distances_mm, cortex.areas_mm2)
    start, x0 = start_of(cortex)
    case = (cortex, network, weights, start, x0)
    our_run(*case, 100)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    simulator = tvb_run(cortex, triangles, network, weights, start, x0)
    # The same preparation is part of every run of ours; its time is subtracted.
    theirs, ours, single, their_cpu, our_cpu = [], [], [], [], []
    for _ in range(REPEATS):
        begin, cpu = time.perf_counter(), time.process_time()
        simulator.run(simulation_length=TVB_STEPS * DT)
        theirs.append(TVB_STEPS / (time.perf_counter() - begin))
        their_cpu.append(TVB_STEPS / (time.process_time() - cpu))
        short = our_run(*case, 100)[0]
        ours.append((OUR_STEPS - 100) / (our_run(*case, OUR_STEPS)[0] - short))
        short = our_run(*case, 100, n_threads=1)
        long = our_run(*case, OUR_STEPS, n_threads=1)
        single.append((OUR_STEPS - 100) / (long[0] - short[0]))
        our_cpu.append((OUR_STEPS - 100) / (long[1] - short[1]))
    print(f"The Virtual Brain: {max(theirs):.0f} steps/s")
    print(f"this project, one thread: {max(single):.0f} steps/s ({max(single) / max(theirs):.0f}x)")
    print(f"this project: {max(ours):.0f} steps/s ({max(ours) / max(theirs):.0f}x; aim: 100x)")
    print(
        f"steps per second of CPU: {max(their_cpu):.0f} and {max(our_cpu):.0f} "
        f"({max(our_cpu) / max(their_cpu):.0f}x)"
    )
    taken, _, found = our_run(*case, LONG_STEPS)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    recruited = int(found["onset_s"].notnull().sum())
    print(f"{LONG_STEPS} steps, LFP at 100 Hz: {taken:.0f} s (aim: 60 s), {recruited} recruited")
    print(f"memory: {before:.2f} GiB before that run and before TVB, {peak:.2f} GiB at its peak")


if __name__ == "__main__":
    main()
