"""Which of several files is meant: sessions, spaces, T1 images, formats, filters and links."""

import json
from pathlib import Path

import pytest

from virtualbrain.errors import ConfigError, InputError
from virtualbrain.io.bids import json_beside, require_readable
from virtualbrain.io.file_settings import FileSettings, entities
from virtualbrain.io.patient_search import find_patient, search_patient
from virtualbrain.io.sessions import newest_before_surgery

SCANNER = {"iEEGCoordinateSystem": "ScanRAS", "iEEGCoordinateUnits": "mm"}
TEMPLATE = {"iEEGCoordinateSystem": "MNI152NLin2009cAsym", "iEEGCoordinateUnits": "mm"}


def make(root: Path, *names: str) -> Path:
    """Write files of different content."""
    for number, name in enumerate(("dataset_description.json", *names)):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{number}\n" if path.suffix != ".json" else "{}")
    return root


def state(root: Path, name: str, content: dict[str, object]) -> None:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(json.dumps(content))


def names(paths) -> list[str]:
    return [path.name for path in paths]


def ieeg(session: str = "", task: str = "ictal", ending: str = ".edf", tables: bool = True):
    """Return the names of a recording and of its tables."""
    folder = f"sub-1/ses-{session}/ieeg" if session else "sub-1/ieeg"
    stem = f"{folder}/sub-1_ses-{session}_task-{task}" if session else f"{folder}/sub-1_task-{task}"
    return (f"{stem}_ieeg{ending}", *((f"{stem}_events.tsv",) if tables else ()))


def t1(session: str = "", more: str = "") -> str:
    folder = f"sub-1/ses-{session}/anat" if session else "sub-1/anat"
    label = f"sub-1_ses-{session}" if session else "sub-1"
    return f"{folder}/{label}{more}_T1w.nii.gz"


def contacts(root: Path, session: str, space: str, system: dict[str, object]) -> str:
    """Write electrodes.tsv and coordsystem.json of a session and space; return its name."""
    folder = f"sub-1/ses-{session}/ieeg" if session else "sub-1/ieeg"
    stem = f"{folder}/sub-1" + (f"_ses-{session}" if session else "")
    stem += f"_space-{space}" if space else ""
    state(root, f"{stem}_coordsystem.json", system)
    (root / f"{stem}_electrodes.tsv").write_text(f"name\tx\ty\tz\nA1\t1\t2\t{stem}\n")
    return f"{stem}_electrodes.tsv".rpartition("/")[2]


# ---- T1 images --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "intended",
    [
        "bids::sub-1/ses-a/anat/sub-1_ses-a_T1w.nii.gz",
        "sub-1/ses-a/anat/sub-1_ses-a_T1w.nii.gz",
        "/sub-1/ses-a/anat/sub-1_ses-a_T1w.nii",
        "ses-a/anat/sub-1_ses-a_T1w.nii.gz",
        ["sub-1/ieeg/photo.jpg", "bids::sub-1/ses-a/anat/sub-1_ses-a_T1w.nii.gz"],
    ],
)
def test_intended_for_decides_between_t1_images(tmp_path, intended):
    root = make(tmp_path, *ieeg(), t1("a"), t1("b"))
    contacts(root, "", "ScanRAS", SCANNER | {"IntendedFor": intended})
    files = find_patient(root, "1")
    assert files.t1.name == "sub-1_ses-a_T1w.nii.gz"
    assert "not used: sub-1_ses-b_T1w.nii.gz" in files.notes[0]


def test_intended_for_a_missing_t1_is_a_question_or_a_note(tmp_path):
    root = make(tmp_path, *ieeg(), t1("a"), t1("b"))
    contacts(root, "", "", SCANNER | {"IntendedFor": "sub-1/anat/sub-1_T1w.nii.gz"})
    with pytest.raises(InputError, match=r"names sub-1/anat/sub-1_T1w\.nii\.gz, which is not in"):
        find_patient(root, "1")
    (root / t1("b")).unlink()
    files = find_patient(root, "1")
    assert files.t1.name == "sub-1_ses-a_T1w.nii.gz"
    assert "which is not in the dataset" in files.notes[0]


