"""Tables are read back equal, and an invalid table is rejected with its row."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from virtualbrain.errors import InputError
from virtualbrain.io.atomic import read_json
from virtualbrain.io.tables import read_matrix, read_table, sidecar_of, write_matrix, write_table


@given(
    matrix=hnp.arrays(
        float, (3, 2), elements=st.floats(allow_nan=False, allow_infinity=False, width=64)
    )
)
def test_numbers_keep_all_digits(tmp_path_factory, matrix):
    path = tmp_path_factory.mktemp("m") / "a.tsv"
    write_matrix(path, matrix, ["x", "y", "z"], ["a", "b"], {"Units": "mm"})
    back = read_matrix(path)
    np.testing.assert_array_equal(back.to_numpy(), matrix)
    assert list(back.index) == ["x", "y", "z"]
    assert list(back.columns) == ["a", "b"]


def test_missing_values_and_special_texts_are_kept(tmp_path):
    table = pd.DataFrame({"name": ["NA", "None", "A'1", '<"b">'], "x": [1.5, np.nan, 2, 3]})
    path = tmp_path / "a.tsv"
    write_table(path, table, {"x": "mm"})
    assert "n/a" in path.read_text()
    pd.testing.assert_frame_equal(read_table(path), table, check_dtype=False)
    assert read_json(sidecar_of(path)) == {"x": "mm"}


def test_a_numeric_column_with_leading_zeros_and_missing_values_is_numeric(tmp_path):
    path = tmp_path / "a.tsv"
    path.write_text("name\tn\nx1\t007\ny\tn/a\n")
    table = read_table(path)
    assert table["n"][0] == 7
    assert np.isnan(table["n"][1])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name,x\na,1\n", "save the table with tabs"),
        ("name\ta\n", "no column x"),
        ("name\tx\na\t1\nb\n", "row 3: the row has 1 cells; expected 2"),
        ("name\tx\tx\na\t1\t1\n", "the column x occurs twice"),
        ("", "empty"),
    ],
)
def test_an_invalid_table_is_rejected_with_its_row(tmp_path, text, words):
    path = tmp_path / "a.tsv"
    path.write_text(text)
    with pytest.raises(InputError, match=r"a\.tsv") as caught:
        read_table(path, required=["name", "x"])
    assert words in str(caught.value)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1", "cp1252", "utf-16"])
def test_tables_of_any_encoding_are_read(tmp_path, encoding):
    path = tmp_path / "a.tsv"
    path.write_bytes("name\tunits\tx\nhôte\tµV\t\nb\tµV\t1.5\n".encode(encoding))
    table = read_table(path)
    assert table["name"].tolist() == ["hôte", "b"]
    assert table["units"].tolist() == ["µV", "µV"]
    assert np.isnan(table["x"].iloc[0])
    assert table["x"].iloc[1] == 1.5


def test_a_binary_file_is_no_table(tmp_path):
    path = tmp_path / "a.tsv"
    path.write_bytes(b"name\x00\x01\x02\n")
    with pytest.raises(InputError, match="not text"):
        read_table(path)


@pytest.mark.parametrize(
    ("text", "words"),
    [("name\ta\nx\tb\n", "contains text"), ("name\ta\nx\t1\nx\t2\n", "x occurs twice")],
)
def test_an_invalid_matrix_is_rejected(tmp_path, text, words):
    path = tmp_path / "a.tsv"
    path.write_text(text)
    with pytest.raises(InputError, match=words):
        read_matrix(path)


@pytest.mark.parametrize(
    "text",
    [
        "Name\tSTATUS\nA1\tbad\n",
        "name \t status\nA1 \tbad \n",
        "name\tstatus\t\t\r\nA1\tbad\t\t\r\n",
        "status\tname\nbad\tA1\n",
        "name\tstatus\nA1\tbad\t\n",
    ],
)
def test_case_spaces_and_empty_ends_do_not_matter(tmp_path, text):
    path = tmp_path / "a.tsv"
    path.write_bytes(text.encode())
    table = read_table(path, required=["name"], optional=["status"])
    assert table[["name", "status"]].to_numpy().tolist() == [["A1", "bad"]]


def test_exact_names_of_columns_come_before_another_case(tmp_path):
    path = tmp_path / "a.tsv"
    path.write_text("Name\tname\nA\tB\n")
    assert read_table(path, required=["name"])["name"].tolist() == ["B"]


def test_a_cell_without_a_header_is_still_refused(tmp_path):
    path = tmp_path / "a.tsv"
    path.write_text("name\tx\nA1\t1\t7\n")
    with pytest.raises(InputError, match="the row has 3 cells"):
        read_table(path)


@pytest.mark.parametrize("cell", ["N/A", "NA", "na", "", "n/a", "NaN"])
def test_missing_cells_in_a_column_of_numbers(tmp_path, cell):
    path = tmp_path / "a.tsv"
    path.write_text(f"name\tx\nA1\t1.5\nA2\t{cell}\n")
    assert np.isnan(read_table(path)["x"].iloc[1])


def test_a_matrix_with_decimal_commas_is_refused_with_the_cell(tmp_path):
    path = tmp_path / "a.tsv"
    path.write_text("name\ta\tb\na\t0\t1,5\nb\t1,5\t0\n")
    with pytest.raises(InputError, match=r"a.tsv, row 3: .*'1,5'.*decimal point"):
        read_matrix(path)
