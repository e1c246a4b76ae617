"""Pictures of beliefs before the data."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from inference.density import build_density
from inference.priors import Priors
from inference.problem import Problem
from inference.settings import Settings
from virtualbrain.io.atomic import atomic_path
from virtualbrain.models.reduced_physics import critical_x0

N_DRAWS = 60


def plot_prior_predictive(
    problem: Problem, priors: Priors, settings: Settings, path: Path | str, seed: int = 1
) -> None:
    """Draw what the beliefs expect: regions above threshold, and envelopes beside the recorded.

    Parameters
    ----------
    problem, priors, settings
        Of the fit.
    path : Path or str
        Where the PNG goes.
    seed : int
        Of the draws.
    """
    density = build_density(problem, priors, settings)
    rng = np.random.default_rng(seed)
    counts, courses = [], []
    for _ in range(N_DRAWS):
        point = density.drawn_from_prior(rng)
        values = density.named(point)
        counts.append(int((values["x0"] > critical_x0(values["tau0"]).mean()).sum()))
        courses.append(density.expected(point)[0])
    figure = Figure(figsize=(8, 3.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.hist(counts, bins=np.arange(max(counts) + 2) - 0.5, color="#440154")
    left.set(xlabel="regions above threshold", ylabel="draws from the prior")
    time_s = density.time_s[0]
    drawn = np.concatenate(courses, axis=1)
    for q, alpha in ((0.025, 0.25), (0.25, 0.5)):
        low, high = np.quantile(drawn, [q, 1 - q], axis=1)
        right.fill_between(time_s, low, high, color="#21918c", alpha=alpha, linewidth=0)
    right.plot(time_s, density.envelope[0], color="k", linewidth=0.3, alpha=0.3)
    right.set(xlabel="seconds from onset", ylabel="log power above baseline")
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=150)
