"""Patients of other makers: their seizures, contacts, recordings and connectomes."""

import numpy as np
import pandas as pd
import pytest

from tests.benchmarks import validate_other_makers
from tests.benchmarks.tvb_patients import (
    Implantation,
    Zone,
    find_seizure,
    measured,
    normalised,
    product_envelope,
    zone_of_implantation,
)
from tests.benchmarks.tvb_recording import (
    MAINS_HZ,
    SPACING_MM,
    bipolar_pairs,
    clouds,
    conduction,
    implant,
    power_law,
    record,
)
from tests.benchmarks.tvb_seizure import (
    RATE_HZ,
    Dynamics,
    initial_states,
    load_tvb,
    resting_x,
    spreads,
    tvb_run,
    tvb_simulator,
    waiting_z,
)
from virtualbrain.models.reduced_physics import nullcline_z
from virtualbrain.seeg.envelope import remove_line
from virtualbrain.synthetic.seizure import first_seizures

N = 10


def small_weights(seed):
    rng = np.random.default_rng(seed)
    weights = np.triu(rng.lognormal(0, 1.2, (N, N)), 1)
    return normalised(weights + weights.T)


def zone_of(ez, late=()):
    """Return a zone of ten regions."""
    inside, last = np.zeros((2, N), bool)
    inside[list(ez)], last[list(late)] = True, True
    return Zone(inside, last)


def found(zone, seed):
    """Return zone, dynamics and run of the first seizure that is found."""
    rng = np.random.default_rng(seed)
    weights = small_weights(seed)
    tries = (find_seizure(weights, zone, rng) for _ in range(60))
    return zone, *next(one for one in tries if one is not None)


@pytest.fixture(scope="module")
def early():
    return found(zone_of([0, 1]), 1)


@pytest.fixture(scope="module")
def late():
    return found(zone_of([0, 1], [1]), 5)


# ---- seizure ----------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("name", ["early", "late"])
def test_only_the_zone_seizes_alone_and_the_network_recruits_others(name, request):
    zone, _, run = request.getfixturevalue(name)
    recruited = np.isfinite(run.onset_s) & ~zone.ez
    assert np.isfinite(run.onset_s[zone.ez]).all()
    assert 2 <= recruited.sum() <= 8
    assert np.isfinite(run.alone_s[zone.ez]).all()
    assert np.isinf(run.alone_s[~zone.ez]).all()


@pytest.mark.slow
def test_an_early_zone_starts_before_the_others_and_a_late_region_after_two(early, late):
    zone, _, run = early
    assert run.onset_s[zone.ez].max() < run.onset_s[~zone.ez].min()
    zone, _, run = late
    others = run.onset_s[~zone.ez]
    assert (others < run.onset_s[zone.late][0]).sum() >= 2
    assert run.onset_s[zone.ez & ~zone.late][0] < others.min()


@pytest.mark.slow
def test_an_independent_detection_finds_the_same_onsets(early):
    _, _, run = early
    source = run.source - np.median(run.source[: int(10 * RATE_HZ)], axis=0)
    # x2 - x1 falls when x1 rises
    onset_s, _ = first_seizures(-source - 1.6, RATE_HZ)
    both = np.isfinite(run.onset_s)
    np.testing.assert_array_equal(np.isfinite(onset_s), both)
    np.testing.assert_allclose(onset_s[both], run.onset_s[both], atol=1.5)


def a_dynamics(K=2.0):
    weights, zone = small_weights(0), zone_of([0, 1])
    x0 = np.where(zone.ez, -1.6, -2.3)
    wait_s = np.where(zone.ez, 1.0, np.nan)
    initial = initial_states(weights, x0, K, wait_s, 0.008)
    return zone, Dynamics(weights, x0, K, 0.15, 0.008 / 150, 1e-4, initial)


def test_the_same_seed_gives_the_same_run_and_another_seed_another():
    zone, dynamics = a_dynamics()
    first, again, other = (tvb_run(dynamics, zone.ez, seed, 4.0) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.source, again.source)
    assert not np.array_equal(first.source, other.source)


