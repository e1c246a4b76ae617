"""Compute a seizure's envelope, channel onsets, Epileptogenicity Index and display signal."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy import ndimage
from scipy import signal as dsp

from virtualbrain.seeg.envelope import (
    EnvelopeChoices,
    envelope_grid,
    log_power,
    remove_line,
    sample_at,
)
from virtualbrain.seeg.epileptogenicity import energy_ratio, epileptogenicity_index
from virtualbrain.seeg.montage import Channel, contact_labels, weight_matrix
from virtualbrain.seeg.onsets import OnsetChoices, detect_onsets
from virtualbrain.seeg.recording_inspection import InspectedRecording
from virtualbrain.seeg.seizures import Seizure
from virtualbrain.seeg.settings import SeegSettings

_MARGIN_S = 3.0
_DETECTOR_RATE_HZ = 256.0
_SHORT_BASELINE_S = 5.0
# Baseline log power above the median channel's from which a channel is active before the onset
# (e² = 7 times the power).
_ACTIVE_BASELINE = 2.0
LONGEST_S = 600.0

Signal = NDArray[np.float64]


@dataclass(frozen=True)
class SeizureFeatures:
    """Features of one seizure; `seizure` has a proposed offset if none was marked."""

    seizure: Seizure
    envelope: xr.DataArray
    signal: xr.DataArray
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Plan:
    """Time span and settings of the processing, in seconds from the marked onset."""

    seizure: Seizure
    source: InspectedRecording
    span_s: tuple[float, float]
    grid_s: Signal
    choices: EnvelopeChoices
    settings: SeegSettings


@dataclass(frozen=True)
class _Part:
    """Features of the channels of one electrode."""

    envelope: Signal
    level: Signal
    onsets: Signal
    ratio: Signal
    frames_s: Signal
    shown: Signal
    shown_s: Signal


def read_seizure(
    seizure: Seizure,
    others: Sequence[Seizure],
    source: InspectedRecording,
    channels: Sequence[Channel],
    number: int,
    settings: SeegSettings,
) -> SeizureFeatures:
    """Compute the features of a seizure, electrode by electrode.

    Parameters
    ----------
    seizure : Seizure
        Seizure with or without a marked offset.
    others : sequence of Seizure
        Other seizures of the recording; the baseline does not overlap them.
    source : InspectedRecording
        Recording of the seizure.
    channels : sequence of Channel
        Good channels of the montage.
    number : int
        Number of the seizure, from one.
    settings : SeegSettings
        Settings of the stage.
    """
    notes = []
    if math.isnan(seizure.duration_s):
        seizure = _with_proposed_end(seizure, others, source, channels, settings)
        notes.append(
            f"seizure {number}: no offset is marked; proposed offset for approval: "
            f"{seizure.duration_s:.1f} s after the onset"
        )
    plan, rate_hz = _plan(seizure, others, source, settings)
    parts = [_process(group, plan) for group in _electrodes(channels)]
    envelope = _envelope_array(parts, channels, plan)
    envelope.attrs = _envelope_attrs(plan, rate_hz, number)
    display = xr.DataArray(
        np.concatenate([part.shown for part in parts]).T.astype(np.float32),
        dims=("time", "channel"),
        coords={"time": parts[0].shown_s, "channel": [channel.name for channel in channels]},
        name="signal",
        attrs={"units": "uV", "seizure": number, "offset_s": seizure.duration_s},
    )
    notes += _baseline_notes(envelope, number)
    return SeizureFeatures(seizure, envelope, display, tuple(notes))


def _plan(
    seizure: Seizure,
    others: Sequence[Seizure],
    source: InspectedRecording,
    settings: SeegSettings,
) -> tuple[_Plan, float]:
    """Return the time span and settings of the processing, and the rate of the envelope."""
    begins_s, ends_s = source.header.stretch(seizure.onset_s)
    baseline = choose_baseline(seizure, others, settings, begins_s)
    choices = EnvelopeChoices(
        band_hz=settings.band_hz,
        window_s=settings.window_s,
        smoothing_s=settings.smoothing_s,
        baseline_s=baseline,
    )
    first_s = max(begins_s - seizure.onset_s, min(baseline[0], -settings.before_onset_s))
    last_sample_s = ends_s - 1 / source.selection.rate_hz - seizure.onset_s
    last_s = min(last_sample_s, seizure.duration_s + settings.after_offset_s)
    begin_s = max(-settings.before_onset_s, first_s)
    grid_s, rate_hz = envelope_grid(
        begin_s, last_s, settings.envelope_rate_hz, settings.envelope_points_max
    )
    plan = _Plan(
        seizure=seizure,
        source=source,
        span_s=(first_s, last_s),
        grid_s=grid_s,
        choices=choices,
        settings=settings,
    )
    return plan, rate_hz


def _envelope_array(
    parts: Sequence[_Part], channels: Sequence[Channel], plan: _Plan
) -> xr.DataArray:
    """Join the electrodes' features, and add the Epileptogenicity Index of all channels."""
    ratio = np.concatenate([part.ratio for part in parts])
    frames_s = parts[0].frames_s
    index = epileptogenicity_index(ratio, frames_s, plan.choices.baseline_s)
    return xr.DataArray(
        np.concatenate([part.envelope for part in parts]).T,
        dims=("time", "channel"),
        coords={
            "time": plan.grid_s,
            "channel": [channel.name for channel in channels],
            "onset_s": ("channel", np.concatenate([part.onsets for part in parts])),
            "epileptogenicity_index": ("channel", index),
            "baseline_log_power": ("channel", np.concatenate([part.level for part in parts])),
        },
        name="envelope",
    )


