r"""Which parameters, and which combinations of them, the recording of a fitted patient fixes.

The posterior is compared with the real prior of the fit: draws made by the same code without the
recording (`inference.onsets.prior_draws` or `prior_of`). K, tau0, amplitude and noise are compared
as logarithms.

**x0 against K.** The slow variable of region i sees only
:math:`4 x_{0,i} + K \sum_j w_{ij} (x_j - x_i)`. A larger K and a smaller x0 are alike where

.. math:: \frac{d x_{0,i}}{d K} = -\frac14 \Big\langle \sum_j w_{ij} (x_j - x_i) \Big\rangle

with the mean over the time until the region's own x passes the fold (-4/3), after which nothing
holds it back, in the simulated states of the fit.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from inference.contraction import (
    FEWEST,
    Draws,
    contraction,
    directions,
    draws_of,
    independent,
    moments,
    profile,
    slope,
)
from inference.density import Density
from inference.layout import POSITIVE
from inference.posterior import named_draws
from inference.zone_table import zones
from virtualbrain.models.reduced_physics import FOLD_X, INFLECTION_X, X0_PER_INPUT
from virtualbrain.posterior import (
    HARDLY_SUSPECTED,
    chain_weights,
    first_seizure,
    simulated_x0,
    starts_seizures,
)

Array = NDArray[np.float64]

# Draws of the prior are independent, so that many parts give its Monte Carlo error.
N_PRIOR, PRIOR_PARTS = 2000, 40
# Regions with at least this p_ez lead, at most so many of them.
LEADING, MOST_LEADING = HARDLY_SUSPECTED, 8
N_DIRECTIONS, N_BINS = 2, 6
STARTS, RECRUITED, SILENT = "starts", "recruited", "silent"
# Near the fold an input still hastens or holds back a region; half-way to the inflection, where x
# rises fastest, it comes too late.
_LEFT_X = (FOLD_X + INFLECTION_X) / 2.0
REGIONAL = ("x0", "z_init", "onset_s")
GLOBAL = (
    "K", "tau0", "amplitude", "level", "noise", "recruitment_threshold", "peak_log_power",
)  # fmt: skip
COLUMNS = (
    "kind", "number", "parameter", "region", "channel", "seizure", "scale", "prior_mean",
    "prior_sd", "mean", "sd", "shift", "contraction", "contraction_error", "loading", "role",
    "n_draws", "correlation", "slope", "slope_error", "slope_expected", "x0_low", "x0_high", "p",
    "p_error", "p_prior", "log_density", "log_density_error",
)  # fmt: skip


@dataclass(frozen=True)
class Parameter:
    """One fitted number.

    Parameters
    ----------
    name : str
        Variable of the posterior.
    region, channel : str
        Where it belongs to; empty if it does not.
    seizure : int
        Number of the seizure; 0 if it does not belong to one of several.
    """

    name: str
    region: str = ""
    channel: str = ""
    seizure: int = 0

    @property
    def scale(self) -> str:
        """Whether it is compared as a logarithm."""
        return "log" if self.name in POSITIVE else "linear"

    def row(self) -> dict[str, Any]:
        """Return its name in columns."""
        return {
            "parameter": self.name,
            "region": self.region or None,
            "channel": self.channel or None,
            "seizure": self.seizure or None,
            "scale": self.scale,
        }


def prior_of(density: Density, n_draws: int, rng: np.random.Generator) -> xr.Dataset:
    """Draw from the prior of the Epileptor network, named as the group `posterior` (nuts, laplace).

    The prior means of x0 hold the source evidence, as in the fit.
    """
    points = np.stack([density.drawn_from_prior(rng) for _ in range(n_draws)])
    return named_draws(density, points[None], rng)


def identifiability(posterior: xr.DataTree, prior: xr.Dataset) -> pd.DataFrame:
    """Compare a posterior with its prior.

    Parameters
    ----------
    posterior : xarray.DataTree
        The result of `inference.fit`.
    prior : xarray.Dataset
        Draws of the prior of the same fit, named as the group `posterior`; with ``weight`` (chain,
        draw) if they are not equally probable. A parameter that it lacks gets no contraction.

    Returns
    -------
    pandas.DataFrame
        Rows of five kinds; cells that do not belong to a kind are missing:

        - ``parameter``: one for each number; mean and standard deviation in prior and posterior (of
          the logarithm where ``scale`` is log), ``shift`` of the mean in prior standard deviations,
          and ``contraction`` with its Monte Carlo error. Onsets: over the draws in which the region
          seizes; only regions that seize in at least half of the draws.
        - ``least`` and ``most``: directions of least and of most contraction of x0 of the leading
          regions and the global parameters; one row for each parameter, with its ``loading`` in
          prior standard deviations. ``number`` counts the directions.
        - ``role``: x0 of a region over the draws in which it has its most frequent ``role``
          (starts, recruited or silent): contraction against the prior draws of the same role, and
          correlation and slope of x0 on K; ``slope_expected`` is that of the equations.
        - ``profile``: bins of x0 of a leading region, each with its probability ``p`` and
          ``p_prior``, and ``log_density`` of the fit: mean of the draws minus that of all draws.
    """
    leading, seizing = leading_regions(posterior)
    fit = _Fit.of(posterior, prior)
    rows = [
        *_parameter_rows(fit),
        *_direction_rows(fit, leading),
        *_role_rows(fit, list(dict.fromkeys([*leading, *seizing]))[:MOST_LEADING]),
        *_profile_rows(fit, leading),
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def leading_regions(posterior: xr.DataTree) -> tuple[list[str], list[str]]:
    """Return the regions that lead, and those that seize in at least half of the draws."""
    table = zones(posterior)
    leading = table[table["p_ez"] >= LEADING]["region"][:MOST_LEADING]
    seizing = table[table["p_ez"] + table["p_pz"] >= 0.5]["region"]
    return list(leading), list(seizing)


@dataclass(frozen=True)
class _Fit:
    """A posterior and its prior as columns of numbers."""

    tree: xr.DataTree
    samples: xr.Dataset
    prior_samples: xr.Dataset
    parameters: tuple[Parameter, ...]
    posterior: Draws
    prior: Draws

    @classmethod
    def of(cls, tree: xr.DataTree, prior: xr.Dataset) -> "_Fit":
        """Read the columns of both."""
        samples = tree["posterior"].to_dataset()
        after, before = _columns(samples, tree.attrs), _columns(prior, tree.attrs)
        shape = (samples.sizes["chain"], samples.sizes["draw"])
        chains = chain_weights(tree.children.get("sample_stats"), shape[0])
        weights = np.repeat(chains[:, None] / shape[1], shape[1], axis=1)
        shape = (prior.sizes["chain"], prior.sizes["draw"])
        missing, equal = np.full(shape, np.nan), np.full(shape, 1.0 / np.prod(shape))
        prior_weights = prior["weight"].to_numpy() if "weight" in prior else equal
        names = tuple(one for one, values in after.items() if _mostly_known(one, values))
        return cls(
            tree,
            samples,
            prior,
            names,
            draws_of(np.stack([after[one] for one in names], axis=-1), weights),
            draws_of(np.stack([before.get(one, missing) for one in names], axis=-1), prior_weights),
        )

    def place(self, name: str, region: str = "") -> int:
        """Return the column of a parameter."""
        return self.parameters.index(Parameter(name, region))

    def has(self, name: str) -> bool:
        """Return whether the posterior holds a parameter."""
        return any(one.name == name for one in self.parameters)


def _mostly_known(parameter: Parameter, values: Array) -> bool:
    """Return whether a number has a value in at least half of the draws; only onsets lack any."""
    return parameter.name != "onset_s" or bool(np.isfinite(values).mean() >= 0.5)


def _columns(samples: xr.Dataset, attributes: Any) -> dict[Parameter, Array]:
    """Return the draws of every fitted number, each (chain, draw)."""
    found = {}
    free = attributes.get("initial") == "free" and attributes.get("method") != "onsets"
    names = (*REGIONAL, *(("x_init",) if free else ()), *GLOBAL, "offset")
    for name in names:
        if name not in samples:
            continue
        values = simulated_x0(samples) if name == "x0" else samples[name]
        if name in POSITIVE:
            values = np.log(values)
        for parameter, one in _numbers(name, values.transpose("chain", "draw", ...)):
            found[parameter] = np.asarray(one, dtype=np.float64)
    return found


def _numbers(name: str, values: xr.DataArray) -> Iterator[tuple[Parameter, Array]]:
    """Yield the draws of every number of one variable."""
    rest = values.dims[2:]
    for place in np.ndindex(values.shape[2:]):
        where = {
            str(dim): values[dim].to_numpy()[k] for dim, k in zip(rest, place, strict=True)
        }  # fmt: skip
        parameter = Parameter(
            name,
            str(where.get("region", "")),
            str(where.get("channel", "")),
            int(where.get("seizure", 0)),
        )
        yield parameter, values.to_numpy()[(slice(None), slice(None), *place)]


def _parameter_rows(fit: _Fit) -> list[dict[str, Any]]:
    mean, variance = moments(fit.posterior.values, fit.posterior.weights)
    prior_mean, prior_variance = moments(fit.prior.values, fit.prior.weights)
    found, error = contraction(fit.posterior, fit.prior)
    sd, prior_sd = np.sqrt(variance), np.sqrt(prior_variance)
    varies = np.where(prior_sd > 0, prior_sd, np.nan)
    return [
        {
            "kind": "parameter",
            **parameter.row(),
            "prior_mean": prior_mean[k],
            "prior_sd": prior_sd[k],
            "mean": mean[k],
            "sd": sd[k],
            "shift": (mean[k] - prior_mean[k]) / varies[k],
            "contraction": found[k],
            "contraction_error": error[k],
        }
        for k, parameter in enumerate(fit.parameters)
    ]


def _direction_rows(fit: _Fit, leading: Sequence[str]) -> list[dict[str, Any]]:
    """Return the directions of least and of most contraction."""
    chosen = [
        k
        for k, one in enumerate(fit.parameters)
        if (one.name == "x0" and one.region in leading) or one.name in GLOBAL
    ]
    spread = moments(fit.prior.values[:, chosen], fit.prior.weights)[1]
    chosen = [k for k, variance in zip(chosen, spread, strict=True) if variance > 0]
    chosen = [chosen[k] for k in independent(_only(fit.prior, chosen))]
    if len(chosen) < 2:
        return []
    after, before = (_only(draws, chosen) for draws in (fit.posterior, fit.prior))
    found = directions(after, before)
    count = min(N_DIRECTIONS, len(chosen) // 2)
    places = [("least", k, k) for k in range(count)]
    places += [("most", k, len(chosen) - 1 - k) for k in range(count)]
    return [
        {
            "kind": kind,
            "number": number + 1,
            **fit.parameters[k].row(),
            "contraction": found.contraction[place],
            "contraction_error": found.error[place],
            "loading": loading,
        }
        for kind, number, place in places
        for k, loading in zip(chosen, found.loadings[place], strict=True)
    ]


def _only(draws: Draws, columns: Sequence[int]) -> Draws:
    return Draws(draws.values[:, list(columns)], draws.weights, draws.chain, draws.part)


def _role_rows(fit: _Fit, regions: Sequence[str]) -> list[dict[str, Any]]:
    """Return x0 within the commonest role of each region, and its trade-off with K."""
    rows = []
    for region in regions:
        place, I1 = fit.place("x0", region), float(fit.tree.attrs["I1"])
        roles = roles_of(fit.samples, region, I1)
        role = max(roles, key=lambda one: fit.posterior.weights[roles[one]].sum())
        inside, before = roles[role], roles_of(fit.prior_samples, region, I1)[role]
        if inside.sum() < FEWEST:
            continue
        x0 = _only(fit.posterior, [place]).of(inside)
        row = {"kind": "role", **Parameter("x0", region).row(), "role": role,
               "n_draws": int(inside.sum())}  # fmt: skip
        rows.append(
            {**row, **_narrowed(x0, fit, place, before), **_trade_off(fit, x0, inside, row)}
        )
    return rows


def _narrowed(x0: Draws, fit: _Fit, place: int, before: NDArray[np.bool_]) -> dict[str, float]:
    """Return the contraction of x0 within a role; NaN where hardly any prior draw has it."""
    mean, variance = moments(x0.values, x0.weights)
    found = {"mean": float(mean[0]), "sd": float(np.sqrt(variance[0]))}
    if before.sum() < FEWEST:
        return found
    prior = _only(fit.prior, [place]).of(before)
    prior_mean, prior_variance = moments(prior.values, prior.weights)
    narrower, error = contraction(x0, prior)
    return found | {
        "prior_mean": float(prior_mean[0]),
        "prior_sd": float(np.sqrt(prior_variance[0])),
        "contraction": float(narrower[0]),
        "contraction_error": float(error[0]),
    }


def _trade_off(
    fit: _Fit, x0: Draws, inside: NDArray[np.bool_], row: Mapping[str, Any]
) -> dict[str, float]:
    """Return correlation and slope of x0 on K beside the slope of the equations."""
    if not fit.has("K"):
        return {}
    K = np.exp(fit.posterior.values[inside, fit.place("K")])
    both = Draws(np.stack([K, x0.values[:, 0]], axis=1), x0.weights, x0.chain, x0.part)
    correlation, found, error = slope(both)
    return {
        "correlation": correlation,
        "slope": found,
        "slope_error": error,
        "slope_expected": expected_slope(fit.tree, row["region"], row["role"]),
    }


def roles_of(samples: xr.Dataset, region: str, I1: float) -> dict[str, NDArray[np.bool_]]:
    """Return in which draws a region has each role; chains after one another.

    Without sampled onsets it is not known which draws recruit a region.
    """
    x0 = samples.sel(region=region)
    starts = starts_seizures(samples, I1).sel(region=region).to_numpy().reshape(-1)
    if "onset_s" not in samples:
        return {STARTS: starts, "does not start": ~starts}
    onset = x0["onset_s"].transpose("chain", "draw", ...).notnull().to_numpy()
    seizes = onset.reshape(len(starts), -1).any(axis=1)
    return {STARTS: starts, RECRUITED: ~starts & seizes, SILENT: ~starts & ~seizes}


def expected_slope(posterior: xr.DataTree, region: str, role: str) -> float:
    """Return dx0/dK of a region by the equations, from simulated draws of the fit.

    Over the draws in which the region has the role; it is recruited where its x leaves the fold.
    NaN without such draws, or where its x is beyond the fold from the first step. With several
    seizures, in the first.
    """
    sources = posterior["sources"]
    x = first_seizure(sources.to_dataset()["x"])
    names = [str(name) for name in sources["region"].to_numpy()]
    place = names.index(region)
    states = x.transpose("sample", "time", "region").to_numpy().astype(np.float64)
    chosen = sources["above_threshold"].to_numpy()[:, place] == (role == STARTS)
    if role in (RECRUITED, SILENT):
        passes = (states[:, :, place] > _LEFT_X).any(axis=1)
        chosen &= passes == (role == RECRUITED)
    return mean_slope(
        states[chosen], posterior["constant_data"]["weights"].to_numpy()[place], place
    )


def mean_slope(states: Array, weights: Array, place: int) -> float:
    r"""Return :math:`-\frac14 \langle \sum_j w_j (x_j - x_i) \rangle`.

    Mean over the steps before x_i has left the fold, then over the draws with such steps.

    Parameters
    ----------
    states : numpy.ndarray, shape (n_draws, n_steps, n_regions)
        Fast variable of every region.
    weights : numpy.ndarray, shape (n_regions,)
        Connections to the region.
    place : int
        The region i.
    """
    own = states[:, :, place]
    drive = states @ weights - weights.sum() * own
    before = ~np.maximum.accumulate(own > _LEFT_X, axis=1)
    steps = before.sum(axis=1)
    some = steps > 0
    if not some.any():
        return float("nan")
    return -X0_PER_INPUT * float(((drive * before).sum(axis=1)[some] / steps[some]).mean())


def _profile_rows(fit: _Fit, leading: Sequence[str]) -> list[dict[str, Any]]:
    """Return the profiles of the leading regions."""
    statistics = fit.tree.children.get("sample_stats")
    density = np.full(len(fit.posterior.weights), np.nan)
    if statistics is not None and "lp" in statistics:
        density = statistics["lp"].to_numpy().reshape(-1)
    rows = []
    for region in leading:
        place = fit.place("x0", region)
        x0 = _only(fit.posterior, [place])
        both = Draws(np.stack([x0.values[:, 0], density], axis=1), x0.weights, x0.chain, x0.part)
        found = profile(both, _only(fit.prior, [place]), N_BINS)
        rows += [
            {
                "kind": "profile",
                "number": k + 1,
                "parameter": "x0",
                "region": region,
                "x0_low": found.low[k],
                "x0_high": found.high[k],
                "p": found.p[k],
                "p_error": found.p_error[k],
                "p_prior": found.p_prior[k],
                "log_density": found.value[k],
                "log_density_error": found.value_error[k],
            }
            for k in range(len(found.p))
        ]
    return rows
