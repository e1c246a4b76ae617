"""The configuration: complete, equal to the defaults of the settings, validated."""

import dataclasses

import pytest

from inference.settings import Settings
from virtualbrain.anatomy.settings import AnatomySettings
from virtualbrain.config import (
    config_hash,
    load_config,
    project_root,
    read_yaml,
    settings_from,
)
from virtualbrain.cortex.settings import CortexSettings
from virtualbrain.diffusion.settings import DiffusionSettings
from virtualbrain.errors import ConfigError
from virtualbrain.io.file_settings import FileSettings
from virtualbrain.seeg.settings import SeegSettings
from virtualbrain.surgery.settings import HypothesisSettings, SurgerySettings

SECTIONS = {
    "files": FileSettings,
    "anatomy": AnatomySettings,
    "diffusion": DiffusionSettings,
    "seeg": SeegSettings,
    "inference": Settings,
    "surgery": SurgerySettings,
    "hypothesis": HypothesisSettings,
    "cortex": CortexSettings,
}
SET_BY_THE_RUN = {"seed", "cores"}


@pytest.mark.parametrize("name", SECTIONS)
def test_config_file_equals_the_defaults(name):
    written = load_config()[name]
    declared = {field.name for field in dataclasses.fields(SECTIONS[name])} - SET_BY_THE_RUN
    assert set(written) == declared
    assert settings_from(written, SECTIONS[name], name) == SECTIONS[name]()


def test_users_file_changes_only_its_keys(tmp_path):
    user = tmp_path / "mine.yaml"
    user.write_text("seed: 7\nsurgery:\n  draws: 50\n")
    config = load_config(user)
    assert config["seed"] == 7
    assert config["surgery"]["draws"] == 50
    assert config["surgery"]["sham"] == load_config()["surgery"]["sham"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("surgery:\n  drawz: 5\n", "did you mean surgery.draws"),
        ("seedd: 5\n", "did you mean seed"),
        ("seed: many\n", "seed: 'many' is not of type 'integer'"),
        ("seed:\n", "seed: None is not of type"),
        ("- a\n- b\n", "not a mapping"),
        ("a: [1\n", "not YAML"),
    ],
)
def test_invalid_file_is_refused_with_its_name(tmp_path, text, words):
    user = tmp_path / "mine.yaml"
    user.write_text(text)
    with pytest.raises(ConfigError, match=r"mine\.yaml") as caught:
        load_config(user)
    assert words in str(caught.value)


def test_missing_file_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="no such file"):
        load_config(tmp_path / "none.yaml")


def test_yaml_cannot_run_code(tmp_path):
    user = tmp_path / "mine.yaml"
    user.write_text("seed: !!python/object/apply:os.system ['true']\n")
    with pytest.raises(ConfigError, match="not YAML"):
        read_yaml(user)


def test_hash_depends_only_on_its_sections():
    config = load_config()
    changed = load_config(overrides={"surgery": {"draws": 3}})
    assert config_hash(config, ["seeg"]) == config_hash(changed, ["seeg"])
    assert config_hash(config, ["surgery"]) != config_hash(changed, ["surgery"])


def test_project_root_contains_the_workflow():
    assert (project_root() / "Snakefile").is_file()


def test_unknown_settings_are_refused():
    with pytest.raises(ConfigError, match=r"did you mean surgery\.sham"):
        settings_from({"shame": 3}, SurgerySettings, "surgery")
