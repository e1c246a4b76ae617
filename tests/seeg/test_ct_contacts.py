import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from tests.seeg.made_ct import SCALES, Scene, make_ct
from virtualbrain.errors import InputError
from virtualbrain.seeg.ct_contacts import draw_electrodes, find_contacts

AFFINE = np.array([[0.5, 0, 0, -10], [0, 0.5, 0, -15], [0, 0, 0.6, -12], [0, 0, 0, 1.0]])
TARGET, ENTRY = np.array([5.0, 4, 3]), np.array([38.0, 20, 14])


def contacts_on(target, entry, n):
    axis = (entry - target) / np.linalg.norm(entry - target)
    return target + np.outer(3.5 * np.arange(n), axis)


def image_of(contacts):
    """A CT of blurred contacts in brain of 40 HU."""
    values = np.full((110, 100, 80), 40.0)
    grid = np.stack(np.meshgrid(*map(np.arange, values.shape), indexing="ij"), axis=-1)
    places = grid @ AFFINE[:3, :3].T + AFFINE[:3, 3]
    for contact in contacts:
        values += 3500 * np.exp(-0.5 * (((places - contact) ** 2).sum(-1)) / 0.8**2)
    return nib.Nifti1Image(values.astype(np.float32), AFFINE)


@pytest.fixture
def ct():
    """Brain of 40 HU, skull of 900 HU, eight blurred contacts of 3000 HU on a dim shaft."""
    rng = np.random.default_rng(0)
    values = 40 + 20 * rng.standard_normal((110, 100, 80))
    values[95:100] = 900
    grid = np.stack(np.meshgrid(*map(np.arange, values.shape), indexing="ij"), axis=-1)
    places = grid @ AFFINE[:3, :3].T + AFFINE[:3, 3]
    for contact in contacts_on(TARGET, ENTRY, 8):
        values += 3500 * np.exp(-0.5 * (((places - contact) ** 2).sum(-1)) / 0.8**2)
    return nib.Nifti1Image(values.astype(np.float32), AFFINE)


def marked(target, entry, n=8):
    ends = {f"target_{a}": v for a, v in zip("xyz", target, strict=True)}
    ends |= {f"entry_{a}": v for a, v in zip("xyz", entry, strict=True)}
    return pd.DataFrame([{"electrode": "A'", **ends, "n_contacts": n}])


def test_contacts_are_found_from_approximate_end_points(ct):
    rough = marked(np.add(TARGET, [1.2, -1.0, 0.8]), np.add(ENTRY, [-1.5, 1.0, 1.5]))
    (electrode,) = find_contacts(ct, rough)
    found = electrode.contacts[["x", "y", "z"]].to_numpy()
    error = np.linalg.norm(found - contacts_on(TARGET, ENTRY, 8), axis=1)
    assert error.max() < 0.6
    assert electrode.position.contrast > 2
    assert electrode.decided
    assert electrode.moved_mm > 0.5
    assert list(electrode.contacts["name"])[:2] == ["A'1", "A'2"]


def test_an_electrode_without_metal_is_refused(ct):
    away = marked(np.add(TARGET, [0, 25, 0]), np.add(ENTRY, [0, 12, 0]))
    with pytest.raises(InputError, match="no metal along the electrode A'"):
        find_contacts(ct, away)


def test_the_figure_for_approval_is_drawn(ct, tmp_path):
    electrodes = find_contacts(ct, marked(TARGET, ENTRY))
    draw_electrodes(ct, electrodes, tmp_path / "contacts.png")
    from matplotlib.image import imread

    picture = imread(tmp_path / "contacts.png")
    assert picture.shape[0] > 100
    assert picture[..., :3].std() > 0.05


SCENES = {
    "bolts": Scene(),
    "5 mm, Hounsfield": Scene(spacing_mm=5.0, scale="hounsfield"),
    "bent": Scene(bend_mm=6.0),
    "bent, 5 mm, no bolts": Scene(spacing_mm=5.0, bend_mm=6.0, bolts=False, scale="wide"),
    "crossing": Scene(crossing=True),
    "crossing, 5 mm, blooming": Scene(
        spacing_mm=5.0, crossing=True, peak_hu=9000.0, scale="hounsfield"
    ),
    "merged by blooming": Scene(peak_hu=16000.0, scale="8-bit window"),
    "faint": Scene(peak_hu=2500.0),
    "blurred, far end points": Scene(psf_mm=0.9, off_mm=2.5, scale="offset"),
    "entry at the last contact": Scene(entry_at_skull=False, bend_mm=3.0),
}


def errors_mm(electrode, true):
    found = electrode.contacts[["x", "y", "z"]].to_numpy()
    return np.linalg.norm(found - true[electrode.name], axis=1)


@pytest.mark.slow
@pytest.mark.parametrize("scene", SCENES.values(), ids=SCENES.keys())
def test_contacts_of_made_cts_are_within_a_millimetre(scene):
    errors, electrodes = [], []
    for seed in (101, 102):
        ct, ends, true = make_ct(scene, seed)
        found = find_contacts(ct, ends)
        electrodes += found
        errors += [errors_mm(electrode, true) for electrode in found if electrode.decided]
    assert len(errors) >= 0.75 * len(electrodes)
    assert max(np.median(error) for error in errors) < 1.0
    assert np.mean(np.concatenate(errors) < 1.0) >= 0.99


