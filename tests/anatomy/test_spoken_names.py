"""Anatomical names of regions."""

import pytest

from virtualbrain.anatomy.region_names import hemisphere_of
from virtualbrain.anatomy.spoken_names import SIDES, lobe_of, nucleus_of, spoken_name
from virtualbrain.synthetic.points import atlas_head


def test_every_region_of_the_built_in_atlas_has_its_own_name_and_side():
    labels = [str(name) for name in atlas_head()[0]["name"]]
    names = [spoken_name(label) for label in labels]
    assert len(set(names)) == len(labels)
    for label, name in zip(labels, names, strict=True):
        assert name.startswith(f"{SIDES[hemisphere_of(label)]} "), label
        assert (lobe_of(label) is None) != (nucleus_of(label) is None), label


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("ctx-rh-middletemporal", "right middle temporal gyrus"),
        ("ctx_lh_precuneus", "left precuneus"),
        ("Left-Thalamus-Proper", "left thalamus"),
        ("lh.insula", "left insula"),
        ("Right-Accumbens-area", "right nucleus accumbens"),
    ],
)
def test_a_label_is_read_in_each_spelling(label, name):
    assert spoken_name(label) == name


@pytest.mark.parametrize("label", ["area 17", "L_V1_ROI", "middletemporal", "<script>"])
def test_an_unknown_label_or_side_is_unchanged(label):
    assert spoken_name(label) == label
