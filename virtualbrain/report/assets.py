"""Provide style, scripts and embedded data of the page, and the viewer shipped with nilearn."""

import base64
import hashlib
import json
import re
from collections.abc import Sequence
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from virtualbrain.errors import ToolError

_VIEWER_FOLDERS = ("_assets/js", "plotting/data/js")
_VIEWER = "niivue.umd.js"
# Parts of a script share one scope; what a part runs at once needs the parts before it.
_PAGE_SCRIPT = (
    "selection", "region_facts", "tables", "explore", "connectome", "colours", "slices", "cortex",
    "player", "views", "electrode_slice",
)  # fmt: skip
_MOVIE_SCRIPT = (
    "state", "shaders", "surfaces", "area", "gpu", "painter", "frames", "player", "controls",
    "start",
)  # fmt: skip


def static(name: str) -> str:
    """Return the text of a file in ``report/static``."""
    return files("virtualbrain.report").joinpath("static", name).read_text(encoding="utf-8")


def page_script() -> str:
    """Return the script of the report's page."""
    return _one_scope("page", _PAGE_SCRIPT)


def movie_script() -> str:
    """Return the script of the page on which a seizure plays on the cortex."""
    return _one_scope("movie", _MOVIE_SCRIPT)


def _one_scope(folder: str, names: Sequence[str]) -> str:
    parts = "\n".join(static(f"{folder}/{name}.js") for name in names)
    return inline_script(f'"use strict";\n(() => {{\n{parts}}})();\n')


def viewer() -> str:
    """Return the script of niivue, which the installed nilearn ships.

    Raises
    ------
    ToolError
        The installed nilearn does not ship niivue.
    """
    spec = find_spec("nilearn")
    root = Path(spec.origin).parent if spec and spec.origin else Path()
    for folder in _VIEWER_FOLDERS:
        if (root / folder / _VIEWER).is_file():
            return inline_script((root / folder / _VIEWER).read_text(encoding="utf-8"))
    raise ToolError(
        f"nilearn ships no {_VIEWER}", expected="nilearn 0.13 or newer", hint="update nilearn"
    )


def page_margins(label: str) -> str:
    """Return the style that prints patient, research use and page number on every page.

    A character of the label other than a letter, digit or hyphen becomes an underscore.
    """
    patient = re.sub(r"[^A-Za-z0-9-]", "_", label)
    box = "font: 12px sans-serif; color: #51606e;"
    return (
        f'@page {{ @top-left {{ content: "sub-{patient}"; {box} }} '
        f'@top-right {{ content: "Research use only · not a medical device"; {box} }} '
        f'@bottom-right {{ content: "page " counter(page) " of " counter(pages); {box} }} }}'
    )


def inline_script(code: str) -> str:
    """Return code escaped for a script element."""
    return code.replace("</script", "<\\/script").replace("<!--", "<\\!--")


def embedded_json(content: Any) -> str:
    """Return JSON escaped for a script element."""
    text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for mark, escaped in (("<", "\\u003c"), (">", "\\u003e"), ("&", "\\u0026")):
        text = text.replace(mark, escaped)
    return text.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def script_hash(code: str) -> str:
    """Return the source expression that allows this inline script."""
    digest = hashlib.sha256(code.encode("utf-8")).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"


def content_policy(*scripts: str) -> str:
    """Return a content security policy: these scripts, nothing from outside the file."""
    sources = " ".join(script_hash(code) for code in scripts)
    return (
        f"default-src 'none'; script-src {sources}; style-src 'unsafe-inline'; "
        "img-src data: blob:; font-src data:; connect-src data: blob:; "
        "base-uri 'none'; form-action 'none'"
    )


def data_url(text: str) -> str:
    """Return a table's text as a data URL, so that it can be saved without JavaScript."""
    encoded = base64.b64encode(text.encode("utf-8")).decode("ascii")
    return f"data:text/tab-separated-values;charset=utf-8;base64,{encoded}"
