"""Whether a fit may be believed: the figures, and a verdict that the report obeys."""

import warnings
from typing import Any

import numpy as np
import xarray as xr
from arviz import bfmi, ess, mcse, rhat
from numpy.typing import NDArray

from inference.zones import above_threshold, zones
from virtualbrain.io.results import chain_weights, expected_ez_regions, simulated_x0
from virtualbrain.seeg.gain import HARDLY_SEEN, observability
from virtualbrain.surgery.calibration import p_ez_sampled

Array = NDArray[np.float64]

INTERPRETABLE, CAUTION, DO_NOT_USE = "interpretable", "caution", "do-not-use"

R_HAT_CAUTION, R_HAT_STOP = 1.05, 1.5
ESS_CAUTION = 100.0
P_EZ_ERROR_CAUTION, P_EZ_ERROR_STOP = 0.05, 0.15
DIVERGENCES_CAUTION, DIVERGENCES_STOP = 0.01, 0.1
DEPTH_CAUTION = 0.05
E_BFMI_CAUTION = 0.3
COVERAGE_CAUTION, COVERAGE_STOP = 0.75, 0.5
EXPLAINED_CAUTION, EXPLAINED_STOP = 0.5, 0.2
WEIGHT_THAT_COUNTS = 0.05
UNSAMPLED_MARGIN = 3.0
EZ_SAMPLED_CAUTION = 0.5


def diagnose(posterior: xr.DataTree) -> dict[str, Any]:
    """Judge a fit.

    Parameters
    ----------
    posterior : xarray.DataTree
        What `inference.fit` returned.

    Returns
    -------
    dict
        ``verdict`` (interpretable, caution, do-not-use), ``reasons`` (plain sentences, the
        gravest first) and ``figures`` (every number behind them, thresholds included).
    """
    figures = _figures(posterior)
    stops, cautions = _reasons(figures)
    verdict = DO_NOT_USE if stops else CAUTION if cautions else INTERPRETABLE
    return {"verdict": verdict, "reasons": stops + cautions, "figures": figures}


def _figures(posterior: xr.DataTree) -> dict[str, Any]:
    """Compute every figure."""
    figures: dict[str, Any] = {"method": str(posterior.attrs.get("method", "nuts"))}
    figures |= _modes(posterior)
    figures |= _convergence(posterior, figures["mode_of_chain"])
    figures |= _sampler(posterior)
    figures |= _agreement(posterior)
    figures |= _leading(posterior)
    figures["thresholds"] = {
        "r_hat": [R_HAT_CAUTION, R_HAT_STOP],
        "ess": ESS_CAUTION,
        "p_ez_error": [P_EZ_ERROR_CAUTION, P_EZ_ERROR_STOP],
        "divergent_share": [DIVERGENCES_CAUTION, DIVERGENCES_STOP],
        "depth_saturation": DEPTH_CAUTION,
        "e_bfmi": E_BFMI_CAUTION,
        "coverage_90": [COVERAGE_CAUTION, COVERAGE_STOP],
        "explained": [EXPLAINED_CAUTION, EXPLAINED_STOP],
        "unsampled_margin": UNSAMPLED_MARGIN,
        "p_ez_sampled": EZ_SAMPLED_CAUTION,
    }
    return figures


def _modes(posterior: xr.DataTree) -> dict[str, Any]:
    mode = posterior["sample_stats"]["mode"].to_numpy()
    weights = chain_weights(posterior.children["sample_stats"], len(mode))
    shares = [float(weights[mode == k].sum()) for k in range(int(mode.max()) + 1)]
    return {
        "mode_of_chain": [int(k) for k in mode],
        "mode_weights": shares,
        "modes": int(sum(share >= WEIGHT_THAT_COUNTS for share in shares)),
        "pareto_k_max": float(np.max(posterior["sample_stats"]["pareto_k"].to_numpy())),
    }


