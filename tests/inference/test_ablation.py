"""Fits to subsets of the data: what is kept, warm starts, and the comparison."""

from dataclasses import replace

import numpy as np
import pytest

from inference import ablation, full_sample
from inference.ablation import Subset, ablate, reduced, starts_from, subsets_of
from inference.answers import answer_of, mean_and_error
from inference.onsets.fit import posterior_of, sample_onsets
from inference.onsets.sampler import fill_power
from inference.priors import load_priors
from inference.problem import Problem
from inference.settings import Settings
from inference.zone_table import zones
from virtualbrain.errors import InputError
from virtualbrain.posterior import PlanOf
from virtualbrain.seeg.components import Signals, separate

N, M, EZ, RECRUITED = 10, 30, 2, 6
SECONDS = np.arange(-5.0, 45.0, 0.5)
# Electrode A sees the region that starts, B the recruited one, C all others.
ELECTRODES = ["A" if c % N == EZ else "B" if c % N == RECRUITED else "C" for c in range(M)]
SETTINGS = Settings(moves=4000, draws=150, chains=2, cores=1, n_steps=60, extension=0)


@pytest.fixture(scope="module")
def problem() -> Problem:
    rng = np.random.default_rng(5)
    gain = 0.001 + 0.001 * rng.random((M, N))  # no channel sees the region of another electrode
    gain[np.arange(M), np.arange(M) % N] += 1.0
    gain /= gain.sum(axis=1, keepdims=True)
    weights = np.full((N, N), 0.05)
    weights[EZ, RECRUITED] = weights[RECRUITED, EZ] = 3.0
    np.fill_diagonal(weights, 0.0)
    power = np.zeros((N, len(SECONDS)))
    for region, onset in ((EZ, 0.0), (RECRUITED, 9.0)):
        fill_power(SECONDS, onset, 35.0, 4.0, 1.0, 1.0, power[region])
    clean = np.log1p(gain @ power).T
    return Problem([clean + 0.2 * rng.standard_normal(clean.shape)], gain, weights, times=[SECONDS])


def several(problem: Problem, count: int) -> Problem:
    return replace(
        problem, envelope=list(problem.envelope) * count, times=list(problem.times) * count
    )


def names(subsets, kind, part) -> list[str]:
    return [one.name for one in subsets if one.kind == kind and one.part == part]


def test_every_electrode_and_seizure_is_left_out_once(problem):
    subsets = subsets_of(several(problem, 3), ELECTRODES, np.random.default_rng(1))
    assert subsets[0].kind == "all"
    assert names(subsets, "without", "electrode") == ["C", "A", "B"]
    assert names(subsets, "without", "seizure") == ["1", "2", "3"]
    assert names(subsets, "kept", "seizure") == ["first 1"]
    assert names(subsets, "kept", "seconds") == ["5 s", "10 s", "20 s", "40 s"]
    for one in subsets:
        if one.kind == "without" and one.part == "electrode":
            kept = {ELECTRODES[c] for c in one.channels}
            assert kept == {"A", "B", "C"} - {one.name}
    growing = [set(s.channels) for s in subsets if (s.kind, s.part) == ("kept", "electrode")]
    assert len(growing) == 2
    assert growing[0] < growing[1]


def test_one_electrode_and_one_seizure_cannot_be_left_out(problem):
    subsets = subsets_of(problem, ["A"] * M, np.random.default_rng(1))
    assert not [one for one in subsets if one.kind == "without"]


def test_a_missing_electrode_is_an_error(problem):
    with pytest.raises(InputError, match="29 electrodes for 30 channels"):
        subsets_of(problem, ELECTRODES[1:], np.random.default_rng(1))


