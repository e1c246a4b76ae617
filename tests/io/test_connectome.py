import subprocess
import sys
import zipfile

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from scipy.io import savemat

from tests.io.refused_connectome import problem_of
from virtualbrain.connectome import Connectome
from virtualbrain.errors import InputError
from virtualbrain.io import tvb_zip
from virtualbrain.io.connectome import (
    check_reference,
    read_connectome,
    read_given_connectome,
    read_placed_connectome,
    read_ready_connectome,
    write_connectome,
    write_edge_matrices,
)
from virtualbrain.io.layout import PatientLayout
from virtualbrain.io.tables import read_matrix, write_matrix, write_table
from virtualbrain.io.tvb_zip import read_tvb_zip, write_tvb_zip

NAMES = ["ctx-lh-insula", "ctx-rh-insula", "Left-Amygdala", "Right-Amygdala"]


@pytest.fixture
def regions():
    rng = np.random.default_rng(0)
    places = rng.uniform(10, 40, (4, 3)) * np.tile([[-1, 1, 1], [1, 1, 1]], (2, 1))
    return pd.DataFrame(
        {
            "index": [1, 2, 4, 5],
            "name": NAMES,
            "hemisphere": ["L", "R", "L", "R"],
            "structure": ["cortex", "cortex", "subcortex", "subcortex"],
            "x": places[:, 0],
            "y": places[:, 1],
            "z": places[:, 2],
            "area": [120.0, 130, np.nan, np.nan],
            "volume": [1000.0, 1100, 800, 900],
        }
    )


@pytest.fixture
def connectome(regions):
    rng = np.random.default_rng(1)
    weights = rng.lognormal(3, 2, (4, 4))
    lengths = rng.uniform(10, 120, (4, 4))
    return Connectome(regions, weights + weights.T, lengths + lengths.T, "test")


def assert_alike(found, expected):
    assert found.names == expected.names
    assert np.allclose(found.weights, expected.weights, rtol=1e-9)
    assert np.allclose(found.lengths_mm, expected.lengths_mm, rtol=1e-9)
    assert found.regions["hemisphere"].tolist() == expected.regions["hemisphere"].tolist()
    places = ["x", "y", "z"]
    assert np.allclose(found.regions[places], expected.regions[places], atol=1e-3)


# ---- the dataclass ----------------------------------------------------------------------


def test_diagonal_is_zero_and_names_are_kept(connectome):
    assert not connectome.weights.diagonal().any()
    assert connectome.network().regions == tuple(NAMES)
    assert connectome.n_regions == 4
    assert connectome.isolated() == ()


@pytest.mark.parametrize("scale", [1.0, 1e-9, 1e9])
@pytest.mark.parametrize(
    ("change", "word"),
    [
        (-1.0, "negative"),
        (np.nan, "not a finite number"),
        (np.inf, "not a finite number"),
        (50.0, "differs"),
    ],
)
def test_invalid_matrices_are_rejected(regions, scale, change, word):
    weights = np.ones((4, 4)) * scale
    weights[0, 3] = change * scale
    with pytest.raises(InputError, match=word) as caught:
        Connectome(regions, weights, np.zeros((4, 4)), "x")
    assert "ctx-lh-insula" in str(caught.value)


def test_wrong_shape_and_repeated_names_are_rejected(regions):
    with pytest.raises(InputError, match="shape"):
        Connectome(regions, np.ones((3, 3)), np.zeros((4, 4)), "x")
    with pytest.raises(InputError, match="twice"):
        Connectome(regions.assign(name="a"), np.ones((4, 4)), np.zeros((4, 4)), "x")


def test_regions_are_reordered_by_name(connectome):
    reverse = connectome.ordered(NAMES[::-1])
    assert reverse.weights[0, 3] == connectome.weights[3, 0]
    assert_alike(reverse.ordered(NAMES), connectome)
    with pytest.raises(InputError, match="nowhere"):
        connectome.ordered(["nowhere"])


# ---- results of this project -------------------------------------------------------------


def test_results_round_trip(connectome, tmp_path):
    layout = PatientLayout(tmp_path, "01")
    write_connectome(layout, connectome, {"Sources": ["a"]})
    assert_alike(read_connectome(layout), connectome)
    assert_alike(read_tvb_zip(layout.tvb_zip), connectome)
    assert layout.relmat("length").with_suffix(".json").is_file()


def test_edge_matrices_are_written_by_name(connectome, tmp_path):
    layout = PatientLayout(tmp_path, "01")
    matrix = np.arange(16.0).reshape(4, 4)
    matrices = {"count": matrix, "density": matrix / 2, "reliability": matrix / 16}
    write_edge_matrices(layout, connectome.names, matrices, {})
    assert read_matrix(layout.relmat("density")).loc[NAMES[1], NAMES[2]] == 3
    assert read_matrix(layout.relmat("count")).loc[NAMES[1], NAMES[2]] == 6


