import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from virtualbrain.cli import main
from virtualbrain.errors import InputError
from virtualbrain.io.patient_search import find_patient
from virtualbrain.io.tables import read_table
from virtualbrain.seeg.contact_proposal import ContactChoices, propose_contacts, read_endpoints
from virtualbrain.seeg.contacts import read_contacts

AFFINE = np.array([[0.8, 0, 0, -10], [0, 0.8, 0, -15], [0, 0, 0.8, -12], [0, 0, 0, 1.0]])
TARGET, ENTRY = np.array([5.0, 4, 3]), np.array([38.0, 20, 14])


def true_contacts(n=8):
    axis = (ENTRY - TARGET) / np.linalg.norm(ENTRY - TARGET)
    return TARGET + np.outer(3.5 * np.arange(n), axis)


def endpoints(**changes):
    ends = {f"target_{a}": v for a, v in zip("xyz", np.add(TARGET, [0.8, -0.7, 0.5]), strict=True)}
    ends |= {f"entry_{a}": v for a, v in zip("xyz", ENTRY - [0.8, 0.5, -0.5], strict=True)}
    return pd.DataFrame([{"electrode": "A'", **ends, "n_contacts": 8, **changes}])


@pytest.fixture
def bids(patient, tmp_path):
    """A patient without contacts, end points of an electrode, and a CT that shows it."""
    patient.write(tmp_path / "bids")
    for path in (tmp_path / "bids" / "sub-01" / "ieeg").glob("*electrodes.tsv"):
        path.unlink()
    for path in (tmp_path / "bids" / "sub-01" / "ieeg").glob("*coordsystem.json"):
        path.unlink()
    endpoints().to_csv(tmp_path / "ends.tsv", sep="\t", index=False)
    values = np.full((70, 62, 60), 40.0, np.float32)
    grid = np.stack(np.meshgrid(*map(np.arange, values.shape), indexing="ij"), axis=-1)
    places = grid @ AFFINE[:3, :3].T + AFFINE[:3, 3]
    for contact in true_contacts():
        values += 3500 * np.exp(-0.5 * (((places - contact) ** 2).sum(-1)) / 0.8**2)
    nib.save(nib.Nifti1Image(values, AFFINE), tmp_path / "ct.nii.gz")
    return tmp_path / "bids"


def test_a_proposal_is_drawn_and_written_after_approval(bids, tmp_path, capsys):
    ends, out, ct = (str(tmp_path / name) for name in ("ends.tsv", "out", "ct.nii.gz"))
    command = ["contacts", str(bids), ends, out]
    assert main([*command, "--ct", ct]) == 0
    output = capsys.readouterr().out
    assert "A': 8 contacts, moved" in output
    assert "margin" in output
    assert "chosen from the image" in output
    assert "--approve" in output
    assert (tmp_path / "out" / "sub-01_desc-proposal_electrodes.png").stat().st_size > 5000
    assert find_patient(bids, "01").electrodes is None
    assert main([*command, "--approve"]) == 0
    found = read_contacts(find_patient(bids, "01"))
    error = np.linalg.norm(found[["x", "y", "z"]].to_numpy() - true_contacts(), axis=1)
    assert error.max() < 0.8
    assert list(found["name"])[:2] == ["A'1", "A'2"]


def test_approval_uses_the_corrected_table(bids, tmp_path):
    files, out = find_patient(bids, "01"), tmp_path / "out"
    propose_contacts(files, tmp_path / "ends.tsv", None, out, ContactChoices())
    path = out / "sub-01_desc-proposal_electrodes.tsv"
    table = read_table(path)
    table.loc[0, "x"] = 7.25
    table.to_csv(path, sep="\t", index=False, na_rep="n/a")
    propose_contacts(files, tmp_path / "ends.tsv", None, out, ContactChoices(approve=True))
    assert read_contacts(find_patient(bids, "01"))["x"][0] == 7.25


def test_contacts_in_the_dataset_are_never_overwritten(bids, tmp_path):
    files, ends, out = find_patient(bids, "01"), tmp_path / "ends.tsv", tmp_path / "out"
    with pytest.raises(InputError, match="no proposal to approve"):
        propose_contacts(files, ends, None, out, ContactChoices(approve=True))
    propose_contacts(files, ends, None, out, ContactChoices())
    propose_contacts(files, ends, None, out, ContactChoices(approve=True))
    with pytest.raises(InputError, match="already has contacts"):
        again = find_patient(bids, "01")
        propose_contacts(again, ends, None, out, ContactChoices(approve=True))


