import nibabel as nib
import numpy as np
import pytest
from nibabel.affines import apply_affine
from nibabel.freesurfer import io as fsio

from virtualbrain.errors import InputError
from virtualbrain.io.freesurfer import (
    freesurfer_names,
    open_subject,
    read_annotation,
    read_lookup,
    read_surface,
    tkras_to_scanner,
)

TRIANGLES = np.array([[0, 1, 2], [0, 2, 3], [0, 3, 1], [1, 3, 2]])
CENTRE = np.array([4.0, -7.0, 11.0])
CORNERS = np.array([[0.0, 0, 0], [10, 0, 0], [0, 10, 0], [0, 0, 10]])


def conformed(centre=CENTRE, shape=(32, 32, 32)):
    """Return an image in FreeSurfer's orientation (LIA) with its centre outside the origin."""
    rotation = np.array([[-1.0, 0, 0], [0, 0, 1], [0, -1, 0]])
    offset = centre - rotation @ (np.array(shape) / 2)
    affine = nib.affines.from_matvec(rotation, offset)
    return nib.MGHImage(np.zeros(shape, dtype=np.uint8), affine)


@pytest.fixture
def subject(tmp_path):
    folder = tmp_path / "sub-01"
    for name in ("mri", "surf", "label"):
        (folder / name).mkdir(parents=True)
    for name in ("T1.mgz", "aparc+aseg.mgz", "brain.mgz"):
        nib.save(conformed(), folder / "mri" / name)
    return folder


def write_pial(folder, head):
    info = {
        "head": np.array(head, dtype=np.int32),
        "valid": "1",
        "filename": "../mri/T1.mgz",
        "volume": np.array([32, 32, 32]),
        "voxelsize": np.ones(3),
        "xras": np.array([-1.0, 0, 0]),
        "yras": np.array([0.0, 0, -1]),
        "zras": np.array([0.0, 1, 0]),
        "cras": CENTRE,
    }
    path = folder / "surf" / "lh.pial"
    fsio.write_geometry(path, CORNERS, TRIANGLES, volume_info=info)
    return path


def test_tkras_is_shifted_by_the_centre_of_the_volume(subject):
    moved = apply_affine(tkras_to_scanner(subject / "mri" / "T1.mgz"), CORNERS)
    np.testing.assert_allclose(moved, CORNERS + CENTRE, atol=1e-4)


def test_a_surface_is_converted_to_scanner_ras(subject):
    path = write_pial(subject, [2, 0, 20])
    vertices, triangles = read_surface(path, subject / "mri" / "aparc+aseg.mgz")
    np.testing.assert_allclose(vertices, CORNERS + CENTRE, atol=1e-4)
    np.testing.assert_array_equal(triangles, TRIANGLES)


def test_a_surface_marked_as_scanner_ras_is_not_transformed(subject):
    path = write_pial(subject, [2, 0, 20])
    content = bytearray(path.read_bytes())
    # The two integers after the triangles are tag 2 and its value.
    at = bytes(content).index(b"valid") - 12
    assert content[at : at + 8] == bytes([0, 0, 0, 2, 0, 0, 0, 0])
    content[at + 7] = 1
    path.write_bytes(bytes(content))
    vertices, _ = read_surface(path, subject / "mri" / "T1.mgz")
    np.testing.assert_allclose(vertices, CORNERS, atol=1e-6)


def test_a_nifti_volume_has_no_tkras_frame(subject):
    nib.save(nib.Nifti1Image(np.zeros((4, 4, 4), np.uint8), np.eye(4)), subject / "t1.nii")
    with pytest.raises(InputError, match="no tkRAS frame"):
        tkras_to_scanner(subject / "t1.nii")


def test_an_unreadable_surface_is_reported(subject):
    path = subject / "surf" / "lh.pial"
    path.write_text("x")
    with pytest.raises(InputError, match=r"lh\.pial: unreadable FreeSurfer surface"):
        read_surface(path, subject / "mri" / "T1.mgz")


def test_existing_files_of_a_subject_are_found(subject):
    write_pial(subject, [2, 0, 20])
    found = open_subject(subject)
    assert found.labels.name == "aparc+aseg.mgz"
    assert found.t1 is not None
    assert found.t1.name == "T1.mgz"
    assert set(found.pial) == {"L"}
    assert found.annotations == {}


def test_file_names_of_fastsurfer_are_found(subject):
    (subject / "mri" / "aparc+aseg.mgz").rename(subject / "mri" / "aparc.DKTatlas+aseg.deep.mgz")
    assert open_subject(subject).labels.name == "aparc.DKTatlas+aseg.deep.mgz"


def test_a_subject_without_label_image_is_rejected(subject):
    (subject / "mri" / "aparc+aseg.mgz").unlink()
    with pytest.raises(InputError, match=r"no label image .*aparc\+aseg\.mgz"):
        open_subject(subject)
    with pytest.raises(InputError, match="folder mri is missing"):
        open_subject(subject / "surf")


def test_destrieux_requires_its_own_label_image(subject):
    with pytest.raises(InputError, match="a2009s"):
        open_subject(subject, "Destrieux")


def test_annotation_gives_the_region_names_of_vertices(subject):
    path = subject / "label" / "lh.aparc.annot"
    colours = np.array([[25, 5, 25, 0, 0], [25, 100, 40, 0, 0]])
    colours[:, 4] = colours[:, 0] + colours[:, 1] * 256 + colours[:, 2] * 65536
    fsio.write_annot(path, np.array([1, 0, 1, -1]), colours, ["unknown", "bankssts"])
    names = read_annotation(path, "ctx-lh-")
    assert names.tolist() == ["ctx-lh-bankssts", "ctx-lh-unknown", "ctx-lh-bankssts", ""]


def test_names_are_those_of_the_freesurfer_colour_table():
    names = freesurfer_names()
    assert names[17] == "Left-Hippocampus"
    assert names[2035] == "ctx-rh-insula"
    assert names[11101] == "ctx_lh_G_and_S_frontomargin"


@pytest.mark.parametrize(
    ("row", "name"),
    [
        ("12 V1_left 120 18 131 0", "V1_left"),
        ("12\tV1_left", "V1_left"),
        ("12 L.V1 ctx-lh-V1 120 18 131 255", "ctx-lh-V1"),
        ("12 7Networks_LH_Vis_1 120 18 131 0  # remark", "7Networks_LH_Vis_1"),
    ],
)
def test_lookup_tables_of_several_programs_are_read(tmp_path, row, name):
    path = tmp_path / "lut.txt"
    path.write_text(f"# No Name R G B A\n\n0 Unknown 0 0 0 0\n{row}\n")
    table = read_lookup(path)
    assert table["index"].tolist() == [0, 12]
    assert table["name"].tolist()[1] == name


@pytest.mark.parametrize("row", ["12,V1_left", "V1_left 12", "12"])
def test_an_invalid_row_of_a_lookup_table_is_reported(tmp_path, row):
    path = tmp_path / "lut.txt"
    path.write_text(f"1 a\n{row}\n")
    with pytest.raises(InputError, match=r"lut\.txt, row 2"):
        read_lookup(path)
