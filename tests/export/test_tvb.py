"""The Virtual Brain opens an exported patient."""

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from virtualbrain.connectome import Connectome
from virtualbrain.export.tvb import export_patient
from virtualbrain.io.connectome import write_connectome
from virtualbrain.io.layout import PatientLayout
from virtualbrain.io.tables import write_matrix, write_table
from virtualbrain.network import normalise_weights

NAMES = ["a", "b", "c", "d"]


@pytest.fixture
def exported(tmp_path):
    rng = np.random.default_rng(0)
    weights = rng.uniform(1, 5, (4, 4))
    weights = weights + weights.T
    regions = pd.DataFrame(
        {"index": range(1, 5), "name": NAMES, "hemisphere": list("LLRR"), "structure": "cortex"}
    )
    regions[["x", "y", "z", "area", "volume"]] = rng.uniform(-9, 9, (4, 5))
    layout = PatientLayout(tmp_path, "01", "X")
    write_connectome(layout, Connectome(regions, weights, 10 * weights), {})
    write_matrix(layout.gain, np.ones((2, 4)), ["A1-A2", "A2-A3"], NAMES, {})
    channels = pd.DataFrame({"name": ["A2-A3", "bad", "A1-A2"], "anode": "A1", "cathode": "A2"})
    channels[["x", "y", "z"]] = np.arange(9.0).reshape(3, 3)
    channels[["region", "status", "onset_s"]] = ["a", "good", 1.0]
    write_table(layout.channels, channels, {})
    samples = xr.Dataset(
        {
            "x0": (("chain", "draw", "region"), rng.normal(-3, 0.1, (1, 5, 4))),
            "K": (("chain", "draw"), np.full((1, 5), 1.5)),
            "tau0": (("chain", "draw"), np.full((1, 5), 20.0)),
        },
        coords={"region": NAMES[::-1]},
    )
    constant = xr.Dataset(
        {"weights": (("region", "source"), normalise_weights(weights)[::-1, ::-1])},
        coords={"region": NAMES[::-1], "source": NAMES[::-1]},
    )
    posterior = xr.DataTree.from_dict({"/posterior": samples, "/constant_data": constant})
    posterior.attrs = {"I1": 3.1, "dt": 0.1, "normalisation": "strength", "method": "nuts"}
    return export_patient(layout, "default", posterior), samples, normalise_weights(weights)


def test_parameters_have_names_and_signs_of_the_virtual_brain(exported):
    folder, samples, _ = exported
    fitted = json.loads((folder / "epileptor2d.json").read_text())
    assert fitted["Ks"] == -1.5
    assert fitted["r"] == pytest.approx(0.05)
    expected = samples["x0"].mean(("chain", "draw")).sel(region=fitted["regions"])
    np.testing.assert_allclose(fitted["x0"], expected)


def test_sensors_and_gain_have_the_same_order(exported):
    folder, _, _ = exported
    lines = (folder / "sensors.txt").read_text().splitlines()
    assert [line.split()[0] for line in lines] == ["A1-A2", "A2-A3"]
    assert np.loadtxt(folder / "gain.txt").shape == (2, 4)


@pytest.mark.slow
def test_the_virtual_brain_simulates_the_exported_patient(exported):
    folder, _, weights = exported
    readme = (folder / "README.txt").read_text().splitlines()
    code = [line[4:] for line in readme if line.startswith("    ")]
    script = "\n".join(code) + (
        "\nfrom tvb.simulator.lab import integrators, monitors, simulator"
        "\nbrain.speed = np.array([np.inf])"
        "\nrun = simulator.Simulator(model=model, connectivity=brain, coupling=long_range,"
        "\n    integrator=integrators.HeunDeterministic(dt=0.05),"
        "\n    monitors=(monitors.Raw(),), simulation_length=2.0).configure()"
        "\n(_, data), = run.run()"
        "\nassert np.isfinite(data).all()"
        "\nprint(json.dumps([brain.weights.tolist(), brain.region_labels.tolist()]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found, names = json.loads(done.stdout.strip().splitlines()[-1])
    np.testing.assert_allclose(found, weights, rtol=1e-8)
    assert names == NAMES
