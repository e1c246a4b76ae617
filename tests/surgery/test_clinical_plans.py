"""The clinic's plans: masks, tables, and one-line errors."""

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from virtualbrain.connectome import Connectome
from virtualbrain.errors import InputError
from virtualbrain.io.clinical import check_clinical, read_outcome_classes, read_plans, read_resected
from virtualbrain.io.images import make_image, write_image
from virtualbrain.io.layout import PatientLayout
from virtualbrain.io.patient_search import find_patient
from virtualbrain.io.tables import write_table
from virtualbrain.surgery.candidates import DONE
from virtualbrain.surgery.check import check_pairs
from virtualbrain.surgery.clinical_plans import clinical_plans
from virtualbrain.surgery.resected_fraction import shares_in_mask

AFFINE = np.diag([2.0, 2.0, 2.0, 1.0])


@pytest.fixture
def labels() -> nib.Nifti1Image:
    """Region 1 in the lower half of x, region 2 in the upper."""
    volume = np.zeros((10, 8, 8), dtype=np.int32)
    volume[1:5], volume[5:9] = 1, 2
    return make_image(volume, AFFINE)


@pytest.fixture
def table() -> pd.DataFrame:
    return pd.DataFrame(
        {"index": [1, 2], "name": ["a", "b"], "hemisphere": ["L", "R"], "structure": "cortex",
         "x": 0.0, "y": 0.0, "z": 0.0, "area": np.nan, "volume": 100.0}
    )  # fmt: skip


def box(start: int, end: int, size_mm: float = 1.0) -> nib.Nifti1Image:
    """Return a mask from x = start to end (mm) on a grid of its own."""
    n = int(40 / size_mm)
    x = np.arange(n) * size_mm - 10
    inside = np.zeros((n, n, n), dtype=np.uint8)
    inside[(x >= start) & (x <= end)] = 1
    affine = np.diag([size_mm] * 3 + [1.0])
    affine[:3, 3] = -10
    return make_image(inside, affine)


@pytest.mark.parametrize("size_mm", [1.0, 0.5])
def test_mask_gives_the_resected_fraction_of_each_region(labels, table, size_mm):
    # Voxel centres of region 1 lie at x = 2, 4, 6, 8 mm, of region 2 at 10 to 16.
    assert shares_in_mask(box(5, 9, size_mm), labels, table) == {"a": 0.5}
    assert shares_in_mask(box(5, 11, size_mm), labels, table) == {"a": 0.5, "b": 0.25}
    assert shares_in_mask(box(-10, 30, size_mm), labels, table) == {"a": 1.0, "b": 1.0}


def test_a_mask_outside_the_brain_is_refused(labels, table):
    with pytest.raises(InputError, match=r"laser\.nii: the mask overlaps no region"):
        shares_in_mask(box(20, 25), labels, table, "laser.nii")
    with pytest.raises(InputError, match="the mask is empty"):
        shares_in_mask(box(99, 100), labels, table)


@pytest.fixture
def patient(tmp_path, labels):
    """Return a function that writes clinical files and reads the clinic's plans back."""
    bids = tmp_path / "bids"
    clinical = bids / "derivatives" / "clinical" / "sub-01"
    clinical.mkdir(parents=True)
    (bids / "sub-01").mkdir()
    (bids / "dataset_description.json").write_text("{}")
    layout = PatientLayout(tmp_path / "out", "01")
    write_image(layout.labels, labels)
    write_image(clinical / "laser_mask.nii.gz", box(5, 11))

    def files(**texts: str):
        for name, text in texts.items():
            (clinical / f"sub-01_{name}.tsv").write_text(text)
        return find_patient(bids, "01"), layout

    return files


@pytest.fixture
def connectome(table) -> Connectome:
    weights = np.array([[0.0, 3.0], [3.0, 0.0]])
    return Connectome(table, weights, weights * 10, "made")


HEADER = "name\tkind\tregions\tto\tmask\tpair\n"


def test_every_kind_of_plan(patient, connectome):
    files, layout = patient(
        plans=HEADER
        + "top\tresection\ta\tn/a\tn/a\tn/a\n"
        + "laser\tablation\tn/a\tn/a\tlaser_mask.nii.gz\tn/a\n"
        + "split\tdisconnection\tcallosotomy\tn/a\tn/a\tn/a\n"
        + "tract\tdisconnection\ta\tb\tn/a\tn/a\n"
        + "off\tdisconnection\ta\tn/a\tn/a\tn/a\n"
        + "test\tstimulation\tn/a\tn/a\tn/a\tA1-A2\n"
    )
    assert check_clinical(files) == []
    assert layout.labels.is_file()
    assert any(path.name == "laser_mask.nii.gz" for path in files.clinical_files())
    clinic = clinical_plans(files, layout, connectome)
    kinds = [(plan.name, plan.kind, plan.regions, plan.edges) for plan in clinic.plans]
    assert kinds == [
        ("top", "resection", ("a",), ()),
        ("laser", "ablation", ("a", "b"), ()),
        ("callosotomy", "disconnection", (), (("a", "b"),)),
        ("tract", "disconnection", (), (("a", "b"),)),
        ("off", "disconnection", ("a",), ()),
    ]
    assert clinic.plans[1].shares == (0.5, 0.25)
    assert clinic.pairs == ("A1-A2",)
    assert clinic.done is None


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("x\texcision\ta\tn/a\tn/a\tn/a\n", "row 2: unknown kind of plan 'excision'"),
        ("x\tresection\tn/a\tn/a\tn/a\tn/a\n", "row 2: the plan has no target"),
        ("x\tstimulation\tn/a\tn/a\tn/a\tn/a\n", "row 2: no contacts to stimulate"),
        ("x\tablation\tn/a\tn/a\tnone.nii\tn/a\n", "no such file"),
        ("x\tablation\ta\tn/a\tlaser_mask.nii.gz\tn/a\n", "a mask cannot be combined with regions"),
    ],
)
def test_bad_plan_is_one_line_at_minute_0(patient, row, words):
    files, _ = patient(plans=HEADER + row)
    (problem,) = check_clinical(files)
    assert words in str(problem)
    assert "\n" not in str(problem)


