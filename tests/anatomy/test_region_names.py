import pytest
from hypothesis import given
from hypothesis import strategies as st

from virtualbrain.anatomy.region_names import (
    canonical,
    desikan_name,
    hemisphere_of,
    is_dropped,
    structure_of,
)


@pytest.mark.parametrize(
    "name",
    [
        "Unknown",
        "ctx-lh-unknown",
        "ctx_rh_Unknown",
        "ctx_lh_Medial_wall",
        "Brain-Stem",
        "Left-Cerebral-White-Matter",
        "Left-Cerebellum-White-Matter",
        "Left-Cerebral-Cortex",
        "Left-Lateral-Ventricle",
        "Right-Inf-Lat-Vent",
        "CSF",
        "CC_Posterior",
        "ctx-lh-corpuscallosum",
        "WM-hypointensities",
        "Left-choroid-plexus",
        "Optic-Chiasm",
        "Left-VentralDC",
        "Background",
    ],
)
def test_labels_that_are_not_regions_are_dropped(name):
    assert is_dropped(name)


@pytest.mark.parametrize(
    "name",
    [
        "ctx-lh-bankssts",
        "ctx_lh_S_pericallosal",
        "ctx_lh_G_subcallosal",
        "Left-Hippocampus",
        "Right-Cerebellum-Cortex",
        "7Networks_LH_Default_PFC_1",
        "Left-Accumbens-area",
        "ctx_rh_G_oc-temp_med-Parahip",
    ],
)
def test_regions_are_kept(name):
    assert not is_dropped(name)


@pytest.mark.parametrize(
    ("name", "side"),
    [
        ("ctx-lh-bankssts", "L"),
        ("ctx_rh_G_cuneus", "R"),
        ("Left-Hippocampus", "L"),
        ("Right-Thalamus", "R"),
        ("7Networks_LH_Vis_1", "L"),
        ("A4t_R", "R"),
        ("rh.insula", "R"),
        ("lateral nucleus", None),
        ("Precentral", None),
    ],
)
def test_hemisphere_is_derived_from_the_name(name, side):
    assert hemisphere_of(name) == side


@pytest.mark.parametrize(
    ("name", "structure"),
    [
        ("Left-Hippocampus", "subcortex"),
        ("ctx-lh-parahippocampal", "cortex"),
        ("parahippocampal_R", "cortex"),
        ("Left-Cerebellum-Cortex", "subcortex"),
        ("Right-Thalamus", "subcortex"),
        ("7Networks_LH_Vis_1", "cortex"),
        ("GP_L", "subcortex"),
    ],
)
def test_structure_is_derived_from_the_name(name, structure):
    assert structure_of(name) == structure


def test_earlier_freesurfer_names_are_converted():
    assert canonical("Left-Thalamus-Proper") == "Left-Thalamus"
    assert canonical("ctx-lh-insula") == "ctx-lh-insula"
    assert desikan_name("insula", "R") == "ctx-rh-insula"
    assert desikan_name("accumbensarea", "L") == "Left-Accumbens-area"


@given(st.text(max_size=40))
def test_any_text_is_accepted_as_a_name(name):
    assert structure_of(name) in {"cortex", "subcortex"}
    assert hemisphere_of(name) in {"L", "R", None}
    assert is_dropped(name) in {True, False}
