"""Define the data of a fit: envelopes, gain and connectome of one patient, checked."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from virtualbrain.errors import InputError
from virtualbrain.network import Network, Normalisation

if TYPE_CHECKING:  # imports scipy.signal, which is slow
    from virtualbrain.seeg.components import Components

Array = NDArray[np.float64]
_LOG = logging.getLogger(__name__)

MIN_TIMES = 20


@dataclass(frozen=True)
class Problem:
    """The data of one patient to fit.

    Parameters
    ----------
    envelope : array or sequence of arrays, each (n_times, n_channels)
        Log power above baseline of one seizure, or of several.
    gain : array, shape (n_channels, n_regions)
        How strongly each channel sees each region; not negative. Rows are divided by their
        sum; the offset of a channel accounts for its amplification.
    weights : array, shape (n_regions, n_regions)
        Connection weights of any scale; scaled by `virtualbrain.network.normalise_weights`.
    regions, channels : sequence of str, optional
        Unique names; by default ``region-1``, ``channel-1`` and so on.
    times : array or sequence of arrays, each (n_times,), optional
        Seconds from the marked onset, in uniform steps; by default sample numbers.
    hypothesis : pandas.DataFrame, optional
        Columns ``region`` and ``zone`` (EZ or PZ).
    lesion : sequence of str, optional
        Regions that the lesion mask overlaps.
    normalisation : str
        How the weights are scaled; K has no meaning without it.
    group_connectome : str
        Name of the group whose weights these are; empty: they are the patient's own.
    template_anatomy : bool
        Whether the contacts were placed in the template, because there is no MRI of the patient.
    components : Components, optional
        Independent components of the recording (``virtualbrain/seeg/components.py``), in the order
        of channels, seizures and times; the onset model and the source evidence use them.

    Raises
    ------
    InputError
        A value is not finite, a gain is negative, names or shapes do not match, there are
        fewer than two channels, or time steps are not uniform.
    """

    envelope: Sequence[Array]
    gain: Array
    weights: Array
    regions: Sequence[str] = ()
    channels: Sequence[str] = ()
    times: Sequence[Array] = ()
    hypothesis: pd.DataFrame | None = None
    lesion: Sequence[str] = ()
    normalisation: Normalisation = "strength"
    group_connectome: str = ""
    template_anatomy: bool = False
    components: "Components | None" = None
    isolated: tuple[str, ...] = field(init=False, default=())

    def __post_init__(self) -> None:
        seizures = _as_seizures(self.envelope)
        n_channels = seizures[0].shape[1]
        gain = np.array(self.gain, dtype=np.float64)
        network = Network(np.asarray(self.weights), regions=tuple(self.regions))
        regions = tuple(network.regions)
        channels = tuple(str(name) for name in self.channels) or tuple(
            f"channel-{c + 1}" for c in range(n_channels)
        )
        _check_names(channels, n_channels, "channel", "columns of the envelope")
        _check_gain(gain, channels, regions)
        _check_seizures(seizures, channels)
        if n_channels < 2:
            raise InputError(
                f"{n_channels} channel to fit",
                where="envelope",
                expected="two or more",
                hint="mark more channels as good",
            )
        isolated = network.isolated()
        if isolated:
            _LOG.warning(
                "regions without any connection, which take no part in any spread: %s",
                ", ".join(isolated),
            )
        self._set(
            envelope=seizures,
            gain=gain / gain.sum(axis=1, keepdims=True),
            weights=network.normalised(self.normalisation).weights,
            regions=regions,
            channels=channels,
            times=_as_times(self.times, seizures),
            components=_checked_components(self.components, seizures),
            hypothesis=_checked_hypothesis(self.hypothesis, regions),
            lesion=_checked_lesion(self.lesion, regions),
            isolated=isolated,
        )

    def _set(self, **values: object) -> None:
        for name, value in values.items():
            object.__setattr__(self, name, value)

    @property
    def n_seizures(self) -> int:
        """Number of seizures."""
        return len(self.envelope)

    @property
    def n_regions(self) -> int:
        """Number of regions."""
        return len(self.regions)

    @property
    def n_channels(self) -> int:
        """Number of channels."""
        return len(self.channels)

    @property
    def n_components(self) -> int:
        """Number of independent components."""
        return 0 if self.components is None else self.components.count

    def without_components(self) -> "Problem":
        """Return the same problem without independent components.

        Returns
        -------
        Problem
            Equal but for the components.
        """
        return replace(self, components=None, envelope=list(self.envelope), times=list(self.times))

    def zone_of(self) -> dict[str, str]:
        """Return the zone of every region in the hypothesis.

        Returns
        -------
        dict of str to str
            EZ or PZ by the region's name; empty without a hypothesis.
        """
        if self.hypothesis is None:
            return {}
        return dict(zip(self.hypothesis["region"], self.hypothesis["zone"], strict=True))

    def on_grid(self, n_steps: int) -> tuple[Array, Array]:
        """Resample every seizure to the steps of the model.

        Samples are averaged over each step, or interpolated where the steps are finer.

        Parameters
        ----------
        n_steps : int
            Number of model steps per seizure.

        Returns
        -------
        numpy.ndarray, shape (n_seizures, n_steps, n_channels)
            The envelopes, in log power.
        numpy.ndarray, shape (n_seizures, n_steps)
            Seconds from the marked onset.
        """
        return self._resampled(self.envelope, n_steps)

    def components_on_grid(self, n_steps: int) -> Array:
        """Resample the envelopes of the components as `on_grid` does.

        Parameters
        ----------
        n_steps : int
            Number of model steps per seizure.

        Returns
        -------
        numpy.ndarray, shape (n_seizures, n_steps, n_components)
            Log power; without components the last dimension is empty.
        """
        if self.components is None:
            return np.zeros((self.n_seizures, n_steps, 0))
        return self._resampled(self.components.envelope, n_steps)[0]

    def _resampled(self, envelopes: Sequence[Array], n_steps: int) -> tuple[Array, Array]:
        """Return envelopes on the steps of the model, and their times."""
        found, seconds = [], []
        for envelope, times in zip(envelopes, self.times, strict=True):
            grid = np.linspace(times[0], times[-1], n_steps)
            found.append(_resample(envelope, times, grid))
            seconds.append(grid)
        return np.stack(found), np.stack(seconds)


def _resample(envelope: Array, times: Array, grid: Array) -> Array:
    """Return the mean over each step, computed from the running integral."""
    step = times[1] - times[0]
    half = max(grid[1] - grid[0], step) / 2
    edges = np.concatenate([times - step / 2, [times[-1] + step / 2]])
    running = np.vstack([np.zeros(envelope.shape[1]), np.cumsum(envelope * step, axis=0)])
    left, right = np.maximum(grid - half, edges[0]), np.minimum(grid + half, edges[-1])
    sums = [
        np.interp(right, edges, column) - np.interp(left, edges, column) for column in running.T
    ]
    return np.ascontiguousarray((np.array(sums) / (right - left)).T)


def _as_seizures(envelope: object) -> tuple[Array, ...]:
    """Return one (n_times, n_channels) array per seizure."""
    if isinstance(envelope, (list, tuple)) and all(np.ndim(part) == 2 for part in envelope):
        parts = list(envelope)
    else:
        parts = [envelope]
    seizures = tuple(np.array(part, dtype=np.float64) for part in parts)
    if not seizures:
        raise InputError("no seizure to fit", where="envelope", hint="mark one in events.tsv")
    for number, part in enumerate(seizures, 1):
        if part.ndim != 2 or len(part) < MIN_TIMES:
            raise InputError(
                f"seizure {number} has the shape {part.shape}",
                where="envelope",
                expected=f"(n_times, n_channels) with {MIN_TIMES} or more times",
                hint="check onset and duration of the seizure in events.tsv",
            )
        if part.shape[1] != seizures[0].shape[1]:
            raise InputError(
                f"seizure {number} has {part.shape[1]} channels, the first has "
                f"{seizures[0].shape[1]}",
                where="envelope",
                hint="keep only the channels that every seizure has",
            )
    return seizures


def _check_names(names: Sequence[str], count: int, kind: str, of: str) -> None:
    if len(names) != count:
        raise InputError(f"{len(names)} {kind} names for {count} {of}", where=f"{kind}s")
    if len(set(names)) != len(names):
        twice = next(name for name in names if list(names).count(name) > 1)
        raise InputError(
            f"the {kind} name {twice} is repeated", where=f"{kind}s", expected="unique names"
        )


def _check_gain(gain: Array, channels: Sequence[str], regions: Sequence[str]) -> None:
    if gain.shape != (len(channels), len(regions)):
        raise InputError(
            f"the gain has the shape {gain.shape}",
            where="gain",
            expected=f"({len(channels)} channels, {len(regions)} regions)",
            hint="compute gain, envelope and connectome for the same patient and atlas",
        )
    for fault, name in (
        (~np.isfinite(gain), "a value that is not finite"),
        (gain < 0, "a negative value"),
    ):
        if fault.any():
            row, column = np.argwhere(fault)[0]
            raise InputError(
                f"the gain has {name}",
                where=f"gain, channel {channels[row]}, region {regions[column]}",
                expected="zero or more",
                hint="compute the gain again from contacts and regions",
            )
    blind = gain.sum(axis=1) <= 0
    if blind.any():
        raise InputError(
            f"the channel {channels[int(np.argmax(blind))]} sees no region",
            where="gain",
            hint="mark the channel as bad or check its position",
        )


def _check_seizures(seizures: Sequence[Array], channels: Sequence[str]) -> None:
    for number, part in enumerate(seizures, 1):
        fault = ~np.isfinite(part)
        if fault.any():
            row, column = np.argwhere(fault)[0]
            raise InputError(
                "the envelope is not finite",
                where=f"seizure {number}, channel {channels[column]}, sample {row}",
                expected="log power above baseline",
                hint="mark the channel as bad",
            )
    flat = np.all([np.ptp(part, axis=0) == 0 for part in seizures], axis=0)
    if flat.all():
        raise InputError(
            "every channel is constant",
            where="envelope",
            hint="check the marked seizure onset and offset",
        )


def _checked_components(
    components: "Components | None", seizures: Sequence[Array]
) -> "Components | None":
    """Return components that match the envelopes."""
    if components is None:
        return None
    found = [components.power.shape, *(part.shape for part in components.envelope)]
    expected = [
        (seizures[0].shape[1], components.count),
        *((len(part), components.count) for part in seizures),
    ]
    if found != expected:
        raise InputError(
            f"components of the shapes {found}", where="components", expected=f"{expected}"
        )
    return components


def _as_times(times: object, seizures: Sequence[Array]) -> tuple[Array, ...]:
    """Return the time of every sample in seconds, one array per seizure."""
    if times is None or (isinstance(times, (list, tuple)) and len(times) == 0):
        return tuple(np.arange(len(part), dtype=np.float64) for part in seizures)
    several = isinstance(times, (list, tuple)) and all(np.ndim(part) == 1 for part in times)
    parts: list[ArrayLike] = list(times) if several else [times]  # type: ignore[call-overload, list-item]
    if len(parts) != len(seizures):
        raise InputError(f"{len(parts)} time axes for {len(seizures)} seizures", where="times")
    axes = tuple(np.array(part, dtype=np.float64) for part in parts)
    for number, (axis, part) in enumerate(zip(axes, seizures, strict=True), 1):
        _check_axis(axis, len(part), f"times of seizure {number}")
    return axes


def _check_axis(axis: Array, count: int, where: str) -> None:
    if axis.shape != (count,):
        raise InputError(f"{axis.size} times for {count} samples", where=where)
    steps = np.diff(axis)
    if not np.isfinite(axis).all() or (steps <= 0).any():
        raise InputError("times do not increase", where=where, expected="seconds, in order")
    if np.ptp(steps) > 0.01 * steps.mean():
        raise InputError(
            f"time steps run from {steps.min():.4g} to {steps.max():.4g} s",
            where=where,
            expected="uniform steps",
            hint="resample the envelope onto a uniform grid",
        )


def _checked_hypothesis(
    hypothesis: pd.DataFrame | None, regions: Sequence[str]
) -> pd.DataFrame | None:
    if hypothesis is None:
        return None
    for column in ("region", "zone"):
        if column not in hypothesis:
            raise InputError(
                f"no column {column}", where="hypothesis", expected="columns region and zone"
            )
    table = hypothesis.dropna(subset=["region"]).reset_index(drop=True)
    for row, (region, zone) in enumerate(zip(table["region"], table["zone"], strict=True), 2):
        if region not in regions:
            raise InputError(
                f"no region {region}",
                where=f"hypothesis, row {row}",
                expected=f"a region of the connectome, such as {regions[0]}",
                hint="use the region names of the region table",
            )
        if zone not in ("EZ", "PZ"):
            raise InputError(
                f"unknown zone {zone}", where=f"hypothesis, row {row}", expected="EZ or PZ"
            )
    return table.drop_duplicates(subset=["region"]).reset_index(drop=True)


def _checked_lesion(lesion: Sequence[str], regions: Sequence[str]) -> tuple[str, ...]:
    unknown = [name for name in lesion if name not in regions]
    if unknown:
        raise InputError(
            f"no region {unknown[0]}",
            where="lesion",
            expected=f"a region of the connectome, such as {regions[0]}",
            hint="use the region names of the region table",
        )
    return tuple(lesion)
