r"""Draw networks from the clinicians' hypothesis, without a recording and without a fit.

Every draw has its own epileptogenic zone, excitabilities, coupling, time scale and connections.
Regions are placed relative to the threshold x0_c(tau0):

.. math:: x_{0,i} = x_{0,c}(\tau_0) + d_i, \qquad
    d_i \sim N(m_z, s_z^2),\quad z \in \{\text{EZ}, \text{PZ}, \text{other}\},

with d above zero in the EZ and below zero elsewhere (Jirsa 2017, Proix 2017: x0 of -1.6 in the EZ,
-2.2 in the PZ, about -2.6 elsewhere; x0_c is about -2.05). The draws have the form of a posterior,
so that virtual surgery works on them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from virtualbrain.anatomy.region_names import hemisphere_of
from virtualbrain.errors import InputError, ModelError
from virtualbrain.io.marked_regions import likely_regions
from virtualbrain.models.reduced_physics import (
    FOLD_Z,
    REST_CURRENT,
    critical_x0,
    equilibrium,
    left_branch_expansion,
)
from virtualbrain.network import normalise_weights
from virtualbrain.surgery.candidates import no_surgery
from virtualbrain.surgery.draws import FittedDraws, draws_from
from virtualbrain.surgery.full_model import full_model_onsets
from virtualbrain.surgery.outcome import simulate_plans
from virtualbrain.surgery.settings import HypothesisSettings, SurgerySettings

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

METHOD = "hypothesis"
NORMALISATION = "strength"
# Least distance of x0 from the threshold.
_EZ_LEAST, _OTHERS_LEAST = 0.05, 0.02
_TAU0_RANGE = (5.0, 100.0)
# z of EZ regions at the start: from the fold (they seize at once) to this much above it.
_LATEST_Z = 0.3
_DT = 0.05
_UNITS = 20.0  # model time of a simulation, as in a fit
_MOST_ROUNDS = 20


def hypothesis_draws(
    weights: Array,
    zone: pd.DataFrame,
    names: Sequence[str],
    settings: HypothesisSettings,
    surgery: SurgerySettings,
    rng: np.random.Generator,
) -> xr.DataTree:
    """Draw networks from a hypothesis; only those that seize without surgery are kept.

    A strong coupling to resting regions can keep an EZ region from seizing. Such a draw
    contradicts the patient's seizures.

    Parameters
    ----------
    weights : numpy.ndarray, shape (n_regions, n_regions)
        Weights of any scale, symmetric.
    zone : pandas.DataFrame
        Columns ``region``, ``zone`` (EZ or PZ) and ``probability`` that the region belongs to it.
    names : sequence of str
        Regions in the order of the weights.
    settings : HypothesisSettings
        Number of draws, and the distributions.
    surgery : SurgerySettings
        When a region counts as seizing.
    rng : numpy.random.Generator
        Source of random numbers.

    Returns
    -------
    xarray.DataTree
        The groups posterior and constant_data (docs/architecture.md), with `drawn_weights`
        (connectome, region, source) and the variable `connectome` of each draw in addition. The
        attribute `accepted` is the fraction of networks that seized.

    Raises
    ------
    InputError
        The hypothesis has no EZ region.
    ModelError
        Hardly any network seizes.
    """
    names = [str(name) for name in names]
    p_ez, p_pz = (_probabilities(zone, kind, names) for kind in ("EZ", "PZ"))
    if not p_ez.any():
        raise InputError(
            "the hypothesis has no EZ region",
            expected="at least one region or contact with the zone EZ",
            hint="add the suspected regions",
        )
    constant = _constants(weights, names, settings, rng)
    kept: list[xr.Dataset] = []
    drawn = 0
    while sum(part.sizes["draw"] for part in kept) < settings.draws:
        if drawn >= _MOST_ROUNDS * settings.draws:
            raise ModelError(
                f"the stated zone seizes in fewer than 1 in {_MOST_ROUNDS} of the drawn networks",
                expected="a zone that seizes",
                hint="lower hypothesis.K_median or raise hypothesis.ez_above",
            )
        batch = _samples(p_ez, p_pz, names, settings, rng)
        fitted = draws_from(_tree(batch, constant), settings.draws, rng)
        (unoperated,) = simulate_plans([no_surgery()], fitted, surgery)
        kept.append(batch.isel(draw=np.flatnonzero(unoperated.seizing > 0)))
        drawn += settings.draws
    accepted = xr.concat(kept, dim="draw")
    share = accepted.sizes["draw"] / drawn
    chosen = np.arange(accepted.sizes["draw"])[: settings.draws]
    order = np.argsort(accepted["connectome"].to_numpy()[0, chosen], kind="stable")
    tree = _tree(accepted.isel(draw=chosen[order]), constant)
    tree.attrs["accepted"] = share
    return tree


def _constants(
    weights: Array, names: list[str], settings: HypothesisSettings, rng: np.random.Generator
) -> xr.Dataset:
    """Return the measured weights, the drawn ones, and the times of the states."""
    n_states = round(_UNITS / _DT) + 1
    return xr.Dataset(
        {
            "weights": (("region", "source"), normalise_weights(weights)),
            "drawn_weights": (
                ("connectome", "region", "source"),
                _drawn_weights(weights, settings, rng),
            ),
            "time_s": ("time", np.linspace(0.0, settings.duration_s, n_states)),
        },
        coords={"region": names, "source": names},
    )


def _samples(
    p_ez: Array, p_pz: Array, names: list[str], settings: HypothesisSettings,
    rng: np.random.Generator,
) -> xr.Dataset:  # fmt: skip
    """Draw zone, excitability, coupling, time scale, initial states and connectome."""
    n_draws = settings.draws
    ez = _members(p_ez, n_draws, rng)
    pz = (rng.random((n_draws, len(names))) < p_pz) & ~ez
    tau0 = np.clip(
        settings.tau0_median * np.exp(settings.tau0_sd_log * rng.standard_normal(n_draws)),
        *_TAU0_RANGE,
    )
    x0 = critical_x0(tau0)[:, None] + _distances(ez, pz, settings, rng)
    x_rest, z_rest = equilibrium(x0)
    z_ez = FOLD_Z + _LATEST_Z * rng.random(ez.shape)
    n_connectomes = min(settings.connectomes, n_draws)
    per_region, per_draw = ("chain", "draw", "region"), ("chain", "draw")
    return xr.Dataset(
        {
            "x0": (per_region, x0[None]),
            "x_init": (per_region, np.where(ez, left_branch_expansion(z_ez), x_rest)[None]),
            "z_init": (per_region, np.where(ez, z_ez, z_rest)[None]),
            "K": (per_draw, _couplings(settings, rng)[None]),
            "tau0": (per_draw, tau0[None]),
            "connectome": (per_draw, np.arange(n_draws)[None] * n_connectomes // n_draws),
        },
        coords={"region": names},
    )


def _tree(samples: xr.Dataset, constant: xr.Dataset) -> xr.DataTree:
    """Return draws in the form of a posterior."""
    tree = xr.DataTree.from_dict({"posterior": samples, "constant_data": constant})
    tree.attrs.update(
        method=METHOD, I1=REST_CURRENT, dt=_DT, n_steps=constant.sizes["time"],
        integrator="euler", normalisation=NORMALISATION,
    )  # fmt: skip
    return tree


def _probabilities(zone: pd.DataFrame, kind: str, names: list[str]) -> Array:
    rows = zone[zone["zone"] == kind]
    known = dict(zip(rows["region"], rows["probability"], strict=True))
    return np.array([float(known.get(name, 0.0)) for name in names])


def _members(p_ez: Array, n_draws: int, rng: np.random.Generator) -> Mask:
    """Draw the EZ regions; without any, the most probable region is the EZ."""
    ez = rng.random((n_draws, len(p_ez))) < p_ez
    ez[~ez.any(axis=1), p_ez.argmax()] = True
    return ez


def _distances(ez: Mask, pz: Mask, settings: HypothesisSettings, rng: np.random.Generator) -> Array:
    """Draw the distance of every x0 from the threshold."""
    noise = rng.standard_normal(ez.shape)
    above = np.maximum(settings.ez_above + settings.ez_sd * noise, _EZ_LEAST)
    near = np.minimum(-settings.pz_below + settings.pz_sd * noise, -_OTHERS_LEAST)
    far = np.minimum(-settings.others_below + settings.others_sd * noise, -_OTHERS_LEAST)
    return np.where(ez, above, np.where(pz, near, far))


def _couplings(settings: HypothesisSettings, rng: np.random.Generator) -> Array:
    """Draw K, limited to two standard deviations: a larger K makes the equations stiff."""
    z = np.clip(rng.standard_normal(settings.draws), -2.0, 2.0)
    return np.asarray(settings.K_median * np.exp(settings.K_sd_log * z))


def _drawn_weights(weights: Array, settings: HypothesisSettings, rng: np.random.Generator) -> Array:
    """Draw connectomes: each weight times a LogNormal factor, symmetric, then normalised."""
    n = len(weights)
    found = []
    for _ in range(min(settings.connectomes, settings.draws)):
        upper = np.triu(settings.weight_sd_log * rng.standard_normal((n, n)), 1)
        found.append(normalise_weights(weights * np.exp(upper + upper.T)))
    return np.stack(found)


@dataclass(frozen=True)
class Spread:
    """Seizure of the hypothesis in the full (6D) model, without surgery.

    Parameters
    ----------
    onset_s : numpy.ndarray, shape (n_draws, n_regions)
        Seconds from the start; infinite where a region does not seize.
    in_ez : numpy.ndarray of bool, shape (n_draws, n_regions)
        EZ regions.
    """

    onset_s: Array
    in_ez: Mask


def spread_of(
    tree: xr.DataTree,
    settings: HypothesisSettings,
    surgery: SurgerySettings,
    rng: np.random.Generator,
) -> Spread:
    """Simulate the hypothesis with the full model on some draws.

    Parameters
    ----------
    tree : xarray.DataTree
        Draws from `hypothesis_draws`.
    settings : HypothesisSettings
        Number of draws of the full model.
    surgery : SurgerySettings
        Seizing threshold.
    rng : numpy.random.Generator
        Chooses the draws; source of the noise.
    """
    draws: FittedDraws = draws_from(tree, settings.full_model_draws, rng)
    return Spread(full_model_onsets(no_surgery(), draws, surgery, rng), draws.in_ez)


def zones_of_hypothesis(tree: xr.DataTree, zone: pd.DataFrame, spread: Spread) -> pd.DataFrame:
    """Return the regions of a hypothesis, ranked, with the columns of zones.tsv.

    Parameters
    ----------
    tree : xarray.DataTree
        Draws from `hypothesis_draws`.
    zone : pandas.DataFrame
        Columns ``region``, ``zone`` and ``probability``.
    spread : Spread
        Simulated seizure.

    Returns
    -------
    pandas.DataFrame
        ``p_ez`` is the fraction of draws in which the region is in the stated zone, ``p_pz`` the
        fraction in which the network recruits it, ``onset_s`` its median onset in the full
        model. What only a recording can give is missing.
    """
    samples = tree["posterior"].to_dataset()
    names = [str(name) for name in samples["region"].to_numpy()]
    x0 = samples["x0"].to_numpy()[0]
    threshold = critical_x0(samples["tau0"].to_numpy()[0])[:, None]
    seizes = np.isfinite(spread.onset_s)
    often = seizes.mean(axis=0) >= 0.5
    onset = np.where(seizes, spread.onset_s, np.nan)
    median = np.full(len(names), np.nan)
    median[often] = np.nanmedian(onset[:, often], axis=0)
    low, high = np.quantile(x0, [0.05, 0.95], axis=0)
    stated = {
        str(row["region"]): kind
        for kind in ("PZ", "EZ")  # a region in both is EZ
        for row in likely_regions(zone[zone["zone"] == kind]).to_dict("records")
    }
    table = pd.DataFrame(
        {
            "region": names,
            "hemisphere": [hemisphere_of(name) for name in names],
            "p_ez": (x0 > threshold).mean(axis=0),
            "p_pz": (seizes & ~spread.in_ez).mean(axis=0),
            "x0_mean": x0.mean(axis=0),
            "x0_sd": x0.std(axis=0),
            "x0_low": low,
            "x0_high": high,
            "onset_s": median,
            **dict.fromkeys(("observability", "prior_x0_mean", "information_gain"), np.nan),
            "in_hypothesis": [stated.get(name) for name in names],
            **dict.fromkeys(("p_evidence", "onset_recorded_s"), np.nan),
        }
    )
    table = table.sort_values(["p_ez", "p_pz"], ascending=False, kind="stable")
    table.insert(0, "rank", np.arange(1, len(table) + 1))
    return table.reset_index(drop=True)
