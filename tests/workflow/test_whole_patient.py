"""A complete synthetic patient, from T1, diffusion and SEEG to the report."""

import shutil

import pytest

from tests.workflow.runs import QUICK, virtualbrain
from virtualbrain.synthetic.dataset import write_demo
from virtualbrain.synthetic.demo_score import score_demo

pytestmark = [pytest.mark.slow, pytest.mark.tools]


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """A demo patient; its truth is removed from the dataset while the pipeline runs."""
    folder = tmp_path_factory.mktemp("demo")
    write_demo(folder / "bids", seed=1)
    shutil.move(folder / "bids/derivatives/truth", folder / "truth")
    settings = folder / "quick.yaml"
    settings.write_text("diffusion: {streamlines: 40000}\nanatomy: {registration: quick}\n" + QUICK)
    done = virtualbrain(
        *("run", folder / "bids", folder / "out", "--cores", 2, "--config", settings)
    )
    assert done.returncode == 0, done.stderr
    shutil.move(folder / "truth", folder / "bids/derivatives/truth")
    return folder


def test_results_agree_with_the_truth(demo):
    scores = score_demo(demo / "out", demo / "bids")
    assert scores.dice_cortical > 0.6
    assert scores.dice_subcortical > 0.7
    assert scores.weights_spearman > 0.5
    assert scores.contact_accuracy > 0.7
    assert scores.verdict in {"interpretable", "caution", "do-not-use"}
    assert (demo / "out" / "sub-01.html").stat().st_size < 10_000_000