def test_the_session_of_the_recording_decides_between_t1_images(tmp_path):
    root = make(tmp_path, *ieeg("seeg"), t1("seeg"), t1("zz9"))
    assert find_patient(root, "1").t1.name == "sub-1_ses-seeg_T1w.nii.gz"


@pytest.mark.parametrize(
    ("sessions", "chosen"),
    [
        (("pre", "post"), "pre"),
        (("preop", "postop"), "preop"),
        (("1", "2"), "2"),
        (("01", "02", "postsurgery"), "02"),
        (("9", "10"), "10"),
        (("a", "followup"), "a"),
    ],
)
def test_the_newest_session_before_surgery_is_used(tmp_path, sessions, chosen):
    root = make(tmp_path, *ieeg(), *(t1(one) for one in sessions))
    assert find_patient(root, "1").t1.name == f"sub-1_ses-{chosen}_T1w.nii.gz"


def test_times_of_sessions_order_their_labels(tmp_path):
    root = make(tmp_path, *ieeg(), t1("a"), t1("b"))
    with pytest.raises(
        InputError, match=r"sub-1_ses-a_T1w.nii.gz, sub-1_ses-b_T1w.nii.gz: 2 files"
    ):
        find_patient(root, "1")
    sheet = "session_id\tacq_time\nses-a\t2020-05-01T10:00:00\nses-b\t2019-05-01T10:00:00\n"
    (root / "sub-1/sub-1_sessions.tsv").write_text(sheet)
    assert find_patient(root, "1").t1.name == "sub-1_ses-a_T1w.nii.gz"


def test_sessions_that_cannot_be_ordered_have_no_newest():
    assert newest_before_surgery({"a", "b"}, {}) is None
    assert newest_before_surgery({"x1", "y2"}, {}) is None
    assert newest_before_surgery({"a", "b"}, {"a": "2020", "b": "2020"}) is None


@pytest.mark.parametrize(
    "more", [("_run-1", "_run-2"), ("_acq-mprage", "_ce-gadolinium"), ("", "_run-2")]
)
def test_several_t1_images_of_a_session_are_a_question_in_one_line(tmp_path, more):
    root = make(tmp_path, *ieeg(), *(t1("", one) for one in more))
    _, problems = search_patient(root, "1")
    (problem,) = problems
    assert all(f"sub-1{one}_T1w.nii.gz" in str(problem) for one in more)
    assert "--filter-file" in problem.hint


def test_a_ready_connectome_needs_no_t1(tmp_path):
    ready = "derivatives/connectome/sub-1/connectivity.zip"
    root = make(tmp_path, *ieeg(), t1("", "_run-1"), t1("", "_run-2"), ready)
    files = find_patient(root, "1")
    assert files.t1 is None
    assert "the connectome is ready" in files.notes[0]


def test_copies_phase_images_and_hidden_files_are_not_further_t1_images(tmp_path):
    root = make(tmp_path, *ieeg(), t1(), t1("", "_part-phase"), "sub-1/anat/._sub-1_T1w.nii.gz")
    (root / "sub-1/anat/sub-1_T1w.nii.gz.part").write_text("x")
    (root / t1("", "_run-2")).write_text((root / t1()).read_text())
    assert find_patient(root, "1").t1.name == "sub-1_T1w.nii.gz"


# ---- diffusion --------------------------------------------------------------------------


def test_diffusion_series_are_those_of_the_session_of_the_t1(tmp_path):
    series = [f"sub-1/ses-{s}/dwi/sub-1_ses-{s}_dwi.nii.gz" for s in ("pre", "post")]
    root = make(tmp_path, *ieeg(), t1("pre"), *series)
    files = find_patient(root, "1")
    assert [one.image.name for one in files.dwi] == ["sub-1_ses-pre_dwi.nii.gz"]
    assert any("not used: sub-1_ses-post_dwi.nii.gz" in note for note in files.notes)


