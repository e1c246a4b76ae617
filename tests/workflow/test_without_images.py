"""A patient of whom there are contacts in MNI152 and a recording, from the check to the report."""

import re

import pytest

from tests.diffusion.made_group import write_package
from tests.workflow.mni_patient import write_mni_patient
from tests.workflow.runs import QUICK, virtualbrain
from virtualbrain.io.atomic import read_json
from virtualbrain.io.layout import PatientLayout
from virtualbrain.io.tables import sidecar_of

pytestmark = pytest.mark.slow
GROUP = "tvboptim 0.4.0, Desikan-Killiany average"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The dataset, the results and what the check prints; the group is a look-alike."""
    folder = tmp_path_factory.mktemp("mni")
    write_mni_patient(folder / "bids", seed=1)
    write_package(folder / "site")
    settings = folder / "quick.yaml"
    settings.write_text("anatomy: {working_mm: 2.5, surface_spacing_mm: 4.0}\n" + QUICK)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(folder / "site"), prepend=":")
        checked = virtualbrain("check", folder / "bids", "--config", settings)
        done = virtualbrain(
            *("run", folder / "bids", folder / "out", "--cores", 2, "--config", settings)
        )
    assert done.returncode == 0, done.stderr
    return folder, checked


def test_the_check_says_what_is_missing_and_what_is_used_instead(run):
    _, checked = run
    assert checked.returncode == 0
    assert "no MRI of this patient: the contacts are placed in the template" in checked.stderr
    assert f"no diffusion MRI: the group connectome {GROUP} is used" in checked.stderr


def test_verdict_sidecars_and_first_screen_name_group_and_template(run):
    folder, _ = run
    layout = PatientLayout.of_results(folder / "out", "01")
    found = read_json(layout.diagnostics("default"))
    assert found["verdict"] != "interpretable"
    words = " ".join(found["reasons"])
    assert "No MRI of this patient" in words
    assert f"those of a group ({GROUP})" in words
    for path in (layout.zones("default"), layout.outcomes("default"), layout.relmat("length")):
        about = read_json(sidecar_of(path))
        assert about["GroupConnectome"] == GROUP
        assert about["Anatomy"] == "template MNI152"
    assert read_json(sidecar_of(layout.regions))["Anatomy"] == "template MNI152"
    page = layout.report.read_text("utf-8")
    summary = page[page.index('id="summary"') : page.index('id="brain"')]
    text = re.sub(r"<[^>]+>", " ", summary)
    assert "anatomy of the template, not of this patient" in text
    assert "connectome of a group, not of this patient" in text


def test_contacts_are_where_the_truth_is(run):
    folder, _ = run
    layout = PatientLayout.of_results(folder / "out", "01")
    quality = read_json(layout.seeg_quality)
    assert quality["coordinate_frame_used"] == "mni"
    assert quality["share_in_brain"] > 0.9
