"""Write the reference of the configuration from the schema, the defaults and their comments."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from markdown_text import escaped

HEADER = """# Every setting

Write only the settings that you change into a file of your own and pass it with
`virtualbrain run BIDS OUT --config FILE`; how: [settings](settings.md). An unknown key is an error.
The ending of a name is its unit.
"""
UNITS = {
    "_mm": "mm",
    "_mm3": "mm³",
    "_s": "s",
    "_hz": "Hz",
    "_deg": "degrees",
    "_ma": "mA",
}
TYPES = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "array": "list",
    "object": "mapping",
    "null": "null",
}


@dataclass(frozen=True)
class Setting:
    """One setting: its full name, description, default, unit, and permitted values."""

    name: str
    description: str
    default: Any
    unit: str
    permitted: str


def page(root: Path) -> str:
    """Return the page: every setting of the schema, section by section."""
    parts = [HEADER, "## General\n"]
    section = ""
    for setting in settings(root):
        owner = setting.name.rpartition(".")[0]
        if owner != section:
            section = owner
            parts.append(f"{'#' * (2 + owner.count('.'))} {owner}\n")
        parts.append(_definition(setting))
    priors = (root / "config/priors/default.yaml").read_text("utf-8")
    return "\n".join([*parts, f"## The prior set default\n\n```yaml\n{priors}```\n"])


def settings(root: Path) -> Iterator[Setting]:
    """Yield every setting of the schema."""
    schema = yaml.safe_load((root / "workflow/schemas/config.schema.yaml").read_text("utf-8"))
    text = (root / "config/config.yaml").read_text("utf-8")
    yield from _settings_of(schema, yaml.safe_load(text), descriptions(text), "")


def _settings_of(
    schema: Mapping[str, Any], defaults: Mapping[str, Any], about: Mapping[str, str], prefix: str
) -> Iterator[Setting]:
    for key, rule in schema["properties"].items():
        name, default = f"{prefix}{key}", defaults[key]
        if "properties" in rule:
            yield from _settings_of(rule, default, about, f"{name}.")
        else:
            yield Setting(name, about.get(name, ""), default, unit_of(key), permitted(rule))


def unit_of(key: str) -> str:
    """Return the unit that a name ends with, or an empty text."""
    return next((unit for ending, unit in UNITS.items() if key.endswith(ending)), "")


def permitted(rule: Mapping[str, Any]) -> str:
    """Return the values that the schema permits, in words."""
    if "enum" in rule:
        return "one of " + ", ".join(json.dumps(value) for value in rule["enum"])
    types = rule["type"] if isinstance(rule["type"], list) else [rule["type"]]
    words = " or ".join(TYPES[name] for name in types)
    if "minimum" in rule:
        words += f", {rule['minimum']} or more"
    return words


def descriptions(text: str) -> dict[str, str]:
    """Return the comment of every key of a YAML text, by its full name.

    The comment is behind the key, or in the lines above it. A key without one directly below
    another key shares that key's comment, which then describes both.
    """
    lines = text.splitlines()
    found: dict[str, str] = {}

    def visit(node: yaml.MappingNode, prefix: str) -> None:
        before = ""
        for key, value in node.value:
            name = f"{prefix}{key.value}"
            _, mark, behind = lines[key.start_mark.line].partition("  # ")
            before = behind if mark else _above(lines, key.start_mark.line) or before
            found[name] = before
            if isinstance(value, yaml.MappingNode):
                visit(value, f"{name}.")

    visit(yaml.compose(text), "")
    return found


def _above(lines: list[str], line: int) -> str:
    """Return the comment in the lines directly above a line."""
    first = line
    while first > 0 and lines[first - 1].lstrip().startswith("#"):
        first -= 1
    return " ".join(part.lstrip(" #") for part in lines[first:line])


def _definition(setting: Setting) -> str:
    """Return one setting as an entry of a definition list."""
    default = json.dumps(setting.default, ensure_ascii=False)
    facts = f"Default: `{default}`" + (f" {setting.unit}" if setting.unit else "")
    key = setting.name.rpartition(".")[2]
    return (
        f"`{key}`\n: {escaped(setting.description)}\n\n  {facts} · {escaped(setting.permitted)}\n"
    )
