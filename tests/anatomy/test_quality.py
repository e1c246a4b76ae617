import numpy as np
import pandas as pd
import pytest

from virtualbrain.anatomy.quality import dice, notes_on, region_figures, surface_figures
from virtualbrain.io.anatomy import Surface


def test_dice_of_known_masks():
    one = np.array([1, 1, 0, 0], bool)
    assert dice(one, one) == 1.0
    assert dice(one, ~one) == 0.0
    assert dice(one, np.array([0, 1, 1, 0], bool)) == pytest.approx(0.5)
    assert np.isnan(dice(one & ~one, one & ~one))


def test_region_figures():
    table = pd.DataFrame(
        {
            "name": ["a", "b", "c"],
            "hemisphere": ["L", "R", "R"],
            "volume": [30.0, 20.0, 0.0],
        }
    )
    figures = region_figures(table)
    assert figures["n_regions"] == 3
    assert figures["lost_regions"] == ["c"]
    assert figures["left_right_volume_ratio"] == pytest.approx(1.5)


def test_surface_figures():
    regions = np.array([0, 1, 1, 2], np.int32)
    surface = Surface(np.zeros((4, 3)), np.zeros((2, 3), np.int64), regions)
    figures = surface_figures({"L": surface})
    assert figures == {"n_vertices": {"L": 4}, "surface_labelled_share": 0.75}
    assert surface_figures({}) == {"n_vertices": {}}


def test_notes_name_figures_outside_their_quality_limits():
    good = {"template_overlap": 0.95, "brain_ml": 1400.0, "lost_regions": []}
    assert notes_on(good) == ()
    notes = notes_on({**good, "template_overlap": 0.5, "lost_regions": ["ctx-lh-insula"]})
    assert len(notes) == 2
    assert "0.5 (usual: 0.9 to 1)" in notes[0]
    assert "ctx-lh-insula" in notes[1]


def test_a_figure_that_is_not_a_number_is_reported():
    assert len(notes_on({"grey_white_contrast": float("nan")})) == 1
