"""Compiling ahead: what it leaves to compile, and that a run does not depend on it."""

import os
import sys
import time

import numpy as np
import pandas as pd
import psutil
import pytest
from numba.core.dispatcher import Dispatcher

import inference
from inference.problem import Problem
from inference.settings import Settings
from inference.zone_table import zones
from virtualbrain.commands import compile_ahead as command
from virtualbrain.commands.compile_ahead import compile_fit_and_surgery
from virtualbrain.pipeline import compile_ahead
from virtualbrain.surgery.run import Patient, run_surgery
from virtualbrain.surgery.settings import SurgerySettings


def signatures() -> dict[str, int]:
    """Return the number of compiled signatures of every function of the project."""
    found = {}
    for name, module in list(sys.modules.items()):
        if name.startswith(("inference", "virtualbrain")):
            functions = {k: v for k, v in vars(module).items() if isinstance(v, Dispatcher)}
            found |= {f"{name}.{k}": len(v.overloads) for k, v in functions.items()}
    return found


@pytest.mark.slow
def test_a_patient_of_another_size_compiles_nothing_more():
    compile_fit_and_surgery()
    before = signatures()
    rng = np.random.default_rng(4)
    seconds = np.arange(-6.0, 40.0, 0.4)
    n_regions, n_channels = 11, 23
    gain = 0.02 + rng.random((n_channels, n_regions)) ** 6
    weights = rng.random((n_regions, n_regions)) + 1.0
    power = np.zeros((len(seconds), n_regions))
    power[seconds > 0, 3] = 40.0
    clean = np.log1p(power @ gain.T)
    envelopes = [clean + 0.2 * rng.standard_normal(clean.shape) for _ in range(2)]
    problem = Problem(envelopes, gain, weights + weights.T, times=[seconds] * 2)
    fitted = inference.fit(problem, settings=Settings(moves=600, draws=100, chains=2, extension=0))
    regions = pd.DataFrame({"name": list(problem.regions), "volume": 1000.0})
    settings = SurgerySettings(draws=20, leading=3, largest=2, sham=5, confirm=1)
    run_surgery(fitted, Patient(zones(fitted), regions), settings, rng)
    more = {name for name, n in signatures().items() if n > before.get(name, 0)}
    assert more == set()
    # Functions that only others call have no signature if the cache held them.
    largest = {"inference.onsets.sampler.advance", "virtualbrain.models.integrate.advance"}
    assert largest <= {name for name, n in before.items() if n > 0}


def children() -> int:
    return len(psutil.Process().children())


def test_a_process_compiles_beside_the_block_and_ends_with_it(monkeypatch, tmp_path):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    before = children()
    with compile_ahead.compiling_ahead(wanted=True):
        assert children() == before + 1
    assert children() == before


def test_beside_a_demo_only_the_simulation_is_compiled(monkeypatch, tmp_path):
    monkeypatch.setattr(command, "compile_fit_and_surgery", lambda: pytest.fail("compiles the fit"))
    monkeypatch.setattr(command, "mark_compiled", lambda: pytest.fail("marks all as compiled"))
    done: list[str] = []
    monkeypatch.setattr(command, "compile_simulation", done.append)
    command.main([compile_ahead.SIMULATION_ONLY])
    assert done == ["float32", "float64"]


@pytest.mark.parametrize(("wanted", "marked", "cores"), [(False, 0, 2), (True, 1, 2), (True, 0, 1)])
def test_nothing_is_compiled_where_it_is_no_use(monkeypatch, tmp_path, wanted, marked, cores):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    if marked:
        compile_ahead.mark_compiled()
    before = children()
    with compile_ahead.compiling_ahead(wanted=wanted):
        assert children() == before


def test_a_fault_of_the_process_does_not_end_the_block(monkeypatch, tmp_path):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with compile_ahead.compiling_ahead(wanted=True):
        time.sleep(0.1)
    assert not list(tmp_path.iterdir())
