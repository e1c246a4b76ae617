"""The command `export` writes folders atomically and reports errors in one line."""

import pytest

from virtualbrain.cli import main
from virtualbrain.commands.export import _writers
from virtualbrain.errors import InputError
from virtualbrain.export.choices import FORMATS, ExportChoices
from virtualbrain.export.folders import export_folder
from virtualbrain.io.layout import PatientLayout


def run(made, *arguments):
    return main(["export", str(made.out), "--participant-label", "01", *arguments])


def folder_of(made, name):
    return made.layout.export("default", name)


def error_of(capsys):
    lines = [one for one in capsys.readouterr().err.splitlines() if one.startswith("error: ")]
    assert len(lines) == 1
    return lines[0]


def test_every_format_has_a_writer():
    assert set(_writers(ExportChoices())) == set(FORMATS)


def test_formats_are_written_to_folders_of_their_own(make_out, capsys):
    made = make_out()
    assert run(made, "--format", "nifti", "csv", "stl", "gifti") == 0
    for name in ("nifti", "csv", "stl", "gifti"):
        assert list(folder_of(made, name).iterdir())
        assert str(folder_of(made, name)) in capsys.readouterr().out or name != "nifti"
    assert not list(made.layout.exports.rglob(".partial-*"))


def test_results_are_readable_by_their_owner_only(make_out):
    made = make_out()
    assert run(made, "--format", "csv") == 0
    found = [folder_of(made, "csv"), *folder_of(made, "csv").iterdir()]
    assert not any(path.stat().st_mode & 0o077 for path in found)


def test_an_earlier_export_is_replaced_only_on_request(make_out, capsys):
    made = make_out()
    assert run(made, "--format", "csv") == 0
    old = folder_of(made, "csv") / "old.txt"
    old.write_text("old")
    assert run(made, "--format", "nifti", "csv") == 2
    assert "--overwrite" in error_of(capsys)
    assert old.exists()
    assert not folder_of(made, "nifti").exists()  # found before anything was written
    assert run(made, "--format", "csv", "--overwrite") == 0
    assert not old.exists()


def test_an_error_leaves_the_earlier_export_unchanged(tmp_path):
    target = tmp_path / "csv"
    target.mkdir()
    (target / "old.txt").write_text("old")
    with pytest.raises(ValueError, match="planted"), export_folder(target, overwrite=True) as work:
        (work / "new.txt").write_text("new")
        raise ValueError("planted")
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["old.txt"]


def test_a_link_in_the_place_of_the_export_is_refused(tmp_path):
    (tmp_path / "csv").symlink_to(tmp_path / "nowhere")
    with pytest.raises(InputError), export_folder(tmp_path / "csv", overwrite=False):
        pass


def test_dicom_is_refused_without_confirmation(make_out, capsys):
    made = make_out()
    assert run(made, "--format", "nifti", "dicom") == 2
    assert "--confirm-research-use" in error_of(capsys)
    assert not made.layout.exports.exists()


def test_dicom_is_written_after_confirmation(make_out):
    made = make_out()
    assert run(made, "--format", "dicom", "--confirm-research-use", "--burn-in") == 0
    names = {path.name for path in folder_of(made, "dicom").iterdir()}
    assert names == {"t1", "t1-plan1", "sub-01_plans_seg.dcm", "sub-01_dicom.json"}


def test_burn_in_without_dicom_is_an_error(make_out, capsys):
    assert run(make_out(), "--format", "csv", "--burn-in") == 2
    assert "--format dicom" in error_of(capsys)


@pytest.mark.parametrize("name", ["nifti", "mni", "stl", "gifti", "dicom"])
def test_formats_with_images_are_refused_without_a_t1_in_one_line(make_out, capsys, name):
    made = make_out()
    for path in made.layout.anatomy.iterdir():
        if path.name.endswith((".nii.gz", ".gii")):
            path.unlink()
    assert run(made, "--format", name, "--confirm-research-use") == 2
    assert "no T1w image" in error_of(capsys)
    assert not folder_of(made, name).exists()
    assert run(made, "--format", "csv") == 0


def test_a_patient_without_a_fit_is_reported(make_out, capsys):
    made = make_out()
    assert run(made, "--format", "csv", "--priors", "other") == 2
    assert "--priors" in error_of(capsys)
    assert main(["export", str(made.out), "--participant-label", "99", "--format", "csv"]) == 2
    assert "sub-99" in error_of(capsys)


def test_verification_ignores_exports(make_out):
    made = make_out()
    assert run(made, "--format", "csv") == 0
    from virtualbrain.io.manifest import Roots
    from virtualbrain.pipeline.verification import _unrecorded_files

    found = list(_unrecorded_files({}, Roots(made.out, None), PatientLayout(made.out, "01")))
    assert found
    assert not any("export" in line for line in found)
