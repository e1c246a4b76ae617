"""Bad input: error lines, exit code 2, and unchanged earlier results."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from virtualbrain import cli
from virtualbrain.config import load_config, project_root
from virtualbrain.pipeline.check import check_patient


def only(folder: Path, pattern: str) -> Path:
    (path,) = folder.rglob(pattern)
    return path


def edit(path: Path, change: Callable[[str], str]) -> None:
    text = path.read_text()
    changed = change(text)
    assert changed != text
    path.write_text(changed)


def edit_json(path: Path, **changes: object) -> None:
    content = json.loads(path.read_text())
    for key, value in changes.items():
        if value is None:
            content.pop(key)
        else:
            content[key] = value
    path.write_text(json.dumps(content))


def no_structure(bids: Path) -> None:
    shutil.rmtree(bids / "derivatives" / "connectome")


def no_seizure(bids: Path) -> None:
    edit(only(bids, "*_events.tsv"), lambda text: text.replace("seizure", "artefact"))


def no_coordinates(bids: Path) -> None:
    path = only(bids, "*_electrodes.tsv")
    rows = [line.split("\t") for line in path.read_text().splitlines()]
    body = [[row[0], "n/a", "n/a", "n/a", *row[4:]] for row in rows[1:]]
    path.write_text("\n".join("\t".join(row) for row in [rows[0], *body]) + "\n")


def no_unit(bids: Path) -> None:
    edit_json(only(bids, "*_coordsystem.json"), iEEGCoordinateUnits=None)


def no_frame(bids: Path) -> None:
    edit_json(only(bids, "*_coordsystem.json"), iEEGCoordinateSystem=None)


def pixels(bids: Path) -> None:
    path = only(bids, "*_coordsystem.json")
    edit_json(path, iEEGCoordinateSystem="Pixels", iEEGCoordinateUnits="pixels")


def few_contacts(bids: Path) -> None:
    path = only(bids, "*_electrodes.tsv")
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[: len(lines) // 3]))


def event_past_the_end(bids: Path) -> None:
    path = only(bids, "*_events.tsv")
    rows = [line.split("\t") for line in path.read_text().splitlines()]
    kind = rows[0].index("trial_type")
    for row in rows[1:]:
        if row[kind] == "seizure":
            row[0] = "100000.0"
    path.write_text("\n".join("\t".join(row) for row in rows) + "\n")


FAULTS = [
    (no_structure, "no T1w image and no ready connectome"),
    (no_seizure, "seizure"),
    (no_coordinates, "coordinates"),
    (no_unit, "nit"),
    (no_frame, "oordinateSystem"),
    (pixels, "pixels of a picture"),
    (few_contacts, "good channels have coordinates"),
    (event_past_the_end, "record"),
]


@pytest.fixture
def patient(dataset, tmp_path) -> Path:
    folder = tmp_path / "bids"
    shutil.copytree(dataset, folder)
    return folder


@pytest.fixture
def earlier(tmp_path) -> Path:
    out = tmp_path / "out"
    (out / "sub-01").mkdir(parents=True)
    (out / "sub-01" / "kept.tsv").write_text("x\n")
    return out


@pytest.mark.parametrize(
    ("fault", "words"), FAULTS, ids=lambda value: getattr(value, "__name__", "")
)
def test_bad_input_is_reported_and_changes_no_result(patient, earlier, capsys, fault, words):
    fault(patient)
    assert cli.main(["run", str(patient), str(earlier)]) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert all(line.startswith("error: sub-01: ") for line in lines)
    assert any(words in line for line in lines)
    assert "Traceback" not in "".join(lines)
    files = [path for path in earlier.rglob("*") if path.is_file()]
    assert files == [earlier / "sub-01" / "kept.tsv"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--participant-label", "../01"], "not a label"),
        (["--participant-label", "99"], "no participant sub-99"),
        (["--priors", "defualt"], "unknown prior set 'defualt'"),
    ],
)
def test_invalid_arguments_are_refused(patient, earlier, capsys, arguments, words):
    assert cli.main(["run", str(patient), str(earlier), *arguments]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert words in line


def test_unknown_key_of_a_prior_file_is_refused(patient, earlier, tmp_path, capsys):
    priors = tmp_path / "mine.yaml"
    text = (project_root() / "config/priors/default.yaml").read_text()
    priors.write_text(text.replace("\nK:", "\nKay:"))
    assert cli.main(["run", str(patient), str(earlier), "--priors", str(priors)]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert "Kay" in line
    assert "mine.yaml" in line


def test_unknown_atlas_is_refused(patient, earlier, tmp_path, capsys):
    no_structure(patient)
    settings = tmp_path / "s.yaml"
    settings.write_text("anatomy: {atlas: Brodman}\n")
    assert cli.main(["run", str(patient), str(earlier), "--config", str(settings)]) == 2
    assert "Brodman" in capsys.readouterr().err


def test_check_lists_every_problem(patient, capsys):
    no_unit(patient)
    no_seizure(patient)
    assert cli.main(["check", str(patient)]) == 2
    text = capsys.readouterr().err
    assert "nit" in text
    assert "seizure" in text


def test_check_of_a_good_patient(patient, capsys):
    assert cli.main(["check", str(patient)]) == 0
    assert capsys.readouterr().out.strip() == "sub-01: no problem found"


def test_structure_only_needs_no_recording(patient):
    shutil.rmtree(patient / "sub-01" / "ieeg")
    assert check_patient(patient, "01", load_config(None, {"structure_only": True})) == []
    assert check_patient(patient, "01", load_config(None)) != []
