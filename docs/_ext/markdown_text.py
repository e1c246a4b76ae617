"""Escape plain text for Markdown."""

import re

_MARKS = re.compile(r"([\\`*_{}\[\]<>$|#])")


def escaped(text: str) -> str:
    """Return a text that Markdown shows as it is, on one line."""
    return _MARKS.sub(r"\\\1", " ".join(text.split()))
