"""Place electrodes, and record simulated sources with a conduction of its own.

A contact sees each region as a cloud of 30 points in a ball of 8 to 10 mm round its centre, each
with the gain 1 / (d^2 + 1). The background goes through the same conduction; contacts add noise of
their own, a common reference and the mains. The clinic knows contacts with an error of 0.7 mm.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.signal import butter, sosfilt
from scipy.spatial import ConvexHull
from scipy.spatial.distance import cdist

from virtualbrain.seeg.names import split_contact

SPACING_MM = 3.5
CONTACT_ERROR_MM = 0.7
MAINS_HZ = 50.0
_ELECTRODES = (10, 14)
_CONTACTS = (8, 15)
_CLEARANCE_MM = 4.0
# Distance of the skull's inside from the hull of the regions' centres.
_SHELL_MM = 10.0
_POINTS = 30
_BALL_MM = (8.0, 10.0)
# Amplitude that the loudest contact exceeds in 0.5 % of the time.
_LOUDEST_UV = (300.0, 800.0)
_AMPLIFIER_HZ = 0.3  # lower edge


@dataclass(frozen=True)
class Background:
    """Amplitudes of the background in microvolts (rms), and exponent of its spectrum."""

    exponent: float
    brain_uv: float
    own_uv: float
    reference_uv: float
    mains_uv: float
    white_uv: float

    @classmethod
    def draw(cls, rng: np.random.Generator) -> "Background":
        """Draw the background of a recording."""
        return cls(
            exponent=rng.uniform(1.0, 1.5), brain_uv=rng.uniform(10, 19),
            own_uv=rng.uniform(3, 8), reference_uv=rng.uniform(2, 6),
            mains_uv=rng.uniform(2, 7), white_uv=rng.uniform(1, 3),
        )  # fmt: skip


# ---- electrodes -------------------------------------------------------------------------------


def implant(
    centres_mm: np.ndarray, focus: np.ndarray, rng: np.random.Generator
) -> pd.DataFrame | None:
    """Place 10 to 14 electrodes from lateral entries; None if the focus cannot be reached.

    Parameters
    ----------
    centres_mm : numpy.ndarray, shape (n_regions, 3)
        Centres of the regions; left is negative.
    focus : numpy.ndarray of int
        Regions that must be sampled.
    rng : numpy.random.Generator
        Source of all random numbers.

    Returns
    -------
    pandas.DataFrame or None
        ``name x y z``; contact 1 is the deepest.
    """
    hull = ConvexHull(centres_mm).equations
    wanted = int(rng.integers(_ELECTRODES[0], _ELECTRODES[1] + 1))
    placed: list[np.ndarray] = []
    for target in _targets(centres_mm, focus, rng):
        contacts = _electrode(centres_mm[target], hull, placed, rng)
        if contacts is not None:
            placed.append(contacts)
        elif target in focus:
            return None
        if len(placed) == wanted:
            break
    rows = [
        (f"{chr(65 + e)}{'' if contacts[0, 0] > 0 else chr(39)}{c + 1}", *place)
        for e, contacts in enumerate(placed)
        for c, place in enumerate(contacts)
    ]
    return pd.DataFrame(rows, columns=["name", "x", "y", "z"])


def _targets(centres: np.ndarray, focus: np.ndarray, rng: np.random.Generator) -> list[int]:
    """Return the focus, then regions near it, two of the other side, and distant ones."""
    distance = cdist(centres, centres[focus]).min(axis=1)
    same = np.sign(centres[:, 0]) == np.sign(centres[focus[0], 0])
    order = np.argsort(distance)
    near = [int(i) for i in order if same[i] and i not in focus]
    across = [int(i) for i in order if not same[i] and i not in focus]
    first = [near[i] for i in rng.permutation(min(8, len(near)))[:5]]
    others = [across[i] for i in rng.permutation(len(across))[:2]]
    rest = [near[i] for i in rng.permutation(len(near)) if near[i] not in first]
    return [*map(int, focus), *first, *others, *rest]


def _electrode(
    target: np.ndarray, hull: np.ndarray, placed: list[np.ndarray], rng: np.random.Generator
) -> np.ndarray | None:
    """Return contacts from a deep point at the target outwards; None where there is no room."""
    side = np.sign(target[0]) or 1.0
    for _ in range(40):
        direction = np.array([side, *rng.normal(0, 0.25, 2)])
        direction /= np.linalg.norm(direction)
        tip = target + rng.normal(0, 1.5, 3) - direction * rng.uniform(0, 8)
        speed = hull[:, :3] @ direction
        slack = _SHELL_MM - hull[:, :3] @ tip - hull[:, 3]
        reach = float((slack[speed > 1e-9] / speed[speed > 1e-9]).min())
        shortest = (_CONTACTS[0] - 1) * SPACING_MM
        tip = tip - max(0.0, shortest - reach) * direction
        count = min(_CONTACTS[1], int(max(reach, shortest) / SPACING_MM) + 1)
        contacts = tip + SPACING_MM * np.arange(count)[:, None] * direction
        free = not placed or cdist(contacts, np.concatenate(placed)).min() >= _CLEARANCE_MM
        if tip[0] * side > 1.0 and free:
            return contacts
    return None


def bipolar_pairs(names: list[str]) -> np.ndarray:
    """Return the weights (n_channels, n_contacts) of differences of neighbouring contacts."""
    at = {split_contact(name): i for i, name in enumerate(names)}
    pairs = [
        (i, at[electrode, number + 1])
        for (electrode, number), i in at.items()
        if number is not None and (electrode, number + 1) in at
    ]
    weights = np.zeros((len(pairs), len(names)))
    for row, (anode, cathode) in enumerate(pairs):
        weights[row, anode], weights[row, cathode] = 1.0, -1.0
    return weights


# ---- conduction -------------------------------------------------------------------------------


def clouds(centres_mm: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the points (n_regions, 30, 3) of each region, mm."""
    shape = (len(centres_mm), _POINTS)
    direction = rng.standard_normal((*shape, 3))
    direction /= np.linalg.norm(direction, axis=-1, keepdims=True)
    radius = rng.uniform(*_BALL_MM, (len(centres_mm), 1)) * np.cbrt(rng.random(shape))
    return centres_mm[:, None] + radius[..., None] * direction


