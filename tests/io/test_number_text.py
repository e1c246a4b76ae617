"""Numbers as other programs write them: separators, decimal commas, nan, encodings."""

import bz2
import gzip
import zipfile

import numpy as np
import pytest

from virtualbrain.errors import InputError
from virtualbrain.io.gradients import read_fsl_gradients, read_numbers
from virtualbrain.io.number_text import number_rows, word_rows
from virtualbrain.io.text import decode, encoding_notes
from virtualbrain.io.tvb_zip import read_tvb_zip

ROWS = [[0.5, -1.25, 3.0], [2.0, 0.125, -4.5]]


def written(rows, separator, decimal=".", end="\n"):
    lines = [separator.join(f"{cell:g}" for cell in row) for row in rows]
    return end.join(lines).replace(".", decimal) + end


@pytest.mark.parametrize("separator", [" ", "\t", ",", ", ", ";", "; ", "  "])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_separators_and_line_ends(separator, end):
    assert number_rows(written(ROWS, separator, end=end)) == ROWS


@pytest.mark.parametrize("separator", [" ", "\t", ";", " ; "])
def test_decimal_commas_where_another_separator_is_present(separator):
    assert number_rows(written(ROWS, separator, ",")) == ROWS


@pytest.mark.parametrize("text", ["1,5 2,5\n3.5 4,5\n", "1,5, 2,5\n"])
def test_commas_beside_points_or_spaces_are_separators(text):
    assert number_rows(text)[0] == [1.0, 5.0, 2.0, 5.0]


def test_a_line_with_commas_only_is_a_list():
    assert number_rows("0,1000,1000\n") == [[0.0, 1000.0, 1000.0]]


def test_comments_and_quotes_are_left_out():
    assert word_rows('# a b\n% c\n"Left A";"-3,5";"2"\n') == [["Left", "A", "-3.5", "2"]]


@pytest.mark.parametrize(
    "cell", ["nan", "-NaN", "-1.#IND", "1.#QNAN0", "nan(ind)", "-nan(0x8)", "n/a", "NA"]
)
def test_directions_that_are_no_number_in_the_words_of_other_programs(tmp_path, cell):
    bval, bvec = tmp_path / "a.bval", tmp_path / "a.bvec"
    bval.write_text("0 1000 1000\n")
    bvec.write_text(f"{cell} 1 0\n{cell} 0 1\n{cell} 0 0\n")
    bvals, bvecs = read_fsl_gradients(bval, bvec)
    assert bvals.tolist() == [0, 1000, 1000]
    assert bvecs.tolist() == [[0, 0, 0], [1, 0, 0], [0, 1, 0]]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-8-sig", "utf-32"])
def test_gradient_tables_in_any_encoding(tmp_path, encoding):
    path = tmp_path / "a.bval"
    path.write_bytes("0 1000 1000\r\n".encode(encoding))
    assert read_numbers(path).tolist() == [[0, 1000, 1000]]
    assert bool(encoding_notes([path])) == (encoding != "utf-8-sig")


def test_the_text_that_is_no_number_is_named(tmp_path):
    path = tmp_path / "a.bval"
    path.write_text("b=0 1000\n")
    with pytest.raises(InputError, match="'b=0'"):
        read_numbers(path)


@pytest.mark.parametrize("text", ["name\tx\nA1\t3\n", "é\tß\n1\t2\n", '{"a": 1}'])
@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf16_without_a_mark_is_known_by_its_zeros(text, encoding):
    assert decode(text.encode(encoding)) == (text, "UTF-16")


@pytest.mark.parametrize("content", [b"\x00" * 40, b"a\x00\x00b" * 9, b"ab\x00c"])
def test_other_zeros_are_no_utf16(content):
    assert decode(content)[1] == "UTF-8"


NAMES = ("Gyrus A", "Gyrus B", "Gyrus C")
PLACES = np.array([[-36.5, 10, 5], [-20, 10.25, 5], [30, -40, 30]])
WEIGHTS = np.array([[0, 1.5, 2], [1.5, 0, 0.25], [2, 0.25, 0]])


def members(separator=" ", decimal="."):
    centres = "".join(
        separator.join([name, *(f"{x:g}".replace(".", decimal) for x in place)]) + "\n"
        for name, place in zip(NAMES, PLACES, strict=True)
    )
    return {
        "weights.txt": written(WEIGHTS, separator, decimal),
        "tract_lengths.txt": written(40 * WEIGHTS, separator, decimal),
        "centres.txt": centres,
    }


def zipped(folder, content):
    path = folder / "connectivity.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, part in content.items():
            archive.writestr(name, part)
    return path


@pytest.mark.parametrize(
    "change",
    [
        lambda: members(),
        lambda: members("\t"),
        lambda: members(";"),
        lambda: members(";", ","),
        lambda: members(" ", ","),
        lambda: {k: v.encode("utf-16") for k, v in members().items()},
        lambda: {f"{k.upper()}.BZ2": bz2.compress(v.encode()) for k, v in members().items()},
        lambda: {f"c/{k}.gz": gzip.compress(v.encode()) for k, v in members().items()},
        lambda: {
            f"{k}.bz2": bz2.compress(v[:9].encode()) + bz2.compress(v[9:].encode())
            for k, v in members().items()
        },
        lambda: {k.replace("tract_lengths", "tracts"): v for k, v in members().items()},
        lambda: {**members(), "weights.txt": "# a b c\n" + members()["weights.txt"]},
    ],
)
def test_zips_of_other_programs_give_the_same_connectome(tmp_path, change):
    found = read_tvb_zip(zipped(tmp_path, change()))
    assert tuple(found.names) == NAMES
    np.testing.assert_allclose(found.regions[["x", "y", "z"]].to_numpy(float), PLACES)
    np.testing.assert_allclose(found.weights, WEIGHTS)
    np.testing.assert_allclose(found.lengths_mm, 40 * WEIGHTS)


@pytest.mark.parametrize("encoding", ["latin-1", "utf-8", "utf-16"])
def test_names_with_accents_are_kept_in_any_encoding(tmp_path, encoding):
    content = members()
    content["centres.txt"] = content["centres.txt"].replace("Gyrus A", "Hippocampe gauche é")
    content["centres.txt"] = content["centres.txt"].encode(encoding)
    assert read_tvb_zip(zipped(tmp_path, content)).names[0] == "Hippocampe gauche é"


def test_two_regions_that_differ_in_an_accent_stay_two(tmp_path):
    content = members()
    text = content["centres.txt"].replace("Gyrus A", "Aé").replace("Gyrus B", "Aè")
    content["centres.txt"] = text.encode("latin-1")
    assert read_tvb_zip(zipped(tmp_path, content)).names[:2] == ("Aé", "Aè")