def test_a_reduced_problem_has_only_the_kept_data(problem):
    two = several(problem, 2)
    part = reduced(two, Subset("kept", "seconds", "10 s", (1, 4, 7), (1,), 10.0))
    assert part.channels == ("channel-2", "channel-5", "channel-8")
    assert part.n_seizures == 1
    assert part.times[0][-1] == 10.0
    inside = SECONDS <= 10.0
    assert np.array_equal(part.envelope[0], two.envelope[1][inside][:, [1, 4, 7]])
    assert np.allclose(part.gain, two.gain[[1, 4, 7]])
    assert np.allclose(part.weights, two.weights)


def test_the_signals_of_a_subset_are_separated_again():
    """Two sources; of the second, only one channel is kept."""
    rng = np.random.default_rng(7)
    times = np.arange(-10.0, 20.0, 1.0 / 128)
    grid = np.arange(-5.0, 19.0, 0.5)
    sources = rng.laplace(size=(len(times), 2)) * (times > 0)[:, None]
    gain = np.zeros((6, 4))
    gain[np.arange(6), np.array([0, 0, 0, 1, 1, 1])] = 1.0
    gain += 0.01
    signal = 9.0 * sources @ gain[:, :2].T + rng.standard_normal((len(times), 6))
    signals = Signals((signal,), (times,))
    problem = Problem(
        [rng.standard_normal((len(grid), 6))], gain, np.ones((4, 4)) - np.eye(4), times=[grid],
        components=separate(signals, [grid]),
    )  # fmt: skip
    strong = problem.components.power.max(axis=0) > 20.0
    assert strong.sum() == 2
    subset = Subset("kept", "seconds", "15 s", (0, 1, 2, 3), (0,), 15.0)
    part = reduced(problem, subset, signals)
    assert part.components.power.shape[0] == 4
    assert part.components.envelope[0].shape[0] == len(part.times[0]) == (grid <= 15.0).sum()
    first = part.components.power[:, part.components.power.max(axis=0) > 20.0]
    assert first.shape[1] == 2
    assert sorted(first.argmax(axis=0) == 3) == [False, True]
    assert reduced(problem, subset).components is None
    assert reduced(problem.without_components(), subset, signals).components is None


@pytest.mark.slow
def test_chains_that_start_from_a_fit_agree_with_chains_that_start_from_silence(problem):
    priors = load_priors()
    cold = sample_onsets(problem, priors, replace(SETTINGS, moves=6000))
    everything = subsets_of(problem, ELECTRODES, np.random.default_rng(1))[0]
    starts = starts_from(cold.chains, everything, problem, np.random.default_rng(2))
    warm = sample_onsets(problem, priors, SETTINGS, starts=starts)
    means = [np.mean([c.p_ez.mean(axis=0) for c in s.chains], axis=0) for s in (cold, warm)]
    assert means[1] == pytest.approx(means[0], abs=0.1)
    first = [np.mean([c.onset[:, 0, EZ] for c in s.chains]) for s in (cold, warm)]
    assert first[1] == pytest.approx(first[0], abs=0.5)


def test_starts_are_draws_of_the_fit_and_silent_after_the_end(problem):
    two = several(problem, 2)
    sample = sample_onsets(two, load_priors(), replace(SETTINGS, moves=600, draws=50))
    subset = Subset("kept", "seconds", "10 s", tuple(range(M)), (1,), 5.0)
    part = reduced(two, subset)
    for chain, start in zip(
        sample.chains,
        starts_from(sample.chains, subset, part, np.random.default_rng(3)),
        strict=True,
    ):
        assert start.active.shape == (6, 1, N)
        assert not (start.active & (start.onset >= 5.0)).any()
        for r in range(6):
            same = [np.array_equal(start.onset[r, 0], row) for row in chain.onset[:, 1]]
            assert any(same)


