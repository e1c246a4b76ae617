"""Compute the convergence diagnostics of a fit and its verdict, which the report follows."""

import warnings
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from inference.zone_table import zones
from virtualbrain.posterior import (
    chain_weights,
    effective_zones,
    expected_ez_regions,
    largest_rise,
    p_ez_sampled_of,
    simulated_x0,
    starts_seizures,
)
from virtualbrain.quality_limits import (
    CAUTION,
    DO_NOT_USE,
    FIT_LIMITS,
    INTERPRETABLE,
    stored_fit_limits,
)
from virtualbrain.seeg.gain import LOW_OBSERVABILITY, observability

Array = NDArray[np.float64]


# A mode with less weight than this is not counted.
MINIMUM_MODE_WEIGHT = 0.05
# A leading region with a smaller p_ez calls for caution.
LIKELY = 0.5
# Figures whose reasons are not the limit's own sentence.
_SPECIAL = ("unsampled_margin", "leading_p_ez", "p_ez_sampled", "modes")


def diagnose(posterior: xr.DataTree) -> dict[str, Any]:
    """Judge a fit.

    Parameters
    ----------
    posterior : xarray.DataTree
        The result of `inference.fit`.

    Returns
    -------
    dict
        ``verdict`` (interpretable, caution or do-not-use), ``reasons`` (sentences, the most
        serious first) and ``figures`` (every number behind them, and the limits).
    """
    figures = _figures(posterior)
    rejections, cautions = _reasons(figures)
    verdict = DO_NOT_USE if rejections else CAUTION if cautions else INTERPRETABLE
    return {"verdict": verdict, "reasons": rejections + cautions, "figures": figures}


def _figures(posterior: xr.DataTree) -> dict[str, Any]:
    """Compute every figure."""
    figures: dict[str, Any] = {
        "method": str(posterior.attrs.get("method", "nuts")),
        "n_components": int(posterior.attrs.get("n_components", 0)),
    }
    figures |= _modes(posterior)
    figures |= _convergence(posterior, figures["mode_of_chain"])
    figures |= _sampler(posterior)
    figures |= _agreement(posterior)
    figures |= _leading(posterior)
    figures |= _borrowed(posterior)
    figures["thresholds"] = stored_fit_limits()
    return figures


def _modes(posterior: xr.DataTree) -> dict[str, Any]:
    mode = posterior["sample_stats"]["mode"].to_numpy()
    weights = chain_weights(posterior.children["sample_stats"], len(mode))
    mode_weights = [float(weights[mode == k].sum()) for k in range(int(mode.max()) + 1)]
    return {
        "mode_of_chain": [int(k) for k in mode],
        "mode_weights": mode_weights,
        "modes": int(sum(weight >= MINIMUM_MODE_WEIGHT for weight in mode_weights)),
        "pareto_k_max": _largest_pareto_k(posterior["sample_stats"]),
    }


def _largest_pareto_k(sample_stats: xr.DataTree | xr.DataArray) -> float | None:
    if "pareto_k" not in sample_stats:
        return None
    return float(np.max(sample_stats["pareto_k"].to_numpy()))


def _convergence(posterior: xr.DataTree, mode: list[int]) -> dict[str, Any]:
    """Return R-hat and ESS of x0, over all chains and within the mode with the largest weight."""
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
    from arviz_stats import ess, rhat  # slow to import

    # the limits apply to x0, which is reported; x0_fitted, which is sampled, is for information
    samples = posterior["posterior"].to_dataset()
    x0 = samples[["x0"]]
    fitted = simulated_x0(samples).rename("x0").to_dataset()
    weights = chain_weights(posterior.children["sample_stats"], len(mode))
    largest = max(set(mode), key=lambda k: weights[np.array(mode) == k].sum())
    chains = np.flatnonzero(np.array(mode) == largest)
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


def precision(posterior: xr.DataTree) -> dict[str, Any]:
    """Return R-hat, ESS and Monte Carlo errors of a fit whose chains are all of one mode.

    Parameters
    ----------
    posterior : xarray.DataTree
        The result of `inference.fit`.
    """
    return _convergence(posterior, [0] * posterior["posterior"].sizes["chain"])


def _p_ez_error(posterior: xr.DataTree, chains: NDArray[np.int64]) -> tuple[str, float]:
    """Return the region with the largest Monte Carlo error of p_ez, and that error.

    A region that starts seizures in all draws or in none has an error of zero.
    """
    from arviz_stats import mcse  # slow to import

    samples = posterior["posterior"].to_dataset()
    starts = starts_seizures(samples, float(posterior.attrs["I1"])).isel(chain=chains)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        indicator = starts.astype(np.float64).to_dataset(name="p_ez")
        error = mcse(indicator, method="mean")["p_ez"].fillna(0.0)
    worst = int(error.argmax("region"))
    return str(starts["region"].to_numpy()[worst]), float(error[worst])


def _halved(draws: xr.Dataset) -> xr.Dataset:
    """Split a single chain into its halves, so that R-hat can show a drift."""
    if draws.sizes["chain"] > 1:
        return draws
    half = draws.sizes["draw"] // 2
    parts = [draws.isel(draw=slice(first, first + half)) for first in (0, half)]
    return xr.concat([part.drop_vars("draw", errors="ignore") for part in parts], dim="chain")


