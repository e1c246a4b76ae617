"""The anatomy of the template, for a patient without MRI."""

import numpy as np
import pytest

from virtualbrain.anatomy.atlases import desikan_killiany
from virtualbrain.anatomy.quality import dice
from virtualbrain.anatomy.run import run_anatomy
from virtualbrain.anatomy.settings import AnatomySettings
from virtualbrain.anatomy.voxel_grids import resample
from virtualbrain.errors import ConfigError
from virtualbrain.io.images import make_image, write_image

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def anatomy():
    return run_anatomy(AnatomySettings(working_mm=2.5, surface_spacing_mm=4.0), template=True)


def test_regions_are_those_of_the_built_in_atlas_at_their_places(anatomy):
    atlas = desikan_killiany()
    assert anatomy.regions["name"].tolist() == atlas.table["name"].tolist()
    on_grid = np.asarray(resample(atlas.image, anatomy.t1, order=0).dataobj)
    found = np.asarray(anatomy.labels.dataobj)
    overlap = [dice(found == i, on_grid == i) for i in anatomy.regions["index"]]
    assert np.median(overlap) > 0.7
    assert (anatomy.regions["volume"] > 0).all()
    sides = np.where(anatomy.regions["x"] < 0, "L", "R")
    assert sides.tolist() == anatomy.regions["hemisphere"].tolist()


def test_it_is_named_as_that_of_the_template(anatomy):
    assert anatomy.quality["route"] == "template MNI152"
    assert "no MRI of this patient" in anatomy.notes[0]


def test_both_hemispheres_have_a_surface_with_regions(anatomy):
    for side, sign in (("L", -1), ("R", 1)):
        surface = anatomy.surfaces[side]
        assert sign * np.median(surface.vertices[:, 0]) > 10
        assert (surface.regions > 0).mean() > 0.6


def test_an_atlas_in_the_space_of_a_t1_is_refused(tmp_path):
    image, table = tmp_path / "own.nii.gz", tmp_path / "own.tsv"
    write_image(image, make_image(np.ones((4, 4, 4), np.int32), np.eye(4)))
    table.write_text("index\tname\n1\tLeft-A\n")
    settings = AnatomySettings(
        atlas="own", atlas_image=str(image), atlas_table=str(table), atlas_space="T1w"
    )
    with pytest.raises(ConfigError, match="there is none"):
        run_anatomy(settings, template=True)
