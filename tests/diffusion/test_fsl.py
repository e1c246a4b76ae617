"""A stand-in for dwifslpreproc checks the arguments, and its output is used correctly."""

from dataclasses import replace

import numpy as np
import pytest

from tests.diffusion.phantom import gradient_table, make_series, save_series
from virtualbrain.diffusion import fsl, mrtrix
from virtualbrain.diffusion.check import check_dwi
from virtualbrain.diffusion.fsl import correct_with_eddy, eddy_obstacle
from virtualbrain.diffusion.preprocess import preprocess_dwi
from virtualbrain.diffusion.series import PhaseEncoding
from virtualbrain.diffusion.settings import DiffusionSettings
from virtualbrain.io.bids import EpiImage

AP, PA = PhaseEncoding((0.0, -1.0, 0.0), 0.05), PhaseEncoding((0.0, 1.0, 0.0), 0.05)
AUTO = DiffusionSettings()
SIDECAR = '{"PhaseEncodingDirection": "%s", "TotalReadoutTime": 0.05}'
STAND_IN = """#!/bin/bash
printf '%s\\n' "$@" > "$FSLDIR/arguments"
mrinfo "$1" -petable > "$FSLDIR/petable"
while [ "$#" -gt 0 ]; do case "$1" in
    -eddyqc_text) mkdir -p "$2"; seq 0 0.5 30 > "$2/eddy_movement_rms";;
esac; shift; done
arguments=($(cat "$FSLDIR/arguments"))
cp "${arguments[0]}" "${arguments[1]}"
"""


@pytest.fixture
def small():
    """Return the phantom with twelve directions and phase encoding AP."""
    return replace(make_series(gradient_table(12)), phase_encoding=AP)


@pytest.fixture
def with_fsl(tmp_path, monkeypatch):
    """Install stand-ins for the programs of FSL; return the folder they write to."""
    home = tmp_path / "fsl"
    (home / "bin").mkdir(parents=True)
    for path, text in (("bin/eddy", "#!/bin/bash\n"), ("dwifslpreproc", STAND_IN)):
        (home / path).write_text(text)
        (home / path).chmod(0o755)
    monkeypatch.setenv("FSLDIR", str(home))
    found = mrtrix.require_tool

    def require_tool(name, *rest):
        return str(home / name) if name == "dwifslpreproc" else found(name, *rest)

    monkeypatch.setattr(mrtrix, "require_tool", require_tool)
    return home


def test_missing_fsl_is_reported(small, monkeypatch):
    monkeypatch.delenv("FSLDIR", raising=False)
    assert eddy_obstacle([small], AUTO) == "FSL's eddy is not installed"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"phase_encoding": None}, "PhaseEncodingDirection"),
        ({"phase_encoding": PhaseEncoding((0, 1, 0), float("nan"))}, "TotalReadoutTime"),
        ({"affine": np.diag([3.0, 3, 3, 1])}, "different voxel grids"),
    ],
)
def test_series_unsuitable_for_eddy_are_reported(small, with_fsl, change, words):
    assert words in eddy_obstacle([small, replace(small, **change)], AUTO)


def test_eddy_needs_ten_directions(with_fsl):
    few = replace(make_series(gradient_table(7)), phase_encoding=AP)
    assert "10 directions" in eddy_obstacle([few], AUTO)
    assert eddy_obstacle([few, few], AUTO) == ""


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (DiffusionSettings(motion="registration"), "does not select"),
        (DiffusionSettings(susceptibility="none"), "without susceptibility correction"),
    ],
)
def test_settings_unsuitable_for_eddy_are_reported(small, with_fsl, settings, words):
    assert words in eddy_obstacle([small, replace(small, phase_encoding=PA)], settings)


def test_required_but_missing_eddy_is_reported(saved, monkeypatch):
    monkeypatch.delenv("FSLDIR", raising=False)
    (problem,) = check_dwi([saved], settings=DiffusionSettings(motion="eddy"))
    assert "not installed" in str(problem)
    assert "auto" in str(problem)


@pytest.mark.tools
def test_series_are_concatenated_with_their_phase_encodings(small, with_fsl, tmp_path):
    other = replace(small, phase_encoding=PA)
    joined, movement = correct_with_eddy([small, other], [], tmp_path, 1)
    assert joined.volumes.shape[3] == 30
    rows = np.loadtxt(with_fsl / "petable")
    assert (rows[:15, 1] == -rows[15:, 1]).all()
    assert np.abs(rows[:, 1]).min() == 1
    assert rows[:, 3] == pytest.approx(0.05)
    np.testing.assert_allclose(joined.table.directions[15:], small.table.directions, atol=1e-5)
    assert movement[1] == 0.5
    assert "-rpe_header" in (with_fsl / "arguments").read_text()


@pytest.mark.tools
def test_preprocessing_uses_eddy(small, with_fsl, tmp_path):
    files = save_series(small, tmp_path / "raw", sidecar=SIDECAR % "j-")
    b0 = replace(small, volumes=small.volumes[..., :1], table=gradient_table(0, n_b0=1))
    epi = save_series(b0, tmp_path / "raw", "sub-01_dir-PA_epi", SIDECAR % "j")
    quality = preprocess_dwi(
        [files],
        tmp_path / "dwi.mif",
        tmp_path / "work",
        DiffusionSettings(),
        threads=1,
        epi=[EpiImage(epi.image, epi.sidecar)],
    )
    corrections = {one["name"]: one for one in quality["corrections"]}
    assert "eddy" in corrections["motion"]["how"]
    assert corrections["eddy currents"]["done"]
    assert corrections["susceptibility"]["done"]
    assert quality["max_motion_mm"] == 30
    arguments = (with_fsl / "arguments").read_text().splitlines()
    assert arguments[arguments.index("-se_epi") + 1].endswith("epi.mif")
    assert quality["n_volumes"] == 15


def test_eddy_openmp_is_found(with_fsl):
    (with_fsl / "bin" / "eddy").rename(with_fsl / "bin" / "eddy_openmp")
    assert fsl.eddy_is_installed()
