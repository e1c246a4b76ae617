"""A personal virtual brain: one patient's Epileptor network, its fit, surgery and report."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from virtualbrain.models.epileptor import (
        Epileptor,
        Epileptor2D,
        EpileptorRestingState,
        EpileptorStimulation,
    )
    from virtualbrain.models.simulation import Options, simulate, simulate_ensemble
    from virtualbrain.models.stimulus import Stimulus, pulse_train
    from virtualbrain.network import Network

# Loaded when first asked for: the command line must start without compiling anything.
_HOMES = {
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
}

__all__ = [
    "Epileptor",
    "Epileptor2D",
    "EpileptorRestingState",
    "EpileptorStimulation",
    "Network",
    "Options",
    "Stimulus",
    "pulse_train",
    "simulate",
    "simulate_ensemble",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
