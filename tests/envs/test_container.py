"""The recipes of the container hold what the wheel is made of, and the same content."""

import re

import pytest

from virtualbrain.config import project_root

ENVS = project_root() / "envs"
NEEDED = set(
    "LICENSE README.md Snakefile pyproject.toml config envs inference virtualbrain workflow".split()
)


def copied_by_docker(text: str) -> set[str]:
    lines = re.findall(r"^COPY (.+) \S+$", text, flags=re.MULTILINE)
    return {name for line in lines for name in line.split()}


def copied_by_apptainer(text: str) -> set[str]:
    files = re.search(r"%files\n((?:    .+\n)+)", text)[1]
    return {name for line in files.splitlines() for name in line.split()[:-1]}


def copied_by_script(text: str) -> set[str]:
    return set(re.search(r"cp -r ([^\"]+) ", text)[1].replace("\\\n", " ").split())


RECIPES = {
    "Dockerfile": copied_by_docker,
    "apptainer.def": copied_by_apptainer,
    "root-file-system.sh": copied_by_script,
}


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_copies_what_the_wheel_needs_and_calls_the_common_script(name):
    text = (ENVS / name).read_text()
    assert RECIPES[name](text) == NEEDED
    assert "sh envs/container.sh" in text
    assert "debian:trixie" in text or "suite=trixie" in text


@pytest.mark.parametrize("name", ["Dockerfile", "apptainer.def"])
def test_an_image_takes_the_arguments_of_a_bids_app(name):
    text = (ENVS / name).read_text()
    assert "virtualbrain run" in text or 'ENTRYPOINT ["virtualbrain", "run"]' in text
    assert "USER virtualbrain" in text or name == "apptainer.def"  # runs as the user who starts it
