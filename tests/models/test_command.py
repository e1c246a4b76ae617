import json

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from virtualbrain.errors import InputError, ModelError
from virtualbrain.io.tables import read_table
from virtualbrain.models.command import SimulationSettings, excitability, run_simulation
from virtualbrain.network import Network

REGIONS = ("a", "b", "c", "d")


def chain():
    weights = np.diag([1.0, 1.0, 1.0], k=-1)
    return Network(weights, regions=REGIONS)


def test_hypothesis_becomes_excitability():
    zones = pd.DataFrame({"region": ["b", "a"], "zone": ["PZ", "EZ"]})
    np.testing.assert_array_equal(excitability(REGIONS, zones), [-1.6, -2.2, -2.6, -2.6])
    values = pd.DataFrame({"region": ["c"], "x0": [-1.9]})
    assert excitability(REGIONS, values)[2] == -1.9


@pytest.mark.parametrize(
    "table",
    [
        {"region": ["z"], "zone": ["EZ"]},
        {"region": ["a"], "zone": ["XX"]},
        {"name": ["a"], "zone": ["EZ"]},
    ],
)
def test_errors_in_the_hypothesis_are_reported(table):
    with pytest.raises(InputError):
        excitability(REGIONS, pd.DataFrame(table))


def test_a_simulation_writes_traces_table_and_figure(tmp_path):
    progress = []
    zones = pd.DataFrame({"region": ["a", "b"], "zone": ["EZ", "PZ"]})
    settings = SimulationSettings(duration_s=8.0, seizure_s=2.0, K=1.0)
    run = run_simulation(chain(), zones, tmp_path / "out", settings, progress.append)
    table = read_table(tmp_path / "out" / "seizures.tsv")
    assert table["region"].tolist()[:2] == ["a", "b"]
    assert "d" not in table["region"].tolist()
    assert progress[-1] == 1.0
    with xr.open_dataset(tmp_path / "out" / "simulation.nc") as stored:
        np.testing.assert_allclose(stored["lfp"], run["lfp"])
    choices = json.loads((tmp_path / "out" / "simulation.json").read_text())
    assert choices["outlook"].startswith("1 regions")
    assert (tmp_path / "out" / "simulation.png").read_bytes()[:4] == b"\x89PNG"
    with pytest.raises(ModelError):
        run_simulation(chain(), zones, tmp_path, SimulationSettings(duration_s=0.0))
