"""Fit a problem: find the modes, sample them and assemble the posterior."""

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from inference.density import Density, build_density
from inference.initialisation import Optimum, Progress, climb, find_optima
from inference.modes import weigh_chains
from inference.onsets.fit import fit_onsets
from inference.posterior import assemble
from inference.priors import Priors, load_priors
from inference.problem import Problem
from inference.reparameterisation import Rounded, rounded_about
from inference.sampling import sample_laplace, sample_nuts
from inference.settings import Settings
from inference.unsampled_source import unsampled_alternative

Array = NDArray[np.float64]
_LOG = logging.getLogger(__name__)

# Tempering during the search for optima, before it is estimated.
SCREENING_TEMPERING = 0.2
# Factor on the tempering where the source evidence has already used the envelope.
TEMPERING_WITH_EVIDENCE = 0.4
# Optima whose log density is lower than the best by more than this are ignored.
MODE_DEPTH = 20.0
MAXIMUM_MODES = 8
# A mode with less than this fraction of the best mode's evidence gets no chain.
MINIMUM_EVIDENCE = 0.01
# Points whose coordinates all differ by less than this are the same mode.
SAME_MODE = 0.25


def fit(
    problem: Problem,
    priors: str | Path | Priors = "default",
    settings: Settings | None = None,
    progress: Progress | None = None,
) -> xr.DataTree:
    """Sample the posterior of the excitability of every region.

    Parameters
    ----------
    problem : Problem
        Envelopes, gain, connectome and names.
    priors : str or Path or Priors
        Name or path of a prior file, or the priors themselves.
    settings : Settings, optional
        Method, chains, seed and the form of the model.
    progress : callable, optional
        Called with the name of the step and the fraction of it that is done.

    Returns
    -------
    xarray.DataTree
        Groups posterior, sample_stats, posterior_predictive, log_likelihood, sources,
        observed_data and constant_data; dims are chain, draw, seizure, region, channel and time.

    Raises
    ------
    ConfigError
        The prior set does not exist or is invalid.

    References
    ----------
    The network: Proix et al. 2014, J Neurosci 34:15009. The fit of the network (`nuts`,
    `laplace`): Hashemi et al. 2020, NeuroImage 217:116839.
    """
    loaded = load_priors(priors)
    choices = settings or Settings()
    if choices.normalisation != problem.normalisation:
        choices = replace(choices, normalisation=problem.normalisation)
    if not choices.components:
        problem = problem.without_components()
    rng = np.random.default_rng(choices.seed)
    with threadpool_limits(1, user_api="blas"):
        if choices.method == "onsets":
            return fit_onsets(problem, loaded, choices, progress)
        density, optima = _prepare(problem, loaded, choices, rng, progress)
        modes = choose_modes(density, optima, choices)
        if choices.method == "laplace":
            points, stats = sample_laplace(modes, rng)
        else:
            points, stats = _sample(modes, choices, progress)
        weights = weigh_chains(density, points)
        posterior = assemble(density, points, stats, weights, rng)
        unsampled = unsampled_alternative(density, optima[0])
    if unsampled is not None:
        posterior.attrs.update(unsampled_region=unsampled.region, unsampled_margin=unsampled.margin)
    return posterior


def _prepare(
    problem: Problem,
    priors: Priors,
    settings: Settings,
    rng: np.random.Generator,
    progress: Progress | None,
) -> tuple[Density, list[Optimum]]:
    """Return the density with its tempering, and its optima, best first."""
    tempering = settings.tempering or SCREENING_TEMPERING
    density = build_density(problem, priors, settings, tempering)
    optima = find_optima(density, rng, progress)
    if settings.tempering == 0.0:
        tempering = estimate_tempering(density, optima[0].point)
        if priors.x0_sources.weight > 0:
            tempering *= TEMPERING_WITH_EVIDENCE
        _LOG.info("tempering: %.3f", tempering)
        density = replace(density, tempering=tempering)
        optima = [climb(density, optimum.point, 300) for optimum in optima[: 2 * settings.chains]]
        optima.sort(key=lambda optimum: -optimum.value)
    return density, optima