def test_the_coupling_as_a_matrix_product_is_that_of_the_virtual_brain():
    _, dynamics = a_dynamics()
    simulator = tvb_simulator(dynamics, 1)
    history, plain = simulator.history, load_tvb()[0].coupling.Difference(a=np.array([1.0]))
    history.buffer[:] = np.random.default_rng(0).normal(size=history.buffer.shape)
    expected = plain(1, history)
    np.testing.assert_allclose(simulator.coupling(1, history), expected, rtol=1e-5, atol=1e-5)
    assert np.abs(expected[:, :N]).min() > 0
    np.testing.assert_array_equal(expected[:, N:], 0)


def test_regions_at_rest_have_no_drift_in_the_network():
    weights, zone = small_weights(1), zone_of([0]).ez
    x0 = np.linspace(-2.6, -2.2, N)
    x = resting_x(weights, x0, 3.0, zone)
    drift = 4 * (x - x0) - nullcline_z(x) - 3.0 * (weights @ x - weights.sum(axis=1) * x)
    np.testing.assert_allclose(drift[~zone], 0, atol=1e-6)


def test_z_before_the_start_follows_the_slow_equation_and_the_threshold():
    near, far = (waiting_z(-1.6, (0.0, 0.0), wait, 0.008) for wait in (5.0, 10.0))
    assert 2.9 < near < far
    # forward from the farther place, along the rest branch
    z = far
    for _ in range(500):
        x = np.roots([1.0, 2.0, 0.0, z - 4.1]).real.min()
        z += 0.01 * 0.008 * (4 * (x + 1.6) - z)
    assert z == pytest.approx(near, abs=0.005)
    assert waiting_z(-2.2, (0.0, 0.0), 5.0, 0.008) is None


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, True),
        ({3: 16.0}, False),  # a recruited region before the zone
        ({4: np.inf}, False),  # too few recruited
        ({1: np.inf}, False),  # the zone does not seize
        ({0: 5.0}, False),  # no time for a baseline
    ],
)
def test_a_seizure_must_go_as_the_scenario_early_says(changed, expected):
    onset = np.full(N, np.inf)
    onset[:5] = [15.0, 17.0, np.inf, 20.0, 22.0]
    for region, time in changed.items():
        onset[region] = time
    zone = zone_of([0, 1])
    assert spreads(onset, onset + 20, zone.ez, zone.late) is expected


@pytest.mark.parametrize(("late_s", "expected"), [(25.0, True), (21.0, False)])
def test_a_late_region_follows_two_recruited_ones(late_s, expected):
    onset = np.array([15.0, late_s, 20.0, 22.0, *[np.inf] * 6])
    zone = zone_of([0, 1], [1])
    assert spreads(onset, onset + 20, zone.ez, zone.late) is expected


# ---- recording --------------------------------------------------------------------------------


def centres():
    side = np.array(
        [[x, y, z] for x in (12.0, 50.0) for y in (-60, -20, 20, 55) for z in (-10, 35)]
    )
    return np.concatenate([side, side * [-1, 1, 1]])


def test_the_conduction_is_the_sum_over_the_points_of_each_region():
    rng = np.random.default_rng(0)
    points = clouds(centres(), rng)
    contacts = rng.normal(0, 40, (3, 3))
    gain = conduction(contacts, points)
    for c, k in ((0, 0), (2, 5), (1, 15)):
        terms = [1 / (float(((contacts[c] - p) ** 2).sum()) + 1) for p in points[k]]
        assert gain[c, k] == pytest.approx(sum(terms) / 30)
    radius = np.linalg.norm(points - centres()[:, None], axis=-1)
    assert radius.max() <= 10.0


def test_electrodes_are_straight_reach_the_focus_and_stay_apart():
    places, focus = centres(), np.array([0, 5])
    table = implant(places, focus, np.random.default_rng(1))
    points = table[["x", "y", "z"]].to_numpy()
    electrode = table["name"].str.rstrip("0123456789")
    assert 10 <= electrode.nunique() <= 14
    for target in focus:
        assert np.linalg.norm(points - places[target], axis=1).min() < 8
    for _, rows in table.groupby(electrode):
        steps = np.diff(rows[["x", "y", "z"]].to_numpy(), axis=0)
        assert 8 <= len(rows) <= 15
        np.testing.assert_allclose(steps, np.broadcast_to(steps[0], steps.shape), atol=1e-9)
        assert np.linalg.norm(steps[0]) == pytest.approx(SPACING_MM)
        assert steps[0, 0] * rows["x"].iloc[0] > 0  # outwards