def test_equal_connectomes_give_equal_zips(connectome, tmp_path):
    for name in "ab":
        write_tvb_zip(tmp_path / f"{name}.zip", connectome)
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()


def test_the_virtual_brain_opens_the_zip(connectome, tmp_path):
    connectivity = pytest.importorskip("tvb.datatypes.connectivity")
    path = tmp_path / "connectivity.zip"
    write_tvb_zip(path, connectome)
    opened = connectivity.Connectivity.from_file(str(path))
    opened.configure()
    assert opened.region_labels.tolist() == NAMES
    assert np.allclose(opened.weights, connectome.weights)
    assert np.allclose(opened.tract_lengths, connectome.lengths_mm)
    assert opened.hemispheres.tolist() == [False, True, False, True]
    assert opened.cortical.tolist() == [True, True, False, False]
    assert opened.orientations.shape == (4, 3)


# ---- ready connectomes -------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path, connectome):
    write_table(tmp_path / "sub-01_atlas-DK_dseg.tsv", connectome.regions, {})
    return tmp_path


def wide(matrix, size=6):
    """Return a larger matrix with the rows of the four regions at their indices."""
    full = np.full((size, size), 3.0)
    full[np.ix_([0, 1, 3, 4], [0, 1, 3, 4])] = matrix
    np.fill_diagonal(full, 9.0)
    return full


def test_named_matrices_are_aligned_by_name(folder, connectome):
    for stat, matrix in (("streamlines", connectome.weights), ("length", connectome.lengths_mm)):
        order = [2, 0, 3, 1]
        names = [NAMES[i] for i in order]
        path = folder / f"sub-01_atlas-DK_stat-{stat}_relmat.tsv"
        write_matrix(path, matrix[np.ix_(order, order)], names, names, {})
    assert_alike(read_ready_connectome(folder), connectome)
    assert_alike(read_placed_connectome(folder), connectome)


def test_a_matrix_with_an_additional_region_is_rejected(folder, connectome):
    for stat in ("streamlines", "length"):
        names = [*NAMES, "more"]
        path = folder / f"sub-01_atlas-DK_stat-{stat}_relmat.tsv"
        write_matrix(path, np.zeros((5, 5)), names, names, {})
    problem = problem_of(folder)
    assert "more" in str(problem)


@pytest.mark.parametrize("separator", [",", " "])
def test_mrtrix_csv(folder, connectome, separator):
    upper = np.triu(wide(connectome.weights))  # the default output of tck2connectome
    np.savetxt(folder / "weights.csv", upper, delimiter=separator)
    np.savetxt(folder / "meanlength.csv", wide(connectome.lengths_mm), delimiter=separator)
    assert_alike(read_ready_connectome(folder), connectome)


def test_mrtrix_csv_without_lengths_is_rejected(folder, connectome):
    np.savetxt(folder / "weights.csv", wide(connectome.weights), delimiter=",")
    problem = problem_of(folder)
    assert "lengths" in str(problem)


@pytest.mark.parametrize("prefix", ["DK", "atlas_DK"])
def test_qsirecon_mat(folder, connectome, prefix):
    order = [3, 1, 0, 2]
    square = np.ix_(order, order)
    labels = np.array([NAMES[i] for i in order], dtype=object)
    content = {
        f"{prefix}_region_ids": np.arange(4),
        f"{prefix}_region_labels": labels,
        f"{prefix}_sift_radius2_count_connectivity": connectome.weights[square],
        f"{prefix}_radius2_count_connectivity": np.ones((4, 4)),
        f"{prefix}_radius2_meanlength_connectivity": connectome.lengths_mm[square],
        "other116_region_labels": labels,
    }
    savemat(folder / "sub-01_space-T1w_connectivity.mat", content)
    assert_alike(read_ready_connectome(folder), connectome)


def test_qsirecon_of_another_atlas_is_rejected(folder):
    content = {f"{atlas}_region_labels": ["a"] for atlas in ("aal116", "schaefer100")}
    savemat(folder / "sub-01_connectivity.mat", content)
    problem = problem_of(folder)
    assert "aal116, schaefer100" in str(problem)


def test_micapipe(folder, connectome):
    for what, matrix in (
        ("connectome", connectome.weights),
        ("edgeLengths", connectome.lengths_mm),
    ):
        upper = np.triu(wide(matrix)).astype(np.float32)
        image = nib.gifti.GiftiImage(darrays=[nib.gifti.GiftiDataArray(upper)])
        name = f"sub-01_space-dwi_atlas-DK_desc-iFOD2-1M-SIFT2_full-{what}.shape.gii"
        nib.save(image, folder / name)
    found = read_ready_connectome(folder)
    assert np.allclose(found.weights, connectome.weights, rtol=1e-6)
    assert np.allclose(found.lengths_mm, connectome.lengths_mm, rtol=1e-6)


