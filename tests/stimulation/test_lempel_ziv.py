"""The Lempel-Ziv PCI equals an independent implementation; its significance holds its level."""

import numpy as np
import pytest

from virtualbrain.errors import ModelError
from virtualbrain.stimulation.lempel_ziv import (
    SignificanceSettings,
    lempel_ziv_complexity,
    lempel_ziv_pci,
    significant_samples,
    significant_samples_of_trials,
)


def reference_complexity(matrix):
    """Return the complexity from sets of all words that occurred before."""
    known, count = set(), 0
    for number, column in enumerate(np.asarray(matrix, int).T):
        letters = "".join(map(str, column))
        i = 0
        if number == 0:
            count, i = 1, 1
        while i < len(letters):
            for k in range(1, len(letters) - i + 1):
                word, past = letters[i : i + k], letters[: i + k - 1]
                own = {past[a : a + k] for a in range(len(past) - k + 1)}
                if word not in known and word not in own:
                    count += 1
                    break
            i += k
        known |= {letters[a:b] for a in range(len(letters)) for b in range(a + 1, len(letters) + 1)}
    return count + 1


def reference_pci(matrix):
    rows = sorted(
        ("".join(map(str, row)) for row in np.asarray(matrix, int)),
        key=lambda row: (row.count("1"), row),
        reverse=True,
    )
    ordered = np.array([list(map(int, row)) for row in rows])
    n = ordered.size
    p = ordered.sum() / n
    entropy = -sum(q * np.log(q) / np.log(2) for q in (p, 1 - p))
    return reference_complexity(ordered) / (n * entropy / (np.log(n) / np.log(2)))


def random_matrix(seed):
    rng = np.random.default_rng(seed)
    shape = rng.integers(2, 25), rng.integers(2, 40)
    matrix = rng.random(shape) < rng.uniform(0.1, 0.9)
    matrix[0, 0], matrix[1, 0] = True, False
    return matrix


def waves(seed):
    phase = np.random.default_rng(seed).uniform(0, 6, 20)[:, None]
    return np.sin(np.arange(60) / 5 + phase) > 0.3


def blocks(seed):
    rng = np.random.default_rng(seed)
    return np.kron(rng.random((4, 6)) < 0.5, np.ones((5, 8))) + np.eye(20, 48) > 0


@pytest.mark.parametrize("matrix", [random_matrix, waves, blocks])
@pytest.mark.parametrize("seed", range(8))
def test_index_equals_an_independent_implementation(matrix, seed):
    values = matrix(seed)
    assert lempel_ziv_complexity(values) == reference_complexity(values)
    assert lempel_ziv_pci(values) == pytest.approx(reference_pci(values), rel=0, abs=1e-10)


def test_published_example_of_a_sequence():
    # Kaspar & Schuster 1987: 0|001|10|100|1000|101. The repeated column adds nothing.
    column = [int(letter) for letter in "0001101001000101"]
    assert lempel_ziv_complexity(np.array([column, column]).T) == 6


def test_order_of_channels_has_no_influence():
    values = random_matrix(11)
    for seed in range(5):
        order = np.random.default_rng(seed).permutation(len(values))
        assert lempel_ziv_pci(values[order]) == lempel_ziv_pci(values)


def test_random_samples_are_near_one_and_a_common_response_is_low():
    rng = np.random.default_rng(1)
    assert lempel_ziv_pci(rng.random((60, 300)) < 0.5) == pytest.approx(1.0, abs=0.1)
    common = np.zeros((60, 300), dtype=bool)
    common[:, 20:90] = True
    assert lempel_ziv_pci(common) < 0.05


TIMES = np.arange(-300, 300) * 1e-3


def response(rng, size, n_trials=20, n_channels=10):
    trials = rng.normal(size=(n_trials, n_channels, len(TIMES)))
    trials[:, :3, 320:400] += size
    return trials


def test_a_response_is_found_where_it_is():
    found = significant_samples(
        response(np.random.default_rng(1), 3.0), TIMES, np.random.default_rng(2)
    )
    assert found.shape == (10, 300)
    assert found[:3, 20:100].mean() > 0.99
    assert found[3:].mean() < 0.001
    assert found[:3, 100:].mean() < 0.001


def test_rate_of_false_responses_is_the_level():
    settings = SignificanceSettings(alpha=0.1, n_surrogates=60)
    any_found = [
        significant_samples(
            response(np.random.default_rng(seed), 0.0), TIMES, np.random.default_rng(99), settings
        ).any()
        for seed in range(40)
    ]
    assert np.mean(any_found) < 0.3


def test_scale_and_order_have_no_influence_on_significance():
    trials = response(np.random.default_rng(3), 1.0)
    found = significant_samples(trials, TIMES, np.random.default_rng(2))
    scaled = significant_samples(trials * 1e-5, TIMES, np.random.default_rng(2))
    turned = significant_samples(trials[:, ::-1], TIMES, np.random.default_rng(2))
    np.testing.assert_array_equal(found, scaled)
    np.testing.assert_array_equal(found, turned[::-1])


def test_a_response_of_single_trials_is_found_where_it_is():
    trials = response(np.random.default_rng(1), 8.0)
    found = significant_samples_of_trials(trials, TIMES, np.random.default_rng(2))
    assert found.shape == (20, 10, 300)
    assert found[:, :3, 20:100].mean() > 0.99
    # Noise exceeds the limit of the mean as often as a normal number does.
    assert 0.05 < found[:, 3:].mean() < 0.25
    scaled = significant_samples_of_trials(5.0 + 3 * trials, TIMES, np.random.default_rng(2))
    np.testing.assert_array_equal(found, scaled)


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        (np.zeros((5, 5)), "no sample is significant"),
        (np.ones((5, 5)), "every sample is significant"),
        (np.full((5, 5), 0.5), "other values than 0 and 1"),
        (np.full((5, 5), np.nan), "other values than 0 and 1"),
        (np.ones(5), "shape"),
        (np.ones((1, 5)), "at least two"),
    ],
)
def test_bad_matrices_are_refused_in_one_line(matrix, message):
    with pytest.raises(ModelError, match=message) as error:
        lempel_ziv_pci(matrix)
    assert "\n" not in str(error.value)


def test_bad_level_is_refused():
    with pytest.raises(ModelError, match="at least 1 / alpha surrogates"):
        SignificanceSettings(alpha=0.001, n_surrogates=100)


def test_flat_baseline_is_refused():
    trials = response(np.random.default_rng(1), 1.0)
    trials[:, 4, :300] = 2.0
    with pytest.raises(ModelError, match=r"channel 4 .* constant in the baseline"):
        significant_samples(trials, TIMES, np.random.default_rng(2))