def test_bipolar_channels_are_differences_of_neighbours():
    weights = bipolar_pairs(["A1", "A2", "B'2", "A4", "B'1"])
    np.testing.assert_array_equal(weights, [[1, -1, 0, 0, 0], [0, 0, -1, 0, 1]])


def test_the_background_falls_with_its_exponent():
    noise = power_law((4, 60_000), 1.4, 512.0, np.random.default_rng(2))
    power = (np.abs(np.fft.rfft(noise, axis=1)) ** 2).mean(axis=0)
    frequency = np.fft.rfftfreq(60_000, 1 / 512.0)
    inside = (frequency > 2) & (frequency < 100)
    slope = np.polyfit(np.log(frequency[inside]), np.log(power[inside]), 1)[0]
    assert slope == pytest.approx(-1.4, abs=0.1)


@pytest.mark.slow
def test_the_envelope_rises_after_the_mark_on_channels_at_the_zone(early):
    zone, _, run = early
    rng = np.random.default_rng(3)
    places = centres()[:N]
    table = implant(places, np.flatnonzero(zone.ez), rng)
    contacts, channels = table[["x", "y", "z"]].to_numpy(), bipolar_pairs(list(table["name"]))
    potentials = record(run.source, conduction(contacts, clouds(places, rng)), RATE_HZ, rng)
    envelope, times_s, marked_s = product_envelope(
        remove_line(channels @ potentials, RATE_HZ, MAINS_HZ), run, rng
    )
    assert abs(marked_s - run.onset_s.min()) < 6
    middle = 0.5 * np.abs(channels) @ contacts
    nearest = np.linalg.norm(middle - places[0], axis=1).argmin()
    assert envelope[times_s < -4, nearest].max() < 1.0
    assert envelope[times_s > 5, nearest].max() > 2.0


# ---- connectome and implantation ----------------------------------------------------------------


def test_the_measured_connectome_has_errors_of_the_stated_size_and_lost_edges():
    rng = np.random.default_rng(4)
    weights = np.triu(rng.lognormal(0, 2, (90, 90)), 1)
    weights += weights.T
    found = measured(weights, rng)
    np.testing.assert_array_equal(found, found.T)
    upper = np.triu_indices(90, 1)
    kept = found[upper] > 0
    assert kept.mean() == pytest.approx(0.9, abs=0.01)
    assert np.log(found[upper][kept] / weights[upper][kept]).std() == pytest.approx(0.3, abs=0.02)
    assert found[upper][kept].min() > np.quantile(weights[upper], 0.05)


def test_the_zone_of_an_implantation_is_where_clinicians_saw_the_onset():
    places = centres()
    marked = [places[3] + 2, places[3] - 2, places[8] + 1]
    table = pd.DataFrame([*marked, places[0], places[15]], columns=["x", "y", "z"])
    implantation = Implantation("01", table, np.array([True] * 3 + [False] * 2))
    weights = np.ones((len(places),) * 2)
    rng = np.random.default_rng(5)
    zones = [zone_of_implantation(implantation, weights, places, False, rng) for _ in range(20)]
    assert all(zone.ez[3] for zone in zones)
    assert {tuple(np.flatnonzero(zone.ez)) for zone in zones} == {(3,), (3, 8)}
    late = zone_of_implantation(implantation, weights, places, True, rng)
    assert late.late.sum() == 1
    assert late.ez[late.late].all()
    seen = np.linalg.norm(places[late.late] - table.to_numpy(), axis=1).min()
    assert seen <= 15.0


def test_a_folder_of_other_results_is_refused(tmp_path, capsys):
    arguments = ["--patients", "0", "--out", str(tmp_path)]
    assert validate_other_makers.main([*arguments, "--seed", "1"]) == 0
    assert validate_other_makers.main([*arguments, "--seed", "2"]) == 2
    assert "other options" in capsys.readouterr().err
