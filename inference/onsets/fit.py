"""Fit a problem with the onset model; assemble the posterior that all readers share."""

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.special import expit

from inference.density import Density, build_density
from inference.onsets.calibration import calibrated, evidence_of, first_step, p_sampled
from inference.onsets.chains import Length, sample_chains
from inference.onsets.channels import LARGEST_ERROR
from inference.onsets.convergence import has_converged
from inference.onsets.dynamics import Dynamics, Onsets, dynamics_of
from inference.onsets.ez_draws import drawn, shifted
from inference.onsets.recording import recording_of
from inference.onsets.rules import Rules
from inference.onsets.sampler import ERRORS_EVERY, Kept, Start, fill_power, silent_start
from inference.onsets.states import Recording
from inference.posterior import (
    attributes_of,
    constants_of,
    coords_of,
    observed_of,
    predictive_of,
    sources_of,
    squeezed,
)
from inference.priors import Priors
from inference.problem import Problem
from inference.settings import Settings
from inference.sources import prior_log_odds

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
Progress = Callable[[str, float], None]

# Weight of the source evidence in the prior odds: the onsets use the same recording again.
EVIDENCE_WEIGHT = 0.9
TEMPERATURES = (1.0, 1.15, 1.32, 1.52, 1.75, 2.0)
N_STEPS = 50
# One of so many moves belongs to the warm-up, in which all chains learn together.
WARM_UP = 5
# The network passes the fold slowly: its seizure needs finer steps than the fit of the envelope.
STEPS_FACTOR = 2
PREDICTIVE_DRAWS = 100


@dataclass(frozen=True)
class _Draws:
    """Draws of all chains, dims (chain, draw, ...).

    p_onset_model is p_ez before the calibration, (n_regions,); p_sampled the probability that the
    electrodes sampled the zone.
    """

    active: Mask
    onset: Array
    offset: Array
    ez: Mask
    threshold: Array
    peak: Array
    log_density: Array
    p_onset_model: Array
    p_sampled: float = float("nan")


@dataclass(frozen=True)
class OnsetSample:
    """Draws of the onset model before the dynamics are found.

    Parameters
    ----------
    chains : tuple of Kept
        Draws of each chain.
    data, rules : Recording, Rules
        What was sampled.
    density : Density
        Problem, priors and settings.
    rng : numpy.random.Generator
        Source of random numbers of the dynamics.
    ends : tuple of Start
        Last states of each chain.
    continued : bool
        The chains had not converged after `Settings.moves` and were continued.
    """

    chains: tuple[Kept, ...]
    data: Recording
    rules: Rules
    density: Density
    rng: np.random.Generator
    ends: tuple[Start, ...]
    continued: bool = False


def fit_onsets(
    problem: Problem, priors: Priors, settings: Settings, progress: Progress | None = None
) -> xr.DataTree:
    """Sample onsets and epileptogenic regions, then the dynamics that reproduce them.

    Parameters
    ----------
    problem, priors, settings, progress
        See `inference.fit`.

    Returns
    -------
    xarray.DataTree
        As `inference.fit`; without the group log_likelihood.
    """
    sample = sample_onsets(problem, priors, settings, progress)
    posterior = posterior_of(sample)
    if settings.extension == 0 or has_converged(posterior):
        return posterior
    return posterior_of(_continued(sample, settings, progress))


