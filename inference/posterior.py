"""Assemble a posterior as a DataTree with named dims; save and load it."""

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from inference.density import Density
from inference.sources import evidence_probability, recorded_onsets
from virtualbrain.errors import InputError
from virtualbrain.io.atomic import atomic_path
from virtualbrain.models.reduced_physics import REST_CURRENT
from virtualbrain.posterior import starts_seizures

Array = NDArray[np.float64]

PREDICTIVE_DRAWS = 100
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


def assemble(
    density: Density,
    points: Array,
    stats: xr.Dataset,
    weights: dict[str, NDArray[Any]],
    rng: np.random.Generator,
) -> xr.DataTree:
    """Put draws, statistics, predictions and data into named groups.

    Parameters
    ----------
    density : Density
        The density that was sampled.
    points : numpy.ndarray, shape (chain, draw, size)
        Draws in standardised coordinates.
    stats : xarray.Dataset
        Sampler statistics.
    weights : dict
        From `modes.weigh_chains`.
    rng : numpy.random.Generator
        Source of random numbers.
    """
    posterior = named_draws(density, points, rng)
    chosen = weighted_draws(weights["weight"], points.shape[:2], PREDICTIVE_DRAWS, rng)
    predictive, sources = _predictive(density, points, chosen, rng)
    starts = starts_seizures(posterior, REST_CURRENT).to_numpy()
    sources["above_threshold"] = ("sample", "region"), np.stack([starts[c, d] for c, d in chosen])
    stats = stats.assign(
        weight=("chain", weights["weight"]),
        mode=("chain", weights["mode"]),
        elpd=("chain", weights["elpd"]),
        pareto_k=("chain", weights["pareto_k"]),
    )
    tree = xr.DataTree.from_dict(
        {
            "posterior": posterior,
            "sample_stats": stats,
            "posterior_predictive": predictive,
            "log_likelihood": xr.Dataset(
                {"envelope": (("chain", "draw", "observation"), weights["log_likelihood"])}
            ),
            "sources": sources,
            "observed_data": observed_of(density),
            "constant_data": constants_of(density),
        }
    )
    tree.attrs.update(attributes_of(density))
    return tree


def named_draws(density: Density, points: Array, rng: np.random.Generator) -> xr.Dataset:
    """Return the named draws; `x_init` and `z_init` hold the initial states x(0) and z(0).

    Parameters
    ----------
    density : Density
        The density of the points.
    points : numpy.ndarray, shape (chain, draw, size)
        Draws in standardised coordinates.
    rng : numpy.random.Generator
        Draws the regions' own x0.
    """
    values = density.named(points)
    initial = np.array(
        [
            [
                density.start({name: value[c, d] for name, value in values.items()})
                for d in range(points.shape[1])
            ]
            for c in range(points.shape[0])
        ]
    )
    lead = ("chain", "draw")
    dims = {"offset": ("channel",), "tau0": ("seizure",)}
    found = xr.Dataset(coords=coords_of(density) | _draw_coords(points))
    found["x0_fitted"] = ((*lead, "region"), values["x0"])
    found["x0"] = ((*lead, "region"), own_excitability(density, values["x0"], rng))
    for name in ("K", "tau0", "amplitude", "level", "offset", "noise"):
        found[name] = (lead + dims.get(name, ()), values[name])
    found["z_init"] = ((*lead, "seizure", "region"), initial[:, :, 0])
    found["x_init"] = ((*lead, "seizure", "region"), initial[:, :, 1])
    return squeezed(found)


def own_excitability(density: Density, fitted: Array, rng: np.random.Generator) -> Array:
    r"""Draw the regions' own x0 given the fitted x0.

    The fitted x0 is :math:`\tilde x_0 = x_0 + e` with the own x0 :math:`x_0 \sim N(m, S)` and the
    model error :math:`e \sim N(0, d^2 I)`: connectome, gain and the 2D form only approximate the
    patient. Given :math:`\tilde x_0`, x0 is Normal with mean :math:`m + Q(\tilde x_0 - m)`,
    covariance :math:`S - Q S` and :math:`Q = S (S + d^2 I)^{-1}`.

    Parameters
    ----------
    density : Density
        Holds the priors.
    fitted : numpy.ndarray, shape (..., n_regions)
        Draws of :math:`\tilde x_0`.
    rng : numpy.random.Generator
        Source of random numbers.
    """
    mean = density.x0_mean
    own = density.priors.own_covariance(density.problem)
    kept = np.linalg.solve(density.priors.fitted_covariance(density.problem), own).T
    remaining = own - kept @ own
    values, vectors = np.linalg.eigh((remaining + remaining.T) / 2)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    noise = rng.standard_normal(fitted.shape) @ root.T
    return np.asarray(mean + (fitted - mean) @ kept.T + noise)


def squeezed(dataset: xr.Dataset) -> xr.Dataset:
    """Drop the dim seizure if there is only one seizure."""
    if dataset.sizes.get("seizure", 0) == 1:
        return dataset.isel(seizure=0, drop=True)
    return dataset


def coords_of(density: Density) -> dict[str, Any]:
    """Return the names of regions and channels, and the numbers of the seizures."""
    problem = density.problem
    return {
        "region": list(problem.regions),
        "channel": list(problem.channels),
        "seizure": np.arange(1, problem.n_seizures + 1),
    }


def _draw_coords(points: Array) -> dict[str, Any]:
    return {"chain": np.arange(points.shape[0]), "draw": np.arange(points.shape[1])}


