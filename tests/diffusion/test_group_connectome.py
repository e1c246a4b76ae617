"""The connectome of a group, for patients without diffusion MRI."""

import importlib
import sys

import numpy as np
import pandas as pd
import pytest

from tests.diffusion.made_group import CEREBELLUM, write_package
from virtualbrain.anatomy.atlases import desikan_killiany, destrieux
from virtualbrain.connectome import PATIENT_FRAME, TEMPLATE_FRAME, Connectome
from virtualbrain.diffusion.group_connectome import (
    check_group,
    group_note,
    group_of_patient,
    load_group,
)
from virtualbrain.diffusion.settings import DiffusionSettings
from virtualbrain.errors import InputError
from virtualbrain.io.atomic import read_json
from virtualbrain.io.connectome import read_connectome, write_connectome
from virtualbrain.io.layout import PatientLayout
from virtualbrain.io.tables import sidecar_of
from virtualbrain.io.tvb_zip import write_tvb_zip

AUTO = DiffusionSettings()
DESIKAN = tuple(desikan_killiany().table["name"])


@pytest.fixture
def package(tmp_path, monkeypatch):
    """The look-alike package, importable before any installed one."""
    names = write_package(tmp_path / "site")
    monkeypatch.syspath_prepend(tmp_path / "site")
    importlib.invalidate_caches()
    return names


@pytest.fixture
def no_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "tvboptim", None)


