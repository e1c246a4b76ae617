"""Ready connectomes as other tools and published datasets write them."""

import bz2
import zipfile

import numpy as np
import pandas as pd
import pytest

from tests.io.refused_connectome import problem_of
from virtualbrain.connectome import Connectome, mirrored
from virtualbrain.errors import InputError
from virtualbrain.io.connectome import read_ready_connectome, ready_atlas
from virtualbrain.io.tables import write_matrix, write_table
from virtualbrain.io.tvb_zip import read_centres, read_tvb_zip

NAMES = ("ctx-lh-a", "ctx-lh-b", "ctx-rh-a", "ctx-rh-b", "Left-C")
PLACES = np.array([[-36.0, 10, 5], [-20, 12, 7], [36, -10, 5], [20, -14, 9], [-12, 0, 30]])


def matrices(n=5, seed=0):
    rng = np.random.default_rng(seed)
    weights, lengths = rng.lognormal(2, 1, (n, n)), rng.uniform(20, 90, (n, n))
    for matrix in (weights, lengths):
        np.fill_diagonal(matrix, 0)
    return np.round(weights + weights.T, 3), np.round((lengths + lengths.T) / 2, 2)


def text_of(matrix):
    return "\n".join(" ".join(f"{value:g}" for value in row) for row in matrix) + "\n"


def centre_lines(names=NAMES, places=PLACES, form="{name} {x} {y} {z}"):
    rows = enumerate(zip(names, places, strict=True), start=1)
    return "\n".join(form.format(i=i, name=n, x=x, y=y, z=z) for i, (n, (x, y, z)) in rows) + "\n"


def zipped(path, members):
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            raw = content if isinstance(content, bytes) else content.encode()
            archive.writestr(name, bz2.compress(raw) if name.endswith(".bz2") else raw)
    return path


def members_of(centres=None, **changes):
    weights, lengths = matrices()
    found = {
        "weights.txt": text_of(weights),
        "tract_lengths.txt": text_of(lengths),
        "centres.txt": centre_lines() if centres is None else centres,
    }
    return found | changes


def assert_right(found):
    weights, lengths = matrices()
    assert found.names == NAMES
    assert np.allclose(found.regions[["x", "y", "z"]], PLACES)
    assert np.allclose(found.weights, weights)
    assert np.allclose(found.lengths_mm, lengths)


# ---- The Virtual Brain's zip ------------------------------------------------------------


@pytest.mark.parametrize("folder", ["", "connectivity_5/"])
@pytest.mark.parametrize("compressed", [("weights",), ("weights", "tract_lengths", "centres")])
def test_members_compressed_with_bzip2_are_read(tmp_path, folder, compressed):
    members = {
        folder + name + (".bz2" if name[:-4] in compressed else ""): content
        for name, content in members_of().items()
    }
    assert_right(read_tvb_zip(zipped(tmp_path / "connectivity.zip", members)))


def test_a_member_that_unpacks_to_a_bomb_is_refused(tmp_path):
    members = members_of()
    members["weights.txt.bz2"] = b"0 " * 2**22
    members.pop("weights.txt")
    with pytest.raises(InputError, match="unpacks to more than"):
        read_tvb_zip(zipped(tmp_path / "connectivity.zip", members))


def test_damaged_bzip2_is_refused_in_one_line(tmp_path):
    path = tmp_path / "connectivity.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members_of().items():
            archive.writestr(name + ".bz2", content)
    with pytest.raises(InputError, match="damaged"):
        read_tvb_zip(path)


STRAY = (
    centre_lines(NAMES[::-1], np.zeros((5, 3))),
    centre_lines([f"r{i}" for i in range(5)], np.full((5, 3), 7.0)),
    centre_lines(NAMES[:3], np.zeros((3, 3))),
)


@pytest.mark.parametrize("stray", STRAY)
@pytest.mark.parametrize(
    "names", [("centres", "centers"), ("centers", "centres"), ("positions", "centres")]
)
def test_of_two_lists_of_centres_the_one_with_places_is_used(tmp_path, stray, names):
    own, other = names
    members = members_of()
    members[f"{own}.txt"] = members.pop("centres.txt")
    members[f"{other}.txt"] = stray
    assert_right(read_tvb_zip(zipped(tmp_path / "connectivity.zip", members)))


def test_two_lists_with_different_places_are_refused(tmp_path):
    members = members_of(**{"centers.txt": centre_lines(NAMES[::-1], PLACES[::-1])})
    with pytest.raises(InputError, match=r"2 files .*centres.txt, centers.txt"):
        read_tvb_zip(zipped(tmp_path / "connectivity.zip", members))


def test_equal_lists_are_one(tmp_path):
    members = members_of(**{"centers.txt": centre_lines()})
    assert_right(read_tvb_zip(zipped(tmp_path / "connectivity.zip", members)))


def test_two_different_matrices_of_weights_are_refused(tmp_path):
    weights, _ = matrices(seed=3)
    members = members_of(**{"old/weights.txt": text_of(weights)})
    with pytest.raises(InputError, match=r"old/weights\.txt"):
        read_tvb_zip(zipped(tmp_path / "connectivity.zip", members))