def test_diffusion_of_two_sessions_that_cannot_be_ordered_is_a_question(tmp_path):
    series = [f"sub-1/ses-{s}/dwi/sub-1_ses-{s}_dwi.nii.gz" for s in ("a", "b")]
    root = make(tmp_path, *ieeg(), t1(), *series)
    with pytest.raises(InputError, match="diffusion series of one session"):
        find_patient(root, "1")
    chosen = find_patient(root, "1", FileSettings(filters={"dwi": {"session": "a"}}))
    assert [one.image.name for one in chosen.dwi] == ["sub-1_ses-a_dwi.nii.gz"]


# ---- contacts ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spaces", "chosen"),
    [
        ({"MNI152NLin2009cAsym": TEMPLATE, "ScanRAS": SCANNER}, "ScanRAS"),
        ({"ACPC": {"iEEGCoordinateSystem": "ACPC"}, "fsaverage": TEMPLATE}, "ACPC"),
        (
            {
                "Other": {
                    "iEEGCoordinateSystem": "Other",
                    "iEEGCoordinateSystemDescription": "native space",
                },
                "Talairach": {"iEEGCoordinateSystem": "Talairach"},
            },
            "Other",
        ),
        ({"ACPC": {"iEEGCoordinateSystem": "ACPC"}, "ScanRAS": SCANNER}, "ScanRAS"),
    ],
)
def test_a_frame_that_can_be_used_comes_before_a_template(tmp_path, spaces, chosen):
    root = make(tmp_path, *ieeg())
    for space, system in spaces.items():
        contacts(root, "", space, system)
    files = find_patient(root, "1")
    assert files.electrodes.name == f"sub-1_space-{chosen}_electrodes.tsv"
    assert files.coordsystem.name == f"sub-1_space-{chosen}_coordsystem.json"


def test_two_templates_are_a_question_that_says_why(tmp_path):
    root = make(tmp_path, *ieeg(), t1())
    for space in ("MNI152Lin", "fsaverage"):
        contacts(root, "", space, TEMPLATE)
    with pytest.raises(InputError, match="no coordinate frame that can be used"):
        find_patient(root, "1")


def test_a_coordsystem_of_another_space_does_not_belong_to_the_contacts(tmp_path):
    root = make(tmp_path, *ieeg())
    contacts(root, "", "MNI152Lin", TEMPLATE)
    (root / "sub-1/ieeg/sub-1_space-MNI152Lin_coordsystem.json").rename(
        root / "sub-1/ieeg/sub-1_space-ScanRAS_coordsystem.json"
    )
    assert find_patient(root, "1").coordsystem is None


def test_a_coordsystem_is_inherited(tmp_path):
    root = make(tmp_path, *ieeg("a"))
    state(root, "sub-1/ieeg/sub-1_coordsystem.json", SCANNER)
    (root / "sub-1/ses-a/ieeg/sub-1_ses-a_electrodes.tsv").write_text("name\n")
    assert find_patient(root, "1").coordsystem.name == "sub-1_coordsystem.json"


def test_contacts_are_those_of_the_session_of_the_recording(tmp_path):
    root = make(tmp_path, *ieeg("b"))
    contacts(root, "a", "", SCANNER)
    expected = contacts(root, "b", "", SCANNER)
    assert find_patient(root, "1").electrodes.name == expected


def test_two_implantations_are_not_mixed(tmp_path):
    root = make(tmp_path, *ieeg("1"), *ieeg("2"))
    for session in "12":
        contacts(root, session, "", SCANNER)
        contacts(root, session, "MNI152Lin", TEMPLATE)
    files = find_patient(root, "1")
    assert files.electrodes.name == "sub-1_ses-2_electrodes.tsv"
    assert names(one.signal for one in files.recordings) == ["sub-1_ses-2_task-ictal_ieeg.edf"]
    assert any("not used: sub-1_ses-1_task-ictal_ieeg.edf" in note for note in files.notes)
    first = find_patient(root, "1", FileSettings(sessions=("ses-1",)))
    assert first.electrodes.name == "sub-1_ses-1_electrodes.tsv"
    assert names(one.signal for one in first.recordings) == ["sub-1_ses-1_task-ictal_ieeg.edf"]


