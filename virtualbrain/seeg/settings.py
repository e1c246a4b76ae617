"""Every choice that the SEEG stage makes, with its default."""

from dataclasses import dataclass
from typing import Literal, get_args

from virtualbrain.errors import ConfigError

Montage = Literal["bipolar", "shaft-average", "monopolar"]
GainKind = Literal["auto", "surface", "volume", "centres", "dipole"]
GainCombination = Literal["independent", "difference"]


@dataclass(frozen=True)
class SeegSettings:
    """Choices of the SEEG stage.

    Parameters
    ----------
    montage : {"bipolar", "shaft-average", "monopolar"}
        What is fitted: neighbours on an electrode, each contact minus its electrode's mean,
        or the recording's own reference.
    event_columns, seizure_words : tuple of str
        Where events.tsv names the kind of an event, and the words that make it a seizure.
    accept_proposed_end : bool
        Take the proposed end of a seizure whose row has no duration.
    channel_types : tuple of str
        Values of `type` in channels.tsv that are contacts in the brain.
    exclude_proposed_bad : bool
        Leave out the channels that the automatic proposal finds bad.
    brain_share_min : float
        Least share of the contacts that must lie in the brain.
    line_frequency_hz : float, optional
        Mains frequency; None takes PowerLineFrequency from the sidecar, else detects 50 or 60.
    band_hz : tuple of float
        Band of the envelope; its upper end is lowered to 0.45 of the sampling rate.
    window_s, smoothing_s : float
        Length of the window of the mean square, and standard deviation of the Gaussian that
        smooths its logarithm.
    envelope_rate_hz, envelope_points_max : float, int
        Sampling of the envelope; the rate is lowered where a seizure would need more points.
    baseline_s, baseline_gap_s : float
        Length of the baseline, and its distance from the marked onset.
    before_onset_s, after_offset_s : float
        What is kept around the seizure.
    onset_window_s, onset_average_s, onset_factor, onset_split_hz, onset_hold_s : float
        Channel onsets: window of the multitaper spectrum, time over which its power is averaged,
        rise in power that counts, border between the two bands, and how long the rise must last
        altogether (longer than window and average, or one spike is enough).
    display_rate_hz : float
        Rate of the signals kept for display.
    ball_radius_mm, centre_radius_mm : float
        Ball over which a contact's regions are counted; reach of a region's centre where there
        is no label image.
    gain : {"auto", "surface", "volume", "centres", "dipole"}
        Where the sources of the gain lie.
    gain_combination : {"independent", "difference"}
        Power of independent sources in the channel, or the absolute difference of the
        contacts' inverse-square gains.
    clamp_mm, cortical_thickness_mm : float
        Least distance between contact and source; thickness that turns surface into volume.
    """

    montage: Montage = "bipolar"
    event_columns: tuple[str, ...] = ("trial_type", "eventType")
    seizure_words: tuple[str, ...] = ("seizure", "sz")
    accept_proposed_end: bool = False
    channel_types: tuple[str, ...] = ("SEEG", "ECOG")
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
        _one_of("gain", self.gain, get_args(GainKind))
        _one_of("gain_combination", self.gain_combination, get_args(GainCombination))
        for name in _POSITIVE:
            if not getattr(self, name) > 0:
                raise ConfigError(
                    f"seeg.{name} is {getattr(self, name)}", expected="a number above zero"
                )
        for name in ("baseline_gap_s", "before_onset_s", "after_offset_s", "brain_share_min"):
            if not getattr(self, name) >= 0:
                raise ConfigError(f"seeg.{name} is {getattr(self, name)}", expected="zero or more")
        if len(self.band_hz) != 2 or not 0 < self.band_hz[0] < self.band_hz[1]:
            raise ConfigError(
                f"seeg.band_hz is {self.band_hz}", expected="two rising numbers above zero"
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
