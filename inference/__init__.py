"""Bayesian fit of the epileptogenic zone: priors, model, sampling, zones and diagnostics."""

from inference.diagnose import diagnose
from inference.fit import fit
from inference.posterior import load, save
from inference.priors import Priors, load_priors
from inference.problem import Problem
from inference.run import StageResult, run_inference
from inference.settings import Settings
from inference.zones import zones

__all__ = [
    "Priors",
    "Problem",
    "Settings",
    "StageResult",
    "diagnose",
    "fit",
    "load",
    "load_priors",
    "run_inference",
    "save",
    "zones",
]
