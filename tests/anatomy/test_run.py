import json
from dataclasses import replace

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from scipy import ndimage

from virtualbrain.anatomy import template_registration
from virtualbrain.anatomy.atlases import desikan_killiany
from virtualbrain.anatomy.quality import dice
from virtualbrain.anatomy.run import run_anatomy
from virtualbrain.anatomy.settings import AnatomySettings
from virtualbrain.anatomy.surface import enclosed_volume
from virtualbrain.anatomy.template import load_template
from virtualbrain.errors import InputError
from virtualbrain.io.freesurfer import freesurfer_names
from virtualbrain.io.images import make_image, read_image, write_image

QUICK = AnatomySettings(registration="quick", working_mm=2.5, surface_spacing_mm=3.0)


def overlaps(found, truth, table):
    """Return the Dice overlap of every region, by name."""
    found, truth = np.asarray(found.dataobj), np.asarray(truth.dataobj)
    return pd.Series(
        {
            name: dice(found == index, truth == index)
            for index, name in zip(table["index"], table["name"], strict=True)
        }
    )


@pytest.fixture(scope="module")
def lesion(brain):
    """Return the path of a lesion mask: a ball in the right frontal lobe."""
    _, truth = brain
    where = (
        np.asarray(truth.dataobj)
        == desikan_killiany().table.set_index("name").loc["ctx-rh-rostralmiddlefrontal", "index"]
    )
    centre = np.array(ndimage.center_of_mass(where))
    away = np.indices(truth.shape) - centre[:, None, None, None]
    path = brain[0].with_name("lesion_mask.nii.gz")
    write_image(path, make_image((away**2).sum(axis=0) < 16, truth.affine))
    return path


