"""Fit subsets of a patient's data: which part of them carries the answer.

Each subset is fitted again with the onset model. Its chains start from draws of the fit to all
data, so that few moves suffice. The Monte Carlo error of every change is stated.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from inference.answers import Answer, answer_of, compared
from inference.initialisation import Progress
from inference.onsets.fit import TEMPERATURES, OnsetSample, posterior_of, sample_onsets
from inference.onsets.sampler import Kept, Start
from inference.priors import Priors
from inference.problem import MIN_TIMES, Problem
from inference.settings import Settings
from virtualbrain.errors import InputError
from virtualbrain.posterior import PlanOf
from virtualbrain.seeg.components import Signals, separate

Array = NDArray[np.float64]
Kind = Literal["all", "without", "kept"]

MOVES, DRAWS, CHAINS = 4000, 150, 2
FRACTIONS = (0.25, 0.5, 0.75)
SECONDS = (5.0, 10.0, 20.0, 40.0)
COLUMNS = (
    "kind", "part", "name", "n_channels", "n_seizures", "duration_s", "fraction", "region",
    "rank", "p_ez", "p_ez_error", "first_region", "first_p_ez", "changed_region",
    "change", "change_error", "clear", "verdict", "plan", "same_plan", "p_plan_holds",
)  # fmt: skip


@dataclass(frozen=True)
class Subset:
    """A part of a patient's data.

    Parameters
    ----------
    kind : {"all", "without", "kept"}
        All data; all but one part; or only some of the parts.
    part : str
        ``electrode``, ``seizure``, ``seconds`` or ``band``; empty for all data.
    name : str
        What is left out or kept.
    channels, seizures : tuple of int
        Positions that are kept.
    until_s : float
        Seconds from the marked onset that are kept; infinite: all.
    """

    kind: Kind
    part: str
    name: str
    channels: tuple[int, ...]
    seizures: tuple[int, ...]
    until_s: float = np.inf


def subsets_of(
    problem: Problem, electrodes: Sequence[str], rng: np.random.Generator
) -> list[Subset]:
    """Return the subsets of a patient's data, all data first.

    Without each electrode and each seizure; a quarter, half and three quarters of the electrodes in
    one random order; the first seizures; and the first seconds after the marked onset.

    Parameters
    ----------
    problem : Problem
        All data.
    electrodes : sequence of str
        Electrode of each channel.
    rng : numpy.random.Generator
        Draws the order of the electrodes.

    Raises
    ------
    InputError
        There are not as many electrodes as channels.
    """
    if len(electrodes) != problem.n_channels:
        raise InputError(
            f"{len(electrodes)} electrodes for {problem.n_channels} channels",
            where="channels",
            expected="the electrode of every channel",
        )
    everything = Subset(
        "all", "", "all data", tuple(range(problem.n_channels)), tuple(range(problem.n_seizures))
    )
    return [
        everything,
        *_without(everything, electrodes),
        *_electrodes_kept(everything, electrodes, rng),
        *_seizures_kept(everything),
        *_seconds_kept(everything, problem),
    ]


def _channels_of(electrodes: Sequence[str], chosen: set[str]) -> tuple[int, ...]:
    return tuple(c for c, name in enumerate(electrodes) if name in chosen)


def _without(everything: Subset, electrodes: Sequence[str]) -> Iterator[Subset]:
    names = list(dict.fromkeys(electrodes))
    for name in names:
        channels = _channels_of(electrodes, set(names) - {name})
        if len(channels) >= 2:
            yield replace(
                everything, kind="without", part="electrode", name=name, channels=channels
            )
    if len(everything.seizures) > 1:
        for s in everything.seizures:
            rest = tuple(other for other in everything.seizures if other != s)
            yield replace(
                everything, kind="without", part="seizure", name=str(s + 1), seizures=rest
            )


def _electrodes_kept(
    everything: Subset, electrodes: Sequence[str], rng: np.random.Generator
) -> Iterator[Subset]:
    names = list(rng.permutation(list(dict.fromkeys(electrodes))))
    counts = sorted({round(fraction * len(names)) for fraction in FRACTIONS} - {0, len(names)})
    for count in counts:
        channels = _channels_of(electrodes, set(names[:count]))
        if len(channels) >= 2:
            yield replace(
                everything, kind="kept", part="electrode", name=f"{count} electrodes",
                channels=channels,
            )  # fmt: skip


def _seizures_kept(everything: Subset) -> Iterator[Subset]:
    for count in range(1, len(everything.seizures) - 1):  # all but one is left out above
        first = everything.seizures[:count]
        yield replace(
            everything, kind="kept", part="seizure", name=f"first {count}", seizures=first
        )


def _seconds_kept(everything: Subset, problem: Problem) -> Iterator[Subset]:
    longest = max(times[-1] for times in problem.times)
    for until in SECONDS:
        enough = all((times <= until).sum() >= MIN_TIMES for times in problem.times)
        if until < longest and enough:
            yield replace(
                everything, kind="kept", part="seconds", name=f"{until:g} s", until_s=until
            )


def _bands_kept(problem: Problem, bands: Mapping[str, Problem]) -> Iterator[Subset]:
    for name, part in bands.items():
        channels = tuple(problem.channels.index(channel) for channel in part.channels)
        yield Subset("kept", "band", name, channels, tuple(range(problem.n_seizures)))


def reduced(problem: Problem, subset: Subset, signals: Signals | None = None) -> Problem:
    """Return the problem with a subset of its data.

    The signals of the subset are separated again: a component of all channels shows nothing about
    some of them. Without signals there are no components.
    """
    channels = list(subset.channels)
    kept = [(problem.envelope[s], problem.times[s]) for s in subset.seizures]
    inside = [(envelope, times, times <= subset.until_s) for envelope, times in kept]
    times_s = [times[use] for _, times, use in inside]
    components = None
    if signals is not None and problem.components is not None:
        part = signals.part(channels, subset.seizures, subset.until_s)
        components = separate(part, times_s)
    return replace(
        problem,
        envelope=[envelope[use][:, channels] for envelope, _, use in inside],
        times=times_s,
        gain=problem.gain[channels],
        channels=[problem.channels[c] for c in channels],
        components=components,
    )


def starts_from(
    chains: Sequence[Kept], subset: Subset, problem: Problem, rng: np.random.Generator
) -> list[Start]:
    """Return states of each chain's replicas: draws of the fit to all data.

    Regions that start after the end of the shortened seizures are silent.
    """
    seizures = list(subset.seizures)
    last = np.array([times[-1] for times in problem.times])[:, None]
    found = []
    for chain in chains:
        rows = rng.integers(len(chain.threshold), size=len(TEMPERATURES))
        onset, offset, peak, slope = (
            np.ascontiguousarray(values[rows][:, seizures])
            for values in (chain.onset, chain.offset, chain.peak, chain.slope)
        )
        active = np.ascontiguousarray(chain.active[rows][:, seizures] & (onset < last))
        threshold, patient_peak = chain.threshold[rows], chain.patient_peak[rows]
        found.append(Start(active, onset, offset, peak, slope, threshold, patient_peak))
    return found


def ablate(
    problem: Problem,
    electrodes: Sequence[str],
    sample: OnsetSample,
    priors: Priors,
    settings: Settings,
    plan: PlanOf,
    progress: Progress | None = None,
    bands: Mapping[str, Problem] | None = None,
    signals: Signals | None = None,
) -> pd.DataFrame:
    """Fit every subset, and compare the answers with that of all data.

    Parameters
    ----------
    problem : Problem
        All data.
    electrodes : sequence of str
        Electrode of each channel.
    sample : OnsetSample
        From all data: `inference.full_sample.sample_all`.
    priors, settings
        Of the fits to subsets; number of moves, draws and chains are those of this module.
    plan : PlanOf
        The plan of a posterior.
    progress : callable, optional
        Called with the name of the subset and the fraction that is done.
    bands : mapping of str to Problem, optional
        The problem with the log power of one frequency band, by name.
    signals : Signals, optional
        Channels and seizures in the order of the problem; without them the fits to subsets have no
        independent components.

    Returns
    -------
    pandas.DataFrame
        One row for each subset, all data first:

        - ``kind part name``: see `Subset`; ``n_channels n_seizures duration_s``: the data kept,
          and ``fraction``, the product of their fractions.
        - ``region``: the first region of the fit to all data; its ``p_ez`` here with its Monte
          Carlo error, and its ``rank``, one more than the regions whose p_ez is clearly larger;
          ``first_region`` and ``first_p_ez``: the first region here.
        - ``changed_region``: region whose p_ez differs most from the fit to all data, by ``change``
          with the Monte Carlo error ``change_error``; ``clear``: the change exceeds
          `inference.answers.CLEAR` errors.
        - ``verdict``; ``plan``, and whether it is the plan from all data (``same_plan``);
          ``p_plan_holds``: how often the plan from all data holds the zone of these draws.

    Raises
    ------
    InputError
        There are not as many electrodes as channels.
    """
    rng = np.random.default_rng(settings.seed)
    small = replace(
        settings, method="onsets", moves=MOVES, extension=0.0, draws=DRAWS, chains=CHAINS,
        normalisation=problem.normalisation,
    )  # fmt: skip
    of_band = bands or {}
    subsets = [*subsets_of(problem, electrodes, rng), *_bands_kept(problem, of_band)]
    found: list[Answer] = []
    with threadpool_limits(1, user_api="blas"):
        for number, subset in enumerate(subsets):
            one = sample
            if number > 0:
                is_band = subset.part == "band"
                part = of_band[subset.name] if is_band else reduced(problem, subset, signals)
                starts = starts_from(sample.chains, subset, part, rng)
                one = sample_onsets(part, priors, small, starts=starts)
            reference = found[0] if found else None
            found.append(answer_of(one, posterior_of(one), plan, reference))
            if progress is not None:
                progress(_words(subset), (number + 1) / len(subsets))
    rows = [
        {**_size(problem, subset), **compared(answer, found[0])}
        for subset, answer in zip(subsets, found, strict=True)
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _words(subset: Subset) -> str:
    return subset.name if subset.kind == "all" else f"{subset.kind} {subset.part} {subset.name}"


def _size(problem: Problem, subset: Subset) -> dict[str, Any]:
    """Return which data are kept, and how many."""

    def seconds(until: float) -> float:
        durations = [np.minimum(t[-1], until) - t[0] for t in (problem.times[s] for s in kept)]
        return float(np.mean(durations))

    kept = list(subset.seizures)
    used, full = seconds(subset.until_s), seconds(np.inf)
    fraction = len(subset.channels) / problem.n_channels * len(kept) / problem.n_seizures
    return {
        "kind": subset.kind,
        "part": subset.part or None,
        "name": subset.name,
        "n_channels": len(subset.channels),
        "n_seizures": len(kept),
        "duration_s": used,
        "fraction": fraction * used / full,
    }
