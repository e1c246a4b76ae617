import pandas as pd
import pytest

from virtualbrain.cli import main
from virtualbrain.errors import InputError
from virtualbrain.seeg.seizure_proposals import describe, propose_times
from virtualbrain.seeg.seizures import find_lone_ends, find_seizures, require_seizures
from virtualbrain.seeg.settings import SeegSettings

SETTINGS = SeegSettings()


def marked(*rows):
    return pd.DataFrame(rows, columns=["onset", "duration", "trial_type"])


def test_a_missing_end_is_proposed_and_drawn(patient, tmp_path, capsys):
    patient.events = marked((35.0, 0.0, "seizure onset"))
    patient.write(tmp_path / "bids")
    assert main(["seizures", str(tmp_path / "bids"), str(tmp_path / "out")]) == 0
    told = capsys.readouterr().out
    assert "its end is PROPOSED" in told
    assert "events.tsv" in told
    assert (tmp_path / "out" / "sub-01_desc-proposal_seizures.png").stat().st_size > 5000


def test_a_missing_onset_is_proposed_from_the_end(patient, tmp_path):
    patient.events = marked((57.0, 0.0, "seizure end"))
    (proposal,) = propose_times(patient.write(tmp_path), SETTINGS)
    assert proposal.missing == "onset"
    assert proposal.seizure.onset_s == pytest.approx(35.0, abs=2.5)
    assert proposal.seizure.offset_s == pytest.approx(57.0)
    assert "its onset is PROPOSED" in describe(proposal)


def test_a_complete_seizure_is_listed_as_it_is(patient, tmp_path):
    (proposal,) = propose_times(patient.write(tmp_path), SETTINGS)
    assert proposal.missing == ""
    assert "PROPOSED" not in describe(proposal)


def test_a_lone_end_is_no_seizure_for_the_run_but_is_told_of(patient, tmp_path):
    patient.events = marked((57.0, 0.0, "seizure end"))
    files = patient.write(tmp_path)
    assert find_seizures(files, SETTINGS) == ()
    assert [end.onset_s for end in find_lone_ends(files, SETTINGS)] == [57.0]
    with pytest.raises(InputError, match="proposes the onset of a lone end"):
        require_seizures(files, SETTINGS)


def test_an_end_after_its_onset_is_not_alone(patient, tmp_path):
    patient.events = marked((35.0, 0.0, "seizure onset"), (57.0, 0.0, "seizure offset"))
    assert find_lone_ends(patient.write(tmp_path), SETTINGS) == ()