@pytest.mark.parametrize("mark", ["seizure", "sz_foc_ia", "Seizure onset"])
def test_the_implantation_with_a_seizure_is_used(tmp_path, mark):
    root = make(tmp_path, *ieeg("1"), *ieeg("2"))
    for session in "12":
        contacts(root, session, "", SCANNER)
        event = mark if session == "1" else "interictal"
        events = root / f"sub-1/ses-{session}/ieeg/sub-1_ses-{session}_task-ictal_events.tsv"
        events.write_text(f"onset\tduration\ttrial_type\n5\t9\t{event}\n")
    assert find_patient(root, "1").electrodes.name == "sub-1_ses-1_electrodes.tsv"


def test_implantations_that_cannot_be_ordered_are_a_question(tmp_path):
    root = make(tmp_path, *ieeg("a"), *ieeg("b"))
    for session in "ab":
        contacts(root, session, "", SCANNER)
    with pytest.raises(InputError, match=r"2 files for the electrodes.tsv"):
        find_patient(root, "1")


def test_equal_tables_of_two_sessions_are_one_implantation(tmp_path):
    root = make(tmp_path, *ieeg("a"), *ieeg("b"))
    tables = [root / f"sub-1/ses-{s}/ieeg/{contacts(root, s, '', SCANNER)}" for s in "ab"]
    tables[1].write_text(tables[0].read_text())
    assert len(find_patient(root, "1").recordings) == 2


def test_recordings_after_surgery_are_left_out(tmp_path):
    root = make(tmp_path, *ieeg("preop"), *ieeg("postop"))
    contacts(root, "", "", SCANNER)
    files = find_patient(root, "1")
    assert names(one.signal for one in files.recordings) == ["sub-1_ses-preop_task-ictal_ieeg.edf"]


# ---- formats of recordings --------------------------------------------------------------


def test_a_folder_that_is_a_recording_of_another_format_is_not_used(tmp_path):
    root = make(tmp_path, *ieeg(), "sub-1/ieeg/sub-1_task-rest_ieeg.mefd/A1.timd/x.tmet")
    make(tmp_path, "sub-1/ieeg/sub-1_task-meg_ieeg.ds/x.meg4", "sub-1/ieeg/sub-1_task-n_ieeg.nwb")
    files = find_patient(root, "1")
    assert names(one.signal for one in files.recordings) == ["sub-1_task-ictal_ieeg.edf"]
    assert len(files.notes) == 3


def test_an_unreadable_format_with_events_is_kept_for_its_check(tmp_path):
    root = make(tmp_path, *ieeg(task="a"), *ieeg(task="b", ending=".nwb"))
    assert len(find_patient(root, "1").recordings) == 2


@pytest.mark.parametrize("others", [(".nwb",), (".edf", ".nwb"), (".bdf", ".set")])
def test_a_recording_in_several_formats_is_one(tmp_path, others):
    root = make(tmp_path, *ieeg(ending=".vhdr"), *(ieeg(ending=one)[0] for one in others))
    files = find_patient(root, "1")
    assert names(one.signal for one in files.recordings) == ["sub-1_task-ictal_ieeg.vhdr"]


def test_hidden_files_are_no_recordings(tmp_path):
    root = make(tmp_path, *ieeg(), "sub-1/ieeg/._sub-1_task-ictal_ieeg.edf")
    assert len(find_patient(root, "1").recordings) == 1


@pytest.mark.parametrize("ending", [".edf", ".fif", ".vhdr", ".EDF"])
def test_a_folder_named_as_a_recording_of_a_readable_format_is_not_used(tmp_path, ending):
    root = make(tmp_path, *ieeg(), f"sub-1/ieeg/sub-1_task-x_ieeg{ending}/content")
    files = find_patient(root, "1")
    assert names(one.signal for one in files.recordings) == ["sub-1_task-ictal_ieeg.edf"]
    assert files.notes == (f"sub-1_task-x_ieeg{ending}: not used (a folder)",)


