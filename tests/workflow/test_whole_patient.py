"""A complete synthetic patient, from T1, diffusion and SEEG to the report."""

import shutil
from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest

from tests.workflow.runs import QUICK, virtualbrain
from virtualbrain.io.layout import PatientLayout
from virtualbrain.io.tables import read_table
from virtualbrain.synthetic.dataset import write_demo
from virtualbrain.synthetic.demo_score import score_demo
from virtualbrain.synthetic.diffusion_signal import Acquisition, make_diffusion

pytestmark = [pytest.mark.slow, pytest.mark.tools]
COARSE = Acquisition(voxel_mm=3.6, shape=(60, 64, 48))


@pytest.fixture(scope="module")
def demo(tmp_path_factory, demo_images):
    """A demo patient; its truth is removed from the dataset while the pipeline runs."""
    folder = tmp_path_factory.mktemp("demo")
    diffusion = make_diffusion(
        demo_images.head, demo_images.bundles, np.random.default_rng(1), COARSE
    )
    write_demo(folder / "bids", seed=1, images=replace(demo_images, diffusion=diffusion))
    shutil.move(folder / "bids/derivatives/truth", folder / "truth")
    settings = folder / "quick.yaml"
    settings.write_text(
        "diffusion: {streamlines: 15000, fod_order: 6}\n"
        "anatomy: {registration: quick, working_mm: 2.0, surface_spacing_mm: 3.0}\n" + QUICK
    )
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
    report = demo / "out" / "sub-01.html"
    assert report.stat().st_size < 10_000_000
    assert 'id="evoked"' in report.read_text("utf-8")  # the demo patient was stimulated


def test_a_map_has_the_values_of_the_table_on_the_grid_of_the_t1(demo):
    layout = PatientLayout.of_results(demo / "out", "01")
    t1 = nib.load(layout.t1)
    labels = np.asarray(nib.load(layout.labels).dataobj)
    observability = layout.maps("default") / "sub-01_stat-observability_map.nii.gz"
    image = nib.load(observability)
    assert image.shape == t1.shape
    np.testing.assert_allclose(image.affine, t1.affine, atol=1e-4)
    zones = read_table(layout.zones("default")).set_index("region")
    for row in read_table(layout.regions).itertuples():
        values = image.get_fdata()[labels == row.index]
        np.testing.assert_allclose(values, zones.loc[row.name, "observability"], atol=1e-6)
