"""Numbers of the onset model: the prior of onsets and powers, and the errors of the gain."""

from typing import NamedTuple


class Rules(NamedTuple):
    """Prior and errors of the onset model; seconds and natural logarithms.

    Parameters
    ----------
    noise : float
        Standard deviation of the log power of a channel about its model.
    degrees_of_freedom : float
        Of the Student t that the channel's own noise level gives.
    samples : float
        Independent samples per model step, below 1: model errors last longer than a step.
    tempering : float
        Exponent of the likelihood of all channels: gain errors of neighbours are not independent.
    lower, higher : float
        Standard deviation of the log gain error of one channel and region, below and above zero.
        It is larger below: sources of a region cancel in a bipolar channel.
    channel : float
        Standard deviation of the log gain error that all regions of a channel share.
    rise_s : float
        Time within which the power of a region rises.
    peak, peak_sd_patient, peak_sd : float
        Log power of a seizing region: prior mean, and standard deviation between patients and
        between the regions of a patient.
    slope, slope_sd : float
        Fall of the log power during the seizure.
    length, length_sd : float
        Duration of a region's seizure as a fraction of the window, and the standard deviation of
        its logarithm.
    p_silent : float
        Probability that an epileptogenic region does not seize in a seizure.
    early, early_s : float
        Probability that an epileptogenic region starts near the marked onset, and the scale of
        the difference.
    recruitable : float
        Fraction of the other regions that enough input recruits.
    threshold, threshold_sd_patient, threshold_sd : float
        Logarithm of the integrated input that recruits, as `peak`.
    delay_s : float
        Delay between the regions.
    weak_input : float
        Weight that stands for a connection that tractography missed.
    """

    noise: float = 0.5
    degrees_of_freedom: float = 10.0
    samples: float = 0.1
    tempering: float = 0.45
    lower: float = 1.3
    higher: float = 0.7
    error_degrees: float = 3.0
    error_density: float = 0.9214
    channel: float = 0.5
    rise_s: float = 1.0
    peak: float = 4.0
    peak_sd_patient: float = 1.2
    peak_sd: float = 0.8
    slope: float = 1.5
    slope_sd: float = 0.8
    length: float = 0.5
    length_sd: float = 0.5
    p_silent: float = 0.1
    early: float = 0.5
    early_s: float = 3.0
    recruitable: float = 0.4
    threshold: float = 1.6
    threshold_sd_patient: float = 1.0
    threshold_sd: float = 1.3
    delay_s: float = 0.5
    weak_input: float = 0.01