@pytest.fixture(scope="module")
def anatomy(brain, lesion):
    """The anatomy with a deformation of 4 mm; `tests/workflow` checks the quick one of 3 mm."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(template_registration._EFFORTS, "quick", (4.0, (30, 10, 2)))
        return run_anatomy(QUICK, t1=brain[0], lesion=lesion, seed=3)


@pytest.mark.slow
def test_the_built_in_parcellation_overlaps_the_true_regions(anatomy, brain, lesion):
    healthy = np.asarray(read_image(lesion).dataobj) == 0
    truth = make_image(np.asarray(brain[1].dataobj) * healthy, brain[1].affine)
    table = anatomy.regions
    found = overlaps(anatomy.labels, truth, table)
    is_cortex = (table["structure"] == "cortex").to_numpy()
    assert found[is_cortex].median() > 0.7
    assert found[~is_cortex].median() > 0.75
    assert found.min() > 0.3
    assert anatomy.quality["template_overlap"] > 0.95
    assert anatomy.quality["lost_regions"] == []


@pytest.mark.slow
def test_all_images_have_the_grid_of_the_t1(anatomy, brain):
    t1 = read_image(brain[0])
    for image in (anatomy.t1, anatomy.brain_mask, anatomy.labels, anatomy.tissues):
        assert image.shape[:3] == t1.shape
        np.testing.assert_allclose(image.affine, t1.affine, atol=1e-4)


@pytest.mark.slow
def test_lesion_voxels_have_their_own_tissue_and_no_region(anatomy, lesion):
    inside = np.asarray(read_image(lesion).dataobj) > 0
    assert not np.asarray(anatomy.labels.dataobj)[inside].any()
    in_brain = inside & (np.asarray(anatomy.brain_mask.dataobj) > 0)
    assert (np.asarray(anatomy.tissues.dataobj)[in_brain][:, 4] == 1).all()
    assert anatomy.quality["lesion_ml"] == pytest.approx(inside.sum() * 2.5**3 / 1000)


@pytest.mark.slow
def test_tissues_are_valid_for_tractography(anatomy):
    total = np.asarray(anatomy.tissues.dataobj).sum(axis=-1)
    mask = np.asarray(anatomy.brain_mask.dataobj) > 0
    np.testing.assert_allclose(total[mask], 1, atol=1e-3)
    assert not total[~mask].any()


@pytest.mark.slow
def test_surfaces_are_closed_and_labelled(anatomy, brain):
    for side, surface in anatomy.surfaces.items():
        assert enclosed_volume(surface.vertices, surface.triangles) > 3e5
        assert (surface.regions > 0).mean() > 0.6
        sides = anatomy.regions.set_index("index")["hemisphere"]
        assert set(sides[np.unique(surface.regions[surface.regions > 0])]) == {side}
    left, right = (anatomy.surfaces[side].vertices[:, 0].mean() for side in "LR")
    assert left < right


@pytest.mark.slow
def test_the_bias_field_is_corrected(anatomy, brain):
    mask = np.asarray(anatomy.brain_mask.dataobj) > 0
    places = np.nonzero(mask)[1]

    def slope(image):
        voxels = np.asarray(image.dataobj)[mask]
        return abs(np.corrcoef(voxels, places)[0, 1])

    assert slope(anatomy.t1) < 0.5 * slope(read_image(brain[0]))


@pytest.mark.slow
def test_a_skull_stripped_t1_is_noted(anatomy):
    assert any("already skull-stripped" in note for note in anatomy.notes)
    json.dumps({key: str(value) for key, value in anatomy.quality.items()})


# A FreeSurfer subject with the same labels ----------------------------------------------


@pytest.fixture(scope="module")
def subject(brain, tmp_path_factory):
    """Return a subject's folder with T1 and FreeSurfer labels, without surfaces."""
    path, truth = brain
    values = {name: value for value, name in freesurfer_names().items()}
    values |= {"Left-Thalamus": 10, "Right-Thalamus": 49}
    table = desikan_killiany().table
    lookup = np.zeros(len(table) + 2, np.int32)
    lookup[table["index"]] = [values[name] for name in table["name"]]
    labels = lookup[np.asarray(truth.dataobj) % 83]
    t1 = np.asarray(read_image(path).dataobj)
    x = np.indices(labels.shape)[0]
    labels[(labels == 0) & (t1 > 0)] = np.where(x < 35, 41, 2)[(labels == 0) & (t1 > 0)]
    labels[labels == values["ctx-lh-frontalpole"]] = 2
    folder = tmp_path_factory.mktemp("freesurfer") / "sub-01"
    (folder / "mri").mkdir(parents=True)
    nib.save(nib.MGHImage(labels, truth.affine), folder / "mri" / "aparc+aseg.mgz")
    nib.save(nib.MGHImage(t1, truth.affine), folder / "mri" / "T1.mgz")
    return folder, labels


@pytest.fixture(scope="module")
def from_subject(subject, brain, lesion):
    return run_anatomy(
        AnatomySettings(surface_spacing_mm=3.0), t1=brain[0], freesurfer=subject[0], lesion=lesion
    )


def test_region_volumes_are_those_of_the_subjects_label_image(subject, from_subject, lesion):
    healthy = np.asarray(read_image(lesion).dataobj) == 0
    values, counts = np.unique(subject[1][healthy], return_counts=True)
    names = freesurfer_names()
    expected = {names[int(v)]: n * 2.5**3 for v, n in zip(values, counts, strict=True)}
    table = from_subject.regions.set_index("name")
    for name, volume in table["volume"].items():
        earlier = name.replace("Thalamus", "Thalamus-Proper")
        wanted = expected.get(name, expected.get(earlier, 0))
        assert volume == pytest.approx(wanted, rel=1e-5), name
    assert len(table) == 84


def test_lost_regions_of_a_subject_stay_in_the_table(from_subject):
    lost = set(from_subject.quality["lost_regions"])
    assert lost == {"ctx-lh-frontalpole", "Left-Cerebellum-Cortex", "Right-Cerebellum-Cortex"}
    assert any("ctx-lh-frontalpole" in note for note in from_subject.notes)


