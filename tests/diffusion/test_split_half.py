"""Agreement of two halves of the streamlines, and the early end of the tracking."""

import numpy as np
import pytest
from scipy import stats

from virtualbrain.diffusion import tracks
from virtualbrain.diffusion.settings import DiffusionSettings
from virtualbrain.diffusion.split_half import split_half_agreement
from virtualbrain.diffusion.tracks import TrackFiles, _track
from virtualbrain.errors import ConfigError

N_REGIONS = 40


def expected_counts(n_streamlines, rng):
    """Return expected counts of a made-up brain: log-normal, a third of the pairs connected."""
    weights = np.exp(2.0 * rng.standard_normal((N_REGIONS, N_REGIONS)))
    weights = np.triu(weights * (rng.random(weights.shape) < 0.33), 1)
    return n_streamlines * weights / weights.sum()


def symmetric(upper):
    return (upper + upper.T).astype(float)


@pytest.mark.parametrize("n_streamlines", [20_000, 200_000])
def test_agreement_is_the_correlation_with_as_many_new_streamlines(n_streamlines):
    rng = np.random.default_rng(3)
    brain = expected_counts(n_streamlines, rng)
    parts = [symmetric(rng.poisson(brain / 4)) for _ in range(4)]
    once, again = np.sum(parts, axis=0), symmetric(rng.poisson(brain))
    upper = np.triu_indices(N_REGIONS, 1)
    seen = (once[upper] > 0) | (again[upper] > 0)
    repeated = stats.spearmanr(once[upper][seen], again[upper][seen]).statistic
    assert split_half_agreement(parts) == pytest.approx(repeated, abs=0.02)


def test_agreement_grows_with_the_streamlines_and_is_one_for_equal_halves():
    rng = np.random.default_rng(5)
    brain = expected_counts(1.0, rng)
    found = [
        split_half_agreement([symmetric(rng.poisson(n * brain)) for _ in range(2)])
        for n in (500, 5_000, 50_000)
    ]
    assert found == sorted(found)
    part = symmetric(rng.poisson(1_000 * brain))
    assert split_half_agreement([part, part]) == pytest.approx(1.0)


def test_without_streamlines_nothing_agrees():
    empty = np.zeros((5, 5))
    assert split_half_agreement([empty, empty]) == 0.0


@pytest.fixture
def part_counts(monkeypatch):
    """Replace tckgen; count the parts that were tracked."""
    made = []
    monkeypatch.setattr(tracks.mrtrix, "run", lambda *arguments, **_: made.append(arguments))
    return made


def tracked(tmp_path, threads, agreement):
    files = TrackFiles(
        fod=tmp_path / "fod", tissues=None, tracks=tmp_path / "t", weights=tmp_path / "w",
        workdir=tmp_path,
    )  # fmt: skip
    brain = expected_counts(10_000, np.random.default_rng(7))

    def counts_of(path):
        number = int(path.stem.split("-")[1])
        return symmetric(np.random.default_rng(number).poisson(brain))

    settings = DiffusionSettings(streamlines=80_000, parts=8, agreement=agreement)
    paths, reached = _track(files, settings, [], threads, counts_of)
    return [path.name for path in paths], reached


def test_tracking_ends_when_the_halves_agree_on_any_number_of_cores(part_counts, tmp_path):
    one = tracked(tmp_path, 1, 0.97)
    n_tracked = len(part_counts)
    assert one == tracked(tmp_path, 2, 0.97) == tracked(tmp_path, 5, 0.97)
    names, reached = one
    assert reached >= 0.97
    assert names == [f"part-{i}.tck" for i in range(len(names))]
    assert 2 <= len(names) == n_tracked < 8


def test_all_parts_are_tracked_if_the_halves_never_agree_or_need_not(part_counts, tmp_path):
    names, reached = tracked(tmp_path, 2, 0.9999)
    assert len(names) == 8
    assert reached < 0.9999
    names, reached = tracked(tmp_path, 2, 0.0)
    assert len(names) == 8
    assert 0.5 < reached < 1


@pytest.mark.parametrize("agreement", [-0.1, 1.0])
def test_an_impossible_agreement_is_refused(agreement):
    with pytest.raises(ConfigError, match="agreement"):
        DiffusionSettings(agreement=agreement)