@pytest.mark.slow
def test_contacts_are_the_same_on_every_scale_of_intensities():
    found = []
    for scale in SCALES:
        ct, ends, _ = make_ct(Scene(scale=scale, n_electrodes=3), 7)
        contacts = [e.contacts[["x", "y", "z"]].to_numpy() for e in find_contacts(ct, ends)]
        found.append(np.concatenate(contacts))
    assert np.linalg.norm(np.array(found) - found[0], axis=-1).max() < 0.6


@pytest.mark.parametrize("contacts_off", [-1, 1])
def test_a_target_that_is_one_contact_off_is_corrected(contacts_off):
    ct, ends, true = make_ct(Scene(off_mm=0.5, n_electrodes=2), 3)
    for i, name in enumerate(true):
        step = true[name][1] - true[name][0]
        for axis, change in zip("xyz", step * contacts_off, strict=True):
            ends.loc[i, f"target_{axis}"] += change
    for electrode in find_contacts(ct, ends):
        assert electrode.decided
        assert errors_mm(electrode, true).max() < 1.0


def test_a_number_of_contacts_that_does_not_fit_is_reported():
    ct, ends, true = make_ct(Scene(n_electrodes=1, bolts=False, scale="hounsfield"), 4)
    n = len(true["A"])
    (fewer,) = find_contacts(ct, ends.assign(n_contacts=n - 1))
    assert fewer.position.further
    (exact,) = find_contacts(ct, ends)
    assert not exact.position.further
    assert exact.position.unseen == ()
    assert exact.decided


def test_a_spacing_that_does_not_fit_is_never_silent():
    ct, ends, _ = make_ct(Scene(spacing_mm=5.0, scale="hounsfield", n_electrodes=4), 0)
    for electrode in find_contacts(ct, ends.assign(spacing_mm="3.5")):
        assert not electrode.decided or electrode.position.contrast < 1.3


@pytest.fixture
def endless():
    """A CT in which contacts go on beyond both ends of the marked part."""
    axis = (ENTRY - TARGET) / np.linalg.norm(ENTRY - TARGET)
    return image_of(TARGET + np.outer(3.5 * np.arange(-12, 14), axis))


def test_a_position_that_the_ct_does_not_show_is_not_chosen(endless):
    (electrode,) = find_contacts(endless, marked(TARGET, ENTRY, n=5))
    assert not electrode.decided
    assert abs(electrode.next_shift_mm) > 2


def test_a_target_stated_to_be_on_contact_1_decides(endless):
    rough = marked(np.add(TARGET, [0.8, 0.5, -0.5]), ENTRY, n=5).assign(exact="yes")
    (electrode,) = find_contacts(endless, rough)
    assert electrode.decided
    found = electrode.contacts[["x", "y", "z"]].to_numpy()
    assert np.linalg.norm(found - contacts_on(TARGET, ENTRY, 5), axis=1).max() < 0.6


def test_all_electrodes_without_metal_are_in_one_line(ct):
    away = marked(np.add(TARGET, [0, 25, 0]), np.add(ENTRY, [0, 12, 0]))
    both = pd.concat([away, away.assign(electrode="B"), marked(TARGET, ENTRY)])
    with pytest.raises(InputError, match="no metal along the electrodes A', B"):
        find_contacts(ct, both)


def test_a_stated_threshold_replaces_the_one_of_the_image(ct):
    (electrode,) = find_contacts(ct, marked(TARGET, ENTRY), 1500.0)
    assert electrode.level.threshold == pytest.approx(1500)
    with pytest.raises(InputError, match="no metal"):
        find_contacts(ct, marked(TARGET, ENTRY), 9000.0)


@pytest.mark.parametrize("n", [2, 3])
def test_an_electrode_of_few_contacts_is_placed_from_its_deep_end(n):
    true = contacts_on(TARGET, ENTRY, n)
    image = image_of(true)
    (electrode,) = find_contacts(image, marked(np.add(TARGET, 0.7), ENTRY, n=n))
    found = electrode.contacts[["x", "y", "z"]].to_numpy()
    assert electrode.decided
    assert np.linalg.norm(found - true, axis=1).max() < 0.8


def test_uneven_spacings_are_followed():
    steps = [3.5, 3.5, 9.0, 3.5, 3.5]
    axis = (ENTRY - TARGET) / np.linalg.norm(ENTRY - TARGET)
    true = TARGET + np.outer(np.cumsum([0, *steps]), axis)
    image = image_of(true)
    rough = marked(TARGET + 2.5 * axis, ENTRY, n=6).assign(spacing_mm="3.5 3.5 9 3.5 3.5")
    (electrode,) = find_contacts(image, rough)
    found = electrode.contacts[["x", "y", "z"]].to_numpy()
    assert electrode.decided
    assert np.linalg.norm(found - true, axis=1).max() < 0.8


def test_an_electrode_outside_the_image_is_refused(ct):
    with pytest.raises(InputError, match="no metal"):
        find_contacts(ct, marked(np.add(TARGET, 500), np.add(ENTRY, 500)))
