"""State whether the chains of a fit agree, by the figures that are reported."""

import xarray as xr

from inference.diagnosis import precision

MOST_R_HAT, MOST_ERROR = 1.01, 0.02


def has_converged(posterior: xr.DataTree) -> bool:
    """Return whether R-hat of every x0 and the Monte Carlo error of every p_ez are small.

    A single chain cannot be judged and counts as converged.

    Parameters
    ----------
    posterior : xarray.DataTree
        The result of a fit.
    """
    if posterior["posterior"].sizes["chain"] < 2:
        return True
    found = precision(posterior)
    return bool(found["r_hat_max"] <= MOST_R_HAT and found["p_ez_error_max"] <= MOST_ERROR)
