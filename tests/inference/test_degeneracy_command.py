"""Command `degeneracy` on the files of a fitted patient."""

from dataclasses import replace

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import xarray as xr

import inference
from inference import ablation, full_sample, identifiability, next_candidates, population
from inference.posterior import load, save
from inference.settings import Settings
from virtualbrain import cli
from virtualbrain.commands.degeneracy import _problem, electrodes_of
from virtualbrain.commands.next_data import Avoid, _forbidden
from virtualbrain.connectome import Connectome
from virtualbrain.errors import FAULT_OF_INPUT, InputError
from virtualbrain.io.atomic import read_json
from virtualbrain.io.connectome import write_connectome
from virtualbrain.io.layout import PatientLayout
from virtualbrain.io.results import load_results
from virtualbrain.io.seeg import write_envelope
from virtualbrain.io.tables import read_table, sidecar_of, write_matrix, write_table
from virtualbrain.seeg.trajectories import CLEAR_MM

N = 6
NAMES = [f"r{i}" for i in range(N)]
CHANNELS = [f"{shaft}{k}-{shaft}{k + 1}" for shaft in ("A", "B'", "C") for k in (1, 2, 3)]
SECONDS = np.arange(-5.0, 35.0, 0.5)
FIT = Settings(moves=900, draws=60, chains=2, cores=1, n_steps=60, extension=0)