def test_a_folder_in_place_of_the_recording_of_a_seizure_is_refused(tmp_path):
    root = make(tmp_path, *ieeg(), "sub-1/ieeg/sub-1_task-x_ieeg.edf/content")
    make(tmp_path, "sub-1/ieeg/sub-1_task-x_events.tsv")
    with pytest.raises(InputError, match="not a regular file"):
        find_patient(root, "1")


@pytest.mark.parametrize(
    "ending", [".trc", ".TRC", ".edf.gz", ".lay", ".cnt", ".mefd.zip", ".mat", ".ns5", ".MEFD"]
)
def test_a_recording_of_another_system_beside_one_that_is_read_is_noted(tmp_path, ending):
    root = make(tmp_path, *ieeg(), f"sub-1/ieeg/sub-1_task-rest_ieeg{ending}")
    files = find_patient(root, "1")
    assert names(one.signal for one in files.recordings) == ["sub-1_task-ictal_ieeg.edf"]
    assert [note for note in files.notes if f"task-rest_ieeg{ending}: not used" in note]


@pytest.mark.parametrize(("ending", "word"), [(".trc", "Micromed"), (".edf.gz", "gzip")])
def test_the_only_recording_of_another_system_is_named_by_the_check(tmp_path, ending, word):
    root = make(tmp_path, *ieeg(ending=ending))
    (recording,) = find_patient(root, "1").recordings
    with pytest.raises(InputError, match=f"in the format {word}.* cannot be read"):
        require_readable(recording.signal)


@pytest.mark.parametrize("ending", [".EDF", ".Edf", ".VHDR", ".edf", ".edf.gz"])
def test_the_sidecar_of_a_recording_in_any_case(ending):
    assert json_beside(Path(f"sub-1_ieeg{ending}")).name == "sub-1_ieeg.json"


# ---- the same signal twice --------------------------------------------------------------


def copied(root: Path, *endings: str, session: str = "") -> Path:
    """Write two recordings with equal samples: task a and task b."""
    make(root, *(name for task in "ab" for name in ieeg(session, task)))
    for task in "ab":
        for ending in endings:
            name = ieeg(session, task, ending)[0]
            (root / name).write_bytes(b"samples" * 1000 if ending != ".vhdr" else task.encode())
        if ".edf" not in endings:
            (root / ieeg(session, task)[0]).unlink()
    return root


def mark(root: Path, task: str, text: str, session: str = "") -> None:
    name = ieeg(session, task)[1]
    (root / name).write_text(f"onset\tduration\ttrial_type\n10\t5\t{text}\n")


@pytest.mark.parametrize("endings", [(".edf",), (".vhdr", ".eeg")])
@pytest.mark.parametrize("session", ["", "1"])
def test_the_same_signal_in_two_recordings_is_one(tmp_path, endings, session):
    root = copied(tmp_path, *endings, session=session)
    mark(root, "a", "seizure", session)
    mark(root, "b", "seizure", session)
    files = find_patient(root, "1")
    (kept,) = files.recordings
    assert "task-a" in kept.signal.name
    assert any("the same signal in two recordings" in note for note in files.notes)


def test_of_two_equal_recordings_the_one_with_a_seizure_is_kept(tmp_path):
    root = copied(tmp_path, ".edf")
    mark(root, "b", "aanval")
    (kept,) = find_patient(root, "1").recordings
    assert "task-b" in kept.signal.name


def test_equal_recordings_with_different_seizures_are_a_question(tmp_path):
    root = copied(tmp_path, ".edf")
    mark(root, "a", "seizure")
    mark(root, "b", "Anfall")
    _, problems = search_patient(root, "1")
    assert len(problems) == 1
    assert "the same signal, but other seizures" in str(problems[0])


def test_empty_recordings_are_not_equal(tmp_path):
    root = copied(tmp_path, ".edf")
    for task in "ab":
        (root / ieeg(task=task)[0]).write_bytes(b"")
    assert len(find_patient(root, "1").recordings) == 2