def estimate_tempering(density: Density, point: Array) -> float:
    r"""Return the tempering: the effective fraction of independent samples at a point.

    The residuals of a smooth envelope under an approximate model are correlated in time and
    between channels. n samples with autocorrelation :math:`\rho_k` (each channel about its mean)
    count as :math:`n / (1 + 2 \sum_k \rho_k)` independent ones. The sum ends at the first lag
    where the correlation, averaged over channels, is not positive. m channels whose correlations
    have the mean square :math:`r^2` count as :math:`m / (1 + (m - 1) r^2)`, where the part of
    :math:`r^2` that is expected by chance is subtracted.
    """
    residual = density.envelope - density.expected(point)
    residual = residual - residual.mean(axis=1, keepdims=True)
    in_time = _fraction_in_time(residual)
    flat = residual.reshape(-1, residual.shape[-1])
    return in_time * _fraction_between_channels(flat, in_time * len(flat))


def _fraction_in_time(residual: Array) -> float:
    """Return the effective fraction of samples in time, from residuals (S, T, m)."""
    n_steps = residual.shape[1]
    spectrum = np.fft.rfft(residual, 2 * n_steps, axis=1)
    correlation = np.fft.irfft(np.abs(spectrum) ** 2, axis=1)[:, :n_steps].sum(axis=(0, 2))
    correlation /= correlation[0]
    negative = np.flatnonzero(correlation <= 0)
    last = int(negative[0]) if len(negative) else n_steps
    return float(1.0 / (1.0 + 2.0 * correlation[1:last].sum()))


def _fraction_between_channels(residual: Array, n_independent: float) -> float:
    """Return the effective fraction of channels, from residuals (T, m)."""
    varying = residual[:, residual.std(axis=0) > 0]
    m = varying.shape[1]
    if m < 2:
        return 1.0
    square = np.corrcoef(varying.T) ** 2
    mean = (square.sum() - m) / (m * (m - 1))
    return float(1.0 / (1.0 + (m - 1) * max(0.0, mean - 1.0 / n_independent)))


def choose_modes(density: Density, optima: list[Optimum], settings: Settings) -> list[Rounded]:
    """Return the mode in which each chain starts.

    Modes are the distinct optima near the best one, ordered by their Laplace evidence. With NUTS
    there are at most half as many modes as chains, so that at least two chains per mode can be
    compared.
    """
    near = [optimum for optimum in optima if optimum.value > optima[0].value - MODE_DEPTH]
    near = _distinct(near, lambda optimum: optimum.point)[:MAXIMUM_MODES]
    with ThreadPoolExecutor(settings.cores) as pool:
        modes = list(pool.map(lambda optimum: rounded_about(density, optimum.point), near))
    modes.sort(key=lambda mode: -mode.log_evidence)
    minimum = modes[0].log_evidence + np.log(MINIMUM_EVIDENCE)
    found = _distinct([m for m in modes if m.log_evidence > minimum], lambda mode: mode.centre)
    maximum = settings.chains if settings.method == "laplace" else max(1, settings.chains // 2)
    found = found[:maximum]
    _LOG.info("log evidence of the modes: %s", [round(mode.log_evidence, 1) for mode in found])
    return [found[chain % len(found)] for chain in range(settings.chains)]


def _distinct[Found](items: list[Found], place: Callable[[Found], Array]) -> list[Found]:
    """Return the items that differ from all items before them."""
    kept: list[Found] = []
    for item in items:
        if all(np.abs(place(item) - place(other)).max() > SAME_MODE for other in kept):
            kept.append(item)
    return kept


def _sample(
    modes: list[Rounded], settings: Settings, progress: Progress | None
) -> tuple[Array, xr.Dataset]:
    if settings.engine == "pymc":
        from inference.pymc_engine import sample_pymc

        return sample_pymc(modes, settings.seed, progress)
    return sample_nuts(modes, settings.seed, progress)