def test_surfaces_are_built_if_the_subject_has_none(from_subject):
    assert set(from_subject.surfaces) == {"L", "R"}
    assert any("no pial surfaces" in note for note in from_subject.notes)


def test_a_t1_that_is_not_aligned_is_rejected(subject, brain, tmp_path):
    image = read_image(brain[0])
    moved = image.affine.copy()
    moved[:3, 3] += 60
    write_image(tmp_path / "other_T1w.nii.gz", make_image(np.asarray(image.dataobj), moved))
    with pytest.raises(InputError, match="are not aligned"):
        run_anatomy(AnatomySettings(), t1=tmp_path / "other_T1w.nii.gz", freesurfer=subject[0])


def test_a_user_atlas_in_t1w_space_is_unchanged(subject, brain, tmp_path):
    truth = np.asarray(brain[1].dataobj)
    write_image(
        tmp_path / "own.nii.gz", make_image((truth == 5) + 2 * (truth == 60), brain[1].affine)
    )
    (tmp_path / "own.tsv").write_text("index\tname\themisphere\n1\tfirst\tL\n2\tsecond\tR\n")
    settings = AnatomySettings(
        atlas="Own",
        atlas_image=str(tmp_path / "own.nii.gz"),
        atlas_table=str(tmp_path / "own.tsv"),
        atlas_space="T1w",
        surface_spacing_mm=3.0,
    )
    found = run_anatomy(settings, freesurfer=subject[0])
    table = found.regions
    assert table["name"].tolist()[:2] == ["first", "second"]
    assert (table["structure"] == "subcortex").sum() == 14 + 2
    labels = np.asarray(found.labels.dataobj)
    taken = labels > 2
    np.testing.assert_array_equal((labels == 1) | taken, (truth == 5) | taken)
    alone = run_anatomy(replace(settings, join_subcortex=False), freesurfer=subject[0])
    assert len(alone.regions) == 2


def test_the_registration_of_the_template_repeats_to_the_last_bit(brain, tmp_path):
    """With two threads of ITK the sums of mutual information end in another order each time."""
    t1, template = read_image(brain[0]), load_template().t1
    moved = []
    for attempt in range(3):
        folder = tmp_path / str(attempt)
        folder.mkdir()
        warp = template_registration.register_affine(t1, template, folder, 1)
        moved.append(np.asarray(warp.apply(template, t1).dataobj))
    assert np.array_equal(moved[0], moved[1])
    assert np.array_equal(moved[0], moved[2])


def test_the_deformable_registration_does_not_depend_on_its_threads(brain, tmp_path, monkeypatch):
    """Shown on the middle of the brain, which takes a fraction of the time."""
    whole, template = read_image(brain[0]), load_template().t1
    start = template_registration.register_affine(whole, template, tmp_path, 1)
    middle = np.zeros(whole.shape, np.float32)
    middle[22:50, 28:56, 22:50] = np.asarray(whole.dataobj)[22:50, 28:56, 22:50]
    t1 = make_image(middle, whole.affine)
    moved = []
    for threads in (1, 2, 2):
        monkeypatch.setattr(template_registration, "_THREADS", threads)
        warp = template_registration.register_deformable(
            [template_registration.Pair(t1, template)], start, tmp_path, 1, effort="quick"
        )
        moved.append(np.asarray(warp.apply(template, t1).dataobj))
        assert warp.transforms[1:] == start.transforms
        assert warp.inverse_deformation is not None
    assert not np.array_equal(moved[0], np.asarray(start.apply(template, t1).dataobj))
    assert np.array_equal(moved[0], moved[1])
    assert np.array_equal(moved[0], moved[2])


def test_a_t1_or_a_subject_is_required(subject):
    with pytest.raises(InputError, match="no T1w image"):
        run_anatomy(AnatomySettings())
    with pytest.raises(InputError, match="no T1w image"):
        run_anatomy(AnatomySettings(use_freesurfer=False), freesurfer=subject[0])