@pytest.mark.parametrize(
    "form", ["{name},{x},{y},{z}", "{name}\t{x}\t{y}\t{z}", "{i} {name} {x} {y} {z}"]
)
def test_separators_and_line_numbers_are_not_part_of_a_name(tmp_path, form):
    members = members_of(centre_lines(form=form))
    assert_right(read_tvb_zip(zipped(tmp_path / "connectivity.zip", members)))


def test_a_header_line_is_not_a_region(tmp_path):
    members = members_of("label x y z\n" + centre_lines())
    assert_right(read_tvb_zip(zipped(tmp_path / "connectivity.zip", members)))


@pytest.mark.parametrize(
    "names",
    [
        ("Left Caudate", "Left Putamen", "Right Caudate", "Right Putamen", "Brain Core"),
        ("Area 44", "Area 45", "Area 6", "Area 4", "Area 1"),
        ("Area 44", "Insula", "Hippocampus", "Pole", "Cuneus"),
    ],
)
def test_a_name_may_have_several_words(tmp_path, names):
    path = zipped(tmp_path / "connectivity.zip", members_of(centre_lines(names)))
    assert read_tvb_zip(path).names == names


@pytest.mark.parametrize(
    "form", ["{name} {x} {y} {z} {i}", "{name} 1.5 {x} {y} {z}", "{name} {i} {i} {x} {y} {z}"]
)
def test_a_column_that_cannot_be_distinguished_is_refused(tmp_path, form):
    path = zipped(tmp_path / "connectivity.zip", members_of(centre_lines(form=form)))
    with pytest.raises(InputError, match=r"cannot be distinguished.*row 1, 2, 3, 4, 5"):
        read_tvb_zip(path)


def test_flags_may_be_words(tmp_path):
    members = members_of(**{"hemispheres.txt": "False\nFalse\nTrue\nTrue\nFalse\n"})
    members["cortical.txt"] = "true\ntrue\ntrue\ntrue\nfalse\n"
    found = read_tvb_zip(zipped(tmp_path / "connectivity.zip", members)).regions
    assert found["hemisphere"].tolist() == ["L", "L", "R", "R", "L"]
    assert found["structure"].tolist() == ["cortex"] * 4 + ["subcortex"]


def test_a_list_of_another_length_is_refused(tmp_path):
    members = members_of(**{"areas.txt": "1\n2\n"})
    with pytest.raises(InputError, match=r"areas\.txt has 2 values"):
        read_tvb_zip(zipped(tmp_path / "connectivity.zip", members))


# ---- one triangle -----------------------------------------------------------------------


@pytest.mark.parametrize("half", [np.triu, np.tril])
@pytest.mark.parametrize("empty", [0.0, np.nan])
def test_one_triangle_is_made_symmetric(half, empty):
    weights, _ = matrices()
    triangle = np.where(half(np.ones((5, 5), dtype=bool), 0), weights, empty)
    assert np.array_equal(mirrored(triangle), weights)
    np.fill_diagonal(triangle, np.nan)
    assert np.array_equal(mirrored(triangle), weights)


def test_a_matrix_with_both_triangles_is_unchanged():
    weights, _ = matrices()
    weights[0, 1] += 1
    assert np.array_equal(mirrored(weights), weights)


def as_rows(matrix, half):
    """Return the rows of one triangle with its diagonal, without the other."""
    n = len(matrix)
    rows = [matrix[i, : i + 1] if half == "lower" else matrix[i, i:] for i in range(n)]
    return "\n".join(" ".join(f"{value:g}" for value in row) for row in rows)


@pytest.mark.parametrize("half", ["lower", "upper"])
def test_a_zip_with_rows_of_a_triangle(tmp_path, half):
    weights, lengths = matrices()
    members = members_of(
        **{
            "weights.txt": as_rows(weights, half),
            "tract_lengths.txt": text_of(np.tril(lengths)),
        }
    )
    assert_right(read_tvb_zip(zipped(tmp_path / "connectivity.zip", members)))


# ---- folders ----------------------------------------------------------------------------


def region_table(folder, atlas, names=NAMES, places=PLACES):
    table = pd.DataFrame(
        {
            "index": np.arange(1, len(names) + 1),
            "name": names,
            "hemisphere": ["L" if x < 0 else "R" for x in places[:, 0]],
            "structure": "cortex",
            **{axis: places[:, i] for i, axis in enumerate("xyz")},
            "area": np.nan,
            "volume": np.nan,
        }
    )
    write_table(folder / f"sub-01_atlas-{atlas}_dseg.tsv", table, {})


def relmats(folder, atlas, weights, lengths, names=NAMES):
    for stat, matrix in (("streamlines", weights), ("length", lengths)):
        write_matrix(
            folder / f"sub-01_atlas-{atlas}_stat-{stat}_relmat.tsv", matrix, names, names, {}
        )