def _sampler(posterior: xr.DataTree) -> dict[str, Any]:
    from arviz_stats import bfmi  # slow to import

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
    """Return how well replicated envelopes cover and follow the observed ones."""
    observed = posterior["observed_data"]["envelope"]
    predicted = posterior["posterior_predictive"]["envelope"]
    low, middle, high = (predicted.sel(quantile=q) for q in (0.05, 0.5, 0.95))
    inside = ((observed >= low) & (observed <= high)).mean()
    residual = float(((observed - middle) ** 2).sum())
    total = float(((observed - observed.mean()) ** 2).sum())
    return {"coverage_90": float(inside), "explained": 1.0 - residual / max(total, 1e-12)}


def _leading(posterior: xr.DataTree) -> dict[str, Any]:
    """Return figures on the leading region and on a possibly unsampled EZ."""
    table = zones(posterior)
    seen = observability(posterior["constant_data"]["gain"].to_numpy())
    margin = posterior.attrs.get("unsampled_margin")
    p_ez = table["p_ez"].to_numpy()
    return {
        "leading": table["region"].iloc[0],
        "leading_p_ez": float(table["p_ez"].iloc[0]),
        "leading_observability": float(table["observability"].iloc[0]),
        "regions_unseen_share": float((seen < LOW_OBSERVABILITY).mean()),
        "unsampled_margin": None if margin is None else float(margin),
        "unsampled_region": str(posterior.attrs.get("unsampled_region", "")),
        "regions_above_half": int((table["p_ez"] > LIKELY).sum()),
        "expected_ez_regions": expected_ez_regions(p_ez),
        "largest_rise": largest_rise(posterior),
        "p_ez_sampled": p_ez_sampled_of(posterior, p_ez),
        "effective_zones": _number_of_zones(posterior),
    }


def _number_of_zones(posterior: xr.DataTree) -> float | None:
    """Return the effective number of zones; None where no region is suspected."""
    number = effective_zones(posterior)
    return number if np.isfinite(number) else None


def _borrowed(posterior: xr.DataTree) -> dict[str, Any]:
    """Return what is not this patient's own: the connectome, the anatomy."""
    return {
        "group_connectome": str(posterior.attrs.get("group_connectome", "")),
        "template_anatomy": bool(posterior.attrs.get("template_anatomy", 0)),
    }


def _reasons(figures: dict[str, Any]) -> tuple[list[str], list[str]]:
    """Return the reasons that forbid use, and those that call for caution."""
    rejections: list[str] = []
    cautions = [*_borrowed_reasons(figures), *_sampled_ez_reasons(figures)]
    for name, limit in FIT_LIMITS.items():
        value = figures[name]
        if name in _SPECIAL or value is None:
            continue
        subject = figures["p_ez_error_region"] if name == "p_ez_error_max" else ""
        if limit.is_rejected(value):
            rejections.append(limit.sentence(value, subject))
        elif limit.is_unusual(value):
            cautions.append(limit.sentence(value, subject))
    if figures["method"] == "laplace":
        cautions.append("Quick mode: the posterior is a Laplace approximation, not sampled.")
    if FIT_LIMITS["modes"].is_unusual(figures["modes"]):
        weights = ", ".join(_percent(w) for w in sorted(figures["mode_weights"], reverse=True))
        cautions.append(
            f"The chains found {figures['modes']} different explanations (weights: {weights})."
        )
    return rejections, cautions + _leading_region_reasons(figures)


def _borrowed_reasons(figures: dict[str, Any]) -> list[str]:
    """Return what is missing of the patient; such a fit is never called interpretable."""
    found = []
    if figures["template_anatomy"]:
        found.append(
            "No MRI of this patient: the contacts were placed in the template brain MNI152, whose "
            "regions may differ from the patient's by several millimetres."
        )
    if figures["group_connectome"]:
        found.append(
            "No diffusion MRI of this patient: the connections are those of a group "
            f"({figures['group_connectome']})."
        )
    return found


def _sampled_ez_reasons(figures: dict[str, Any]) -> list[str]:
    if not FIT_LIMITS["p_ez_sampled"].is_unusual(figures["p_ez_sampled"]):
        return []
    return [
        "The electrodes may not have sampled the EZ. In synthetic patients with as few suspected "
        "regions near the electrodes and as small a rise of the power, the electrodes had sampled "
        f"the EZ in {_percent(figures['p_ez_sampled'])}."
    ]


def _leading_region_reasons(figures: dict[str, Any]) -> list[str]:
    found = []
    if figures["leading_p_ez"] < LIKELY:
        found.append(
            f"No region is likely to start seizures: the leading region, {figures['leading']}, "
            f"has a p_ez of {figures['leading_p_ez']:.2f}."
        )
    elif FIT_LIMITS["leading_p_ez"].is_unusual(figures["leading_p_ez"]):
        found.append(
            FIT_LIMITS["leading_p_ez"].sentence(figures["leading_p_ez"], figures["leading"])
        )
    if figures["leading_observability"] < LOW_OBSERVABILITY:
        found.append(
            f"No channel sees the leading region, {figures['leading']}, well: its observability "
            f"is {figures['leading_observability']:.2f} (usual: {LOW_OBSERVABILITY:g} or more)."
        )
    margin = figures["unsampled_margin"]
    if margin is not None and FIT_LIMITS["unsampled_margin"].is_unusual(margin):
        found.append(
            f"An unsampled region, {figures['unsampled_region']}, explains the recording nearly "
            f"as well as the leading one: log density lower by {margin:.1f} "
            f"(usual: {FIT_LIMITS['unsampled_margin'].range})."
        )
    return found


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