@pytest.mark.parametrize(
    "stated",
    [
        "bids::sub-1/ses-pre/anat/sub-1_ses-pre_T1w.nii.gz",
        "bids:raw:sub-1/ses-pre/anat/sub-1_ses-pre_T1w.nii.gz",
        "./ses-pre/anat/sub-1_ses-pre_T1w.nii.gz",
        "/ses-pre/anat/sub-1_ses-pre_T1w.nii",
        "ses-pre\\anat\\sub-1_ses-pre_T1w.nii.gz",
        "../anat/sub-1_ses-pre_T1w.nii.gz",
        ["ses-pre/anat/sub-1_ses-pre_T1w.nii.gz", "ses-pre/anat/sub-1_ses-pre_CT.nii.gz"],
    ],
)
def test_the_t1_may_be_named_in_any_way(tmp_path, stated):
    root = make(tmp_path, *ieeg(), t1("pre"), t1("post"))
    contacts(root, "", "", SCANNER | {"IntendedFor": stated})
    assert find_patient(root, "1").t1.name == "sub-1_ses-pre_T1w.nii.gz"


@pytest.mark.parametrize("stated", [{"a": 1}, 7, True, [None, 3], "", []])
def test_intended_for_of_another_type_names_nothing(tmp_path, stated):
    root = make(tmp_path, *ieeg(), t1("pre"), t1("post"))
    contacts(root, "", "", SCANNER | {"IntendedFor": stated})
    assert find_patient(root, "1").t1.name == "sub-1_ses-pre_T1w.nii.gz"


# ---- frames and coordsystem.json --------------------------------------------------------


@pytest.mark.parametrize("label", ["acq-clinical", "acq-ct", "run-2"])
def test_a_usable_frame_comes_before_the_entities_of_the_recording(tmp_path, label):
    root = make(tmp_path, *ieeg())
    contacts(root, "", "MNI152Lin", TEMPLATE)
    folder = root / "sub-1/ieeg"
    state(root, f"sub-1/ieeg/sub-1_{label}_space-ScanRAS_coordsystem.json", SCANNER)
    own = folder / f"sub-1_{label}_space-ScanRAS_electrodes.tsv"
    own.write_text("name\tx\ty\tz\nA1\t7\t7\t7\n")
    assert find_patient(root, "1").electrodes == own


@pytest.mark.parametrize("place", ["sub-1/sub-1_coordsystem.json", "coordsystem.json"])
def test_coordsystem_is_inherited_from_the_folders_above(tmp_path, place):
    root = make(tmp_path, *ieeg())
    contacts(root, "", "", SCANNER)
    (root / "sub-1/ieeg/sub-1_coordsystem.json").rename(root / place)
    assert find_patient(root, "1").coordsystem == root / place


def test_the_nearest_coordsystem_is_used(tmp_path):
    root = make(tmp_path, *ieeg())
    contacts(root, "", "", SCANNER)
    state(root, "coordsystem.json", TEMPLATE)
    assert find_patient(root, "1").coordsystem == root / "sub-1/ieeg/sub-1_coordsystem.json"


# ---- derivatives ------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["sub-1", "1", "sub-1_ses-a", "1_ses-a", "sub-1/ses-a"])
def test_the_freesurfer_subject_may_be_named_without_sub(tmp_path, name):
    root = make(tmp_path, *ieeg(), t1("a"), f"derivatives/freesurfer/{name}/mri/orig.mgz")
    assert find_patient(root, "1").freesurfer == root / "derivatives/freesurfer" / name


def test_the_freesurfer_subject_is_that_of_the_session_of_the_t1(tmp_path):
    subjects = [f"derivatives/freesurfer/sub-1_ses-{s}/mri/orig.mgz" for s in ("pre", "post")]
    root = make(tmp_path, *ieeg(), t1("pre"), t1("post"), *subjects)
    assert find_patient(root, "1").freesurfer.name == "sub-1_ses-pre"


def test_two_freesurfer_subjects_are_a_question(tmp_path):
    subjects = [f"derivatives/freesurfer/{name}/mri/orig.mgz" for name in ("sub-1", "1")]
    with pytest.raises(InputError, match="2 files for the FreeSurfer subject"):
        find_patient(make(tmp_path, *ieeg(), *subjects), "1")