@pytest.mark.slow
def test_the_electrode_that_sees_the_zone_carries_the_answer(problem, monkeypatch):
    monkeypatch.setattr(full_sample, "MOVES", 5000)
    monkeypatch.setattr(ablation, "SECONDS", (20.0,))
    plan = PlanOf(lambda tree: (f"region-{EZ + 1}",), lambda tree, plan: float(len(plan)))
    sample = full_sample.sample_all(problem, load_priors(), SETTINGS)
    table = ablate(problem, ELECTRODES, sample, load_priors(), SETTINGS, plan)
    full, without = table.iloc[0], table[table["kind"] == "without"].set_index("name")
    assert full["region"] == f"region-{EZ + 1}"
    assert (full["rank"], full["kind"], full["fraction"]) == (1, "all", 1.0)
    assert full["p_ez"] > 0.8
    assert without["change"].abs().idxmax() == "A"
    assert without.loc["A", "p_ez"] < 0.2
    # The start is not seen, and nothing explains the recruitment of the other region: both change.
    start, recruited = f"region-{EZ + 1}", f"region-{RECRUITED + 1}"
    change = without.loc["A", "change"]
    assert without.loc["A", "changed_region"] == (start if change < 0 else recruited)
    assert abs(change) > 0.5
    assert without.loc["A", "first_region"] == recruited
    assert without.loc["A", "clear"]
    assert without.loc["C", "rank"] == 1
    assert without.loc["A", "n_channels"] == 27
    assert table["same_plan"].all()
    assert list(table["p_plan_holds"]) == [1.0] * len(table)
    late = table[table["part"] == "seconds"].iloc[0]
    assert late["fraction"] == pytest.approx(25.0 / 49.5)


@pytest.mark.slow
def test_a_band_without_the_seizure_does_not_carry_the_answer(problem, monkeypatch):
    monkeypatch.setattr(full_sample, "MOVES", 3000)
    monkeypatch.setattr(ablation, "subsets_of", lambda *_: subsets_of(problem, ["A"] * M, _[2])[:1])
    quiet = [0.2 * np.random.default_rng(3).standard_normal(e.shape) for e in problem.envelope]
    common = {"times": list(problem.times)}
    few = {"gain": problem.gain[:-3], "channels": problem.channels[:-3]}
    bands = {
        "4-13 Hz": replace(problem, envelope=quiet, **common),
        "30-60 Hz": replace(problem, envelope=[problem.envelope[0][:, :-3]], **few, **common),
    }
    plan = PlanOf(lambda tree: (f"region-{EZ + 1}",), lambda tree, plan: 1.0)
    sample = full_sample.sample_all(problem, load_priors(), SETTINGS)
    found = ablate(problem, ELECTRODES, sample, load_priors(), SETTINGS, plan, bands=bands)
    assert list(found["part"])[1:] == ["band", "band"]
    by_name = found.set_index("name")
    assert by_name.loc["4-13 Hz", "p_ez"] < 0.3 < 0.7 < by_name.loc["30-60 Hz", "p_ez"]
    assert list(found["n_channels"]) == [M, M, M - 3]


@pytest.mark.slow
def test_p_ez_is_the_calibrated_one_that_the_zones_have(problem):
    sample = sample_onsets(problem, load_priors(), replace(SETTINGS, moves=2000, draws=400))
    posterior = posterior_of(sample)
    answer = answer_of(sample, posterior, PlanOf(lambda tree: (), lambda tree, plan: 0.0))
    listed = zones(posterior).set_index("region")["p_ez"][list(answer.regions)].to_numpy()
    assert listed == pytest.approx(answer.p_ez, abs=0.06)  # EZ membership is drawn there
    raw = np.mean([chain.p_ez.mean(axis=0) for chain in sample.chains], axis=0)
    assert np.abs(raw - answer.p_ez).max() > 0.06


def test_the_error_of_a_mean_covers_chains_that_disagree():
    apart = np.stack([np.zeros((50, 1)), np.ones((50, 1))])
    mean, error = mean_and_error(apart)
    assert (mean[0], error[0]) == (pytest.approx(0.5), pytest.approx(0.5))
    rng = np.random.default_rng(4)
    _, small = mean_and_error(rng.random((2, 500, 20)))
    assert small.mean() == pytest.approx(np.sqrt(1 / 12 / 1000), rel=0.4)