def csvs(folder, stem, weights, lengths):
    np.savetxt(folder / f"{stem}weights.csv", weights, delimiter=",")
    np.savetxt(folder / f"{stem}lengths.csv", lengths, delimiter=",")


@pytest.mark.parametrize("half", [np.triu, np.tril])
def test_named_matrices_of_one_triangle(tmp_path, half):
    weights, lengths = matrices()
    region_table(tmp_path, "A")
    relmats(tmp_path, "A", np.where(half(np.ones((5, 5))), weights, np.nan), half(lengths))
    assert_right(read_ready_connectome(tmp_path))


def test_of_two_atlases_the_one_of_the_region_table_is_read(tmp_path):
    region_table(tmp_path, "Zeta")
    relmats(tmp_path, "Zeta", *matrices())
    relmats(tmp_path, "Alpha", *matrices(seed=4))
    assert_right(read_ready_connectome(tmp_path))
    assert ready_atlas(tmp_path) == "Zeta"


def test_of_two_atlases_of_mrtrix_the_one_of_the_region_table_is_read(tmp_path):
    region_table(tmp_path, "DesikanKilliany")
    csvs(tmp_path, "sub-01_atlas-desikan-killiany_", *matrices())
    csvs(tmp_path, "sub-01_atlas-AAL_", *matrices(seed=4))
    assert_right(read_ready_connectome(tmp_path))


def both(folder):
    for atlas, seed in (("Alpha", 4), ("Zeta", 0)):
        region_table(folder, atlas)
        relmats(folder, atlas, *matrices(seed=seed))


def both_of_mrtrix(folder):
    for atlas, seed in (("Alpha", 4), ("Zeta", 0)):
        region_table(folder, atlas)
        csvs(folder, f"sub-01_atlas-{atlas}_", *matrices(seed=seed))


@pytest.mark.parametrize("write", [both, both_of_mrtrix])
def test_two_complete_atlases_are_a_question(tmp_path, write):
    write(tmp_path)
    problem = problem_of(tmp_path)
    assert "2 atlases: Alpha, Zeta" in str(problem)
    assert "--filter-file" in problem.hint
    assert_right(read_ready_connectome(tmp_path, "zeta"))


def test_matrices_of_another_atlas_than_the_table_are_refused(tmp_path):
    region_table(tmp_path, "Destrieux")
    csvs(tmp_path, "sub-01_atlas-AAL_", *matrices())
    problem = problem_of(tmp_path)
    assert "no region table for the matrices of AAL" in str(problem)


def test_two_files_of_weights_without_an_atlas_are_refused(tmp_path):
    region_table(tmp_path, "A")
    csvs(tmp_path, "first_", *matrices())
    csvs(tmp_path, "second_", *matrices(seed=4))
    problem = problem_of(tmp_path)
    assert "first_weights.csv, second_weights.csv" in str(problem)


def test_hidden_files_are_no_files(tmp_path):
    region_table(tmp_path, "A")
    relmats(tmp_path, "A", *matrices())
    for path in sorted(tmp_path.glob("*.tsv")):
        path.with_name(f"._{path.name}").write_bytes(b"\x00\x05\x16\x07 Mac OS X")
    assert_right(read_ready_connectome(tmp_path))


def test_a_triangle_is_not_a_reason_to_accept_asymmetry():
    weights, lengths = matrices()
    weights[0, 1] *= 2
    table = pd.DataFrame({"name": NAMES})
    with pytest.raises(InputError, match="differs from that in the other direction"):
        Connectome(table, mirrored(weights), lengths)


@pytest.mark.parametrize(("column", "cell"), [("x", "12,5"), ("volume", "large"), ("z", "-")])
def test_places_that_are_no_numbers_are_refused_in_one_line(tmp_path, column, cell):
    region_table(tmp_path, "A")
    relmats(tmp_path, "A", *matrices())
    path = tmp_path / "sub-01_atlas-A_dseg.tsv"
    table = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)
    table.loc[[1, 3], column] = cell
    table.to_csv(path, sep="\t", index=False)
    problem = problem_of(tmp_path)
    assert f"{column} is not a number (ctx-lh-b: {cell}, ctx-rh-b: {cell})" in str(problem)


@pytest.mark.parametrize("cell", ["n/a", "2.5", "two"])
def test_an_index_that_is_no_row_is_refused(tmp_path, cell):
    region_table(tmp_path, "A")
    csvs(tmp_path, "", *matrices())
    path = tmp_path / "sub-01_atlas-A_dseg.tsv"
    table = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)
    table.loc[1, "index"] = cell
    table.to_csv(path, sep="\t", index=False)
    problem = problem_of(tmp_path)
    assert "no index of ctx-lh-b" in str(problem)


@pytest.mark.parametrize("text", ["", "\n \n", "# name x y z\n", "name x y z\n"])
def test_an_empty_list_of_centres_is_refused(tmp_path, text):
    with pytest.raises(InputError, match="list of centres is empty"):
        read_centres(text, "centres.txt", tmp_path / "connectivity.zip")
