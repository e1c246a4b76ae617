"""Stand-ins for recon-all and FastSurfer check their arguments and write their output files."""

import pytest

from virtualbrain.anatomy.reconstruct import reconstruct, reconstruction_obstacle
from virtualbrain.anatomy.settings import AnatomySettings
from virtualbrain.errors import ToolError

RECON_ALL = """#!/bin/bash
echo "$@" > "$FREESURFER_HOME/arguments"
subject="$SUBJECTS_DIR/sub-01"
mkdir -p "$subject/mri" "$subject/surf"
touch "$subject/mri/aparc+aseg.mgz" "$subject/surf/lh.pial" "$subject/surf/rh.pial"
"""
ASKED = AnatomySettings(reconstruct="recon-all")


@pytest.fixture
def home(tmp_path, monkeypatch):
    """Return a FreeSurfer folder that contains a stand-in for recon-all."""
    folder = tmp_path / "freesurfer"
    (folder / "bin").mkdir(parents=True)
    program = folder / "bin" / "recon-all"
    program.write_text(RECON_ALL)
    program.chmod(0o755)
    monkeypatch.setenv("FREESURFER_HOME", str(folder))
    return folder


def test_a_missing_program_is_reported(monkeypatch):
    monkeypatch.delenv("FASTSURFER_HOME", raising=False)
    assert reconstruction_obstacle(AnatomySettings()) is None
    problem = reconstruction_obstacle(AnatomySettings(reconstruct="fastsurfer"))
    assert "FASTSURFER_HOME is not set" in str(problem)


def test_recon_all_writes_a_subject(home, tmp_path):
    subject = tmp_path / "out" / "sub-01"
    assert reconstruct(tmp_path / "t1.nii.gz", subject, ASKED, 3) == subject
    arguments = (home / "arguments").read_text().split()
    assert arguments[:3] == ["-all", "-i", str(tmp_path / "t1.nii.gz")]
    assert arguments[3:7] == ["-s", "sub-01", "-sd", str(subject.parent)]
    assert arguments[-2:] == ["-openmp", "3"]


def test_a_finished_subject_is_reused(home, tmp_path):
    subject = tmp_path / "out" / "sub-01"
    reconstruct(tmp_path / "t1.nii.gz", subject, ASKED, 1)
    (home / "arguments").unlink()
    reconstruct(tmp_path / "t1.nii.gz", subject, ASKED, 1)
    assert not (home / "arguments").exists()


def test_a_failure_is_reported_with_the_last_line(home, tmp_path):
    (home / "bin" / "recon-all").write_text("#!/bin/bash\necho no licence >&2; exit 1\n")
    with pytest.raises(ToolError, match="recon-all failed \\(no licence\\)"):
        reconstruct(tmp_path / "t1.nii.gz", tmp_path / "out" / "sub-01", ASKED, 1)


def test_an_incomplete_subject_is_a_failure(home, tmp_path):
    (home / "bin" / "recon-all").write_text("#!/bin/bash\nexit 0\n")
    with pytest.raises(ToolError, match="recon-all failed"):
        reconstruct(tmp_path / "t1.nii.gz", tmp_path / "out" / "sub-01", ASKED, 1)


def test_the_participant_label_is_inserted_in_the_atlas_path():
    settings = AnatomySettings(atlas="VEP", atlas_image="/fs/sub-{label}/mri/aparc+aseg.vep.mgz")
    assert settings.of_patient("07").atlas_image == "/fs/sub-07/mri/aparc+aseg.vep.mgz"
