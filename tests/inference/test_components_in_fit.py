"""Independent components in the fit: they separate regions that the channels cannot."""

from dataclasses import replace

import numpy as np
import pytest

import inference
from inference.component_regions import regions_of_components
from inference.onsets.calibration import LEARNED, WITH_COMPONENTS, evidence_of, first_step
from inference.onsets.recording import recording_of
from inference.problem import Problem
from inference.run import align
from inference.settings import Settings
from inference.sources import component_features, log_evidence
from inference.validate import fit_patient
from inference.zone_table import zones
from virtualbrain.errors import InputError
from virtualbrain.seeg.components import Components

N, M, EZ, TWIN = 8, 24, 2, 3
SECONDS = np.arange(-5.0, 35.0, 0.5)
SETTINGS = Settings(moves=6000, draws=60, chains=2, n_steps=60, extension=0)


@pytest.fixture(scope="module")
def problem():
    """Return a patient whose zone and its neighbour are seen by the same channels.

    Only the power in each channel, without time, shows which of the two seizes.
    """
    rng = np.random.default_rng(4)
    gain = 0.01 + 0.02 * rng.random((M, N))
    gain[np.arange(M), np.arange(M) % N] += 1.0
    gain[:, EZ] += 0.3 * gain[:, TWIN]
    gain[:, TWIN] += 0.3 * gain[:, EZ]
    weights = rng.random((N, N))
    weights += weights.T
    np.fill_diagonal(weights, 0.0)
    shape = np.clip(SECONDS, 0.0, 1.0)[:, None]
    power = 40.0 * gain[:, [EZ]]
    clean = np.log1p(shape * power.T)
    return Problem(
        [clean + 0.2 * rng.standard_normal(clean.shape)], gain, weights, times=[SECONDS],
        components=Components(power, (np.log1p(shape * power.max()),)),
    )  # fmt: skip


def test_the_component_arises_in_the_region_that_seizes(problem):
    rows = regions_of_components(problem)
    assert rows[0].argmax() == EZ
    assert rows[0, EZ] > 2 * rows[0, TWIN]


def test_components_raise_the_evidence_of_the_region_over_its_neighbour(problem):
    with_them, without = log_evidence(problem), log_evidence(problem.without_components())
    assert with_them[EZ] - with_them[TWIN] > without[EZ] - without[TWIN]


def test_components_follow_the_channels_and_leave_them_as_they_are(problem):
    prior = np.full(N, 0.1)
    both = recording_of(problem, prior, 40, 0.5)
    channels = recording_of(problem.without_components(), prior, 40, 0.5)
    assert both.observed.shape == (M + 1, 40)
    np.testing.assert_array_equal(both.observed[:M], channels.observed)
    np.testing.assert_allclose(both.gain[:M], channels.gain)
    np.testing.assert_array_equal(both.variance[:M], channels.variance)
    assert both.variance[M] < channels.variance.min()
    np.testing.assert_allclose(both.gain[M], regions_of_components(problem)[0])


def test_a_fit_with_components_finds_the_region_and_predicts_the_channels_only(problem):
    posterior = inference.fit(problem, settings=SETTINGS)
    found = zones(posterior).set_index("region")["p_ez"]
    assert found.idxmax() == problem.regions[EZ]
    assert posterior.attrs["n_components"] == 1
    assert posterior["posterior_predictive"]["envelope"].sizes["channel"] == M


def test_without_components_there_is_nothing_of_them(problem):
    assert component_features(problem.without_components()) is None
    assert regions_of_components(problem.without_components()).shape == (0, N)
    assert problem.without_components().components_on_grid(30).shape == (1, 30, 0)


def test_the_calibration_has_constants_of_its_own_with_components(problem):
    p_ez, active = np.full((4, N), 0.3), np.zeros((4, 1, N), dtype=bool)
    for one, constants in ((problem, WITH_COMPONENTS), (problem.without_components(), LEARNED)):
        evidence = evidence_of(one, inference.load_priors("default"), p_ez, active)
        np.testing.assert_array_equal(
            first_step(evidence), first_step(evidence, constants=constants)
        )


@pytest.mark.parametrize("change", ["channels", "times", "seizures"])
def test_components_of_another_recording_are_refused(problem, change):
    power, (envelope,) = problem.components.power, problem.components.envelope
    wrong = {
        "channels": Components(power[:-1], (envelope,)),
        "times": Components(power, (envelope[:-1],)),
        "seizures": Components(power, (envelope, envelope)),
    }[change]
    with pytest.raises(InputError, match="components of the shapes"):
        replace(problem.without_components(), components=wrong, envelope=list(problem.envelope))


def tables(rng):
    """Return envelopes, gain, weights and signals of one seizure of two sources, by name."""
    import pandas as pd
    import xarray as xr

    times_s = np.arange(-5.0, 30.0, 1 / 128)
    spikes = (rng.random((2, len(times_s))) < 0.05) * (times_s > [[0.0], [8.0]])
    wave = np.sin(2 * np.pi * 25 * np.arange(0, 0.12, 1 / 128))
    sources = np.stack([np.convolve(row, wave)[: len(times_s)] for row in spikes])
    names, regions = [f"A{c}" for c in range(8)], [f"r{i}" for i in range(5)]
    gain = pd.DataFrame(rng.random((8, 5)), index=names, columns=regions)
    signal = rng.standard_normal((len(times_s), 8)) + 20 * sources.T @ rng.standard_normal((2, 8))
    seconds = np.arange(-5.0, 29.0, 0.5)
    envelope = rng.random((len(seconds), 8))

    def array(values, times):
        return xr.DataArray(
            values, dims=("time", "channel"), coords={"time": times, "channel": names}
        )

    return [array(envelope, seconds)], gain, rng.random((5, 5)), regions, [array(signal, times_s)]


@pytest.mark.parametrize("wanted", [True, False])
def test_signals_are_separated_where_the_setting_asks_for_it(wanted):
    envelopes, gain, weights, regions, signals = tables(np.random.default_rng(1))
    settings = replace(SETTINGS, components=wanted)
    found = align(envelopes, gain, weights, regions, None, (), settings, signals=signals)
    assert (found.n_components > 0) == wanted
    assert align(envelopes, gain, weights, regions, None, (), settings).n_components == 0


def test_a_validation_leaves_components_out_where_the_setting_says_so(problem):
    posterior = fit_patient(problem, 1, 0, replace(SETTINGS, components=False), "default")
    assert posterior.attrs["n_components"] == 0
