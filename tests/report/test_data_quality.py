"""Check the data quality that the report shows."""

from virtualbrain.io.atomic import write_json
from virtualbrain.io.quality_results import (
    Correction,
    Quality,
    load_anatomy_quality,
    load_diffusion_quality,
)
from virtualbrain.report.data_quality import quality_of

ANATOMY = {
    "Sources": ["a.nii.gz"],
    "figures": {"n_regions": 82, "lost_regions": [], "n_vertices": {"L": 10, "R": 12}},
    "notes": ["One region has no voxel."],
}
DIFFUSION = {
    "Versions": {"numpy": "2"},
    "corrections": [{"name": "motion", "done": False, "how": "switched off"}],
    "motion_mm": [0.1] * 30,
    "snr_b0": 21.234,
    "notes": [],
}


def test_figures_notes_and_corrections_are_read_separately(tmp_path):
    for name, content in {"anatomy": ANATOMY, "dwi": DIFFUSION}.items():
        write_json(tmp_path / f"{name}.json", content)
    anatomy, dwi, connectome, seeg = quality_of(
        {
            "anatomy": load_anatomy_quality(tmp_path / "anatomy.json"),
            "dwi": load_diffusion_quality(tmp_path / "dwi.json"),
        }
    )
    assert anatomy.notes == ("One region has no voxel.",)
    assert dict(anatomy.rows) == {"regions": "82", "surface vertices": "L: 10, R: 12"}
    assert dwi.corrections == (Correction("motion", False, "switched off"),)
    assert dict(dwi.rows) == {"signal-to-noise ratio (b = 0)": "21.2"}
    assert not connectome.present
    assert not seeg.present


def test_texts_of_the_quality_hold_no_paths():
    noted = Quality({"source": "/home/alice/x.nii"}, ("see /home/alice/x.nii",))
    anatomy = quality_of({"anatomy": noted})[0]
    assert dict(anatomy.rows) == {"source": "…/x.nii"}
    assert anatomy.notes == ("see …/x.nii",)


def test_stages_are_in_the_order_of_the_pipeline():
    assert [stage.stage for stage in quality_of({})] == ["anatomy", "dwi", "connectome", "seeg"]
