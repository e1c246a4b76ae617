"""The stages at which a run can stop, and the results that each of them needs."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from virtualbrain.cortex.settings import WORKFLOW_NAME
from virtualbrain.io.layout import PatientLayout

STAGES = (
    "check",
    "anatomy",
    "diffusion",
    "connectomes",
    "seeg",
    "inference",
    "surgery",
    "report",
)
"""Values of `until`, in the order of the pipeline."""
STRUCTURAL = ("anatomy", "diffusion", "connectomes")
"""Stages that need no recording."""


def last_stage(config: Mapping[str, Any]) -> str:
    """Return the last stage of a run: that of `until`, or of `structure_only`, else report."""
    return str(config["until"]) or ("connectomes" if config["structure_only"] else "report")


def fits(config: Mapping[str, Any]) -> bool:
    """Return whether a run fits the recording."""
    return STAGES.index(last_stage(config)) >= STAGES.index("inference")


def stage_targets(
    layout: PatientLayout,
    stage: str,
    priors: Iterable[str],
    *,
    has_connectome: bool,
    uses_group: bool = False,
    on_cortex: bool = False,
) -> list[Path]:
    """Return the results of one patient that a run until a stage computes.

    Parameters
    ----------
    layout : PatientLayout
        The patient's results.
    stage : str
        One of `STAGES`.
    priors : iterable of str
        Names of the prior sets.
    has_connectome : bool
        The dataset has a ready connectome: anatomy and diffusion are not computed, a run until
        them stops after the check, and there are no maps beside the report.
    uses_group : bool
        The connectome is that of a group: a run until the diffusion stops after the anatomy.
    on_cortex : bool
        The seizure is simulated on the cortical surface too, if there is one.
    """
    if stage == "check" or (has_connectome and stage in ("anatomy", "diffusion")):
        return [layout.inputs]
    if stage in ("inference", "surgery"):
        name = "zones" if stage == "inference" else "outcomes"
        return [getattr(layout, name)(one) for one in priors]
    if stage == "report":
        maps = [] if has_connectome else [layout.maps(one) for one in priors]
        surface = maps and on_cortex
        runs = [layout.cortex_run(one, WORKFLOW_NAME) for one in priors] if surface else []
        return [layout.report, *maps, *runs]
    return [
        {
            "anatomy": layout.anatomy,
            "diffusion": layout.anatomy if uses_group else layout.track_weights,
            "connectomes": layout.connectome,
            "seeg": layout.seeg,
        }[stage]
    ]
