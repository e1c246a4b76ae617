import pandas as pd
import pytest

from virtualbrain.cli import main
from virtualbrain.errors import InputError
from virtualbrain.seeg.seizure_proposals import describe, propose_times
from virtualbrain.seeg.seizures import find_ends_without_onset, find_seizures, require_seizures
from virtualbrain.seeg.settings import SeegSettings

SETTINGS = SeegSettings()


def marked(*rows):
    return pd.DataFrame(rows, columns=["onset", "duration", "trial_type"])


def test_a_missing_offset_is_proposed_and_drawn(patient, tmp_path, capsys):
    patient.events = marked((35.0, 0.0, "seizure onset"))
    patient.write(tmp_path / "bids")
    assert main(["seizures", str(tmp_path / "bids"), str(tmp_path / "out")]) == 0
    output = capsys.readouterr().out
    assert "its end is PROPOSED" in output
    assert "events.tsv" in output
    assert (tmp_path / "out" / "sub-01_desc-proposal_seizures.png").stat().st_size > 5000


def test_a_missing_onset_is_proposed_from_the_offset(patient, tmp_path):
    patient.events = marked((57.0, 0.0, "seizure end"))
    (proposal,) = propose_times(patient.write(tmp_path), SETTINGS)
    assert proposal.missing == "onset"
    assert proposal.seizure.onset_s == pytest.approx(35.0, abs=2.5)
    assert proposal.seizure.offset_s == pytest.approx(57.0)
    assert "its onset is PROPOSED" in describe(proposal)


def test_a_complete_seizure_is_listed_unchanged(patient, tmp_path):
    (proposal,) = propose_times(patient.write(tmp_path), SETTINGS)
    assert proposal.missing == ""
    assert "PROPOSED" not in describe(proposal)


def test_an_end_without_onset_is_no_seizure_but_is_reported(patient, tmp_path):
    patient.events = marked((57.0, 0.0, "seizure end"))
    files = patient.write(tmp_path)
    assert find_seizures(files, SETTINGS) == ()
    assert [end.onset_s for end in find_ends_without_onset(files, SETTINGS)] == [57.0]
    with pytest.raises(InputError, match="proposes the missing onset of a marked end"):
        require_seizures(files, SETTINGS)


def test_an_end_after_an_onset_has_an_onset(patient, tmp_path):
    patient.events = marked((35.0, 0.0, "seizure onset"), (57.0, 0.0, "seizure offset"))
    assert find_ends_without_onset(patient.write(tmp_path), SETTINGS) == ()