def _baseline_notes(envelope: xr.DataArray, number: int) -> list[str]:
    """Return notes on a short baseline, and on channels already active in it."""
    start, stop = envelope.attrs["baseline_s"]
    notes = []
    if stop - start < _SHORT_BASELINE_S:
        notes.append(
            f"seizure {number}: the baseline lasts only {stop - start:.1f} s; channels active "
            "before the marked onset may appear inactive"
        )
    level = envelope["baseline_log_power"].to_series()
    active = level[level > level.median() + _ACTIVE_BASELINE]
    if len(active):
        names = ", ".join(active.sort_values(ascending=False).index[:10])
        notes.append(
            f"seizure {number}: channels with much higher power than the others before the onset: "
            f"{names}"
        )
    return notes


def _with_proposed_end(
    seizure: Seizure,
    others: Sequence[Seizure],
    source: InspectedRecording,
    channels: Sequence[Channel],
    settings: SeegSettings,
) -> Seizure:
    """Return a seizure with the offset that `propose_end` finds after its onset."""
    envelope, times_s = whole_envelope(seizure, others, source, channels, settings)
    return replace(seizure, duration_s=propose_end(envelope, times_s))


def whole_envelope(
    seizure: Seizure,
    others: Sequence[Seizure],
    source: InspectedRecording,
    channels: Sequence[Channel],
    settings: SeegSettings,
) -> tuple[Signal, Signal]:
    """Return the envelope from the onset to the next seizure, at most ten minutes.

    Returns
    -------
    envelope : numpy.ndarray, shape (n_channels, n_times)
        Log power above the baseline before the onset.
    times_s : numpy.ndarray, shape (n_times,)
        Seconds from the onset.
    """
    later = [s.onset_s for s in others if s.onset_s > seizure.onset_s]
    stop_s = min([source.header.stretch(seizure.onset_s)[1], seizure.onset_s + LONGEST_S, *later])
    extended = replace(seizure, duration_s=max(stop_s - seizure.onset_s, 1.0))
    plan, _ = _plan(extended, others, source, replace(settings, after_offset_s=0.0))
    parts = [_process(group, plan) for group in _electrodes(channels)]
    return np.concatenate([part.envelope for part in parts]), plan.grid_s


