import numpy as np
import pytest

from virtualbrain.diffusion.settings import DiffusionSettings
from virtualbrain.diffusion.tracks import (
    TrackFiles,
    _limits,
    _part_seed,
    _part_sizes,
    count_tracks,
    generate_tracks,
)
from virtualbrain.errors import ConfigError, ToolError


@pytest.mark.parametrize(("total", "parts"), [(100, 8), (7, 8), (1, 1), (200_000, 8)])
def test_part_sizes_add_up_and_none_is_empty(total, parts):
    sizes = _part_sizes(total, parts)
    assert sum(sizes) == total
    assert min(sizes) > 0
    assert max(sizes) - min(sizes) <= 1
    assert len(sizes) == min(total, parts)


def test_seeds_differ_between_parts_and_runs():
    seeds = {_part_seed(seed, part) for seed in range(20) for part in range(20)}
    assert len(seeds) == 400


def test_zero_selects_the_default_of_mrtrix(tmp_path):
    plain = _limits(DiffusionSettings(), None)
    assert "-step" not in plain
    assert "-act" not in plain
    chosen = _limits(DiffusionSettings(step_mm=1.5, cutoff=0.07), tmp_path)
    assert chosen[chosen.index("-step") + 1] == 1.5
    assert chosen[chosen.index("-cutoff") + 1] == 0.07
    assert "-backtrack" in chosen


def test_number_of_streamlines_is_read_from_the_header(tmp_path):
    path = tmp_path / "a.tck"
    path.write_bytes(b"mrtrix tracks\ncount: 12\nEND\n" + np.zeros(3).tobytes())
    assert count_tracks(path) == 12
    path.write_bytes(b"mrtrix tracks\nEND\n\xff")
    with pytest.raises(ToolError):
        count_tracks(path)


def test_tissue_constraint_without_tissues_is_rejected(tmp_path):
    files = TrackFiles(
        fod=tmp_path / "fod",
        tissues=None,
        tracks=tmp_path / "t",
        weights=tmp_path / "w",
        workdir=tmp_path,
    )
    with pytest.raises(ConfigError, match="act"):
        generate_tracks(files, DiffusionSettings(act="always"), 1)


@pytest.mark.parametrize(
    "wrong", [{"streamlines": 0}, {"parts": 0}, {"min_length_mm": 300.0}, {"fod_order": 5}]
)
def test_invalid_settings_are_rejected(wrong):
    with pytest.raises(ConfigError):
        DiffusionSettings(**wrong)
