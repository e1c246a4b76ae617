"""Bayesian fit of the epileptogenic zone: priors, model, sampling, zones and diagnostics."""

from inference.diagnose import diagnose
from inference.evoked_weights import EvokedWeights, with_evoked_responses
from inference.fit import fit
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
from inference.zones import zones

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
