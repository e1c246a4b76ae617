"""Compare recorded and modelled onsets, channel by channel and at the start of the seizure."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from virtualbrain.io.results import PatientResults, Seizure
from virtualbrain.report.findings import Region
from virtualbrain.report.numbers import is_number, show
from virtualbrain.report.seizure_fit import SeizureFit

# Channels that change within this time of the first one start the seizure together.
TOGETHER_S = 1.0
# Regions of the largest gain that a channel is said to record.
N_REGIONS_OF_CHANNEL = 2
LOW_CORRELATION = 0.5


@dataclass(frozen=True)
class ChannelOnset:
    """Onsets of a channel, seconds from the marked onset, and the regions that it records most.

    An onset is NaN where the envelope does not rise for long enough.
    """

    channel: str
    regions: tuple[str, ...]
    recorded_s: float
    modelled_s: float


def channel_onsets(
    results: PatientResults, seizure: Seizure, fit: SeizureFit | None
) -> tuple[ChannelOnset, ...]:
    """Return the channels that the stage seeg found to seize, earliest first; empty without a fit.

    Both onsets are those of the envelopes; channels without one come last.
    """
    if fit is None:
        return ()
    gain = None if results.gain is None else results.gain.frame
    found = [
        ChannelOnset(
            channel=one.channel,
            regions=regions_of_channel(one.channel, gain),
            recorded_s=one.onset_s,
            modelled_s=one.onset_predicted_s,
        )
        for one in fit.fits
        if one.channel in seizure.onsets
    ]
    return tuple(sorted(found, key=_by_onset))


def _by_onset(onset: ChannelOnset) -> tuple[bool, float, str]:
    """Return the key by which channels are sorted."""
    rises = is_number(onset.recorded_s)
    return not rises, onset.recorded_s if rises else 0.0, onset.channel


def regions_of_channel(channel: str, gain: pd.DataFrame | None) -> tuple[str, ...]:
    """Return the regions of the largest gain on a channel, the largest first."""
    if gain is None or channel not in gain.index:
        return ()
    on_channel = gain.loc[channel].to_numpy(dtype=float)
    largest = np.argsort(-on_channel, kind="stable")[:N_REGIONS_OF_CHANNEL]
    return tuple(str(name) for name in gain.columns[largest])


def onset_warnings(
    onsets: Sequence[ChannelOnset], correlation: float, regions: Sequence[Region]
) -> tuple[str, ...]:
    """Return a sentence for each way in which the modelled seizure contradicts the recorded one.

    Parameters
    ----------
    onsets : sequence of ChannelOnset
        Channels of the first seizure, earliest first.
    correlation : float
        Rank correlation of recorded and modelled onsets.
    regions : sequence of Region
        Regions with their modelled onsets.
    """
    return tuple(filter(None, (_other_start(onsets, regions), _other_order(correlation))))


def _other_start(onsets: Sequence[ChannelOnset], regions: Sequence[Region]) -> str:
    seizing = [region for region in regions if is_number(region.onset_s)]
    if not onsets or not is_number(onsets[0].recorded_s) or not seizing:
        return ""
    first = min(seizing, key=lambda region: region.onset_s)
    earliest = [one for one in onsets if one.recorded_s <= onsets[0].recorded_s + TOGETHER_S]
    if any(first.name in one.regions for one in earliest) or not onsets[0].regions:
        return ""
    return (
        f"The model starts elsewhere than the recording: first modelled region {first.name} "
        f"({show(first.onset_s, 2)} s), first recorded channel {onsets[0].channel} "
        f"({onsets[0].regions[0]}, {show(onsets[0].recorded_s, 2)} s)."
    )


def _other_order(correlation: float) -> str:
    if not is_number(correlation) or correlation >= LOW_CORRELATION:
        return ""
    return (
        "The modelled order of the channels is not the recorded one: rank correlation "
        f"{show(correlation, 2)}."
    )
