"""Read the configuration, validate it, and convert its sections to settings."""

import dataclasses
import difflib
import hashlib
import json
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from virtualbrain.errors import ConfigError


def installed_root() -> Path:
    """Return the folder that holds the packages: the checkout, or site-packages."""
    return Path(__file__).resolve().parent.parent


def project_root() -> Path:
    """Return the folder that holds Snakefile, workflow/ and config/.

    In an installed wheel it is inside the package (envs/build_hook.py).
    """
    for root in (installed_root(), installed_root() / "virtualbrain" / "_project"):
        if (root / "workflow" / "Snakefile").is_file():
            return root
    raise ConfigError(
        "the workflow is not installed with the package",
        hint="install the wheel, or from a checkout of the project",
    )


def read_yaml(path: Path | str) -> dict[str, Any]:
    """Read a YAML mapping.

    Raises
    ------
    ConfigError
        The file is missing, is not YAML or is not a mapping.
    """
    path = Path(path)
    try:
        content = _parsed_yaml(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError("no such file", where=str(path), hint="check the path") from None
    except UnicodeDecodeError:
        raise ConfigError("not UTF-8 text", where=path.name) from None
    except yaml.YAMLError as error:
        raise ConfigError(f"not YAML: {error}", where=path.name) from None
    if not isinstance(content, dict):
        raise ConfigError("not a mapping", where=path.name, expected="keys and values")
    return content


def _parsed_yaml(text: str) -> Any:
    """Parse YAML with the compiled parser; the other one words the errors."""
    try:
        return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506
    except yaml.YAMLError:
        return yaml.safe_load(text)


def load_config(
    user: Path | str | None = None, overrides: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return config/config.yaml with the values of a user's file and of `overrides`.

    Raises
    ------
    ConfigError
        An unknown key (the message names the nearest known one), or an invalid value.
    """
    root = project_root()
    config = read_yaml(root / "config" / "config.yaml")
    where = "config/config.yaml"
    for layer, name in ((read_yaml(user) if user else {}, str(user)), (overrides or {}, "config")):
        if layer:
            config, where = _merge(config, layer, name, ""), name
    check_against_schema(config, root / "workflow/schemas/config.schema.yaml", where)
    return config


def _merge(
    base: Mapping[str, Any], layer: Mapping[str, Any], where: str, path: str
) -> dict[str, Any]:
    """Return a mapping with the values of another one; unknown keys are an error."""
    merged = dict(base)
    for key, value in layer.items():
        name = f"{path}{key}"
        if key not in base:
            raise unknown_key(name, [f"{path}{known}" for known in base], where)
        if base[key] and isinstance(base[key], dict) and isinstance(value, Mapping):
            merged[key] = _merge(base[key], value, where, f"{name}.")
        else:
            merged[key] = value
    return merged


def unknown_key(name: str, known: typing.Iterable[str], where: str) -> ConfigError:
    """Return the error for an unknown key, with the nearest known one."""
    known = list(known)
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return ConfigError(
        f"unknown key {name}",
        where=where,
        expected="one of " + ", ".join(sorted(known)),
        hint=f"did you mean {near[0]}?" if near else "see config/README.md",
    )


def check_against_schema(content: Mapping[str, Any], schema: Path, where: str) -> None:
    """Check a mapping against a JSON schema.

    Raises
    ------
    ConfigError
        A value is invalid; the message names its key.
    """
    import jsonschema  # on use, so that --help starts fast

    validator = jsonschema.Draft202012Validator(read_yaml(schema))
    error = jsonschema.exceptions.best_match(validator.iter_errors(content))
    if error is not None:
        key = ".".join(str(part) for part in error.absolute_path) or "top level"
        raise ConfigError(f"{key}: {error.message}", where=where, hint="see config/README.md")


def settings_from[T](section: Mapping[str, Any], kind: type[T], where: str) -> T:
    """Convert a section of the configuration to a frozen dataclass of settings.

    Raises
    ------
    ConfigError
        A key that the dataclass lacks.
    """
    assert dataclasses.is_dataclass(kind)
    fields = {field.name: field for field in dataclasses.fields(kind)}
    hints = typing.get_type_hints(kind)
    values: dict[str, Any] = {}
    for key, value in section.items():
        if key not in fields:
            raise unknown_key(f"{where}.{key}", [f"{where}.{name}" for name in fields], where)
        values[key] = _as_declared(value, hints[key], f"{where}.{key}")
    return kind(**values)


def _as_declared(value: Any, hint: Any, where: str) -> Any:
    """Convert a YAML value to the declared type: tuple, path, float or dataclass."""
    if value is None:
        return None
    options = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    for option in options:
        origin = typing.get_origin(option) or option
        if origin is tuple and isinstance(value, list):
            return tuple(value)
        if origin is Path and isinstance(value, str):
            return Path(value)
        if origin is float and isinstance(value, int):
            return float(value)
        if dataclasses.is_dataclass(origin) and isinstance(value, Mapping):
            return settings_from(value, typing.cast("type[Any]", origin), where)
    return value


def config_hash(config: Mapping[str, Any], sections: typing.Iterable[str]) -> str:
    """Return a short hash of some sections of the configuration.

    Parameters
    ----------
    config : mapping
        The configuration.
    sections : iterable of str
        Keys that the result depends on.
    """
    text = json.dumps({key: config[key] for key in sorted(sections)}, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
