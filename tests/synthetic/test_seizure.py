from dataclasses import replace

import numpy as np
import pytest

from virtualbrain.errors import ModelError
from virtualbrain.models.epileptor import Epileptor
from virtualbrain.models.simulation import simulate
from virtualbrain.network import Network
from virtualbrain.synthetic.connectomes import connectome_from_geometry
from virtualbrain.synthetic.demo_patient import likely_zone_regions
from virtualbrain.synthetic.disease import Disease, SeizureSettings, draw_disease
from virtualbrain.synthetic.epileptic_network import draw_epileptic_network
from virtualbrain.synthetic.points import atlas_head
from virtualbrain.synthetic.seizure import first_seizures, simulate_seizure
from virtualbrain.synthetic.spread import slow_onsets


@pytest.fixture(scope="module")
def regions():
    return atlas_head()[0]


@pytest.fixture(scope="module")
def brain(regions):
    network = connectome_from_geometry(regions, np.random.default_rng(1))
    centres = regions[["x", "y", "z"]].to_numpy()
    return draw_epileptic_network(
        network, likely_zone_regions(regions), np.random.default_rng(4), centres_mm=centres
    )


def test_onset_and_end_of_a_step_in_x1():
    x1 = np.full((4000, 3), -1.6)
    x1[1000:2500, 0] = 0.3
    x1[1000:1150, 1] = 0.3  # too short
    x1[3000:, 2] = 0.3  # does not end
    onset, end = first_seizures(x1, 100.0)
    assert onset[0] == pytest.approx(10.0, abs=0.02)
    assert end[0] == pytest.approx(25.0, abs=0.02)
    assert np.isnan(onset[1])
    assert onset[2] == pytest.approx(30.0, abs=0.02)
    assert np.isnan(end[2])


def test_repeated_discharges_are_one_seizure():
    t = np.arange(3000) / 100.0
    x1 = np.where((t > 5) & (t < 20), 0.3 + 0.9 * np.sin(2 * np.pi * 12 * t), -1.7)
    onset, end = first_seizures(x1[:, None], 100.0)
    assert onset[0] == pytest.approx(5.0, abs=0.3)
    assert end[0] == pytest.approx(20.0, abs=0.3)


def test_drawn_seizure_is_within_the_settings(brain):
    settings, seizure = SeizureSettings(), brain.seizure
    zone = brain.disease.epileptogenic
    assert len(zone) == settings.n_epileptogenic
    assert set(zone) <= set(seizure.seizing)
    assert seizure.seizing[0] in zone
    assert settings.recruited[0] <= len(brain.recruited) <= settings.recruited[1]
    assert seizure.first_onset_s >= settings.quiet_s
    length = seizure.last_end_s - seizure.first_onset_s
    assert settings.duration_s[0] <= length <= settings.duration_s[1]
    assert seizure.times_s[-1] >= seizure.last_end_s + settings.after_s - 2


def test_only_epileptogenic_regions_seize_without_coupling(brain):
    x0 = brain.disease.x0
    in_zone = np.isin(brain.disease.regions, brain.disease.epileptogenic)
    assert (x0[in_zone] > -2.06).all()
    assert (x0[~in_zone] < -2.06).all()
    alone = Network(np.zeros((82, 82)), None, brain.disease.regions)
    uncoupled = replace(brain.disease, K=0.0)
    seizure = simulate_seizure(alone, uncoupled, np.random.default_rng(1), SeizureSettings())
    assert set(seizure.seizing) == set(brain.disease.epileptogenic)


def test_no_region_seizes_without_the_zone(brain):
    disease = brain.disease
    x0 = np.where(np.isin(disease.regions, disease.epileptogenic), -3.2, disease.x0)
    run = simulate(
        brain.network,
        Epileptor(x0=x0, K=disease.K, r=1e-4, seconds_per_unit=1 / 78.0),
        duration=120.0,
        sample_rate=64.0,
    )
    assert float(run["x1"].max()) < -1.0


def test_recruitment_delays_are_seconds_to_a_minute(brain):
    seizure = brain.seizure
    delays = [
        seizure.onset_s[seizure.regions.index(name)] - seizure.first_onset_s
        for name in brain.recruited
    ]
    assert 2.0 < max(delays) < 60.0
    assert min(delays) > 0.5


def test_field_potential_has_fast_discharges_only_in_seizures(brain):
    seizure = brain.seizure
    i = seizure.regions.index(brain.disease.epileptogenic[0])
    rate = 512
    start = int((seizure.onset_s[i] + 2) * rate)
    ictal = np.diff(seizure.lfp[start : start + 10 * rate, i]).std()
    quiet = np.diff(seizure.lfp[20 * rate : 50 * rate, i]).std()
    assert ictal > 5 * quiet


def test_same_generator_gives_the_same_disease(regions):
    network = connectome_from_geometry(regions, np.random.default_rng(1)).normalised()
    settings = SeizureSettings(recruited=(0, 9))
    draws = [
        draw_disease(network, likely_zone_regions(regions), np.random.default_rng(3), settings)
        for _ in range(2)
    ]
    assert (draws[0].x0 == draws[1].x0).all()
    assert draws[0].epileptogenic == draws[1].epileptogenic


def test_impossible_bounds_raise_an_error_with_the_reason(regions):
    network = Network(np.zeros((82, 82)), None, list(regions["name"]))
    with pytest.raises(ModelError, match=r"none of 2 drawn patients.*recruits 3 to 7"):
        draw_epileptic_network(
            network,
            likely_zone_regions(regions),
            np.random.default_rng(1),
            SeizureSettings(attempts=2),
        )


@pytest.mark.parametrize(("x0", "K"), [(-2.25, 0.8), (-2.35, 1.2), (-2.45, 1.2)])
def test_slow_limit_agrees_with_the_6d_model(x0, K):
    """One region recruits the other after 10 to 30 seconds."""
    settings = SeizureSettings()
    network = Network(np.array([[0.0, 0.2], [1.0, 0.0]]), None, ("a", "b"))
    disease = Disease(("a", "b"), np.array([-1.6, x0]), K, ("a",), ("b",))
    seizure = simulate_seizure(network, disease, np.random.default_rng(1), settings)
    slow = slow_onsets(network.weights, K, disease.x0[None], [np.array([0])])[0]
    assert slow[0] == 0
    delay_s = slow[1] * settings.tau0 / settings.units_per_second
    assert 0.5 < delay_s / (seizure.onset_s[1] - seizure.onset_s[0]) < 1.1


def test_slow_limit_recruits_no_region_without_coupling():
    onsets = slow_onsets(
        np.ones((3, 3)) - np.eye(3), 0.0, np.array([[-1.6, -2.1, -3.0]]), [np.array([0])]
    )
    assert onsets[0].tolist() == [0.0, np.inf, np.inf]