@pytest.mark.parametrize("kind", ["connectome", "clinical"])
def test_other_derivatives_may_be_named_without_sub(tmp_path, kind):
    name = "connectivity.zip" if kind == "connectome" else "sub-1_hypothesis.tsv"
    files = find_patient(make(tmp_path, *ieeg(), f"derivatives/{kind}/1/{name}"), "1")
    assert names([*files.connectome_files(), *files.clinical_files()]) == [name]


# ---- what the user says -----------------------------------------------------------------


def test_entities_are_read_from_the_name():
    found = entities(Path("sub-1/anat/sub-1_ses-a_run-02_T1w.nii.gz"))
    assert found == {
        "sub": "1",
        "ses": "a",
        "run": "02",
        "datatype": "anat",
        "suffix": "T1w",
        "extension": ".nii.gz",
    }


@pytest.mark.parametrize(
    ("wanted", "chosen"),
    [
        ({"run": 2}, "_run-02"),
        ({"run": "02"}, "_run-02"),
        ({"acquisition": "mprage"}, "_acq-mprage"),
        ({"acq": None, "run": None}, ""),
        ({"acquisition": "*"}, "_acq-mprage"),
        ({"run": [2, 3]}, "_run-02"),
    ],
)
def test_a_filter_decides_between_t1_images(tmp_path, wanted, chosen):
    root = make(tmp_path, *ieeg(), *(t1("", one) for one in ("", "_run-02", "_acq-mprage")))
    files = find_patient(root, "1", FileSettings(filters={"T1w": wanted}))
    assert files.t1.name == f"sub-1{chosen}_T1w.nii.gz"


def test_a_filter_that_accepts_nothing_is_reported(tmp_path):
    root = make(tmp_path, *ieeg(), t1())
    settings = FileSettings(filters={"t1w": {"run": 7}, "ieeg": {"task": "rest"}})
    _, problems = search_patient(root, "1", settings)
    assert len(problems) == 2
    assert all("accepts none of 1 files" in str(one) for one in problems)


def test_a_session_that_does_not_exist_is_reported(tmp_path):
    root = make(tmp_path, *ieeg("a"))
    with pytest.raises(InputError, match="no session b; expected one or more of a"):
        find_patient(root, "1", FileSettings(sessions=("b",)))


def test_files_that_the_sessions_leave_out_are_noted(tmp_path):
    root = make(tmp_path, *ieeg("a"), t1("b"))
    files = find_patient(root, "1", FileSettings(sessions=("a",)))
    assert files.t1 is None
    assert any("sub-1_ses-b_T1w.nii.gz: not used" in note for note in files.notes)


@pytest.mark.parametrize("filters", [{"bold": {}}, {"t1w": {"sesion": "a"}}, {"t1w": 3}])
def test_an_unknown_filter_is_refused(filters):
    with pytest.raises(ConfigError, match=r"files\.filters"):
        FileSettings(filters=filters)


# ---- links and other people's files -----------------------------------------------------


def linked(tmp_path: Path) -> Path:
    root = make(tmp_path / "bids", *ieeg(), "sub-1/ieeg/sub-1_electrodes.tsv")
    archive = tmp_path / "archive"
    archive.mkdir()
    for path in sorted((root / "sub-1/ieeg").iterdir()):
        (archive / path.name).write_text("x")
        path.unlink()
        path.symlink_to(archive / path.name)
    return root


def test_links_that_leave_the_dataset_are_refused_in_one_line(tmp_path):
    root = linked(tmp_path)
    _, problems = search_patient(root, "1")
    (problem,) = problems
    assert "3 symbolic links point outside the dataset" in str(problem)
    assert "--allow-outside-links" in problem.hint
    assert "sub-1_electrodes.tsv" in problem.where


def test_masks_of_plans_that_leave_the_dataset_are_refused(tmp_path):
    root = make(tmp_path / "bids", *ieeg(), "derivatives/clinical/sub-1/sub-1_plans.tsv")
    (root / "derivatives/clinical/sub-1/sub-1_a_mask.nii.gz").symlink_to(tmp_path / "x.nii.gz")
    with pytest.raises(InputError, match="points outside the dataset"):
        find_patient(root, "1")


