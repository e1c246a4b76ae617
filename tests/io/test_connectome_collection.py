"""Connectomes of several persons in one folder."""

import numpy as np
import pandas as pd
import pytest

from virtualbrain.connectome import Connectome
from virtualbrain.errors import InputError
from virtualbrain.io.connectome import write_connectome
from virtualbrain.io.connectome_collection import read_connectomes
from virtualbrain.io.layout import PatientLayout
from virtualbrain.io.tables import write_matrix
from virtualbrain.io.tvb_zip import write_tvb_zip

NAMES = ("r1", "r2", "r3", "r4")


def weights_of(seed: int) -> np.ndarray:
    weights = np.triu(np.random.default_rng(seed).random((4, 4)), 1)
    return weights + weights.T


def whole(seed: int) -> Connectome:
    places = np.random.default_rng(9).uniform(10, 40, (4, 3))
    regions = pd.DataFrame(
        {"index": [1, 2, 3, 4], "name": NAMES, "hemisphere": "L", "structure": "cortex",
         **dict(zip("xyz", places.T, strict=True)), "area": 100.0, "volume": 900.0}
    )  # fmt: skip
    return Connectome(regions, weights_of(seed), 50.0 * (weights_of(seed) > 0))


def put(folder, seed: int, name: str, order=NAMES) -> None:
    places = [NAMES.index(region) for region in order]
    square = weights_of(seed)[np.ix_(places, places)]
    write_matrix(folder / f"{name}.tsv", square, list(order), list(order), {})


def problem_of(folder) -> str:
    with pytest.raises(InputError) as problem:
        read_connectomes(folder, NAMES)
    assert "\n" not in str(problem.value)
    return str(problem.value)


def test_every_form_gives_the_weights_in_the_order_of_the_patient(tmp_path):
    put(tmp_path, 1, "anna", order=("r4", "r2", "r1", "r3"))
    write_tvb_zip(tmp_path / "ben.zip", whole(2))
    write_connectome(PatientLayout(tmp_path / "made", "07"), whole(3), {})
    (tmp_path / "made" / "sub-07" / "connectome").rename(tmp_path / "carl")
    for made in ("made/sub-07", "made"):
        (tmp_path / made).rmdir()
    (tmp_path / "notes.txt").touch()
    (tmp_path / ".hidden.tsv").touch()
    found = read_connectomes(tmp_path, NAMES)
    assert list(found) == ["anna", "ben", "carl"]
    for seed, one in enumerate(found.values(), 1):
        assert np.allclose(one.weights, weights_of(seed))
        assert one.names == NAMES


def test_named_matrices_may_have_lengths_and_region_tables_beside_them(tmp_path):
    put(tmp_path, 1, "sub-01_stat-streamlines_relmat")
    put(tmp_path, 5, "sub-01_stat-length_relmat")
    (tmp_path / "sub-01_atlas-X_dseg.tsv").write_text("name\nr1\n")
    found = read_connectomes(tmp_path, NAMES)
    assert list(found) == ["sub-01_stat-streamlines_relmat"]
    assert np.allclose(next(iter(found.values())).weights, weights_of(1))


def test_further_regions_are_left_out(tmp_path):
    put(tmp_path, 1, "anna")
    found = read_connectomes(tmp_path, ("r3", "r1"))["anna"]
    assert np.allclose(found.weights, weights_of(1)[np.ix_([2, 0], [2, 0])])


def test_one_triangle_is_enough(tmp_path):
    write_matrix(tmp_path / "anna.tsv", np.triu(weights_of(1)), NAMES, NAMES, {})
    assert np.allclose(read_connectomes(tmp_path, NAMES)["anna"].weights, weights_of(1))


def test_a_folder_that_is_missing_or_empty_is_one_line(tmp_path):
    assert "no such folder" in problem_of(tmp_path / "none")
    assert "no connectome in the folder" in problem_of(tmp_path)


def test_a_missing_region_is_named(tmp_path):
    write_matrix(tmp_path / "anna.tsv", np.ones((3, 3)), NAMES[:3], NAMES[:3], {})
    words = problem_of(tmp_path)
    assert "anna.tsv: no region r4 (1 of 4 are missing)" in words
    assert "use connectomes of the patient's atlas" in words


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda w: np.where(w == w.max(), -1.0, w), "anna.tsv: the weight of"),
        (lambda w: np.where(w == w.max(), np.inf, w), "is not a finite number"),
        (lambda w: w * np.array([[1.0], [1], [1], [3]]), "differs from that in the other"),
        (lambda w: 0.0 * w, "anna.tsv: no connection between the regions"),
    ],
)  # fmt: skip
def test_weights_that_are_no_connectome_are_refused(tmp_path, change, words):
    write_matrix(tmp_path / "anna.tsv", change(weights_of(1)), NAMES, NAMES, {})
    assert words in problem_of(tmp_path)


def test_a_matrix_that_is_not_square_is_refused(tmp_path):
    write_matrix(tmp_path / "anna.tsv", weights_of(1)[:, :3], NAMES, NAMES[:3], {})
    assert "4 rows and 3 columns; r4 is only one of both" in problem_of(tmp_path)


def test_two_entries_of_one_name_are_refused(tmp_path):
    put(tmp_path, 1, "anna")
    write_tvb_zip(tmp_path / "anna.zip", whole(2))
    assert "two connectomes of the name anna" in problem_of(tmp_path)
