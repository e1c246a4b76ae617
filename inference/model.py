"""Build the PyMC model of the fit: priors, network dynamics and observation of the envelopes."""

import numpy as np
import pymc as pm
import pytensor.tensor as pt

from inference import kernels
from inference.density import Density, build_density
from inference.op import LogLikelihood
from inference.priors import Priors
from inference.problem import Problem
from inference.settings import Settings


def build_model(
    problem: Problem, priors: Priors, settings: Settings, tempering: float = 1.0
) -> pm.Model:
    r"""Build the PyMC model of a problem.

    The excitabilities :math:`x_{0,i}` are normal and correlated where regions are connected
    (`Priors.fitted_covariance`); `kernels.wall` limits them above. K, tau0, amplitude and noise
    are log-normal. Channel offsets vary about a level. The likelihood of the envelopes is one Op,
    `inference.op.LogLikelihood`.

    Parameters
    ----------
    problem : Problem
        Envelopes (S, T, m), gain (m, n), weights (n, n).
    priors, settings
        Priors, and settings of the fit.
    tempering : float
        Exponent of the likelihood.
    """
    density = build_density(problem, priors, settings, tempering)
    states = ("seizure", "region")
    with pm.Model(coords=model_coords(problem)) as model:
        x0 = pm.MvNormal(
            "x0", density.x0_mean, cov=priors.fitted_covariance(problem), dims="region"
        )
        beyond = pt.maximum((x0 - kernels.X0_CEILING) / kernels.X0_WALL, 0.0)
        pm.Potential("x0_wall", -0.5 * (beyond**2).sum())
        if settings.initial == "free":
            x_init = pm.Normal("x_init", priors.x_init.mean, priors.x_init.sd, dims=states)
        else:
            x_init = pt.zeros((problem.n_seizures, problem.n_regions))
        z_init = pm.Normal("z_init", priors.z_init.mean, priors.z_init.sd, dims=states)
        big_k = pm.LogNormal("K", np.log(priors.K.median), priors.K.sd_log)
        tau0 = pm.LogNormal("tau0", np.log(priors.tau0.median), priors.tau0.sd_log, dims="seizure")
        amplitude = pm.LogNormal(
            "amplitude", np.log(priors.amplitude.median), priors.amplitude.sd_log
        )
        mean = pm.Normal("level", priors.level.mean, priors.level.sd)
        offset = pm.Normal("offset", mean, priors.offset.sd, dims="channel")
        noise = pm.LogNormal("noise", np.log(priors.noise.median), priors.noise.sd_log)
        coupling = pt.full((problem.n_regions,), big_k)
        value = LogLikelihood(density.options)(
            x0, x_init, z_init, coupling, tau0, amplitude, offset, noise, problem.weights,
            problem.gain, density.envelope, density.mask,
        )[0]  # fmt: skip
        pm.Potential("envelope", value)
    return model


def model_coords(problem: Problem) -> dict[str, list[str] | np.ndarray]:
    """Return the coordinates of each dimension."""
    return {
        "region": list(problem.regions),
        "channel": list(problem.channels),
        "seizure": np.arange(1, problem.n_seizures + 1),
    }


__all__ = ["Density", "build_model", "model_coords"]
