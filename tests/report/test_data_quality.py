"""What the page says of the data's quality is read from the stages' own files."""

from virtualbrain.report.data_quality import Correction, quality_of

QUALITY = {
    "anatomy": {
        "Sources": ["a.nii.gz"],
        "figures": {"n_regions": 82, "lost_regions": [], "n_vertices": {"L": 10, "R": 12}},
        "notes": ["One region has no voxel."],
    },
    "dwi": {
        "corrections": [{"name": "motion", "done": False, "how": "switched off"}],
        "motion_mm": [0.1] * 30,
        "snr_b0": 21.234,
    },
}


def test_figures_notes_and_corrections_are_told_apart():
    anatomy, dwi, connectome, seeg = quality_of(QUALITY)
    assert anatomy.notes == ("One region has no voxel.",)
    assert dict(anatomy.rows) == {"n regions": "82", "n vertices": "L: 10, R: 12"}
    assert dwi.corrections == (Correction("motion", False, "switched off"),)
    assert dict(dwi.rows) == {"snr b0": "21.2"}
    assert not connectome.there
    assert not seeg.there


def test_stages_stand_in_the_order_of_the_data():
    assert [stage.stage for stage in quality_of({})] == ["anatomy", "dwi", "connectome", "seeg"]
