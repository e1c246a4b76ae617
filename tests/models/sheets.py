"""Flat sheets of cortex, and the same simulation in The Virtual Brain."""

import numpy as np
from scipy import sparse
from scipy.spatial import cKDTree

from tests.models.tvb_lab import quiet_tvb
from virtualbrain.models.cortex import Cortex


def sheet(n_x, n_y, spacing, cutoff=5.0, regions=None, gap=None):
    """Return a flat sheet; with a `gap`, halves without connection (x in mm splits them)."""
    x, y = np.meshgrid(np.arange(n_x) * spacing, np.arange(n_y) * spacing, indexing="ij")
    vertices = np.column_stack([x.ravel(), y.ravel(), np.zeros(x.size)])
    tree = cKDTree(vertices)
    pairs = tree.sparse_distance_matrix(tree, cutoff, output_type="coo_matrix")
    if gap is not None:
        same = (vertices[pairs.row, 0] < gap) == (vertices[pairs.col, 0] < gap)
        pairs = sparse.coo_array(
            (pairs.data[same], (pairs.row[same], pairs.col[same])), shape=pairs.shape
        )
    areas = np.full(len(vertices), spacing**2)
    return Cortex(vertices, areas, sparse.csr_array(pairs), regions or ["a"] * len(vertices))


def triangles_of_sheet(n_x, n_y):
    k = np.arange(n_x * n_y).reshape(n_x, n_y)
    a, b, c, d = k[:-1, :-1].ravel(), k[1:, :-1].ravel(), k[:-1, 1:].ravel(), k[1:, 1:].ravel()
    return np.concatenate([np.column_stack([a, b, c]), np.column_stack([b, d, c])])


class ThresholdedMatrix:
    """Local connectivity of The Virtual Brain whose sources send if they are above a threshold."""

    def __init__(self, matrix, threshold):
        self.matrix, self.threshold = matrix, threshold

    def __mul__(self, x1):
        return self.matrix @ (x1 > self.threshold).astype(float)


def tvb_simulator(vertices, triangles, weights, fractions, region, network, model, coupling, start,
                  dt):  # fmt: skip
    """Return the surface simulation of The Virtual Brain with the same coupling.

    Its Epileptor, its coupling and its delays are unchanged. The local matrix is thresholded, and
    the activity that regions send is the fraction of their area above the threshold.
    """
    with quiet_tvb() as lab:
        from tvb.datatypes import cortex, local_connectivity, region_mapping, surfaces

        class ByFraction(lab.simulator.Simulator):
            def _loop_update_history(self, step, state):
                nodes = self.surface.region_mapping
                active = fractions * (state[0, :, 0] > coupling.threshold_x1)
                regions = np.zeros((state.shape[0], network.n_regions, 1))
                regions[0, :, 0] = np.bincount(nodes, weights=active, minlength=network.n_regions)
                self.history.update(step, regions)

        class Thresholded(cortex.Cortex):
            def prepare_local_coupling(self, number_of_nodes):
                matrix = super().prepare_local_coupling(number_of_nodes).tocsr()
                return ThresholdedMatrix(coupling.fast * matrix, coupling.threshold_x1)

        n_regions = network.n_regions
        lengths = np.zeros((n_regions, n_regions)) if network.lengths is None else network.lengths
        connectivity = lab.connectivity.Connectivity(
            weights=network.weights, tract_lengths=lengths, centres=np.zeros((n_regions, 3)),
            region_labels=np.array(network.regions), cortical=np.ones(n_regions, bool),
            speed=np.array([coupling.speed_m_per_s or np.inf]),
        )  # fmt: skip
        connectivity.configure()
        surface = surfaces.CorticalSurface(
            vertices=vertices, triangles=triangles.astype(np.int32),
            triangle_normals=np.zeros(triangles.shape), vertex_normals=np.zeros(vertices.shape),
        )  # fmt: skip
        simulator = ByFraction(
            model=model, connectivity=connectivity,
            conduction_speed=coupling.speed_m_per_s or np.inf,
            coupling=lab.coupling.Linear(a=np.array([coupling.between])),
            surface=Thresholded(
                region_mapping_data=region_mapping.RegionMapping(
                    array_data=region.astype(np.int32), connectivity=connectivity, surface=surface
                ),
                local_connectivity=local_connectivity.LocalConnectivity(
                    matrix=sparse.csc_matrix(weights), surface=surface
                ),
                coupling_strength=np.array([1.0]),
            ),
            integrator=lab.integrators.HeunDeterministic(dt=dt),
            monitors=[lab.monitors.Raw()],
        )  # fmt: skip
        simulator.configure()
        simulator.current_state[:] = start[..., np.newaxis]
        active = fractions * (start[0] > coupling.threshold_x1)
        past = np.bincount(simulator.surface.region_mapping, weights=active, minlength=n_regions)
        simulator.history.buffer[:, 0, :, 0] = past
    return simulator