def _convergence(posterior: xr.DataTree, mode: list[int]) -> dict[str, Any]:
    """R-hat and effective sizes of x0: over all chains, and within the heaviest mode."""
    if posterior.attrs.get("method") == "laplace":
        return {
            "r_hat_max": None,
            "r_hat_all_chains": None,
            "ess_bulk_min": None,
            "ess_tail_min": None,
            "p_ez_error_max": None,
            "p_ez_error_region": "",
            "r_hat_fitted_max": None,
            "ess_fitted_min": None,
        }
    # gates are on what is reported; how well the sampler itself did stands beside it
    samples = posterior["posterior"].to_dataset()
    x0 = samples[["x0"]]
    fitted = simulated_x0(samples).rename("x0").to_dataset()
    weights = chain_weights(posterior.children["sample_stats"], len(mode))
    heavy = max(set(mode), key=lambda k: weights[np.array(mode) == k].sum())
    chains = np.flatnonzero(np.array(mode) == heavy)
    inside, sampled = x0.isel(chain=chains), fitted.isel(chain=chains)
    worst, error = _p_ez_error(posterior, chains)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return {
            "r_hat_max": float(rhat(_halved(inside))["x0"].max()),
            "r_hat_all_chains": float(rhat(x0)["x0"].max()),
            "ess_bulk_min": float(ess(inside, method="bulk")["x0"].min()),
            "ess_tail_min": float(ess(inside, method="tail")["x0"].min()),
            "p_ez_error_max": error,
            "p_ez_error_region": worst,
            "r_hat_fitted_max": float(rhat(_halved(sampled))["x0"].max()),
            "ess_fitted_min": float(ess(sampled)["x0"].min()),
        }


def _p_ez_error(posterior: xr.DataTree, chains: NDArray[np.int64]) -> tuple[str, float]:
    """Return the region whose p_ez the draws tell least surely, and its Monte Carlo error.

    It is what few independent draws of one x0 come to in the table that is read. A region that
    is above its threshold in every draw, or in none, has no error that the draws could tell.
    """
    above = above_threshold(posterior).isel(chain=chains)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        error = mcse(above.to_dataset(name="p_ez"), method="mean")["p_ez"].fillna(0.0)
    worst = int(error.argmax("region"))
    return str(above["region"].to_numpy()[worst]), float(error[worst])


def _halved(draws: xr.Dataset) -> xr.Dataset:
    """Return a lone chain as two, its halves, so that R-hat says at least whether it drifted."""
    if draws.sizes["chain"] > 1:
        return draws
    half = draws.sizes["draw"] // 2
    parts = [draws.isel(draw=slice(first, first + half)) for first in (0, half)]
    return xr.concat([part.drop_vars("draw", errors="ignore") for part in parts], dim="chain")


