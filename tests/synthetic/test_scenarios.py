"""Each scenario of a validation gives the patients that it describes."""

import numpy as np
import pytest

from virtualbrain.errors import ConfigError, ModelError
from virtualbrain.models.simulation import simulate
from virtualbrain.network import normalise_weights
from virtualbrain.synthetic.connectomes import connectome_from_centres
from virtualbrain.synthetic.disease import UNSAMPLED_GAIN, largest_relative_gain
from virtualbrain.synthetic.scenarios import SCENARIOS
from virtualbrain.synthetic.validation_cohort import ValidationCohort
from virtualbrain.synthetic.validation_patient import Structure, draw_validation_patient
from virtualbrain.synthetic.validation_zone import FAST_DELAY_S

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def drawn():
    return {name: ValidationCohort(31, name).draw(0) for name in SCENARIOS}


@pytest.mark.parametrize("name", SCENARIOS)
def test_zone_and_recruited_regions_differ(drawn, name):
    truth = drawn[name].truth
    assert truth.ez.any()
    assert truth.recruited.sum() >= 2
    assert not (truth.ez & truth.recruited).any()


def test_late_region_starts_after_two_recruited_ones(drawn):
    truth = drawn["late"].truth
    last = np.nanmax(truth.onset_s[truth.ez])
    assert (truth.onset_s[truth.recruited] < last).sum() >= 2
    assert last - np.nanmin(truth.onset_s[truth.ez]) > 3


def test_half_of_the_recruited_regions_start_fast(drawn):
    truth = drawn["fast"].truth
    delay = truth.onset_s[truth.recruited] - truth.onset_s[truth.ez].max()
    assert (delay < FAST_DELAY_S).mean() >= 0.5


def test_no_channel_sees_a_hidden_zone(drawn):
    patient = drawn["hidden"]
    assert largest_relative_gain(patient.gain)[patient.truth.ez].max() <= UNSAMPLED_GAIN
    assert not patient.truth.sampled


def test_several_seizures_share_channels_and_gain(drawn):
    patient = drawn["several"]
    assert len(patient.seizures) >= 2
    assert len({seizure.envelope.shape[1] for seizure in patient.seizures}) == 1
    assert patient.truth.ez.sum() >= 2


def test_unknown_scenario_is_refused():
    with pytest.raises(ConfigError, match="early or late"):
        ValidationCohort(1, "slow")  # type: ignore[arg-type]


def test_an_unstable_network_is_drawn_again(monkeypatch):
    calls = []

    def unstable_once(*arguments, **options):
        calls.append(1)
        if len(calls) == 1:
            raise ModelError("a step of 0.0005 s is unstable at x1 = -3.15")
        return simulate(*arguments, **options)

    monkeypatch.setattr("virtualbrain.synthetic.validation_patient.simulate", unstable_once)
    patient = draw_validation_patient(np.random.default_rng(3), sampled=True)
    assert len(calls) > 1
    assert patient.truth.ez.any()


def test_a_given_structure_is_the_true_one_and_the_fit_gets_it_with_errors():
    rng = np.random.default_rng(4)
    side = rng.uniform([5, -70, -50], [65, 70, 50], (45, 3))
    centres_mm = np.concatenate([side, side * [-1, 1, 1]])
    weights = connectome_from_centres(centres_mm, rng)
    structure = Structure(centres_mm, weights)
    patient = draw_validation_patient(rng, sampled=True, structure=structure)
    true = patient.truth.true_model.network.weights
    assert np.allclose(true, normalise_weights(weights, "strength"))
    found, known = (w[np.triu_indices(90, 1)] for w in (patient.weights, weights))
    assert 0.05 < (found[known > 0] == 0).mean() < 0.25
    assert 0.6 < np.corrcoef(found, known)[0, 1] < 0.99
    assert patient.gain.shape[1] == 90