def propose_end(envelope: Signal, times_s: Signal) -> float:
    """Propose the offset of a seizure.

    The activity (see `activity`) is followed from its maximum. The offset is where it first
    falls below half of the maximum and stays there for 5 s.

    Parameters
    ----------
    envelope : numpy.ndarray, shape (n_channels, n_times)
        Log power above baseline.
    times_s : numpy.ndarray, shape (n_times,)
        Seconds from the onset, evenly spaced.

    Returns
    -------
    float
        Seconds from the onset; the last time if the seizure does not end.
    """
    after = times_s >= 0
    values, times = envelope[:, after], times_s[after]
    step = float(times[1] - times[0])
    score = activity(values, step)
    peak = int(np.argmax(score))
    low = score < 0.5 * score[peak]
    n_stay = max(1, round(5 / step))
    for i in range(peak, len(score)):
        if low[i : i + n_stay].all():
            return float(times[i])
    return float(times[-1])


def activity(envelope: Signal, step_s: float) -> Signal:
    """Return the mean of the 10 % of the channels that rise most, smoothed over 3 s."""
    mean = envelope.mean(axis=1)
    strongest = envelope[mean >= np.sort(mean)[-max(1, round(0.1 * len(mean)))]]
    return np.asarray(ndimage.uniform_filter1d(strongest.mean(axis=0), max(1, round(3 / step_s))))


def propose_onset(envelope: Signal, times_s: Signal) -> float:
    """Propose the onset of a seizure whose offset is marked at time zero.

    Applies `propose_end` to reversed time.
    """
    return -propose_end(envelope[:, ::-1], -times_s[::-1])


def _electrodes(channels: Sequence[Channel]) -> Iterator[list[Channel]]:
    """Yield the channels electrode by electrode, to limit memory."""
    for _, group in groupby(channels, key=lambda channel: channel.electrode):
        yield list(group)


def choose_baseline(
    seizure: Seizure, others: Sequence[Seizure], settings: SeegSettings, begins_s: float = 0.0
) -> tuple[float, float]:
    """Return start and end of the baseline, in seconds from the marked onset.

    It ends `baseline_gap_s` before the onset and lasts `baseline_s`. It is cut at `begins_s` (the
    start of the recording, or its last pause before the onset) and at the offset of an earlier
    seizure. If less than a second would remain, it extends to the onset.
    """
    earliest = begins_s - seizure.onset_s
    for other in others:
        if other.onset_s < seizure.onset_s and not math.isnan(other.duration_s):
            earliest = max(earliest, other.offset_s + settings.baseline_gap_s - seizure.onset_s)
    stop = -settings.baseline_gap_s
    start = max(stop - settings.baseline_s, earliest)
    if stop - start >= min(1.0, settings.baseline_s):
        return start, stop
    start = max(-settings.baseline_s, earliest)
    if start >= -0.25:
        start = max(-settings.baseline_s, begins_s - seizure.onset_s)
    return start, 0.0


