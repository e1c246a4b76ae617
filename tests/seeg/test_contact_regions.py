import nibabel as nib
import numpy as np
import pytest

from virtualbrain.seeg.contact_regions import (
    in_brain,
    name_regions,
    near_centres,
    place_points,
    region_radii_mm,
    sample_nearest,
    share_in_brain,
)
from virtualbrain.seeg.settings import SeegSettings

SETTINGS = SeegSettings()


def test_a_contact_deep_in_a_region_belongs_to_it(regions, labels):
    placement = place_points(np.array([[8.0, 15, 5]]), regions, labels, None, SETTINGS)
    np.testing.assert_allclose(placement.probabilities, [[1, 0, 0, 0]])
    assert placement.tissue == ("grey",)


def test_a_contact_on_a_border_belongs_to_both(regions, labels):
    placement = place_points(np.array([[16.0, 15, 5]]), regions, labels, None, SETTINGS)
    np.testing.assert_allclose(placement.probabilities[0, :2], 0.5, atol=0.07)


def test_contacts_two_millimetres_inside_a_region_are_assigned_to_it(regions, labels):
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 4, 200)
    points = np.stack(
        [16 * truth + rng.uniform(2, 14, 200), rng.uniform(0, 30, 200), rng.uniform(0, 10, 200)], 1
    )
    placement = place_points(points, regions, labels, None, SETTINGS)
    assert (placement.probabilities.argmax(axis=1) == truth).mean() >= 0.95


def test_white_matter_and_outside_are_distinguished(regions, labels):
    mask = nib.Nifti1Image(np.ones((40, 40, 40), np.uint8), np.diag([2.0, 2, 2, 1]))
    points = np.array([[8.0, 15, 5], [8.0, 60, 5], [8.0, 200, 5], [np.nan] * 3])
    placement = place_points(points, regions, labels, mask, SETTINGS)
    assert placement.tissue == ("grey", "white", "outside", "n/a")
    assert share_in_brain(placement, points) == pytest.approx(2 / 3)


def test_without_a_mask_the_brain_is_near_labelled_voxels(labels):
    points = np.array([[8.0, 53, 5], [8.0, 60, 5]])
    np.testing.assert_array_equal(in_brain(points, labels, None), [True, False])


def test_sampling_agrees_with_nibabel(labels):
    rng = np.random.default_rng(1)
    voxels = rng.integers(0, labels.shape, (50, 3))
    places = nib.affines.apply_affine(labels.affine, voxels)
    expected = np.asarray(labels.dataobj)[tuple(voxels.T)]
    np.testing.assert_array_equal(sample_nearest(places, labels), expected)


def test_region_probability_depends_on_distance_to_the_centre(regions):
    points = np.array([[8.0, 15, 5], [16.0, 15, 5], [500.0, 0, 0]])
    found = near_centres(points, regions, 30.0)
    assert found[0].argmax() == 0
    assert found[1, 0] == pytest.approx(found[1, 1])
    np.testing.assert_allclose(found.sum(axis=1), [1, 1, 0])


def test_regions_without_centre_or_volume_are_handled(regions):
    regions.loc[1, ["x", "y", "z", "volume"]] = np.nan
    found = near_centres(np.array([[8.0, 15, 5]]), regions, 30.0)
    assert found[0, 1] == 0
    assert np.isfinite(found).all()
    regions["volume"] = np.nan
    np.testing.assert_allclose(region_radii_mm(regions), 8.0)


def test_region_names_are_returned_with_probabilities():
    region, probability, texts = name_regions(np.array([[0.2, 0.7], [0.0, 0.0]]), ["left", "right"])
    assert region == ["right", None]
    assert probability[0] == 0.7
    assert np.isnan(probability[1])
    assert texts == ["right=0.70;left=0.20", None]
