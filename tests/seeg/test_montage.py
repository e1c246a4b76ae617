import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from virtualbrain.errors import InputError
from virtualbrain.seeg.contacts import contact_table
from virtualbrain.seeg.montage import build_montage, recorded_table, weight_matrix


def recorded(*names):
    contacts = [f"{e}{i}" for e in ("A", "B'") for i in range(1, 13)]
    return recorded_table(names, contact_table(contacts, np.zeros((24, 3))))


def test_bipolar_channels_do_not_bridge_gaps():
    table = recorded("A1", "A2", "A4", "A5", "A10", "A9", "B'1")
    channels = build_montage(table, {}, "bipolar")
    assert [c.name for c in channels] == ["A1-A2", "A4-A5", "A9-A10"]
    assert channels[0].recorded == {"A1": 1.0, "A2": -1.0}


def test_recorded_channels_keep_their_file_names():
    channels = build_montage(recorded("POL A01-Ref", "POL A02-Ref"), {}, "bipolar")
    assert channels[0].name == "A1-A2"
    assert set(channels[0].recorded) == {"POL A01-Ref", "POL A02-Ref"}
    assert channels[0].contacts == {"A1": 1.0, "A2": -1.0}


def test_a_bipolar_recording_is_kept():
    channels = build_montage(recorded("EEG A1-A2", "EEG A2-A3"), {}, "bipolar")
    assert [c.name for c in channels] == ["A1-A2", "A2-A3"]
    assert channels[0].recorded == {"EEG A1-A2": 1.0}
    assert channels[0].contacts == {"A1": 1.0, "A2": -1.0}


def test_a_bad_contact_makes_both_of_its_channels_bad():
    channels = build_montage(recorded("A1", "A2", "A3", "A4"), {"A2": "marked bad"}, "bipolar")
    assert [c.status for c in channels] == ["bad", "bad", "good"]
    assert channels[0].reason == "A2: marked bad"


def test_the_electrode_mean_is_over_good_contacts():
    channels = build_montage(recorded("A1", "A2", "A3"), {"A3": "marked bad"}, "shaft-average")
    weights = weight_matrix(
        [c.recorded for c in channels if c.status == "good"], ["A1", "A2", "A3"]
    )
    np.testing.assert_allclose(weights, [[0.5, -0.5, 0], [-0.5, 0.5, 0]])


@given(st.sampled_from(["bipolar", "shaft-average"]), st.floats(-1e3, 1e3))
def test_signal_common_to_all_contacts_is_removed(kind, shared):
    names = ["A1", "A2", "A3", "B'4", "B'5"]
    channels = build_montage(recorded(*names), {}, kind)
    weights = weight_matrix([c.recorded for c in channels], names)
    np.testing.assert_allclose(weights @ np.full(5, shared), 0, atol=1e-9)


def test_monopolar_channels_are_the_recorded_channels():
    channels = build_montage(recorded("A1", "A3"), {}, "monopolar")
    assert [(c.name, c.cathode, c.recorded) for c in channels] == [
        ("A1", None, {"A1": 1.0}),
        ("A3", None, {"A3": 1.0}),
    ]


def test_a_bipolar_montage_without_neighbours_is_refused():
    with pytest.raises(InputError, match="montage bipolar"):
        build_montage(recorded("A1", "A3"), {}, "bipolar")


def test_channels_without_contact_have_no_anode():
    table = recorded("ECG", "Cz", "A1-A2", "A1-Z9")
    assert table["anode"].tolist() == [None, None, "A1", None]