def _sampler(posterior: xr.DataTree) -> dict[str, Any]:
    stats = posterior["sample_stats"]
    if "diverging" not in stats:
        return {
            "divergences": 0,
            "divergent_share": 0.0,
            "depth_saturation": 0.0,
            "e_bfmi_min": None,
        }
    deep = stats["tree_depth"].to_numpy() >= int(posterior.attrs["max_depth"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        energy = bfmi(posterior)
    return {
        "divergences": int(stats["diverging"].sum()),
        "divergent_share": float(stats["diverging"].mean()),
        "depth_saturation": float(deep.mean()),
        "e_bfmi_min": float(np.min(np.asarray(energy["energy"]))),
    }


def _agreement(posterior: xr.DataTree) -> dict[str, Any]:
    """How well replicated envelopes cover and follow the observed ones."""
    observed = posterior["observed_data"]["envelope"]
    predicted = posterior["posterior_predictive"]["envelope"]
    low, middle, high = (predicted.sel(quantile=q) for q in (0.05, 0.5, 0.95))
    inside = ((observed >= low) & (observed <= high)).mean()
    residual = float(((observed - middle) ** 2).sum())
    total = float(((observed - observed.mean()) ** 2).sum())
    return {"coverage_90": float(inside), "explained": 1.0 - residual / max(total, 1e-12)}


def _leading(posterior: xr.DataTree) -> dict[str, Any]:
    """Return what may be wrong with the first place itself."""
    table = zones(posterior)
    seen = observability(posterior["constant_data"]["gain"].to_numpy())
    hidden = posterior.attrs.get("unsampled_margin")
    starts = expected_ez_regions(table["p_ez"].to_numpy())
    return {
        "leading": table["region"].iloc[0],
        "leading_p_ez": float(table["p_ez"].iloc[0]),
        "leading_observability": float(table["observability"].iloc[0]),
        "regions_unseen_share": float((seen < HARDLY_SEEN).mean()),
        "unsampled_margin": None if hidden is None else float(hidden),
        "unsampled_region": str(posterior.attrs.get("unsampled_region", "")),
        "regions_above_half": int((table["p_ez"] > 0.5).sum()),
        "expected_ez_regions": starts,
        "p_ez_sampled": p_ez_sampled(starts),
    }


def _reasons(f: dict[str, Any]) -> tuple[list[str], list[str]]:
    """Return what forbids use, and what calls for caution, as sentences."""
    stops: list[str] = []
    cautions = _about_zone(f)

    def gate(value: float | None, caution: float, stop: float | None, sign: int, text: str) -> None:
        if value is None:
            return
        if stop is not None and (not np.isfinite(value) or sign * value > sign * stop):
            stops.append(text.format(value, **f))
        elif sign * value > sign * caution:
            cautions.append(text.format(value, **f))

    gate(f["r_hat_max"], R_HAT_CAUTION, R_HAT_STOP, 1,
         "Chains of the leading mode disagree: largest R-hat of x0 is {:.2f}.")  # fmt: skip
    gate(f["p_ez_error_max"], P_EZ_ERROR_CAUTION, P_EZ_ERROR_STOP, 1,
         "The draws tell p_ez of {p_ez_error_region} to within {:.2f} only.")  # fmt: skip
    gate(f["ess_bulk_min"], ESS_CAUTION, None, -1,
         "Few independent draws: smallest bulk effective size of x0 is {:.0f}.")  # fmt: skip
    gate(f["ess_tail_min"], ESS_CAUTION, None, -1,
         "Few independent draws in the tails: smallest effective size is {:.0f}.")  # fmt: skip
    gate(f["divergent_share"], DIVERGENCES_CAUTION, DIVERGENCES_STOP, 1,
         "{:.1%} of transitions diverged: parts of the posterior were not reached.")  # fmt: skip
    gate(f["depth_saturation"], DEPTH_CAUTION, None, 1,
         "{:.1%} of transitions ended at the largest tree depth: slow draws.")  # fmt: skip
    gate(f["e_bfmi_min"], E_BFMI_CAUTION, None, -1,
         "The sampler explored the energy poorly (E-BFMI {:.2f}).")  # fmt: skip
    gate(f["coverage_90"], COVERAGE_CAUTION, COVERAGE_STOP, -1,
         "The model's 90 % bands hold only {:.0%} of the recorded samples.")  # fmt: skip
    gate(f["explained"], EXPLAINED_CAUTION, EXPLAINED_STOP, -1,
         "The model explains {:.0%} of the envelope's variance.")  # fmt: skip
    if f["method"] == "laplace":
        cautions.append("Quick mode: a Laplace approximation, not draws from the posterior.")
    if f["modes"] > 1:
        shares = ", ".join(f"{share:.0%}" for share in sorted(f["mode_weights"], reverse=True))
        cautions.append(f"Chains ended in {f['modes']} different explanations (weights {shares}).")
    cautions += _about_leading(f)
    return stops, cautions


def _about_zone(f: dict[str, Any]) -> list[str]:
    if f["p_ez_sampled"] >= EZ_SAMPLED_CAUTION:
        return []
    return [
        "The electrodes may have missed the zone: on virtual patients of whom a fit expects so "
        f"few regions to start seizures ({f['expected_ez_regions']:.1f}) they had seen it in "
        f"{f['p_ez_sampled']:.0%}."
    ]


def _about_leading(f: dict[str, Any]) -> list[str]:
    found = []
    if f["leading_p_ez"] < 0.5:
        found.append(
            f"No region seizes by itself for sure: the first, {f['leading']}, "
            f"with probability {f['leading_p_ez']:.2f}."
        )
    if f["leading_observability"] < HARDLY_SEEN:
        found.append(
            f"The first region, {f['leading']}, is hardly seen by any channel "
            f"(observability {f['leading_observability']:.2f})."
        )
    if f["unsampled_margin"] is not None and f["unsampled_margin"] < UNSAMPLED_MARGIN:
        found.append(
            f"A region that the electrodes hardly see, {f['unsampled_region']}, explains the "
            f"recording nearly as well (log density lower by {f['unsampled_margin']:.1f})."
        )
    return found
