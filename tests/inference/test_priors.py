"""Prior files: what is read, and what a misspelling is told."""

import numpy as np
import pandas as pd
import pytest

from inference.priors import Priors, load_priors, prior_names
from inference.problem import Problem
from virtualbrain.errors import ConfigError


def test_the_default_file_says_what_the_class_says():
    assert load_priors("default") == Priors(description=load_priors("default").description)


@pytest.mark.parametrize("name", prior_names())
def test_every_file_of_the_project_loads(name):
    assert load_priors(name).name == name


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x0: {mean: -3, sd: 0.5}\ntua0: {median: 20, sd_log: 0.5}", "did you mean 'tau0'"),
        ("x0: {mean: -3, std: 0.5}", "did you mean 'sd'"),
        ("x0: {mean: -3}", "x0 has no sd"),
        ("x0: {mean: -3, sd: 0}", "above zero"),
        ("K: {median: none, sd_log: 1}", "expected a number"),
        ("x0: -3", "expected {mean: number"),
        ("- 1", "expected a mapping"),
        ("x0: {mean: [", "not YAML"),
    ],
)
def test_faults_are_told_in_one_line(tmp_path, text, words):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=words) as caught:
        load_priors(path)
    assert "\n" not in str(caught.value)
    assert "mine.yaml" in str(caught.value)


def test_a_missing_file_names_what_there_is():
    with pytest.raises(ConfigError, match="did you mean default"):
        load_priors("defualt")


def test_hypothesis_and_lesion_move_their_regions_only():
    names = ["a", "b", "c", "d"]
    table = pd.DataFrame({"region": ["b", "c"], "zone": ["EZ", "PZ"]})
    rng = np.random.default_rng(0)
    problem = Problem(
        rng.random((30, 3)), rng.random((3, 4)), rng.random((4, 4)), regions=names,
        hypothesis=table, lesion=["a"],
    )  # fmt: skip
    plain = load_priors("default")
    assert set(plain.of_regions(problem)[0]) == {plain.x0.mean}
    clinical = load_priors("hypothesis")
    mean, _ = clinical.of_regions(problem)
    assert mean[1] > mean[2] > mean[0] == mean[3]
    lesion = load_priors("lesion").of_regions(problem)[0]
    assert lesion[0] > lesion[1] == lesion[3]
