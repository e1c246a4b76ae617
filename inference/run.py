"""Run the stage inference: from tables to posterior, zones and verdict."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from inference.diagnosis import diagnose
from inference.fitting import fit
from inference.initialisation import Progress
from inference.priors import Priors
from inference.problem import Problem
from inference.settings import Settings
from inference.zone_table import zones
from virtualbrain.errors import InputError
from virtualbrain.seeg.components import Components, Signals, separate

Array = NDArray[np.float64]


@dataclass(frozen=True)
class StageResult:
    """Results of the stage inference.

    Parameters
    ----------
    posterior : xarray.DataTree
        The result of `inference.fit`.
    zones : pandas.DataFrame
        The table of zones.tsv; see `inference.zones`.
    diagnostics : dict
        The content of diagnostics.json; see `inference.diagnose`.
    """

    posterior: xr.DataTree
    zones: pd.DataFrame
    diagnostics: dict[str, Any]


def run_inference(
    envelopes: Sequence[xr.DataArray],
    gain: pd.DataFrame,
    weights: Array,
    regions: Sequence[str],
    hypothesis: pd.DataFrame | None = None,
    lesion: Sequence[str] = (),
    priors: str | Path | Priors = "default",
    settings: Settings | None = None,
    progress: Progress | None = None,
    *,
    group_connectome: str = "",
    template_anatomy: bool = False,
    signals: Sequence[xr.DataArray] = (),
) -> StageResult:
    """Fit one patient from the tables of the earlier stages.

    Parameters
    ----------
    envelopes : sequence of xarray.DataArray
        One per seizure; dims (time, channel), log power above baseline, coord time in seconds.
    gain : pandas.DataFrame, channels x regions
        Index and columns are names.
    weights : array, shape (n_regions, n_regions)
        In the order of `regions`.
    regions : sequence of str
        Names of the connectome's regions.
    hypothesis : pandas.DataFrame, optional
        Columns region and zone.
    lesion : sequence of str
        Regions that the lesion mask overlaps.
    priors : str or Path or Priors
        As in `inference.fit`.
    settings : Settings, optional
        As in `inference.fit`.
    progress : callable, optional
        As in `inference.fit`.
    group_connectome : str
        As in `inference.Problem`.
    template_anatomy : bool
        As in `inference.Problem`.
    signals : sequence of xarray.DataArray
        One per seizure; dims (time, channel), the recording that is separated into independent
        components; without them there are none.

    Returns
    -------
    StageResult
        Posterior, zones and diagnostics.

    Raises
    ------
    InputError
        Names do not match, or the tables cannot be fitted.
    """
    choices = settings or Settings()
    problem = align(
        envelopes, gain, weights, regions, hypothesis, lesion, choices,
        group_connectome=group_connectome, template_anatomy=template_anatomy, signals=signals,
    )  # fmt: skip
    posterior = fit(problem, priors, choices, progress)
    return StageResult(posterior, zones(posterior), diagnose(posterior))


def align(
    envelopes: Sequence[xr.DataArray],
    gain: pd.DataFrame,
    weights: Array,
    regions: Sequence[str],
    hypothesis: pd.DataFrame | None,
    lesion: Sequence[str],
    settings: Settings,
    *,
    group_connectome: str = "",
    template_anatomy: bool = False,
    signals: Sequence[xr.DataArray] = (),
) -> Problem:
    """Put all tables into one order of channels and regions, by name."""
    if not envelopes:
        raise InputError("no seizure to fit", where="envelopes", hint="mark one in events.tsv")
    names = [str(name) for name in regions]
    missing = [name for name in names if name not in gain.columns]
    if missing:
        raise InputError(
            f"the gain has no column {missing[0]} ({len(missing)} of {len(names)} are missing)",
            where="gain",
            expected="one column per region of the connectome",
            hint="compute gain and connectome with the same atlas",
        )
    in_all = set.intersection(*({str(c) for c in e["channel"].to_numpy()} for e in envelopes))
    channels = [str(name) for name in gain.index if str(name) in in_all]
    unknown = sorted(in_all - set(map(str, gain.index)))
    if unknown:
        raise InputError(
            f"the gain has no row {unknown[0]} ({len(unknown)} channels are missing)",
            where="gain",
            expected="one row per fitted channel",
            hint="compute gain and envelope from the same channels",
        )
    if not channels:
        raise InputError(
            "no channel is in the envelopes of all seizures",
            where="envelopes",
            hint="mark the same channels as good in every seizure",
        )
    rows = gain.set_axis(gain.index.astype(str)).loc[channels, names]
    parts = [envelope.sel(channel=channels).transpose("time", "channel") for envelope in envelopes]
    return Problem(
        envelope=[part.to_numpy() for part in parts],
        gain=rows.to_numpy(dtype=np.float64),
        weights=np.asarray(weights, dtype=np.float64),
        regions=names,
        channels=channels,
        times=[part["time"].to_numpy() for part in parts],
        hypothesis=hypothesis,
        lesion=[name for name in lesion if name in names],
        normalisation=settings.normalisation,
        group_connectome=group_connectome,
        template_anatomy=template_anatomy,
        components=_components(signals, channels, parts) if settings.components else None,
    )


def signals_of(signals: Sequence[xr.DataArray], channels: Sequence[str]) -> Signals:
    """Return the signals of the fitted channels, in their order.

    Parameters
    ----------
    signals : sequence of xarray.DataArray
        One per seizure; dims (time, channel), coord time in seconds.
    channels : sequence of str
        Names.
    """
    chosen = [part.sel(channel=list(channels)).transpose("time", "channel") for part in signals]
    return Signals(
        tuple(part.to_numpy() for part in chosen), tuple(part["time"].to_numpy() for part in chosen)
    )


def _components(
    signals: Sequence[xr.DataArray], channels: Sequence[str], envelopes: Sequence[xr.DataArray]
) -> Components | None:
    """Separate the signals of the fitted channels; None without the signal of every seizure."""
    if len(signals) != len(envelopes):
        return None
    wanted_s = [part["time"].to_numpy() for part in envelopes]
    return separate(signals_of(signals, channels), wanted_s)
