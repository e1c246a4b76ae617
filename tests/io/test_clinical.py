"""Clinical tables: read, and refused with their row."""

import pandas as pd
import pytest

from virtualbrain.errors import InputError
from virtualbrain.io.clinical import read_eloquent, read_hypothesis, require_known


def write(path, text):
    path.write_text(text)
    return path


@pytest.mark.parametrize("column", ["region", "contact"])
def test_hypothesis_of_regions_or_contacts(tmp_path, column):
    path = write(tmp_path / "h.tsv", f"{column}\tzone\tsource\nA'1\tez\tSEEG\nb\tPZ\tn/a\n")
    table = read_hypothesis(path)
    assert table["name"].tolist() == ["A'1", "b"]
    assert table["zone"].tolist() == ["EZ", "PZ"]
    assert table["source"].tolist() == ["SEEG", ""]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("region\tzone\na\tmaybe\n", "row 2: the zone maybe; expected EZ or PZ"),
        ("where\tzone\na\tEZ\n", "no column region or contact"),
        ("region,zone\na,EZ\n", "tabs"),
    ],
)
def test_a_wrong_hypothesis_is_refused(tmp_path, text, words):
    with pytest.raises(InputError) as caught:
        read_hypothesis(write(tmp_path / "h.tsv", text))
    assert words in str(caught.value)


def test_eloquent_regions(tmp_path):
    table = read_eloquent(write(tmp_path / "e.tsv", "region\tfunction\na\tspeech\n"))
    assert table.iloc[0].tolist() == ["a", "speech"]


def test_an_unknown_name_is_told_with_its_row(tmp_path):
    with pytest.raises(InputError, match=r"h\.tsv, row 3: unknown region b"):
        require_known(pd.Series(["a", "b"]), {"a"}, tmp_path / "h.tsv", "region")
