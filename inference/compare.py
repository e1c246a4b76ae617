"""What changes between prior sets, and which predicts the recording better."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import xarray as xr

from inference.modes import leave_one_out, stack
from inference.zones import zones


def compare_priors(posteriors: Mapping[str, xr.DataTree]) -> pd.DataFrame:
    """Compare fits of the same recording by leave-one-channel-out predictive density.

    Parameters
    ----------
    posteriors : mapping of str to xarray.DataTree
        Fits by the name of their priors.

    Returns
    -------
    pandas.DataFrame
        One row per prior set, best first: ``elpd`` (PSIS-LOO over channels, the chain with the
        largest weight), ``difference`` from the best and its standard error ``se``, stacking
        ``weight``, and the largest Pareto k.
    """
    names = list(posteriors)
    # each fit counts another share of its samples as independent: compared by the smallest of them
    share = min(float(tree.attrs["tempering"]) for tree in posteriors.values())
    pointwise, largest = [], []
    for name in names:
        tree = posteriors[name]
        chain = int(np.argmax(tree["sample_stats"]["weight"].to_numpy()))
        log_likelihood = tree["log_likelihood"]["envelope"].to_numpy()[chain : chain + 1]
        values, k = leave_one_out(log_likelihood * (share / tree.attrs["tempering"]))
        pointwise.append(values[0])
        largest.append(float(k[0]))
    scores = np.stack(pointwise)
    best = int(np.argmax(scores.sum(axis=1)))
    gap = scores - scores[best]
    table = pd.DataFrame(
        {
            "priors": names,
            "elpd": scores.sum(axis=1),
            "difference": gap.sum(axis=1),
            "se": np.sqrt(scores.shape[1]) * gap.std(axis=1),
            "weight": stack(scores),
            "pareto_k": largest,
        }
    )
    return table.sort_values("elpd", ascending=False, ignore_index=True)


def zone_changes(posteriors: Mapping[str, xr.DataTree], least: float = 0.05) -> pd.DataFrame:
    """Return p_ez of every region under every prior set, largest change first.

    Regions that no prior set gives more than `least` are left out.
    """
    columns = {name: zones(tree).set_index("region")["p_ez"] for name, tree in posteriors.items()}
    table = pd.DataFrame(columns)
    table = table[table.max(axis=1) > least]
    table["change"] = table.max(axis=1) - table.min(axis=1)
    return table.sort_values("change", ascending=False).rename_axis("region").reset_index()