def _process(channels: Sequence[Channel], plan: _Plan) -> _Part:
    """Compute the features of the channels of one electrode."""
    signal, times_s = _montage_signal(channels, plan)
    line_hz, baseline = plan.source.line_hz, plan.choices.baseline_s
    # Four times the band's upper edge suffices; filtering at 2 kHz would take ten times as long.
    wanted_hz = max(_DETECTOR_RATE_HZ, 4 * plan.choices.band_hz[1])
    work, work_s, work_rate = decimated(signal, times_s, plan.source.selection.rate_hz, wanted_hz)
    clean = remove_line(work, work_rate, line_hz)
    power, level = log_power(clean, work_s, work_rate, plan.choices)
    slow, slow_s, slow_rate = decimated(clean, work_s, work_rate, _DETECTOR_RATE_HZ)
    near = (slow_s >= plan.span_s[0]) & (slow_s <= plan.span_s[1])
    slow, slow_s = slow[:, near], slow_s[near]
    onsets = detect_onsets(slow, slow_s, slow_rate, baseline, onset_choices(plan.settings))
    ratio, frames_s = energy_ratio(slow, slow_s, slow_rate)
    shown, shown_s, _ = decimated(clean, work_s, work_rate, plan.settings.display_rate_hz)
    keep = (shown_s >= plan.grid_s[0]) & (shown_s <= plan.grid_s[-1])
    return _Part(
        envelope=sample_at(power, work_s, plan.grid_s),
        level=level,
        onsets=onsets,
        ratio=ratio,
        frames_s=frames_s,
        shown=shown[:, keep] * 1e6,
        shown_s=shown_s[keep],
    )


def _montage_signal(channels: Sequence[Channel], plan: _Plan) -> tuple[Signal, Signal]:
    """Read the recorded channels that `channels` need, and combine them by the montage."""
    names = list(dict.fromkeys(name for channel in channels for name in channel.recorded))
    selection = plan.source.selection
    labels = contact_labels(selection.recorded)
    spelling = {label: name for name, label in labels.items()} | {name: name for name in labels}
    start, stop = (plan.seizure.onset_s + edge for edge in plan.span_s)
    first, last = plan.source.header.stretch(plan.seizure.onset_s)
    recorded, times_s = selection.read(
        plan.source.recording,
        [spelling[name] for name in names],
        max(start - _MARGIN_S, first),
        min(stop + _MARGIN_S, last),
    )
    weights = weight_matrix([channel.recorded for channel in channels], names)
    return weights @ recorded, times_s - plan.seizure.onset_s


def onset_choices(settings: SeegSettings) -> OnsetChoices:
    """Return the settings of the onset detector."""
    return OnsetChoices(
        window_s=settings.onset_window_s,
        average_s=settings.onset_average_s,
        factor=settings.onset_factor,
        split_hz=settings.onset_split_hz,
        hold_s=settings.onset_hold_s,
    )


def decimated(
    signal: Signal, times_s: Signal, rate_hz: float, wanted_hz: float
) -> tuple[Signal, Signal, float]:
    """Lower the sampling rate by an integer factor, not below `wanted_hz`, without aliasing."""
    factor = max(1, int(rate_hz // wanted_hz))
    if factor == 1:
        return signal, times_s, rate_hz
    lower = dsp.resample_poly(signal, 1, factor, axis=-1, padtype="line")
    return lower, times_s[::factor], rate_hz / factor


def _envelope_attrs(plan: _Plan, rate_hz: float, number: int) -> dict[str, Any]:
    """Return the settings of an envelope, as its attributes."""
    seizure, source, choices, settings = plan.seizure, plan.source, plan.choices, plan.settings
    return {
        "seizure": number,
        "offset_s": seizure.duration_s,
        "onset_in_recording_s": seizure.onset_s,
        "recording": source.recording.signal.name,
        "event": seizure.source,
        "units": "natural logarithm of power above baseline",
        "montage": settings.montage,
        "line_frequency_hz": source.line_hz or "none",
        "line_frequency_from": source.line_source,
        "band_hz": [choices.band_hz[0], min(choices.band_hz[1], 0.5 * source.selection.rate_hz)],
        "window_s": choices.window_s,
        "smoothing_s": choices.smoothing_s,
        "sampling_hz": rate_hz,
        "baseline_s": list(choices.baseline_s),
        "recording_rate_hz": source.selection.rate_hz,
        "onset_detector": f"multitaper, {settings.onset_factor:g} times the baseline, "
        f"for {settings.onset_hold_s:g} s altogether, window {settings.onset_window_s:g} s, "
        f"averaged over {settings.onset_average_s:g} s",
    }