def table_of(names, volume=1000.0):
    """Return a region table of a patient."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.normal(0, 40, (len(names), 3)), columns=["x", "y", "z"])
    return table.assign(
        index=np.arange(1, len(names) + 1), name=list(names), hemisphere="L", structure="cortex",
        area=np.nan, volume=volume,
    )  # fmt: skip


def test_the_packaged_group_has_all_regions_of_the_built_in_atlas(package):
    assert check_group(AUTO, DESIKAN, "01") == []
    found = load_group(AUTO)
    assert found.names == tuple(package)
    assert found.group == "tvboptim 0.4.0, Desikan-Killiany average"
    assert found.group in group_note(AUTO)


def test_weights_are_aligned_by_name_and_places_are_the_patients(package):
    regions = table_of(DESIKAN)
    group = load_group(AUTO)
    found = group_of_patient(group, regions, PATIENT_FRAME)
    assert found.names == DESIKAN
    pd.testing.assert_frame_equal(found.regions, regions)
    for one, other in (("Left-Hippocampus", "ctx-lh-insula"), (DESIKAN[0], DESIKAN[-1])):
        where = [found.names.index(name) for name in (one, other)]
        there = [group.names.index(name) for name in (one, other)]
        assert found.weights[tuple(where)] == group.weights[tuple(there)] > 0
    assert not set(CEREBELLUM) & set(found.names)


def test_both_names_of_the_thalamus_are_read(package):
    old = [name.replace("Thalamus", "Thalamus-Proper") for name in DESIKAN]
    assert group_of_patient(load_group(AUTO), table_of(old), PATIENT_FRAME).n_regions == 82


def test_a_region_without_voxels_has_no_connection(package):
    regions = table_of(DESIKAN)
    regions.loc[4, "volume"] = 0.0
    found = group_of_patient(load_group(AUTO), regions, PATIENT_FRAME)
    assert found.isolated() == (DESIKAN[4],)


def test_an_atlas_with_other_regions_is_refused_with_its_regions(package):
    (problem,) = check_group(AUTO, tuple(destrieux().table["name"]), "01")
    assert "the group connectome lacks" in str(problem)
    assert "ctx_lh_G_and_S_frontomargin" in str(problem) or "lacks 148 regions" in str(problem)
    with pytest.raises(InputError, match="lacks 1 regions: nowhere"):
        group_of_patient(load_group(AUTO), table_of(["nowhere", *DESIKAN]), PATIENT_FRAME)


def test_without_package_the_line_says_how_to_give_a_group(no_package):
    (problem,) = check_group(AUTO, DESIKAN, "07")
    line = str(problem)
    assert line.startswith("sub-07: no diffusion series and no ready connectome")
    assert "pip install --no-deps tvboptim" in line
    assert "diffusion.group_connectome" in line


def test_none_refuses_a_patient_without_diffusion_series(package):
    (problem,) = check_group(DiffusionSettings(group_connectome="none"), DESIKAN, "01")
    assert "diffusion.group_connectome is none" in str(problem)


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 no zip", b"\x93NUMPY\x01\x00"])
def test_a_package_with_other_files_is_reported_in_one_line(package, tmp_path, damage):
    (path,) = (tmp_path / "site").rglob("data.npz")
    path.write_bytes(damage)
    (problem,) = check_group(AUTO, DESIKAN, "01")
    assert "cannot be read" in str(problem)


def test_a_users_group_is_read_from_a_zip_or_a_folder(tmp_path):
    regions = table_of(["a", "b", "c"])
    regions["x"] = [-30.0, -20.0, 25.0]
    weights = np.array([[0, 1, 2], [1, 0, 3], [2, 3, 0.0]])
    own = Connectome(regions, weights, weights * 10, "made")
    write_tvb_zip(tmp_path / "hospital.zip", own)
    write_connectome(PatientLayout(tmp_path, "01"), own, {})
    for path in (tmp_path / "hospital.zip", tmp_path / "sub-01/connectome"):
        settings = DiffusionSettings(group_connectome=str(path))
        assert check_group(settings, ("c", "a"), "01") == []
        found = group_of_patient(load_group(settings), table_of(["c", "a"]), PATIENT_FRAME)
        assert found.weights[0, 1] == 2
        assert found.group == path.stem
    (problem,) = check_group(settings, ("d",), "01")
    assert "lacks 1 regions: d" in str(problem)
    missing = DiffusionSettings(group_connectome=str(tmp_path / "none.zip"))
    assert len(check_group(missing, (), "01")) == 1


@pytest.mark.parametrize("frame", [PATIENT_FRAME, TEMPLATE_FRAME])
def test_results_name_the_group_and_the_frame(package, tmp_path, frame):
    layout = PatientLayout(tmp_path, "01")
    written = group_of_patient(load_group(AUTO), table_of(DESIKAN), frame)
    write_connectome(layout, written, {"Sources": []})
    found = read_connectome(layout)
    assert (found.group, found.frame) == (written.group, frame)
    assert found.ordered(DESIKAN[::-1]).group == written.group
    for path in (layout.relmat("streamlines"), layout.relmat("length"), layout.connectome_regions):
        about = read_json(sidecar_of(path))
        assert about["GroupConnectome"] == written.group
        assert about["Source"].startswith("group connectome")
        assert ("Anatomy" in about) == (frame == TEMPLATE_FRAME)


def test_the_patients_own_connectome_is_not_called_that_of_a_group(tmp_path):
    layout = PatientLayout(tmp_path, "01")
    write_connectome(
        layout, Connectome(table_of(["a", "b"]), np.zeros((2, 2)), np.zeros((2, 2))), {}
    )
    assert read_connectome(layout).group == ""
    assert "GroupConnectome" not in read_json(sidecar_of(layout.relmat("streamlines")))


@pytest.mark.skipif(
    importlib.util.find_spec("tvboptim") is None, reason="tvboptim is not installed"
)
def test_the_installed_package_connects_neighbours_more_than_distant_regions():
    group = load_group(AUTO)
    assert check_group(AUTO, DESIKAN, "01") == []
    place = {name: k for k, name in enumerate(group.names)}

    def weight(one, other):
        return group.weights[place[f"ctx-lh-{one}"], place[other]]

    assert weight("superiortemporal", "ctx-lh-middletemporal") > 100 * weight(
        "superiortemporal", "ctx-rh-lateraloccipital"
    )
    assert weight("entorhinal", "Left-Hippocampus") > weight("entorhinal", "Right-Hippocampus")
