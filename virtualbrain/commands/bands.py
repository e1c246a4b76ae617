"""Envelopes of other frequency bands from a patient's recordings, for the command `degeneracy`."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from virtualbrain.commands.console import say
from virtualbrain.config import settings_from
from virtualbrain.errors import InputError
from virtualbrain.io.layout import PatientLayout

if TYPE_CHECKING:
    from collections.abc import Sequence

    import xarray as xr

    from inference.problem import Problem

# Alpha, beta, low and high gamma; in Hz.
BANDS_HZ = ((4.0, 13.0), (13.0, 30.0), (30.0, 60.0), (60.0, 120.0))
_SAME_TIME_S = 1e-3


def bands_of(
    layout: PatientLayout, problem: "Problem", bids: Path, config: Mapping[str, Any]
) -> "dict[str, Problem]":
    """Return the problem with the log power of each band of `BANDS_HZ` that the recording has.

    A band above what the sampling rate allows is left out, with one line that says so.

    Parameters
    ----------
    layout : PatientLayout
        Files of the patient.
    problem : Problem
        The problem that was fitted.
    bids : Path
        The dataset with the recordings of the fit.
    config : mapping
        The configuration of the run.

    Raises
    ------
    InputError
        There is no such dataset or patient, or its seizures are not those of the fit.
    """
    from virtualbrain.io.anatomy import read_anatomy
    from virtualbrain.io.file_settings import FileSettings
    from virtualbrain.io.patient_search import find_patient
    from virtualbrain.io.tables import read_table
    from virtualbrain.seeg.run import run_seeg
    from virtualbrain.seeg.settings import SeegSettings

    files = find_patient(bids, layout.label, settings_from(config["files"], FileSettings, "files"))
    settings = settings_from(config["seeg"], SeegSettings, "seeg")
    regions = read_table(layout.connectome_regions)
    anatomy = read_anatomy(layout) if layout.anatomy_quality.is_file() else None
    found: dict[str, Problem] = {}
    for low, high in BANDS_HZ:
        name = f"{low:g}-{high:g} Hz"
        try:
            seeg = run_seeg(
                files,
                regions,
                anatomy.labels if anatomy else None,
                anatomy.surfaces if anatomy else None,
                anatomy.brain_mask if anatomy else None,
                replace(settings, band_hz=(low, high)),
            )
        except InputError as error:
            if not found:
                raise
            say(f"sub-{layout.label}: no band {name}: {error}")
            continue
        found[name] = _with_envelopes(problem, seeg.envelopes)
    return found


def _with_envelopes(problem: "Problem", envelopes: "Sequence[xr.DataArray]") -> "Problem":
    """Return the problem with other envelopes of the same seizures and channels."""
    same = len(envelopes) == problem.n_seizures and all(
        len(own) == len(other["time"])
        and np.allclose(own, other["time"].to_numpy(), atol=_SAME_TIME_S)
        for own, other in zip(problem.times, envelopes, strict=True)
    )
    if not same:
        raise InputError(
            "the seizures of the dataset are not those of the fit",
            where="--bids",
            expected=f"{problem.n_seizures} seizures with the times of the fitted envelopes",
            hint="give the dataset of the run, and its configuration as --config",
        )
    in_all = set.intersection(*({str(c) for c in e["channel"].to_numpy()} for e in envelopes))
    kept = [c for c, name in enumerate(problem.channels) if name in in_all]
    names = [problem.channels[c] for c in kept]
    parts = [e.sel(channel=names).transpose("time", "channel").to_numpy() for e in envelopes]
    return replace(
        problem, envelope=parts, times=list(problem.times), gain=problem.gain[kept], channels=names
    )