@pytest.mark.parametrize(
    ("pair", "words"),
    [("A1-A2", ""), ("a01-A9", "contact A9 of the pair"), ("A1", "is not a pair")],
)
def test_a_pair_that_was_not_implanted_is_found_at_minute_0(patient, tmp_path, pair, words):
    ieeg = tmp_path / "bids" / "sub-01" / "ieeg"
    ieeg.mkdir()
    (ieeg / "sub-01_electrodes.tsv").write_text("name\tx\nA1\t0\nA2\t1\n")
    files, _ = patient(plans=HEADER + f"x\tstimulation\tn/a\tn/a\tn/a\t{pair}\n")
    problems = [str(problem) for problem in check_pairs(files)]
    assert len(problems) == bool(words)
    assert all(words in problem and "row 2" in problem for problem in problems)


def test_repeated_plan_is_refused(tmp_path):
    path = tmp_path / "plans.tsv"
    path.write_text("name\tkind\tregions\nx\tresection\ta\nx\tresection\tb\n")
    with pytest.raises(InputError, match="occurs twice"):
        read_plans(path)


def test_unknown_region_of_a_plan_is_reported_with_its_row(patient, connectome):
    files, layout = patient(plans=HEADER + "x\tresection\tnowhere\tn/a\tn/a\tn/a\n")
    with pytest.raises(InputError, match=r"plans\.tsv, row 2: unknown region nowhere"):
        clinical_plans(files, layout, connectome)


def test_the_resection_that_was_done_as_regions_or_as_a_mask(patient, connectome):
    files, layout = patient(resected="region\tshare\na\t0.4\nb\t1\n")
    done = clinical_plans(files, layout, connectome).done
    assert done is not None
    assert (done.name, done.kind, done.shares) == (DONE, "clinical", (0.4, 1.0))
    files.resected.unlink()
    write_image(files.resected.with_name("sub-01_desc-resected_mask.nii.gz"), box(5, 11))
    files, layout = patient()
    assert clinical_plans(files, layout, connectome).done.shares == (0.5, 0.25)


@pytest.mark.parametrize(
    ("marks", "shares"), [(["yes", "no", "no"], (2 / 3,)), (["yes", "yes", "yes"], (1.0, 1.0))]
)
def test_contacts_marked_as_resected_are_the_resection_that_was_done(
    patient, connectome, marks, shares
):
    files, layout = patient()
    contacts = pd.DataFrame(
        {"name": ["A1", "A2", "A3"], "region": ["a", "a", "b"], "resected": marks,
         "region_probabilities": ["a=1.00", "a=0.30;b=0.30", "b=0.80"]}
    )  # fmt: skip
    write_table(layout.contacts, contacts, {})
    done = clinical_plans(files, layout, connectome).done
    assert done.name == DONE
    assert sorted(done.shares) == pytest.approx(sorted(shares))
    files, layout = patient(resected="region\tshare\na\t0.4\n")
    assert clinical_plans(files, layout, connectome).done.shares == (0.4,)


@pytest.mark.parametrize(
    ("text", "words"), [("region\n", "empty"), ("region\tshare\na\t1.5\n", "row 2: the share 1.5")]
)
def test_a_bad_resection_is_refused(tmp_path, text, words):
    path = tmp_path / "resected.tsv"
    path.write_text(text)
    with pytest.raises(InputError, match=words):
        read_resected(path)


def test_outcome_classes(tmp_path):
    assert read_outcome_classes(tmp_path) == {}
    path = tmp_path / "participants.tsv"
    path.write_text(
        "participant_id\tengel\tilae\nsub-1\tIa\tn/a\nsub-2\tIII\tn/a\nsub-3\tn/a\t2\n"
        "sub-4\tn/a\t5\nsub-5\tn/a\tn/a\nsub-6\t1B\tn/a\nsub-7\t3\tn/a\n"
    )
    expected = {"1": True, "2": False, "3": True, "4": False, "6": True, "7": False}
    assert read_outcome_classes(tmp_path) == expected
    path.write_text("participant_id\tengel\nsub-1\tV\n")
    with pytest.raises(InputError, match="row 2: unknown Engel class 'V'"):
        read_outcome_classes(tmp_path)
    path.write_text("participant_id\tengel\nsub-1\t1\nsub-2\t4\n")
    assert read_outcome_classes(tmp_path) == {"1": True, "2": False}
    path.write_text("participant_id\tilae\nsub-1\t9\n")
    with pytest.raises(InputError, match="unknown ILAE class 9"):
        read_outcome_classes(tmp_path)