def sample_onsets(
    problem: Problem,
    priors: Priors,
    settings: Settings,
    progress: Progress | None = None,
    starts: Sequence[Start] = (),
) -> OnsetSample:
    """Sample onsets and epileptogenic regions.

    Parameters
    ----------
    problem, priors, settings, progress
        See `inference.fit`.
    starts : sequence of Start
        States in which each chain starts; without them no region seizes at the start.
    """
    rng = np.random.default_rng(settings.seed)
    finer = replace(settings, n_steps=STEPS_FACTOR * settings.n_steps)
    rules = rules_of(problem, priors)
    density = build_density(problem, priors, finer, rules.tempering)
    evidence = priors.x0_sources.weight * EVIDENCE_WEIGHT * density.evidence
    prior_p_ez = expit(prior_log_odds(priors, problem) + evidence)
    data = recording_of(problem, prior_p_ez, N_STEPS, rules.noise)
    silent = silent_start(data, rules, len(TEMPERATURES))
    length = Length(settings.moves, settings.moves // WARM_UP, settings.draws)
    begin = starts or [silent] * settings.chains
    chains, ends = _run_chains((data, rules), length, begin, settings, rng, progress)
    return OnsetSample(chains, data, rules, density, rng, ends)


def _continued(sample: OnsetSample, settings: Settings, progress: Progress | None) -> OnsetSample:
    """Return the sample of longer chains that start where those of a sample ended."""
    moves = round(settings.extension * settings.moves)
    chains, ends = _run_chains(
        (sample.data, sample.rules),
        Length(moves, moves // 10, settings.draws),
        sample.ends,
        settings,
        sample.rng,
        progress,
    )
    return replace(sample, chains=chains, ends=ends, continued=True)


def posterior_of(sample: OnsetSample) -> xr.DataTree:
    """Find the dynamics that reproduce the draws, and assemble the posterior."""
    chains, data, rules = sample.chains, sample.data, sample.rules
    density, rng = sample.density, sample.rng
    draws = _stacked(chains, density, rng)
    found = _dynamics(draws, density, rng)
    sources = _sources(draws, found, density, rng)
    tree = xr.DataTree.from_dict(
        {
            "posterior": _posterior(draws, found, density),
            "sample_stats": _statistics(draws),
            "posterior_predictive": _predictive(chains, data, rules, density, rng),
            "sources": sources,
            "observed_data": observed_of(density),
            "constant_data": constants_of(density).assign(
                p_onset_model=("region", draws.p_onset_model)
            ),
        }
    )
    tree.attrs.update(attributes_of(density))
    tree.attrs["continued"] = int(sample.continued)
    tree.attrs["p_ez_sampled"] = draws.p_sampled
    return tree


def rules_of(problem: Problem, priors: Priors) -> Rules:
    """Return the numbers of the onset model; with a group connectome, wider ones of the input."""
    rules = Rules()
    if not problem.group_connectome:
        return rules
    wider = priors.group_connectome
    return rules._replace(
        threshold_sd=math.hypot(rules.threshold_sd, wider.input_sd_log),
        weak_input=wider.weak_input,
    )


def _run_chains(
    patient: tuple[Recording, Rules],
    length: Length,
    starts: Sequence[Start],
    settings: Settings,
    rng: np.random.Generator,
    progress: Progress | None,
) -> tuple[tuple[Kept, ...], tuple[Start, ...]]:
    """Run the chains, as many at a time as there are cores."""
    report = (lambda part: None) if progress is None else partial(progress, "chains")
    with ThreadPoolExecutor(settings.cores) as pool:
        found = sample_chains(
            *patient, length, np.array(TEMPERATURES), starts, rng.spawn(settings.chains),
            pool.map, report,
        )  # fmt: skip
    return tuple(chain for chain, _ in found), tuple(end for _, end in found)


def _stacked(chains: Sequence[Kept], density: Density, rng: np.random.Generator) -> _Draws:
    """Stack the chains, and draw which regions are epileptogenic."""
    active = np.stack([chain.active for chain in chains])
    given_onsets = np.stack([chain.p_ez for chain in chains])
    p_ez, p_of_sampling = _calibrated_draws(_flat(given_onsets), _flat(active), density)
    return _Draws(
        active=active,
        onset=np.stack([chain.onset for chain in chains]),
        offset=np.stack([chain.offset for chain in chains]),
        ez=drawn(p_ez, rng).reshape(given_onsets.shape),
        threshold=np.stack([chain.threshold for chain in chains]),
        peak=np.stack([chain.patient_peak for chain in chains]),
        log_density=np.stack([chain.log_density for chain in chains]),
        p_onset_model=given_onsets.mean(axis=(0, 1)),
        p_sampled=p_of_sampling,
    )


def _calibrated_draws(p_ez: Array, active: Mask, density: Density) -> tuple[Array, float]:
    """Return the calibrated p_ez of each draw, (draws, regions), and P(EZ sampled)."""
    evidence = evidence_of(density.problem, density.priors, p_ez, active)
    weight = density.priors.x0_sources.weight
    found = p_sampled(evidence, first_step(evidence, weight))
    return shifted(p_ez, calibrated(evidence, weight)), found


def calibrated_p_ez(sample: OnsetSample) -> Array:
    """Return the calibrated probability of being epileptogenic, (chains * draws, regions)."""
    p_ez = np.concatenate([chain.p_ez for chain in sample.chains])
    active = np.concatenate([chain.active for chain in sample.chains])
    return _calibrated_draws(p_ez, active, sample.density)[0]


def _dynamics(draws: _Draws, density: Density, rng: np.random.Generator) -> Dynamics:
    """Return the dynamics of every draw, chains after one another."""
    n_steps = density.settings.n_steps
    first, last = density.time_s[:, :1], density.time_s[:, -1:]
    per_second = (n_steps - 1) / (last - first)
    onsets = Onsets(
        active=_flat(draws.active),
        onset_step=_flat((draws.onset - first) * per_second),
        length_steps=_flat((draws.offset - draws.onset) * per_second),
        ez=_flat(draws.ez),
    )
    return dynamics_of(onsets, density.problem, density.priors, n_steps, density.settings.dt, rng)


def _flat[Value: (Array, Mask)](values: Value) -> Value:
    """Join the dims chain and draw."""
    return values.reshape(-1, *values.shape[2:])


def _posterior(draws: _Draws, found: Dynamics, density: Density) -> xr.Dataset:
    """Return the named draws."""
    coords = coords_of(density)
    shape = draws.log_density.shape
    lead = ("chain", "draw")
    state = (*lead, "seizure", "region")

    def part(values: Array) -> Array:
        return values.reshape(*shape, *values.shape[1:])

    onset_s = np.where(draws.active, draws.onset, np.nan)
    return squeezed(
        xr.Dataset(
            {
                "x0": ((*lead, "region"), part(found.x0)),
                "x0_fitted": ((*lead, "region"), part(found.x0_fitted)),
                "K": (lead, part(found.K)),
                "tau0": ((*lead, "seizure"), part(found.tau0)),
                "z_init": (state, part(found.z_init)),
                "x_init": (state, part(found.x_init)),
                "onset_s": (state, onset_s),
                "recruitment_threshold": (lead, draws.threshold),
                "peak_log_power": (lead, draws.peak),
            },
            coords={
                "chain": np.arange(shape[0]),
                "draw": np.arange(shape[1]),
                **{name: coords[name] for name in ("seizure", "region")},
            },
        )
    )


def with_dynamics(
    seizing: tuple[Mask, Array, Array],
    ez: Mask,
    threshold: Array,
    peak: Array,
    density: Density,
    rng: np.random.Generator,
) -> xr.Dataset:
    """Return draws of one chain, with the dynamics that reproduce them, by name.

    Parameters
    ----------
    seizing : tuple of numpy.ndarray, each (n_draws, n_seizures, n_regions)
        Which regions seize; their onsets and ends, seconds.
    ez : numpy.ndarray of bool, shape (n_draws, n_regions)
        Regions that start seizures.
    threshold, peak : numpy.ndarray, shape (n_draws,)
        Mean log threshold and log power of the patient.
    density : Density
        Problem, priors and settings.
    rng : numpy.random.Generator
        Source of random numbers.
    """
    active, onset, offset = seizing
    draws = _Draws(
        active=active[None],
        onset=onset[None],
        offset=offset[None],
        ez=ez[None],
        threshold=threshold[None],
        peak=peak[None],
        log_density=np.zeros((1, len(threshold))),
        p_onset_model=ez.mean(axis=0),
    )
    return _posterior(draws, _dynamics(draws, density, rng), density)


def _statistics(draws: _Draws) -> xr.Dataset:
    """Return the log density of the draws, and equal weights of the chains."""
    n_chains = len(draws.log_density)
    return xr.Dataset(
        {
            "lp": (("chain", "draw"), draws.log_density),
            "weight": ("chain", np.full(n_chains, 1.0 / n_chains)),
            "mode": ("chain", np.zeros(n_chains, dtype=np.int64)),
        }
    )


def _sources(
    draws: _Draws, found: Dynamics, density: Density, rng: np.random.Generator
) -> xr.Dataset:
    """Return x of the simulated network in some draws."""
    chosen = rng.choice(len(found.K), min(PREDICTIVE_DRAWS, len(found.K)), replace=False)
    simulated = [
        density.simulate_from(
            found.x0_fitted[d], found.x_init[d], found.z_init[d], float(found.K[d]), found.tau0[d]
        )[0]
        for d in chosen
    ]
    sources = sources_of(density, np.stack(simulated))
    return sources.assign(above_threshold=(("sample", "region"), _flat(draws.ez)[chosen]))


def _predictive(
    chains: Sequence[Kept],
    data: Recording,
    rules: Rules,
    density: Density,
    rng: np.random.Generator,
) -> xr.Dataset:
    """Return quantiles of replicated envelopes."""
    n_each = max(PREDICTIVE_DRAWS // len(chains), 1)
    means = []
    for chain in chains:
        places = rng.choice(len(chain.errors), min(n_each, len(chain.errors)), replace=False)
        means += [_expected(chain, int(place), data, rules, density) for place in places]
    stacked = np.stack(means)
    spread = np.sqrt(((density.envelope - stacked) ** 2).mean(axis=(0, 2), keepdims=True))
    replicas = stacked + spread * rng.standard_normal(stacked.shape)
    return predictive_of(density, replicas)


def _expected(chain: Kept, place: int, data: Recording, rules: Rules, density: Density) -> Array:
    """Return the log power (S, T, m) that one draw expects."""
    draw = place * ERRORS_EVERY
    n = density.problem.n_channels  # without the components
    errors = chain.errors[place, :n].astype(np.float64)
    shared = np.where(errors[:, :-1] != 0.0, errors[:, -1:], 0.0)
    gain = data.gain[:n] * np.exp(np.minimum(errors[:, :-1] + shared, LARGEST_ERROR))
    found = []
    for s, seconds in enumerate(density.time_s):
        power = np.zeros((gain.shape[1], len(seconds)))
        for i in np.flatnonzero(chain.active[draw, s]):
            fill_power(
                seconds, chain.onset[draw, s, i], chain.offset[draw, s, i],
                chain.peak[draw, s, i], chain.slope[draw, s, i], rules.rise_s, power[i],
            )  # fmt: skip
        found.append(np.log1p(gain @ power).T)
    return np.stack(found)
