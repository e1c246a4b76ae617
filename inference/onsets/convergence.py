"""Tell whether the chains of the onset model agree."""

import warnings
from collections.abc import Sequence

import numpy as np
import xarray as xr
from arviz_stats import mcse, rhat

from inference.onsets.sampler import Kept

MOST_R_HAT, MOST_ERROR = 1.01, 0.015
# A region below it is in hardly any plan; its R-hat is that of a few draws.
_LEAST_P_EZ = 0.02


def has_converged(chains: Sequence[Kept]) -> bool:
    """Return whether R-hat and Monte Carlo error of every p_ez are small.

    The error has two parts: that of the probability given the onsets, and that of drawing from it.
    A single chain cannot be judged and counts as converged.

    Parameters
    ----------
    chains : sequence of Kept
        Draws of each chain.
    """
    if len(chains) < 2:
        return True
    p_ez = np.stack([chain.p_ez for chain in chains])
    mean = p_ez.mean(axis=(0, 1))
    kept = mean >= _LEAST_P_EZ
    if not kept.any():
        return True
    draws = xr.Dataset({"p_ez": (("chain", "draw", "region"), p_ez[..., kept])})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        r_hat = rhat(draws)["p_ez"].fillna(1.0)
        given_onsets = mcse(draws, method="mean")["p_ez"].fillna(0.0).to_numpy()
    drawn = mean[kept] * (1.0 - mean[kept]) / p_ez[..., 0].size
    error = np.sqrt(given_onsets**2 + drawn)
    return bool(r_hat.max() <= MOST_R_HAT and error.max() <= MOST_ERROR)