def conduction(contacts_mm: np.ndarray, points_mm: np.ndarray) -> np.ndarray:
    """Return the mean of 1 / (d^2 + 1) over the points of each region, (n_contacts, n_regions)."""
    n, count, _ = points_mm.shape
    squared = cdist(contacts_mm, points_mm.reshape(-1, 3), "sqeuclidean")
    return (1 / (squared + 1)).reshape(len(contacts_mm), n, count).mean(axis=2)


def record(
    source: np.ndarray, gain: np.ndarray, rate_hz: float, rng: np.random.Generator
) -> np.ndarray:
    """Return the potentials of the contacts in microvolts, (n_contacts, n_times).

    Parameters
    ----------
    source : numpy.ndarray, shape (n_times, n_regions)
        Sources, any unit.
    gain : numpy.ndarray, shape (n_contacts, n_regions)
        From `conduction`.
    rate_hz : float
        Sampling rate.
    rng : numpy.random.Generator
        Source of all random numbers.
    """
    level = Background.draw(rng)
    amplifier = butter(2, _AMPLIFIER_HZ, "highpass", fs=rate_hz, output="sos")
    seizure = sosfilt(amplifier, gain @ (source - source[0]).T, axis=1)
    seizure *= rng.uniform(*_LOUDEST_UV) / np.percentile(np.abs(seizure), 99.5, axis=1).max()
    n_contacts, n_times = seizure.shape

    def coloured(count: int) -> np.ndarray:
        return power_law((count, n_times), level.exponent, rate_hz, rng)

    brain = gain @ coloured(gain.shape[1])
    brain *= level.brain_uv / np.median(brain.std(axis=1))
    phase = 2 * np.pi * (MAINS_HZ * np.arange(n_times) / rate_hz + rng.random())
    mains = np.sqrt(2) * level.mains_uv * rng.lognormal(0, 0.4, (n_contacts, 1)) * np.sin(phase)
    own = level.own_uv * rng.lognormal(0, 0.3, (n_contacts, 1)) * coloured(n_contacts)
    white = level.white_uv * rng.standard_normal(seizure.shape)
    return seizure + brain + own + level.reference_uv * coloured(1) + mains + white


def power_law(
    shape: tuple[int, int], exponent: float, rate_hz: float, rng: np.random.Generator
) -> np.ndarray:
    """Return noise of unit variance whose power falls as f^-exponent, flat below 0.5 Hz."""
    spectrum = np.fft.rfft(rng.standard_normal(shape), axis=1)
    frequency = np.maximum(np.fft.rfftfreq(shape[1], 1 / rate_hz), 0.5)
    noise = np.fft.irfft(spectrum * frequency ** (-exponent / 2), shape[1], axis=1)
    return noise / noise.std(axis=1, keepdims=True)
