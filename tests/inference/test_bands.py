"""Envelopes of other frequency bands from the recordings of a run."""

from dataclasses import replace

import numpy as np
import pytest

from inference.run import align
from inference.settings import Settings
from virtualbrain.commands import bands
from virtualbrain.commands.bands import bands_of
from virtualbrain.config import load_config
from virtualbrain.errors import InputError
from virtualbrain.io.connectome import read_ready_connectome, write_connectome
from virtualbrain.io.layout import PatientLayout
from virtualbrain.io.patient_search import find_patient
from virtualbrain.seeg.run import run_seeg
from virtualbrain.seeg.settings import SeegSettings

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def run(connectome_patient, tmp_path_factory):
    """Layout and fitted problem of a patient with a ready connectome."""
    files = find_patient(connectome_patient, "01")
    connectome = read_ready_connectome(files.connectome)
    layout = PatientLayout(tmp_path_factory.mktemp("out"), "01")
    write_connectome(layout, connectome, {})
    seeg = run_seeg(files, connectome.regions, None, None, None, SeegSettings())
    problem = align(
        seeg.envelopes, seeg.gain, connectome.weights, connectome.names, None, (), Settings()
    )
    return layout, problem


def test_the_band_of_the_run_gives_the_problem_that_was_fitted(
    run, connectome_patient, monkeypatch
):
    layout, problem = run
    monkeypatch.setattr(bands, "BANDS_HZ", (SeegSettings().band_hz, (60.0, 120.0)))
    own, high = bands_of(layout, problem, connectome_patient, load_config(None)).values()
    assert own.channels == problem.channels
    for found, fitted in zip(own.envelope, problem.envelope, strict=True):
        assert np.array_equal(found, fitted)
    assert not np.allclose(high.envelope[0], problem.envelope[0], atol=0.5)
    assert np.allclose(high.weights, problem.weights)


def test_a_band_above_the_sampling_rate_is_left_out_with_a_line(
    run, connectome_patient, monkeypatch, capsys
):
    layout, problem = run
    monkeypatch.setattr(bands, "BANDS_HZ", ((13.0, 30.0), (900.0, 2000.0)))
    found = bands_of(layout, problem, connectome_patient, load_config(None))
    assert list(found) == ["13-30 Hz"]
    assert "no band 900-2000 Hz" in " ".join(capsys.readouterr().out.split())


def test_recordings_of_other_seizures_are_refused(run, connectome_patient, monkeypatch):
    layout, problem = run
    monkeypatch.setattr(bands, "BANDS_HZ", ((13.0, 30.0),))
    shifted = [times + 1.0 for times in problem.times]
    other = replace(problem, times=shifted, envelope=list(problem.envelope))
    with pytest.raises(InputError, match="the seizures of the dataset are not those of the fit"):
        bands_of(layout, other, connectome_patient, load_config(None))


def test_a_dataset_that_is_missing_is_one_line(run, tmp_path):
    layout, problem = run
    with pytest.raises(InputError):
        bands_of(layout, problem, tmp_path / "none", load_config(None))
