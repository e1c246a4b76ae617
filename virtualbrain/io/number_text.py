"""Read numbers from text as other programs write them: separators, decimal commas, nan."""

import math
import re

_COMMENT = ("#", "%")
_DECIMAL = re.compile(r"[+-]?\d+,\d+(?:[eE][+-]?\d+)?")
# As Windows, MATLAB, R and BIDS write what is not a number.
_NO_NUMBER = re.compile(r"[+-]?(?:nan(?:\(\w*\))?|1\.#(?:ind|qnan|snan)\d*|n/a|na)", re.IGNORECASE)


def number(cell: str) -> float:
    """Return a cell as a number; NaN for the ways in which programs write nan.

    Raises
    ------
    ValueError
        The cell is another text.
    """
    return math.nan if _NO_NUMBER.fullmatch(cell) else float(cell)


def is_number(word: str) -> bool:
    """Return whether a text is a number with a decimal point, or nan or inf."""
    try:
        float(word)
    except ValueError:
        return False
    return True


def word_rows(text: str) -> list[list[str]]:
    """Return the words of every line that is no comment and not blank.

    Separators are spaces, tabs, semicolons and commas. Where another separator is present and
    the numbers have no points, a comma between digits is the decimal comma; it becomes a point.
    Quotes around words are removed.

    Parameters
    ----------
    text : str
        Content of a file.
    """
    lines = [line.strip() for line in text.replace('"', "").splitlines()]
    lines = [line for line in lines if line and not line.startswith(_COMMENT)]
    rows = [line.replace(";", " ").split() for line in lines]
    if _has_decimal_commas(rows):
        return [[_with_point(word) for word in row] for row in rows]
    return [line.replace(",", " ").replace(";", " ").split() for line in lines]


def number_rows(text: str) -> list[list[float]]:
    """Return the numbers of every line; see `word_rows`.

    Raises
    ------
    ValueError
        A word is not a number.
    """
    return [[number(word) for word in row] for row in word_rows(text)]


def _has_decimal_commas(rows: list[list[str]]) -> bool:
    """Return whether commas are decimal commas: within numbers, in lines with other separators."""
    words = [word for row in rows for word in row if "," in word]
    return (
        bool(words)
        and all(_DECIMAL.fullmatch(word) for word in words)
        and all(len(row) > 1 for row in rows)
        and not any("." in word and is_number(word) for row in rows for word in row)
    )


def _with_point(word: str) -> str:
    return word.replace(",", ".") if _DECIMAL.fullmatch(word) else word
