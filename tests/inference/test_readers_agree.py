"""Inference, surgery and report agree on which regions start seizures."""

import numpy as np
import pytest
import xarray as xr

import inference
from inference.density import build_density
from inference.posterior import assemble
from inference.priors import Priors, Scatter
from inference.problem import Problem
from virtualbrain.io.fit_results import Posterior, ZoneRow, Zones
from virtualbrain.io.result_files import Table, rows_of
from virtualbrain.io.results import PriorResults
from virtualbrain.models.reduced_physics import critical_x0
from virtualbrain.posterior import starts_seizures
from virtualbrain.report import findings
from virtualbrain.surgery.draws import draws_from

TAU0 = np.array([0.9, 60.0])
N_CHAINS, N_DRAWS = 2, 4


@pytest.fixture(scope="module")
def threshold():
    return float(critical_x0(TAU0).mean())


@pytest.fixture(scope="module")
def x0(threshold):
    """Excitability of twelve regions: two just above the threshold, one just below.

    The one below exceeds the threshold at the mean tau0 and that of the second seizure; one of
    those above is below the threshold of the first seizure.
    """
    first = float(critical_x0(TAU0[0]))
    of_mean_tau0 = float(critical_x0(TAU0.mean()))
    x0 = np.full(12, -2.9)
    x0[[1, 4]] = first + 0.05, 0.5 * (threshold + first)
    x0[7] = 0.5 * (threshold + of_mean_tau0)
    return x0


@pytest.fixture(scope="module")
def posterior(small_problem, small_settings, x0):
    """A posterior of two seizures of different tau0 in which all draws are equal."""
    envelope, times = small_problem.envelope[0], small_problem.times[0]
    two = Problem(
        [envelope, envelope], small_problem.gain, small_problem.weights, times=[times, times]
    )
    density = build_density(two, Priors(x0_error=Scatter(1e-9)), small_settings)
    points = np.tile(density.flat({"x0": x0, "tau0": TAU0}), (N_CHAINS, N_DRAWS, 1))
    per_chain = np.zeros(N_CHAINS)
    weights = {
        "weight": np.full(N_CHAINS, 1 / N_CHAINS),
        "mode": np.zeros(N_CHAINS, dtype=int),
        "elpd": per_chain,
        "pareto_k": per_chain,
        "log_likelihood": np.zeros((N_CHAINS, N_DRAWS, 2 * two.n_channels)),
    }
    return assemble(density, points, xr.Dataset(), weights, np.random.default_rng(0))


def test_all_readers_agree_on_two_seizures_of_different_tau0(posterior, x0, threshold):
    expected = x0 > threshold
    assert expected.sum() == 2
    samples = posterior["posterior"].to_dataset()
    assert (starts_seizures(samples).to_numpy() == expected).all()

    table = inference.zones(posterior)
    names = [str(name) for name in samples["region"].to_numpy()]
    np.testing.assert_allclose(table.set_index("region").loc[names, "p_ez"], expected, atol=1e-12)
    assert (posterior["sources"]["above_threshold"].to_numpy() == expected).all()
    assert inference.diagnose(posterior)["figures"]["expected_ez_regions"] == pytest.approx(2.0)

    draws = draws_from(posterior, 6, np.random.default_rng(1))
    assert (draws.in_ez == expected).all()
    assert draws.expected_ez_regions == pytest.approx(2.0)

    read = Posterior(posterior.attrs, samples, xr.Dataset(), xr.Dataset(), xr.DataArray())
    assert findings.threshold_of(read) == pytest.approx(threshold)
    ranked = Zones(Table("zones.tsv", table, ""), rows_of(table, ZoneRow))
    results = PriorResults("default", None, ranked, read, None, None, {})
    p_ez = {region.name: region.p_ez for region in findings.regions_of(results, names)}
    np.testing.assert_allclose([p_ez[name] for name in names], expected, atol=1e-12)
