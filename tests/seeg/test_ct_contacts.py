import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from virtualbrain.errors import InputError
from virtualbrain.seeg.ct_contacts import draw_electrodes, find_contacts

AFFINE = np.array([[0.5, 0, 0, -10], [0, 0.5, 0, -15], [0, 0, 0.6, -12], [0, 0, 0, 1.0]])
TARGET, ENTRY = np.array([5.0, 4, 3]), np.array([38.0, 20, 14])


def contacts_on(target, entry, n):
    axis = (entry - target) / np.linalg.norm(entry - target)
    return target + np.outer(3.5 * np.arange(n), axis)


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
    assert electrode.contrast > 2
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