def test_links_that_leave_the_dataset_are_followed_if_the_user_allows_it(tmp_path):
    files = find_patient(linked(tmp_path), "1", FileSettings(outside_links=True))
    assert files.electrodes is not None
    assert files.recordings[0].events is not None


def test_a_patient_folder_that_leaves_the_dataset(tmp_path):
    root = make(tmp_path / "bids", *ieeg())
    (root / "sub-1").rename(tmp_path / "archive")
    (root / "sub-1").symlink_to(tmp_path / "archive", target_is_directory=True)
    with pytest.raises(InputError, match="points outside the dataset"):
        find_patient(root, "1")
    assert find_patient(root, "1", FileSettings(outside_links=True)).recordings


def test_links_within_the_dataset_are_followed(tmp_path):
    root = make(tmp_path, *ieeg(), ".git/annex/objects/x")
    signal = root / ieeg()[0]
    signal.unlink()
    signal.symlink_to(root / ".git/annex/objects/x")
    assert find_patient(root, "1").recordings


@pytest.mark.parametrize(
    "name", ["sub-1/anat/sub-2_T1w.nii.gz", "sub-1/ses-a/anat/sub-1_ses-b_T1w.nii.gz"]
)
def test_a_file_of_another_patient_or_session_is_refused(tmp_path, name):
    with pytest.raises(InputError, match="another patient or session"):
        find_patient(make(tmp_path, *ieeg(), name), "1")


# ---- no MRI -----------------------------------------------------------------------------


DWI = tuple(f"sub-1/dwi/sub-1_dwi{end}" for end in (".nii.gz", ".bval", ".bvec"))


def test_contacts_in_mni152_without_mri_are_placed_in_the_template(tmp_path):
    root = make(tmp_path, *ieeg(), *DWI)
    contacts(root, "", "MNI152NLin2009cAsym", TEMPLATE)
    files = find_patient(root, "1")
    assert files.uses_template
    assert files.uses_group
    assert files.dwi == ()
    assert "sub-1_dwi.nii.gz: not used (no T1w image: the template's anatomy)" in files.notes


@pytest.mark.parametrize(
    "more",
    [
        (t1(),),
        ("derivatives/freesurfer/sub-1/mri/T1.mgz",),
        ("derivatives/freesurfer/1_ses-a/mri/T1.mgz",),
        ("derivatives/connectome/sub-1/connectivity.zip",),
    ],
)
def test_with_an_mri_or_a_ready_connectome_the_template_is_not_used(tmp_path, more):
    root = make(tmp_path, *ieeg(), *more)
    contacts(root, "", "MNI152NLin2009cAsym", TEMPLATE)
    assert not find_patient(root, "1").uses_template


@pytest.mark.parametrize("system", [SCANNER, {}, TEMPLATE | {"iEEGCoordinateSystem": "fsaverage"}])
def test_contacts_in_another_frame_are_not_placed_in_the_template(tmp_path, system):
    root = make(tmp_path, *ieeg())
    contacts(root, "", "", system)
    assert not find_patient(root, "1").uses_template


def test_the_user_may_choose_the_template_although_there_are_images(tmp_path):
    root = make(tmp_path, *ieeg(), t1(), *DWI, "sub-1/anat/sub-1_label-lesion_mask.nii.gz")
    contacts(root, "", "ScanRAS", SCANNER)
    wanted = contacts(root, "", "MNI152Lin", TEMPLATE)
    assert find_patient(root, "1").electrodes.name != wanted
    files = find_patient(root, "1", FileSettings(template=True))
    assert files.electrodes.name == wanted
    assert files.uses_template
    assert (files.t1, files.dwi, files.lesion, files.freesurfer) == (None, (), None, None)
    assert any("files.template" in note for note in files.notes)


def test_without_diffusion_series_the_connectome_is_that_of_a_group(tmp_path):
    root = make(tmp_path, *ieeg(), t1())
    assert find_patient(root, "1").uses_group
    make(tmp_path, *ieeg(), t1(), *DWI)
    files = find_patient(root, "1")
    assert files.has_tractography
    assert not files.uses_group
