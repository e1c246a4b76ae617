"""Stimulation at an implanted bipolar pair: probability that it evokes or stops a seizure."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from virtualbrain.errors import InputError
from virtualbrain.models.epileptor import Epileptor, EpileptorStimulation
from virtualbrain.models.reduced_physics import critical_x0
from virtualbrain.models.seizure_detection import Seizures
from virtualbrain.models.simulation import DEFAULT_STEP, Options, simulate, simulate_ensemble
from virtualbrain.models.stimulus import Stimulus, pulse_train
from virtualbrain.seeg.names import key_of, parse_channel
from virtualbrain.surgery.candidates import no_surgery
from virtualbrain.surgery.draws import FittedDraws
from virtualbrain.surgery.full_model import (
    NOISE,
    SAMPLE_RATE_HZ,
    FullModel,
    full_model,
    seizures_of_run,
)
from virtualbrain.surgery.network_change import change_of
from virtualbrain.surgery.settings import StimulationSettings, SurgerySettings

Array = NDArray[np.float64]

# Published accumulator level above which a seizure-prone region becomes more excitable; other
# regions never reach theirs.
PRONE_FILLING, NEVER_FILLING = 1.8, 1e3
# Regions at most this far below the threshold x0_c are seizure-prone.
PRONE_DISTANCE = 0.4
# Between seizures every region is at least this far below its threshold.
INTERICTAL_DISTANCE = 0.05
_FILLING_RATE = 0.00035  # per ms of real time
_QUIET_S = 2.0
_AFTER_S = 30.0
STOPPED_SHARE = 0.1

COLUMNS = ("pair", "amplitude_ma", "p_evoked", "first_region", "p_first", "p_stopped", "n_seizures")


@dataclass(frozen=True)
class Site:
    """Implanted bipolar pair and its field.

    Parameters
    ----------
    pair : str
        Name of the channel.
    field : numpy.ndarray, shape (n_regions,)
        Relative current in each region: the gain of the pair, scaled to 0 to 1.
    """

    pair: str
    field: Array


def site_of(pair: str, gain: pd.DataFrame, regions: Sequence[str]) -> Site:
    """Return the site of an implanted pair.

    Parameters
    ----------
    pair : str
        Two contacts, ``A1-A2``; the spelling of prefixes, zeros and case does not matter.
    gain : pandas.DataFrame
        Channels by regions.
    regions : sequence of str
        Regions of the network, in order.

    Raises
    ------
    InputError
        Not a pair, or not a channel of the montage.
    """
    wanted = parse_channel(pair)
    if wanted.cathode is None:
        raise InputError(
            f"{pair} is not a pair of contacts", where="stimulation", expected="such as A1-A2"
        )
    ends = {key_of(wanted.anode), key_of(wanted.cathode)}
    for channel in gain.index:
        known = parse_channel(str(channel))
        if known.cathode is not None and {key_of(known.anode), key_of(known.cathode)} == ends:
            row = gain.loc[channel].reindex(list(regions)).fillna(0.0).to_numpy(dtype=np.float64)
            spread = float(row.max() - row.min())
            return Site(str(channel), (row - row.min()) / spread if spread > 0 else row * 0.0)
    raise InputError(
        f"the pair {pair} was not implanted, or its channel is not used",
        where="stimulation",
        expected="a bipolar channel of desc-channels.tsv",
    )


def evoked(
    site: Site, draws: FittedDraws, settings: SurgerySettings, rng: np.random.Generator
) -> Seizures:
    """Stimulate between seizures and return the evoked seizures of every draw.

    The network is at rest: EZ regions are held just below their threshold. Regions near or above
    the threshold can be stimulated into a seizure, others cannot, as published.

    Parameters
    ----------
    site : Site
        Stimulated pair.
    draws : FittedDraws
        The fitted network.
    settings : SurgerySettings
        Stimulation settings.
    rng : numpy.random.Generator
        Source of the noise.

    Returns
    -------
    Seizures
        Arrays (n_draws, n_regions), seconds from the start of the train.
    """
    made = _unoperated(draws, settings, ceiling=-INTERICTAL_DISTANCE)
    train = _train(site, settings.stimulation, _QUIET_S)
    run = simulate_ensemble(
        made.network, _stimulable(made.model, draws), n_members=draws.n_draws,
        duration=_QUIET_S + settings.stimulation.duration_s + _AFTER_S, seed=rng, noise=NOISE,
        initial=made.initial, stimulus=train, dt=_step(made.model, settings.stimulation),
        sample_rate=SAMPLE_RATE_HZ, options=Options(keep=("x1",), dtype="float32"),
    )  # fmt: skip
    found = seizures_of_run(run)
    return Seizures(found.onset - _QUIET_S, found.offset - _QUIET_S)


def stopped(
    site: Site,
    detector: int,
    draws: FittedDraws,
    settings: SurgerySettings,
    rng: np.random.Generator,
) -> NDArray[np.bool_]:
    """Stimulate at every detected onset and return which seizures stop.

    A seizure is detected when the region `detector` starts to seize; the train starts
    `settings.stimulation.delay_s` later. The seizure counts as stopped if after the train regions
    seize for at most a tenth of the time without stimulation.

    Returns
    -------
    numpy.ndarray of bool, shape (n_detected,)
        One per draw with a detected onset.
    """
    made = _unoperated(draws, settings)
    model = _stimulable(made.model, draws)
    found = []
    for number in range(draws.n_draws):
        seed = int(rng.integers(2**32))
        free = _single(made, model, number, draws, settings, seed, None)
        onset = float(seizures_of_run(free).onset[detector])
        if not np.isfinite(onset):
            continue
        start = onset + settings.stimulation.delay_s
        train = _train(site, settings.stimulation, start)
        treated = _single(made, model, number, draws, settings, seed, train)
        end = start + settings.stimulation.duration_s
        left, before = _seizing_s(treated, end), _seizing_s(free, end)
        found.append(before > 0 and left <= STOPPED_SHARE * before)
    return np.array(found, dtype=bool)


def stimulation_table(
    sites: Sequence[Site], draws: FittedDraws, settings: SurgerySettings, rng: np.random.Generator
) -> pd.DataFrame:
    """Return the seizures that stimulation of each pair evokes and stops.

    Returns
    -------
    pandas.DataFrame
        Columns ``pair amplitude_ma p_evoked first_region p_first p_stopped n_seizures``: fraction
        of draws in which the train evokes a seizure; the region that most often starts it, and its
        fraction; fraction of detected seizures that responsive stimulation stops, and their number.
    """
    few = draws.thinned(settings.confirm_draws, rng)
    rows = []
    for site in sites:
        onset = evoked(site, few, settings, rng).onset
        any_seizes = np.isfinite(onset).any(axis=1)
        first = np.bincount(onset[any_seizes].argmin(axis=1), minlength=len(site.field))
        ended = stopped(site, int(site.field.argmax()), few, settings, rng)
        rows.append(
            {
                "pair": site.pair,
                "amplitude_ma": settings.stimulation.amplitude_ma,
                "p_evoked": float(any_seizes.mean()),
                "first_region": few.regions[int(first.argmax())] if first.any() else None,
                "p_first": float(first.max() / len(onset)),
                "p_stopped": float(ended.mean()) if len(ended) else np.nan,
                "n_seizures": len(ended),
            }
        )
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _unoperated(
    draws: FittedDraws, settings: SurgerySettings, ceiling: float = np.inf
) -> FullModel:
    """Return the full model without surgery."""
    change = change_of(no_surgery(), draws.regions, draws.weights, settings)
    return full_model(draws, change, settings, ceiling)


def _stimulable(model: Epileptor, draws: FittedDraws) -> EpileptorStimulation:
    """Return the same model with the accumulator of stimulation."""
    x0 = np.asarray(model.x0)
    near = x0 > critical_x0(model.tau0, draws.I1) - PRONE_DISTANCE
    return EpileptorStimulation(
        x0=x0, K=model.K, tt=model.tt, r=model.r, r2=_FILLING_RATE / np.asarray(model.tt),
        threshold=np.where(near, PRONE_FILLING, NEVER_FILLING),
    )  # fmt: skip


def _train(site: Site, settings: StimulationSettings, onset_s: float) -> Stimulus:
    return pulse_train(
        site.field, amplitude=settings.amplitude_ma, frequency_hz=settings.frequency_hz,
        width_s=settings.width_s, duration_s=settings.duration_s, onset_s=onset_s,
    )  # fmt: skip


def _step(model: Epileptor, settings: StimulationSettings) -> float:
    """Return the largest step that samples every phase of a pulse."""
    usual = DEFAULT_STEP / float(np.max(np.asarray(model.tt))) * model.seconds_per_unit
    return min(usual, settings.width_s)


def _single(
    made: FullModel,
    model: EpileptorStimulation,
    number: int,
    draws: FittedDraws,
    settings: SurgerySettings,
    seed: int,
    train: Stimulus | None,
) -> xr.Dataset:
    """Simulate one draw for the duration of the recorded seizure, with or without a train."""
    n = len(draws.regions)
    return simulate(
        made.network, _member(model, number), seed=seed, noise=NOISE, stimulus=train,
        duration=float(draws.time_s[-1] - draws.time_s[0]),
        initial={name: value[number] for name, value in made.initial.items()} | {"m": np.zeros(n)},
        dt=_step(made.model, settings.stimulation), sample_rate=SAMPLE_RATE_HZ,
        options=Options(keep=("x1",), dtype="float32", n_threads=1),
    )  # fmt: skip


def _member(model: EpileptorStimulation, number: int) -> EpileptorStimulation:
    """Return the model of one member of an ensemble."""
    values: dict[str, Any] = {item.name: getattr(model, item.name) for item in fields(model)}
    picked = {
        name: np.asarray(value)[number] if np.ndim(value) == 2 else value
        for name, value in values.items()
    }
    return EpileptorStimulation(**picked)


def _seizing_s(run: xr.Dataset, after_s: float) -> float:
    """Return the seizing time after a time point, summed over regions."""
    found, end = seizures_of_run(run), float(run["time"][-1])
    onset = np.clip(found.onset, after_s, end)
    return float((np.clip(found.offset, after_s, end) - onset).clip(0.0).sum())
