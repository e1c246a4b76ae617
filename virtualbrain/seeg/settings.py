"""Settings of the SEEG stage, with their defaults."""

from dataclasses import dataclass
from typing import Literal, get_args

from virtualbrain.errors import ConfigError
from virtualbrain.io.coordsystem import FRAMES, MM_PER_UNIT, TEMPLATE_WORDS
from virtualbrain.io.mark_words import SEIZURE_WORDS

Montage = Literal["bipolar", "shaft-average", "monopolar"]
GainKind = Literal["auto", "surface", "volume", "centres", "dipole"]
EventClock = Literal["ask", "clock", "signal"]
GainCombination = Literal["independent", "difference"]


@dataclass(frozen=True)
class SeegSettings:
    """Settings of the SEEG stage.

    Parameters
    ----------
    montage : {"bipolar", "shaft-average", "monopolar"}
        Channels that are fitted: differences of neighbouring contacts, each contact minus its
        electrode's mean, or the contacts with the recording's reference.
    frame, units : str
        Coordinate frame (``ScanRAS``, ``ACPC`` or ``tkRAS``; ``scanner``, ``native`` and ``T1w``
        mean ScanRAS) and unit (``mm``, ``cm`` or ``m``) of electrodes.tsv, stated by the user;
        empty: as the dataset states.
    event_columns, seizure_words : tuple of str
        Columns of events.tsv that state the kind of an event, and words that mark a seizure.
    zero_duration_is_seizure : bool
        Take marks of zero duration without a word for onset or end as seizures.
    event_clock : {"ask", "clock", "signal"}
        Whether times in events.tsv include the pauses of an EDF+D; ask refuses if the annotations
        of the recording do not show it.
    accept_proposed_end : bool
        Accept the proposed offset of a seizure without duration.
    channel_types : tuple of str
        Values of `type` in channels.tsv that are intracranial channels.
    located_share_min : float
        Smallest fraction of the good channels that must have coordinates.
    exclude_proposed_bad : bool
        Leave out channels that are automatically proposed as bad.
    brain_share_min : float
        Smallest fraction of the contacts that must be inside the brain.
    line_frequency_hz : float, optional
        Mains frequency; None takes PowerLineFrequency from the sidecar, or else detects 50 or 60.
    band_hz : tuple of float
        Frequency band of the envelope; its upper edge is limited to 0.45 of the sampling rate.
    window_s, smoothing_s : float
        Length of the window of the mean square, and standard deviation of the Gaussian that
        smooths its logarithm.
    envelope_rate_hz, envelope_points_max : float, int
        Sampling rate and largest number of points of the envelope; the rate is lowered if a
        seizure would need more points.
    baseline_s, baseline_gap_s : float
        Length of the baseline, and time between its end and the marked onset.
    before_onset_s, after_offset_s : float
        Time that is kept before and after the seizure.
    onset_window_s, onset_average_s, onset_factor, onset_split_hz, onset_hold_s : float
        Channel onsets: window of the multitaper spectrum, time over which its power is averaged,
        factor by which power must rise, frequency between the two bands, and total time that the
        rise must last (longer than window and average, or one spike suffices).
    display_rate_hz : float
        Sampling rate of the signals for display.
    ball_radius_mm, centre_radius_mm : float
        Radius of the ball over which a contact's regions are counted, and without a label image
        the largest distance from a contact to a region's centre.
    gain : {"auto", "surface", "volume", "centres", "dipole"}
        Anatomy from which the sources of the gain are made.
    gain_combination : {"independent", "difference"}
        Power of independent sources in the channel, or absolute difference of the contacts'
        inverse-square gains.
    clamp_mm, cortical_thickness_mm : float
        Smallest distance between contact and source; thickness of the cortex, which gives each
        vertex a volume.
    """

    montage: Montage = "bipolar"
    frame: str = ""
    units: str = ""
    event_columns: tuple[str, ...] = ("trial_type", "eventType")
    seizure_words: tuple[str, ...] = SEIZURE_WORDS
    zero_duration_is_seizure: bool = False
    event_clock: EventClock = "ask"
    accept_proposed_end: bool = False
    channel_types: tuple[str, ...] = ("SEEG", "ECOG")
    located_share_min: float = 0.5
    exclude_proposed_bad: bool = True
    brain_share_min: float = 0.5
    line_frequency_hz: float | None = None
    band_hz: tuple[float, float] = (10.0, 120.0)
    window_s: float = 0.5
    smoothing_s: float = 0.3
    envelope_rate_hz: float = 4.0
    envelope_points_max: int = 300
    baseline_s: float = 20.0
    baseline_gap_s: float = 2.0
    before_onset_s: float = 5.0
    after_offset_s: float = 5.0
    onset_window_s: float = 0.3
    onset_average_s: float = 1.25
    onset_factor: float = 4.5
    onset_split_hz: float = 12.4
    onset_hold_s: float = 1.75
    display_rate_hz: float = 128.0
    ball_radius_mm: float = 3.0
    centre_radius_mm: float = 30.0
    gain: GainKind = "auto"
    gain_combination: GainCombination = "independent"
    clamp_mm: float = 3.0
    cortical_thickness_mm: float = 2.5

    def __post_init__(self) -> None:
        for name in ("event_columns", "seizure_words", "channel_types", "band_hz"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        _one_of("montage", self.montage, get_args(Montage))
        if self.frame.casefold() not in ("", *FRAMES, *TEMPLATE_WORDS):
            raise ConfigError(
                f"seeg.frame is {self.frame!r}", expected="ScanRAS, ACPC, tkRAS, MNI, or empty"
            )
        _one_of("units", self.units, ("", *MM_PER_UNIT))
        _one_of("event_clock", self.event_clock, get_args(EventClock))
        _one_of("gain", self.gain, get_args(GainKind))
        _one_of("gain_combination", self.gain_combination, get_args(GainCombination))
        for name in _POSITIVE:
            if not getattr(self, name) > 0:
                raise ConfigError(
                    f"seeg.{name} is {getattr(self, name)}", expected="a number above zero"
                )
        for name in (
            "baseline_gap_s",
            "before_onset_s",
            "after_offset_s",
            "brain_share_min",
            "located_share_min",
        ):
            if not getattr(self, name) >= 0:
                raise ConfigError(f"seeg.{name} is {getattr(self, name)}", expected="zero or more")
        if len(self.band_hz) != 2 or not 0 < self.band_hz[0] < self.band_hz[1]:
            raise ConfigError(
                f"seeg.band_hz is {self.band_hz}",
                expected="two positive numbers, the smaller one first",
            )


_POSITIVE = (
    "window_s",
    "smoothing_s",
    "envelope_rate_hz",
    "envelope_points_max",
    "baseline_s",
    "onset_window_s",
    "onset_average_s",
    "onset_factor",
    "onset_split_hz",
    "onset_hold_s",
    "display_rate_hz",
    "ball_radius_mm",
    "centre_radius_mm",
    "clamp_mm",
    "cortical_thickness_mm",
)


def _one_of(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise ConfigError(f"seeg.{name} is {value!r}", expected="one of " + ", ".join(allowed))
