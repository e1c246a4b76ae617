import pytest
from hypothesis import given
from hypothesis import strategies as st

from virtualbrain.seeg.names import (
    ChannelName,
    bare_name,
    by_key,
    is_scalp_channel,
    is_scalp_name,
    key_of,
    of_all,
    parse_channel,
    split_contact,
)


@pytest.mark.parametrize(
    ("written", "bare"),
    [
        ("A'1", "A'1"),
        ("A’01", "A'1"),
        ("POL A1-Ref", "A1"),
        ("EEG A'1-REF", "A'1"),
        ("SEEG B 12", "B12"),
        ("EEG TP'9", "TP'9"),
        ("A1-A2", "A1-A2"),
        ("EEG A01-A02", "A1-A2"),
        ("LOF10", "LOF10"),
        ("A100", "A100"),
        ("EEG Fp1-Avg", "Fp1"),
        ("POL DC01", "DC1"),
        ("EEGx1", "EEGx1"),
        ("A_1", "A1"),
        ("A'-01", "A'1"),
        ("POL A - 1", "A1"),
        ("A_1-A_2", "A1-A2"),
        ("A-1-A-2", "A1-A2"),
        ("A‑3", "A3"),
        ("A-1-Ref", "A1"),
    ],
)
def test_spellings_of_one_contact_are_equal(written, bare):
    assert bare_name(written) == bare
    assert bare_name(bare) == bare


@pytest.mark.parametrize(
    ("written", "anode", "cathode"),
    [
        ("A1", "A1", None),
        ("A1-A2", "A1", "A2"),
        ("A'1-2", "A'1", "A'2"),
        ("POL A1-Ref", "A1", None),
        ("EEG LH01-LH02", "LH1", "LH2"),
        ("ECG", "ECG", None),
    ],
)
def test_a_channel_name_gives_one_or_two_contacts(written, anode, cathode):
    assert parse_channel(written) == ChannelName(anode, cathode)


@pytest.mark.parametrize(
    ("name", "electrode", "number"),
    [
        ("A'1", "A'", 1),
        ("A12", "A", 12),
        ("LH_3", "LH", 3),
        ("T1A4", "T1A", 4),
        ("ECG", "ECG", None),
    ],
)
def test_a_contact_has_an_electrode_and_a_number(name, electrode, number):
    assert split_contact(name) == (electrode, number)


def test_left_and_right_contacts_are_different():
    assert key_of("A1") != key_of("A'1")
    assert len(by_key(["A1", "A'1", "B1"])) == 3


def test_one_contact_is_found_in_any_spelling():
    assert by_key(["A1", "B1", "POL A01-Ref", "a_1"]) == {"a1": [0, 2, 3], "b1": [1]}


@pytest.mark.parametrize("name", ["CPz", "M1", "A2", "Fp1", "T10", "Oz"])
def test_names_of_the_scalp(name):
    assert is_scalp_name(name)
    assert is_scalp_channel(f"EEG {name}-Ref")
    assert is_scalp_channel(f"EEG {name}-CPz")
    assert is_scalp_channel(f"EEG C3-{name}")
    assert not is_scalp_channel(f"POL {name}")


@pytest.mark.parametrize("name", ["A3", "LH1", "Z9", "TP'9", "GPH1"])
def test_names_that_are_not_of_the_scalp(name):
    assert not is_scalp_name(name)


def test_a_message_names_all():
    assert of_all("channel", ["A1"], "is bad", "are bad") == "the channel A1 is bad"
    assert of_all("channel", ["A1", "B2"], "is bad", "are bad") == "2 channels are bad: A1, B2"


@given(st.text(max_size=30))
def test_bare_names_keep_their_key(text):
    assert key_of(bare_name(text)) == key_of(text)
