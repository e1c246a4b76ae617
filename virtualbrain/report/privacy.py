"""Remove paths, user names and host names from texts of the report."""

import re
from collections.abc import Mapping
from typing import Any

_DROPPED_KEYS = frozenset(
    {"user", "username", "login", "host", "hostname", "node", "cwd", "home", "command", "argv"}
)
_UNIX = r"(?:~|(?<![\w./~<]))/(?:[^\s\"'<>|:;,=(){}\[\]/]+/)*[^\s\"'<>|:;,=(){}\[\]/]+/?"
_WINDOWS = r"\b[A-Za-z]:\\[^\s\"'<>|;,]+"
_URL = re.compile(r"\b[a-z]+://[^\s\"'<>]+")
_PATH = re.compile(f"{_WINDOWS}|{_UNIX}")


def scrub(value: Any) -> Any:
    """Return a copy of nested values without absolute paths, user and host names.

    An absolute path becomes ``…/name`` where it ends in a file name, else ``…``. Entries whose key
    names a user, a host or a command line are removed.
    """
    if isinstance(value, Mapping):
        return {
            scrub_text(str(key)): scrub(item)
            for key, item in value.items()
            if str(key).lower() not in _DROPPED_KEYS
        }
    if isinstance(value, (list, tuple)):
        return [scrub(item) for item in value]
    return scrub_text(value) if isinstance(value, str) else value


def scrub_text(text: str) -> str:
    """Return `text` without absolute paths; web addresses stay."""
    pieces, end = [], 0
    for address in _URL.finditer(text):
        pieces += [_PATH.sub(_shortened, text[end : address.start()]), _address(address.group())]
        end = address.end()
    return "".join([*pieces, _PATH.sub(_shortened, text[end:])])


def _address(url: str) -> str:
    return "…" if url.startswith("file:") else url


def _shortened(match: re.Match[str]) -> str:
    name = re.split(r"[/\\]", match.group())[-1]
    return f"…/{name}" if "." in name.strip(".") else "…"
