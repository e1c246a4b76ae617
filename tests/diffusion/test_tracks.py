import numpy as np
import pytest

from virtualbrain.diffusion.settings import DiffusionSettings
from virtualbrain.diffusion.tracks import (
    TrackFiles,
    _limits,
    _seed_of,
    _shares,
    count_tracks,
    generate_tracks,
)
from virtualbrain.errors import ConfigError, ToolError


@pytest.mark.parametrize(("total", "parts"), [(100, 8), (7, 8), (1, 1), (200_000, 8)])
def test_shares_add_up_and_none_is_empty(total, parts):
    shares = _shares(total, parts)
    assert sum(shares) == total
    assert min(shares) > 0
    assert max(shares) - min(shares) <= 1
    assert len(shares) == min(total, parts)


def test_seeds_differ_between_pieces_and_runs():
    seeds = {_seed_of(seed, piece) for seed in range(20) for piece in range(20)}
    assert len(seeds) == 400


def test_zero_leaves_mrtrix_its_default(tmp_path):
    plain = _limits(DiffusionSettings(), None)
    assert "-step" not in plain
    assert "-act" not in plain
    chosen = _limits(DiffusionSettings(step_mm=1.5, cutoff=0.07), tmp_path)
    assert chosen[chosen.index("-step") + 1] == 1.5
    assert chosen[chosen.index("-cutoff") + 1] == 0.07
    assert "-backtrack" in chosen


def test_count_is_read_from_the_header(tmp_path):
    path = tmp_path / "a.tck"
    path.write_bytes(b"mrtrix tracks\ncount: 12\nEND\n" + np.zeros(3).tobytes())
    assert count_tracks(path) == 12
    path.write_bytes(b"mrtrix tracks\nEND\n\xff")
    with pytest.raises(ToolError):
        count_tracks(path)


def test_constraint_without_tissues_is_refused(tmp_path):
    files = TrackFiles(tmp_path / "fod", None, tmp_path / "t", tmp_path / "w", tmp_path)
    with pytest.raises(ConfigError, match="act"):
        generate_tracks(files, DiffusionSettings(act="always"), 1)


@pytest.mark.parametrize("wrong", [{"streamlines": 0}, {"parts": 0}, {"min_length_mm": 300.0}])
def test_settings_are_checked(wrong):
    with pytest.raises(ConfigError):
        DiffusionSettings(**wrong)
