"""Personal virtual brains: a patient's Epileptor network, virtual surgery and report."""

from typing import TYPE_CHECKING

from virtualbrain.lazy_names import importer

if TYPE_CHECKING:
    from virtualbrain.models.epileptor import (
        Epileptor,
        Epileptor2D,
        EpileptorRestingState,
        EpileptorStimulation,
    )
    from virtualbrain.models.mean_field import AdExMeanField
    from virtualbrain.models.mean_field_simulation import simulate_mean_field
    from virtualbrain.models.simulation import Options, simulate, simulate_ensemble
    from virtualbrain.models.stimulus import Stimulus, pulse_train
    from virtualbrain.network import Network
    from virtualbrain.stimulation.lempel_ziv import (
        SignificanceSettings,
        lempel_ziv_pci,
        significant_samples,
        significant_samples_of_trials,
    )
    from virtualbrain.stimulation.state_transitions import Pcist, PcistSettings, pcist

# Imported on first use, so that the command line starts without compiling.
_MODULES = {
    "AdExMeanField": "virtualbrain.models.mean_field",
    "simulate_mean_field": "virtualbrain.models.mean_field_simulation",
    "Network": "virtualbrain.network",
    "Epileptor": "virtualbrain.models.epileptor",
    "Epileptor2D": "virtualbrain.models.epileptor",
    "EpileptorRestingState": "virtualbrain.models.epileptor",
    "EpileptorStimulation": "virtualbrain.models.epileptor",
    "Options": "virtualbrain.models.simulation",
    "simulate": "virtualbrain.models.simulation",
    "simulate_ensemble": "virtualbrain.models.simulation",
    "Stimulus": "virtualbrain.models.stimulus",
    "pulse_train": "virtualbrain.models.stimulus",
    "Pcist": "virtualbrain.stimulation.state_transitions",
    "PcistSettings": "virtualbrain.stimulation.state_transitions",
    "SignificanceSettings": "virtualbrain.stimulation.lempel_ziv",
    "lempel_ziv_pci": "virtualbrain.stimulation.lempel_ziv",
    "pcist": "virtualbrain.stimulation.state_transitions",
    "significant_samples": "virtualbrain.stimulation.lempel_ziv",
    "significant_samples_of_trials": "virtualbrain.stimulation.lempel_ziv",
}

__all__ = [
    "AdExMeanField",
    "Epileptor",
    "Epileptor2D",
    "EpileptorRestingState",
    "EpileptorStimulation",
    "Network",
    "Options",
    "Pcist",
    "PcistSettings",
    "SignificanceSettings",
    "Stimulus",
    "lempel_ziv_pci",
    "pcist",
    "pulse_train",
    "significant_samples",
    "significant_samples_of_trials",
    "simulate",
    "simulate_ensemble",
    "simulate_mean_field",
]


__getattr__ = importer(__name__, _MODULES)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