def fitted(out) -> PatientLayout:
    """Write what the stages write of a small patient; electrode A sees the region that starts."""
    rng = np.random.default_rng(3)
    layout = PatientLayout(out, "01")
    centres = 10.0 * rng.standard_normal((N, 3))
    regions = pd.DataFrame(
        {"index": np.arange(1, N + 1), "name": NAMES, "hemisphere": "L", "structure": "cortex",
         **dict(zip("xyz", centres.T, strict=True)), "area": 400.0, "volume": 1000.0}
    )  # fmt: skip
    weights = rng.random((N, N))
    weights = weights + weights.T
    write_connectome(layout, Connectome(regions, weights, 50.0 * (weights > 0)), {})
    gain = 0.02 + 0.01 * rng.random((len(CHANNELS), N))
    gain[np.arange(len(CHANNELS)), np.arange(len(CHANNELS)) // 3] += 1.0
    write_matrix(layout.gain, gain, CHANNELS, NAMES, {})
    power = np.zeros((len(SECONDS), N))
    power[(SECONDS > 0) & (SECONDS < 25), 0] = 50.0
    power[(SECONDS > 9) & (SECONDS < 28), 1] = 30.0
    log_power = np.log1p(power @ (gain / gain.sum(axis=1, keepdims=True)).T)
    envelope = xr.DataArray(
        log_power + 0.1 * rng.standard_normal(log_power.shape),
        dims=("time", "channel"),
        coords={"time": SECONDS, "channel": CHANNELS},
    )
    write_envelope(layout.envelope(1), envelope, {})
    write_table(layout.channels, _channels(), {})
    write_table(layout.contacts, _contacts(), {})
    hypothesis = pd.DataFrame({"region": ["r0", "r4"], "zone": ["EZ", "PZ"]})
    result = inference.run_inference(
        [envelope], pd.DataFrame(gain, CHANNELS, NAMES), weights, NAMES, hypothesis, settings=FIT
    )
    save(result.posterior, layout.posterior("default"))
    return layout


def _channels() -> pd.DataFrame:
    pairs = [name.split("-") for name in CHANNELS]
    table = pd.DataFrame({"name": CHANNELS, "anode": [p[0] for p in pairs]})
    return table.assign(cathode=[p[1] for p in pairs], x=0.0, y=0.0, z=0.0, region="r0",
                        status="good", onset_s=np.nan)  # fmt: skip


def _contacts() -> pd.DataFrame:
    names = sorted({contact for name in CHANNELS for contact in name.split("-")})
    table = pd.DataFrame({"name": names, "electrode": [name[:-1] for name in names]})
    return table.assign(number=1, x=0.0, y=0.0, z=0.0, region="r0", p_region=1.0, tissue="grey",
                        status="good")  # fmt: skip


@pytest.fixture(scope="module")
def patient(tmp_path_factory) -> PatientLayout:
    return fitted(tmp_path_factory.mktemp("out"))


def test_regions_and_vessels_to_avoid_are_both_forbidden(patient):
    regions = read_table(patient.connectome_regions)
    centres = regions[["x", "y", "z"]].to_numpy(float)
    voxels = np.zeros((41, 41, 41), dtype=np.uint8)
    voxels[20, 20, 20] = 1
    affine = np.eye(4)
    affine[:3, 3] = centres[3] - 20.0
    mask = nib.Nifti1Image(voxels, affine)
    only = _forbidden(regions, None, Avoid(("r1",)))
    both = _forbidden(regions, None, Avoid(("r1",), mask, "vessels.nii.gz", 2.0))
    places = np.array([centres[1], centres[3], centres[3] + 500.0])
    assert list(only(places)) == [True, False, False]
    assert list(both(places)) == [True, True, False]


def test_an_electrode_is_the_shaft_of_the_contacts(patient):
    assert electrodes_of(patient, ["B'2-B'3", "A1-A2"]) == ["B'", "A"]
    with pytest.raises(InputError, match="no electrode of the channel X1-X2"):
        electrodes_of(patient, ["X1-X2"])


def test_the_problem_is_the_one_that_was_fitted(patient):
    posterior = load(patient.posterior("default"))
    problem = _problem(patient, posterior)
    constants = posterior["constant_data"]
    assert np.allclose(problem.gain, constants["gain"])
    assert np.allclose(problem.weights, constants["weights"])
    assert problem.zone_of() == {"r0": "EZ", "r4": "PZ"}


@pytest.mark.slow
def test_the_command_writes_a_table_that_the_report_reads(patient, monkeypatch, capsys):
    for name, value in (("MOVES", 450), ("DRAWS", 60), ("SECONDS", (10.0,))):
        monkeypatch.setattr(ablation, name, value)
    monkeypatch.setattr(full_sample, "MOVES", 900)
    monkeypatch.setattr(identifiability, "N_PRIOR", 150)
    assert cli.main(["degeneracy", str(patient.out)]) == 0
    table = read_table(patient.ablation("default"))
    assert list(table.columns) == list(ablation.COLUMNS)
    without = table[table["kind"] == "without"]
    assert list(without["name"]) == ["A", "B'", "C"]
    assert list(without["n_channels"]) == [6, 6, 6]
    printed = capsys.readouterr().out
    assert "same plan in" in printed
    assert "one more seizure is expected to change" in " ".join(printed.split())
    ranked = read_table(patient.next_data("default"))
    assert list(ranked.columns) == list(next_candidates.COLUMNS)
    assert list(ranked["datum"]).count("seizure") == 1
    assert (ranked["value"] >= 0).all()
    electrodes = ranked[ranked["datum"] == "electrode"]
    assert set(electrodes["target"]) <= set(NAMES)
    tips = electrodes[["x", "y", "z"]].to_numpy()
    assert len(tips) > 0
    present = read_table(patient.contacts)[["x", "y", "z"]].to_numpy(float)
    gaps = np.linalg.norm(tips[:, None] - present[None], axis=-1)
    assert (gaps >= CLEAR_MM - 0.2).all()
    results = load_results(patient.out, "01", ("default",)).main
    assert [row.name for row in results.ablation.rows] == list(table["name"])
    fixed = read_table(patient.identifiability("default"))
    assert list(fixed.columns) == list(identifiability.COLUMNS)
    assert {row.kind for row in results.identifiability.rows} == set(fixed["kind"])
    assert "of the whole network the recording fixes" in " ".join(printed.split())
    x0 = fixed[(fixed["kind"] == "parameter") & (fixed["parameter"] == "x0")]
    assert list(x0["region"]) == NAMES
    assert read_json(sidecar_of(patient.identifiability("default")))["Leading"][0] == "r0"


def test_a_fit_with_another_method_is_refused(patient, tmp_path, capsys):
    other = replace(patient, out=tmp_path)
    posterior = load(patient.posterior("default"))
    posterior.attrs["method"] = "nuts"
    save(posterior, other.posterior("default"))
    assert cli.main(["degeneracy", str(tmp_path)]) == FAULT_OF_INPUT
    assert "fitted with the method nuts" in capsys.readouterr().err


def test_a_patient_without_a_fit_is_one_line(tmp_path, capsys):
    (tmp_path / "sub-01").mkdir()
    assert cli.main(["degeneracy", str(tmp_path)]) == FAULT_OF_INPUT
    error = " ".join(capsys.readouterr().err.split())
    assert "no such posterior" in error
    assert "Traceback" not in error


@pytest.fixture
def quick(monkeypatch):
    """Few moves; the modules that read them by name have copies."""
    for module in (ablation, population):
        monkeypatch.setattr(module, "MOVES", 450)
        monkeypatch.setattr(module, "DRAWS", 60)
    monkeypatch.setattr(full_sample, "MOVES", 900)


@pytest.mark.slow
def test_other_connectomes_are_fitted_and_the_report_reads_them(patient, quick, tmp_path, capsys):
    weights = load(patient.posterior("default"))["constant_data"]["weights"].to_numpy()
    write_matrix(tmp_path / "own.tsv", 3.0 * weights, NAMES, NAMES, {})
    order = NAMES[::-1]
    changed = np.where(np.eye(N) > 0, 0.0, 1.0)
    write_matrix(tmp_path / "even.tsv", changed, order, order, {})
    asked = ["--connectomes", str(tmp_path), "--connectome-variants", "1"]
    removed = ["--without-connections", "r0, r1"]
    before = patient.ablation("default").exists()
    assert cli.main(["degeneracy", str(patient.out), *asked, *removed]) == 0
    assert patient.ablation("default").exists() == before  # nothing else is computed
    table = read_table(patient.other_connectomes("default"))
    assert list(table.columns) == list(population.COLUMNS)
    by_name = table.set_index("name")
    assert by_name.loc["own", "kind"].tolist() == ["own", "person"]
    assert by_name.loc["own", "similarity"].to_numpy() == pytest.approx(1.0)
    assert by_name.loc["own", "rest"].to_numpy() == pytest.approx(0.0, abs=1e-9)
    assert by_name.loc["even", "rest"] > 0.05
    assert by_name.loc["without r0,r1", "zone_strength"] < 0
    kinds = {"own", "person", "again", "factors", "rest", "rewired", "zone-strength", "weakest",
             "rewired-distance"}  # fmt: skip
    assert kinds < set(table["kind"])
    about = read_json(sidecar_of(patient.other_connectomes("default")))
    assert about["Zone"][0] == "r0"
    assert {one["structure"] for one in about["Effects"]} <= set(population.STRUCTURE)
    printed = " ".join(capsys.readouterr().out.split())
    assert "2 fits, each with the connectome of another person or group: no region is" in printed
    assert "A repeated fit moves all P(EZ) together by" in printed
    results = load_results(patient.out, "01", ("default",)).main
    assert [row.name for row in results.other_connectomes.rows] == list(table["name"])


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (["--connectomes", "nowhere"], "no such folder"),
        (["--connectome-variants", "-1"], "-1 variants"),
        (["--without-connections", "r0,r9"], "no region r9"),
        (["--without-connections", "r0"], "no connection among r0"),
        (["--avoid", "r0,r9"], "unknown region r9"),
        (["--vessel-distance", "2"], "a distance to vessels, but no vessels"),
        (["--vessels", "nowhere.nii.gz"], "nowhere.nii.gz"),
        (["--vessels", "EMPTY"], "no vessel in the mask"),
        (["--vessels", "FAR"], "holds no contact of the patient"),
        (["--bids", "nowhere"], "nowhere"),
    ],
)
def test_a_wrong_option_is_one_line_before_any_fit(
    patient, asked, words, monkeypatch, capsys, tmp_path
):
    voxels = np.zeros((9, 9, 9), dtype=np.uint8)
    nib.save(nib.Nifti1Image(voxels, np.eye(4)), tmp_path / "EMPTY.nii.gz")
    voxels[4, 4, 4] = 1
    away = np.eye(4)
    away[:3, 3] = 500.0
    nib.save(nib.Nifti1Image(voxels, away), tmp_path / "FAR.nii.gz")
    made = {name: str(tmp_path / f"{name}.nii.gz") for name in ("EMPTY", "FAR")}
    asked = [made.get(word, word) for word in asked]

    def fail(*_: object) -> None:
        raise AssertionError("a fit was started")

    monkeypatch.setattr(full_sample, "sample_onsets", fail)
    assert cli.main(["degeneracy", str(patient.out), *asked]) == FAULT_OF_INPUT
    error = " ".join(capsys.readouterr().err.split())
    assert words in error
    assert "Traceback" not in error