def weighted_draws(
    weights: Array, shape: tuple[int, ...], count: int, rng: np.random.Generator
) -> list[tuple[int, int]]:
    """Return (chain, draw) pairs; a chain is drawn with the probability of its weight."""
    chains = rng.choice(shape[0], size=count, p=weights / weights.sum())
    draws = rng.integers(shape[1], size=count)
    return [(int(c), int(d)) for c, d in zip(chains, draws, strict=True)]


def _predictive(
    density: Density, points: Array, chosen: list[tuple[int, int]], rng: np.random.Generator
) -> tuple[xr.Dataset, xr.Dataset]:
    """Return quantiles of replicated envelopes, and the simulated sources x of the same draws."""
    nu = density.settings.degrees_of_freedom
    normal = density.settings.noise_family == "normal"
    replicas, sources = [], []
    for c, d in chosen:
        values = density.named(points[c, d])
        xs, _ = density.simulate(values)
        mean = density.observe(xs, values)
        noise = rng.standard_normal(mean.shape) if normal else rng.standard_t(nu, mean.shape)
        replicas.append(mean + float(values["noise"]) * noise)
        sources.append(xs)
    return predictive_of(density, np.stack(replicas)), sources_of(density, np.stack(sources))


def predictive_of(density: Density, replicas: Array) -> xr.Dataset:
    """Return quantiles of replicated envelopes (sample, seizure, time, channel)."""
    quantiles = np.quantile(replicas, QUANTILES, axis=0).astype(np.float32)
    coords = coords_of(density)
    predictive = xr.Dataset(
        {"envelope": (("quantile", "seizure", "time", "channel"), quantiles)},
        coords={"quantile": list(QUANTILES), **{k: coords[k] for k in ("seizure", "channel")}},
    )
    return squeezed(predictive)


def sources_of(density: Density, x: NDArray[np.floating]) -> xr.Dataset:
    """Return the simulated x (sample, seizure, time, region) with names."""
    coords = coords_of(density)
    simulated = xr.Dataset(
        {"x": (("sample", "seizure", "time", "region"), x.astype(np.float32))},
        coords={k: coords[k] for k in ("seizure", "region")},
    )
    return squeezed(simulated)


def observed_of(density: Density) -> xr.Dataset:
    """Return the envelopes at the steps of the model."""
    coords = coords_of(density)
    return squeezed(
        xr.Dataset(
            {"envelope": (("seizure", "time", "channel"), density.envelope)},
            coords={k: coords[k] for k in ("seizure", "channel")},
        )
    )


def constants_of(density: Density) -> xr.Dataset:
    """Return the connectome, gain, times, priors and source evidence of the fit."""
    problem = density.problem
    mean, sd = density.priors.of_regions(problem)
    zones = problem.zone_of()
    constants = xr.Dataset(
        {
            "weights": (("region", "source"), problem.weights),
            "gain": (("channel", "region"), problem.gain),
            "time_s": (("seizure", "time"), density.time_s),
            "x0_prior_mean": ("region", mean),
            "x0_prior_sd": ("region", sd),
            "p_evidence": ("region", evidence_probability(density.evidence)),
            "onset_recorded_s": ("region", recorded_onsets(problem)),
            "hypothesis": ("region", [zones.get(name, "") for name in problem.regions]),
        },
        coords={**coords_of(density), "source": list(problem.regions)},
    )
    return squeezed(constants)


def attributes_of(density: Density) -> dict[str, Any]:
    """Return the settings of the fit that a reader of the posterior needs."""
    settings = density.settings
    library = "numba" if settings.method == "onsets" else "nutpie"
    return {
        "method": settings.method,
        "priors": density.priors.name,
        "seed": settings.seed,
        "normalisation": density.problem.normalisation,
        "dt": settings.dt,
        "n_steps": settings.n_steps,
        "I1": REST_CURRENT,
        "form": "cubic",
        "integrator": settings.integrator,
        "observation": settings.observation,
        "noise_family": settings.noise_family,
        "initial": settings.initial,
        "tempering": density.tempering,
        "x0_sources": density.priors.x0_sources.weight,
        "isolated": list(density.problem.isolated),
        "group_connectome": density.problem.group_connectome,
        "template_anatomy": int(density.problem.template_anatomy),
        "n_components": density.problem.n_components,
        "inference_library": library,
        "inference_library_version": _version(library),
        "max_depth": settings.max_depth,
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"


def save(posterior: xr.DataTree, path: Path | str) -> None:
    """Write a posterior as netCDF, atomically.

    Parameters
    ----------
    posterior : xarray.DataTree
        The result of `inference.fit`.
    path : Path or str
        The file to write; an earlier one is replaced.
    """
    clean = posterior.copy()
    clean.attrs = {k: ",".join(v) if isinstance(v, list) else v for k, v in clean.attrs.items()}
    with atomic_path(path) as temporary:
        clean.to_netcdf(temporary, engine="netcdf4")


def load(path: Path | str) -> xr.DataTree:
    """Read a posterior that `save` wrote.

    Parameters
    ----------
    path : Path or str
        The netCDF file.

    Returns
    -------
    xarray.DataTree
        The posterior, as `inference.fit` returns it.

    Raises
    ------
    InputError
        No such file, or not a posterior.
    """
    if not Path(path).is_file():
        raise InputError("no such posterior", where=str(path), hint="run the stage inference")
    try:
        tree = xr.load_datatree(path, engine="netcdf4")
    except (OSError, ValueError) as error:
        raise InputError(f"not a posterior ({error})", where=str(path)) from None
    if "posterior" not in tree.children:
        raise InputError("no group posterior", where=str(path), expected="the result of a fit")
    return tree
