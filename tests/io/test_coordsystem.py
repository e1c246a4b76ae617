"""Coordinate frames and units in words, and stated by the user."""

import pytest

from virtualbrain.errors import InputError
from virtualbrain.io.coordsystem import (
    coordinate_system_problems,
    described_frame,
    frame_of,
    is_mni152,
    read_coordinate_system,
)


def stated(system="ScanRAS", units="mm", description=None):
    content = {"iEEGCoordinateSystem": system, "iEEGCoordinateUnits": units}
    return content if description is None else content | {
        "iEEGCoordinateSystemDescription": description
    }  # fmt: skip


@pytest.mark.parametrize(
    ("description", "frame"),
    [
        ("Native space. The coordinate frame of the scanner at data acquisition", "scanner"),
        ("native", "scanner"),
        ("Individual T1w space, electrodes localised on the post-implantation CT", "scanner"),
        ("The subject's native MRI space", "scanner"),
        ("T1-weighted image before implantation", "scanner"),
        ("Scanner RAS (FreeSurfer's scanner coordinates)", "scanner"),
        ("AC-PC aligned T1w", "acpc"),
        ("FreeSurfer tkRAS (surface RAS) of the native T1w", "tkras"),
        ("RAS of the tkreg matrix", "tkras"),
        ("scanner RAS, converted from FreeSurfer tkRAS", None),
        ("native space, normalised to MNI152", None),
        ("scanner, LPS", None),
        ("native voxel indices", None),
        ("native CT space", None),
        ("FreeSurfer native space", None),
        ("the space is not the scanner's", None),
        ("Leksell frame of the patient's own implantation", None),
        ("coordinates given by the neurosurgeon", None),
        ("Espace natif du patient (IRM)", "scanner"),
        ("espacio nativo", "scanner"),
        ("spazio nativo", "scanner"),
        ("individuelle MRT-Koordinaten", "scanner"),
        ("individueel T1w", "scanner"),
        ("nicht im nativen Raum", None),
        ("pas dans l'espace natif", None),
        ("DICOM patient coordinates of the T1w", None),
        ("ITK physical space of the T1w", None),
        ("ANTs coordinates, native", None),
        ("ROSA robot, individual T1", None),
        ("Brainlab navigation, native MRI space", None),
        ("native T1w, scanner RAS, implanted with a ROSA robot", "scanner"),
        ("T1w RAS, converted from DICOM", "scanner"),
        ("CTF head coordinates of the subject's MRI", None),
        ("", None),
    ],
)
def test_a_description_names_one_frame_or_none(description, frame):
    assert described_frame(description) == frame
    assert frame_of(stated("Other", description=description)) == frame


@pytest.mark.parametrize(
    "system", ["scanras", "T1w", "native", "individual", "scanner", "Scanner RAS"]
)
def test_words_in_place_of_the_keyword_are_read(system):
    assert frame_of(stated(system)) == "scanner"


@pytest.mark.parametrize(
    "system", ["MNI152Lin", "IXI549Space", "fsaverage", "RAS", "CT", "fsnative"]
)
def test_a_frame_that_is_not_the_patients_own_is_refused(system):
    with pytest.raises(InputError, match="not the patient's own"):
        read_coordinate_system(stated(system), "coordsystem.json")


@pytest.mark.parametrize("description", ["FreeSurfer tkRAS", "MNI152 template", "surface RAS"])
def test_a_description_that_contradicts_the_keyword_is_refused(description):
    with pytest.raises(InputError, match="names another one"):
        read_coordinate_system(stated(description=description), "coordsystem.json")


@pytest.mark.parametrize(
    ("unit", "mm"), [("mm", 1), ("MM", 1), ("millimeters", 1), ("centimetre", 10), ("metres", 1000)]
)
def test_units_may_be_words(unit, mm):
    assert read_coordinate_system(stated(units=unit), "").mm_per_unit == mm


def test_what_the_user_states_replaces_the_dataset_and_is_noted():
    found = read_coordinate_system(stated("Other", "m", "?"), "", frame="T1w", units="mm")
    assert (found.frame, found.mm_per_unit) == ("scanner", 1.0)
    assert found.notes == (
        "coordinate frame of the contacts: scanner, from the setting seeg.frame (the dataset "
        "states Other)",
        "unit of the contacts: mm, from the setting seeg.units (the dataset states m)",
    )


def test_without_a_statement_of_the_user_there_is_no_note():
    assert read_coordinate_system(stated(), "").notes == ()


def test_errors_name_the_setting():
    for content in ({}, stated("Other", "parsec", "?")):
        for name in ("frame", "units"):
            with pytest.raises(InputError, match=f"seeg.{name}"):
                other = {"units": "mm"} if name == "frame" else {"frame": "tkRAS"}
                read_coordinate_system(content, "", **other)


@pytest.mark.parametrize(
    ("content", "is_mni"),
    [
        (stated("MNI152NLin2009cAsym"), True),
        (stated("MNI152Lin"), True),
        (stated("ICBM152", description="MNI152 at 2 mm"), True),
        (stated("MNI"), True),
        (stated("Other", description="MNI space, registered with ANTs"), True),
        (stated("MNI305"), False),
        (stated("MNIColin27"), False),
        (stated("fsaverage"), False),
        (stated("Talairach"), False),
        (stated("Other", description="Talairach, converted from MNI"), False),
        (stated("Other", description="not in MNI152"), False),
        (stated("Other", description="scanner RAS of the T1w"), False),
        (stated("ScanRAS"), False),
        ({}, False),
    ],
)
def test_only_mni152_is_a_frame_of_the_template(content, is_mni):
    assert is_mni152(content) == is_mni
    problems = coordinate_system_problems(
        content | {"iEEGCoordinateUnits": "mm"}, "c.json", template=True
    )
    assert bool(problems) != is_mni
    if is_mni:
        found = read_coordinate_system(content, "c.json", units="mm", template=True)
        assert (found.frame, found.mm_per_unit) == ("mni", 1.0)


def test_a_user_may_state_mni_only_without_mri():
    content = stated("fsaverage", "m")
    found = read_coordinate_system(content, "c.json", "MNI", "mm", template=True)
    assert (found.frame, found.mm_per_unit) == ("mni", 1.0)
    assert "the dataset states fsaverage" in found.notes[0]
    with pytest.raises(InputError, match=r"seeg\.frame is MNI, but there is an MRI"):
        read_coordinate_system(content, "c.json", "MNI", "mm")
    with pytest.raises(InputError, match="placed in the template"):
        read_coordinate_system(stated("MNI152Lin"), "c.json", "ScanRAS", "mm", template=True)
