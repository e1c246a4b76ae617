"""Stages at which a run can stop: their results, what is checked, and the option's help."""

import shutil

import pytest

from virtualbrain import cli
from virtualbrain.config import load_config
from virtualbrain.errors import ConfigError
from virtualbrain.io.layout import PatientLayout
from virtualbrain.pipeline.check import check_patient
from virtualbrain.pipeline.stages import STAGES, STRUCTURAL, last_stage, stage_targets


@pytest.fixture
def patient(connectome_patient):
    return connectome_patient


def test_the_default_is_the_whole_pipeline():
    assert last_stage(load_config()) == "report"
    assert last_stage(load_config(None, {"structure_only": True})) == "connectomes"
    assert last_stage(load_config(None, {"until": "seeg", "structure_only": True})) == "seeg"


@pytest.mark.parametrize("stage", STAGES)
def test_every_stage_has_results_of_its_own(tmp_path, stage):
    layout = PatientLayout(tmp_path, "01")
    found = stage_targets(layout, stage, ["default", "lesion"], has_connectome=False)
    others = [
        path
        for other in STAGES
        if other != stage
        for path in stage_targets(layout, other, ["default", "lesion"], has_connectome=False)
    ]
    assert found
    assert not set(found) & set(others)


def test_inference_and_surgery_have_a_result_for_every_prior_set(tmp_path):
    layout = PatientLayout(tmp_path, "01")
    for stage in ("inference", "surgery"):
        assert len(stage_targets(layout, stage, ["a", "b", "c"], has_connectome=True)) == 3


def test_maps_are_beside_the_report_if_there_is_an_image(tmp_path):
    layout = PatientLayout(tmp_path, "01")
    found = stage_targets(layout, "report", ["a", "b"], has_connectome=False)
    assert found == [layout.report, layout.maps("a"), layout.maps("b")]
    assert stage_targets(layout, "report", ["a"], has_connectome=True) == [layout.report]


def test_the_cortex_is_simulated_only_if_it_is_asked_for_and_there_is_an_image(tmp_path):
    layout = PatientLayout(tmp_path, "01")
    assert not load_config()["cortex"]["enabled"]
    chosen = {"has_connectome": False, "on_cortex": True}
    found = stage_targets(layout, "report", ["a", "b"], **chosen)
    assert found[3:] == [layout.cortex_run("a", "workflow"), layout.cortex_run("b", "workflow")]
    assert not set(found[3:]) & set(stage_targets(layout, "surgery", ["a", "b"], **chosen))
    without = {"has_connectome": True, "on_cortex": True}
    assert stage_targets(layout, "report", ["a"], **without) == [layout.report]


@pytest.mark.parametrize("stage", ["anatomy", "diffusion"])
def test_with_a_ready_connectome_a_run_until_anatomy_stops_after_the_check(tmp_path, stage):
    layout = PatientLayout(tmp_path, "01")
    assert stage_targets(layout, stage, [], has_connectome=True) == [layout.inputs]


def test_with_the_connectome_of_a_group_a_run_until_diffusion_stops_after_the_anatomy(tmp_path):
    layout = PatientLayout(tmp_path, "01")
    chosen = {"has_connectome": False, "uses_group": True}
    assert stage_targets(layout, "diffusion", [], **chosen) == [layout.anatomy]
    assert stage_targets(layout, "connectomes", [], **chosen) == [layout.connectome]


def test_an_unknown_stage_is_refused_with_the_known_ones(capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(["run", "bids", "out", "--until", "gain"])
    assert ended.value.code == 2
    error = capsys.readouterr().err
    assert all(stage in error for stage in STAGES)
    with pytest.raises(ConfigError, match="until"):
        load_config(None, {"until": "gain"})


def test_the_help_lists_the_stages(capsys):
    with pytest.raises(SystemExit):
        cli.main(["run", "--help"])
    text = " ".join(capsys.readouterr().out.split())
    assert ", ".join(STAGES) in text


@pytest.mark.parametrize("stage", STAGES)
def test_a_run_until_a_structural_stage_needs_no_recording(patient, tmp_path, stage):
    folder = tmp_path / "bids"
    shutil.copytree(patient, folder)
    shutil.rmtree(folder / "sub-01/ieeg")
    found = check_patient(folder, "01", load_config(None, {"until": stage}))
    assert bool(found) == (stage not in STRUCTURAL)


def test_a_run_until_anatomy_needs_no_diffusion_series(patient, tmp_path):
    folder = tmp_path / "bids"
    shutil.copytree(patient, folder)
    shutil.rmtree(folder / "derivatives/connectome")
    alone = {"diffusion": {"group_connectome": "none"}}
    for stage, wanted in (("anatomy", False), ("diffusion", True)):
        found = check_patient(folder, "01", load_config(None, {"until": stage} | alone))
        assert any("no diffusion series" in str(one) for one in found) == wanted