def test_neurolib(folder, connectome):
    savemat(folder / "DTI_CM.mat", {"sc": wide(connectome.weights)})
    savemat(folder / "DTI_LEN.mat", {"len": wide(connectome.lengths_mm)})
    assert_alike(read_ready_connectome(folder), connectome)


def test_other_formats_need_a_region_table(tmp_path, connectome):
    savemat(tmp_path / "a.mat", {"sc": connectome.weights, "len": connectome.lengths_mm})
    problem = problem_of(tmp_path)
    assert "region tables" in str(problem)


def test_an_index_beyond_the_matrix_is_rejected(folder, connectome):
    savemat(folder / "a.mat", {"sc": connectome.weights, "len": connectome.lengths_mm})
    problem = problem_of(folder)
    assert "4 rows of weights" in str(problem)


@pytest.mark.parametrize("name", ["a.mat", "sub-01_connectivity.mat", "weights.csv"])
def test_unreadable_files_are_rejected_in_one_line(folder, name):
    (folder / name).write_bytes(b"\x00 no matrix")
    (folder / "lengths.csv").write_text("1 2\n2 x\n")
    problem = problem_of(folder)
    assert "\n" not in str(problem)


def test_an_empty_folder_is_rejected(tmp_path):
    problem = problem_of(tmp_path)
    assert "no connectome" in str(problem)


def test_asymmetric_weights_are_rejected(folder, connectome):
    weights = wide(connectome.weights)
    weights[0, 1] *= 3
    savemat(folder / "a.mat", {"sc": weights, "len": wide(connectome.lengths_mm)})
    problem = problem_of(folder)
    assert "differs from that in the other direction" in str(problem)
    assert problem.where == f"{folder.parent.name}/{folder.name}"


def test_negative_weights_are_rejected(folder, connectome):
    weights = wide(connectome.weights)
    weights[0, 1] = weights[1, 0] = -1
    savemat(folder / "a.mat", {"sc": weights, "len": wide(connectome.lengths_mm)})
    problem = problem_of(folder)
    names = connectome.names
    assert f"the weight of {names[0]} and {names[1]} is negative" in str(problem)


# ---- invalid zips ------------------------------------------------------------------------


def rewritten(path, change):
    """Change the members of a zip."""
    with zipfile.ZipFile(path) as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist()}
    change(members)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)


@pytest.mark.parametrize("missing", ["weights.txt", "tract_lengths.txt", "centres.txt"])
def test_a_zip_without_a_member_is_rejected(connectome, tmp_path, missing):
    path = tmp_path / "connectivity.zip"
    write_tvb_zip(path, connectome)
    rewritten(path, lambda members: members.pop(missing))
    problem = problem_of(tmp_path)
    assert missing in str(problem)


def test_hemispheres_missing_from_a_zip_are_derived_from_x(connectome, tmp_path):
    path = tmp_path / "connectivity.zip"
    write_tvb_zip(path, connectome)
    rewritten(path, lambda members: members.pop("hemispheres.txt"))
    assert_alike(read_tvb_zip(path), connectome)


def test_a_zip_bomb_is_rejected(connectome, tmp_path, monkeypatch):
    path = tmp_path / "connectivity.zip"
    write_tvb_zip(path, connectome)
    monkeypatch.setattr(tvb_zip, "_LIMIT_BYTES", 2**20)
    rewritten(path, lambda members: members.update({"weights.txt": b"0 " * 2**20}))
    problem = problem_of(tmp_path)
    assert "unpacks to more than" in str(problem)


def test_a_file_that_is_not_a_zip_is_rejected(tmp_path):
    (tmp_path / "connectivity.zip").write_bytes(b"PK no")
    problem = problem_of(tmp_path)
    assert "zip" in str(problem)


def test_a_reference_is_a_zip_or_a_folder(connectome, tmp_path):
    path = tmp_path / "norm.zip"
    write_tvb_zip(path, connectome)
    assert_alike(read_given_connectome(path), connectome)
    assert check_reference(str(path)) == []
    assert check_reference("") == []


def test_a_missing_reference_is_reported(tmp_path):
    (problem,) = check_reference(str(tmp_path / "norm"))
    assert "no connectome" in str(problem)


def test_the_check_does_not_import_scipy_io():
    code = "import sys, virtualbrain.pipeline.check; sys.exit('scipy.io' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