def test_contacts_that_cannot_be_separated_are_reported(bids, tmp_path):
    smooth = np.full((70, 62, 60), 40.0, np.float32)
    grid = np.stack(np.meshgrid(*map(np.arange, smooth.shape), indexing="ij"), axis=-1)
    places = grid @ AFFINE[:3, :3].T + AFFINE[:3, 3]
    axis = (ENTRY - TARGET) / np.linalg.norm(ENTRY - TARGET)
    along = (places - TARGET) @ axis
    aside = np.linalg.norm(places - TARGET - along[..., None] * axis, axis=-1)
    smooth[(aside < 1.2) & (along > -1) & (along < 26)] = 3000
    nib.save(nib.Nifti1Image(smooth, AFFINE), tmp_path / "ct.nii.gz")
    files = find_patient(bids, "01")
    lines = propose_contacts(
        files, tmp_path / "ends.tsv", tmp_path / "ct.nii.gz", tmp_path / "out", ContactChoices()
    )
    assert "CONTACTS NOT SEPARABLE" in lines[1]


def test_an_electrode_that_the_ct_does_not_decide_gets_no_coordinates(bids, tmp_path):
    values = np.full((70, 62, 60), 40.0, np.float32)
    grid = np.stack(np.meshgrid(*map(np.arange, values.shape), indexing="ij"), axis=-1)
    places = grid @ AFFINE[:3, :3].T + AFFINE[:3, 3]
    step = true_contacts()[1] - true_contacts()[0]
    for i in range(-6, 16):
        contact = TARGET + i * step
        values += 3500 * np.exp(-0.5 * (((places - contact) ** 2).sum(-1)) / 0.8**2)
    nib.save(nib.Nifti1Image(values, AFFINE), tmp_path / "ct.nii.gz")
    files, ends, out = find_patient(bids, "01"), tmp_path / "ends.tsv", tmp_path / "out"
    endpoints(n_contacts=5).to_csv(ends, sep="\t", index=False)
    lines = propose_contacts(files, ends, tmp_path / "ct.nii.gz", out, ContactChoices())
    assert sum(line.startswith("NOT DECIDED: A'") for line in lines) == 1
    table = read_table(out / "sub-01_desc-proposal_electrodes.tsv")
    assert table["x"].isna().all()
    with pytest.raises(InputError, match="5 contacts have no coordinates: A'1, A'2"):
        propose_contacts(files, ends, None, out, ContactChoices(approve=True))
    endpoints(n_contacts=5, exact="yes").to_csv(ends, sep="\t", index=False)
    lines = propose_contacts(files, ends, tmp_path / "ct.nii.gz", out, ContactChoices())
    assert "contact 1 stated" in lines[1]
    propose_contacts(files, ends, None, out, ContactChoices(approve=True))
    found = read_contacts(find_patient(bids, "01"))[["x", "y", "z"]].to_numpy()
    assert np.linalg.norm(found - true_contacts(5), axis=1).max() < 0.8


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (endpoints(target_x="1,5"), "target_x of A' is 1,5"),
        (endpoints(spacing_mm="3,5"), "spacing_mm of A' is 3,5"),
        (endpoints(spacing_mm="3.5 0"), "spacing_mm of A' is 3.5 0"),
        (endpoints(exact="maybe"), "exact of A' is maybe"),
        (endpoints(n_contacts=0), "n_contacts of A' is 0"),
        (pd.concat([endpoints(), endpoints()]), "the electrode A' occurs twice"),
        (endpoints().drop(columns="entry_z"), "no column entry_z"),
    ],
)
def test_invalid_end_points_are_refused(tmp_path, table, words):
    table.to_csv(tmp_path / "ends.tsv", sep="\t", index=False)
    with pytest.raises(InputError, match=words):
        read_endpoints(tmp_path / "ends.tsv")


@pytest.mark.slow
def test_a_ct_is_registered_to_the_t1(bids, tmp_path):
    rng = np.random.default_rng(1)
    grid = np.stack(np.meshgrid(*[np.arange(48.0)] * 3, indexing="ij"), axis=-1) * 3 - 72
    radius = np.linalg.norm(grid / [0.9, 1.1, 0.8] + [0, 3, 0], axis=-1)
    lump = np.linalg.norm(grid - [20, 30, 10], axis=-1) < 14
    skull = (radius > 55) & (radius < 62)
    t1 = 100.0 * (radius < 55) - 60 * lump + 20 * skull + rng.normal(0, 2, radius.shape)
    ct = np.where(radius < 62, 40.0, -1000.0) - 30 * lump + 900 * skull
    affine = np.diag([3.0, 3, 3, 1])
    affine[:3, 3] = -72
    folder = bids / "sub-01" / "anat"
    folder.mkdir()
    nib.save(nib.Nifti1Image(t1.astype(np.float32), affine), folder / "sub-01_T1w.nii.gz")
    moved = np.eye(4)
    moved[:3, 3] = [9, -6, 5]
    from virtualbrain.seeg.contact_proposal import _register

    image = nib.Nifti1Image(ct.astype(np.float32), moved @ affine)
    found = _register(image, find_patient(bids, "01"), tmp_path)
    assert np.abs(found.affine - affine).max() < 1.0
    assert (tmp_path / "sub-01_desc-registration_ct.png").is_file()
