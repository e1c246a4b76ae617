"""Bayesian fit of the epileptogenic zone: priors, model, sampling, zones and diagnostics."""

from typing import TYPE_CHECKING

from virtualbrain.lazy_names import importer

if TYPE_CHECKING:
    from inference.diagnosis import diagnose
    from inference.evoked_weights import EvokedWeights, with_evoked_responses
    from inference.fitting import fit
    from inference.posterior import load, save
    from inference.priors import (
        GroupConnectome,
        LogNormal,
        Normal,
        Priors,
        Scatter,
        Weight,
        load_priors,
    )
    from inference.problem import Problem
    from inference.run import StageResult, run_inference
    from inference.settings import Settings
    from inference.zone_table import zones

_MODULES = {
    "diagnose": "inference.diagnosis",
    "EvokedWeights": "inference.evoked_weights",
    "with_evoked_responses": "inference.evoked_weights",
    "fit": "inference.fitting",
    "load": "inference.posterior",
    "save": "inference.posterior",
    "GroupConnectome": "inference.priors",
    "LogNormal": "inference.priors",
    "Normal": "inference.priors",
    "Priors": "inference.priors",
    "Scatter": "inference.priors",
    "Weight": "inference.priors",
    "load_priors": "inference.priors",
    "Problem": "inference.problem",
    "StageResult": "inference.run",
    "run_inference": "inference.run",
    "Settings": "inference.settings",
    "zones": "inference.zone_table",
}

__all__ = [
    "EvokedWeights",
    "GroupConnectome",
    "LogNormal",
    "Normal",
    "Priors",
    "Problem",
    "Scatter",
    "Settings",
    "StageResult",
    "Weight",
    "diagnose",
    "fit",
    "load",
    "load_priors",
    "run_inference",
    "save",
    "with_evoked_responses",
    "zones",
]


__getattr__ = importer(__name__, _MODULES)
