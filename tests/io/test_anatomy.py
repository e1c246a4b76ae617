import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from virtualbrain.anatomy.regions import COLUMNS
from virtualbrain.errors import InputError
from virtualbrain.io.anatomy import Anatomy, Surface, read_anatomy, write_anatomy
from virtualbrain.io.images import make_image
from virtualbrain.io.layout import PatientLayout
from virtualbrain.io.tables import sidecar_of

AFFINE = np.diag([-1.0, 1.0, 1.5, 1.0])


@pytest.fixture
def anatomy():
    rng = np.random.default_rng(0)
    shape = (9, 10, 11)
    vertices = rng.normal(size=(6, 3)) * 40
    triangles = np.array([[0, 1, 2], [3, 4, 5]])
    row = [1, "ctx-lh-insula", "L", "cortex", 1.5, 2.5, 3.5, 10.0, 20.0, -1.0, 0.0, 0.0]
    lost = [2, "Left-Amygdala", "L", "subcortex", *[np.nan] * 4, 0.0, *[np.nan] * 3]
    return Anatomy(
        t1=make_image(rng.normal(size=shape).astype(np.float32), AFFINE),
        brain_mask=make_image(rng.random(shape) > 0.5, AFFINE),
        labels=make_image(rng.integers(0, 3, shape).astype(np.int32), AFFINE),
        regions=pd.DataFrame([row, lost], columns=list(COLUMNS)),
        tissues=make_image(rng.random((*shape, 5)).astype(np.float32), AFFINE),
        surfaces={"L": Surface(vertices, triangles, np.array([0, 1, 1, 0, 1, 0], np.int32))},
        quality={"brain_ml": 1300.0, "dropped": ["Brain-Stem"], "lost_regions": ["Left-Amygdala"]},
        notes=("A note.",),
    )


@pytest.fixture
def layout(tmp_path, anatomy):
    layout = PatientLayout(tmp_path, "01", "DesikanKilliany")
    write_anatomy(layout, anatomy, {"Sources": ["sub-01_T1w.nii.gz"]})
    return layout


def test_anatomy_is_read_back_equal(layout, anatomy):
    found = read_anatomy(layout)
    for name in ("t1", "brain_mask", "labels", "tissues"):
        written, read = getattr(anatomy, name), getattr(found, name)
        np.testing.assert_array_equal(np.asarray(written.dataobj), np.asarray(read.dataobj))
        np.testing.assert_allclose(written.affine, read.affine)
    pd.testing.assert_frame_equal(found.regions, anatomy.regions, check_dtype=False)
    np.testing.assert_allclose(found.surfaces["L"].vertices, anatomy.surfaces["L"].vertices, 1e-6)
    for name in ("triangles", "regions"):
        np.testing.assert_array_equal(
            getattr(found.surfaces["L"], name), getattr(anatomy.surfaces["L"], name)
        )
    assert found.quality["brain_ml"] == 1300.0
    assert found.notes == ("A note.",)


def test_the_sidecar_has_units_dropped_labels_and_lost_regions(layout):
    text = sidecar_of(layout.regions).read_text()
    for word in ("scanner RAS", "Brain-Stem", "Left-Amygdala", "sub-01_T1w.nii.gz"):
        assert word in text


def test_vertex_labels_have_region_names(layout):
    image = nib.load(layout.pial_labels("L"))
    assert image.labeltable.get_labels_as_dict() == {0: "unknown", 1: "ctx-lh-insula"}


def test_a_missing_folder_is_reported(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_anatomy(PatientLayout(tmp_path, "02"))


def test_an_unreadable_surface_is_reported(layout):
    layout.pial("L").write_text("<GIFTI")
    with pytest.raises(InputError, match="unreadable surface"):
        read_anatomy(layout)
