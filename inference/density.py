"""Log density of the posterior, with its gradient, as one compiled function of a flat vector.

It is the density of the PyMC model in `inference.model`, in standardised coordinates: each
unconstrained value minus its prior mean, divided by its prior standard deviation. The
initialisation calls it thousands of times, so there is no graph to compile.
`tests/inference/test_op.py` checks that both densities are equal.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inference import kernels
from inference.kernels.common import jit
from inference.layout import NOT_FITTED, POSITIVE, Layout, Starts, build_layout
from inference.priors import Priors
from inference.problem import Problem
from inference.settings import Settings
from inference.sources import informed_means, log_evidence

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Density:
    """Log density and gradient of one problem under one set of priors.

    Parameters
    ----------
    problem, priors, settings
        Data, priors and settings of the fit.
    tempering : float
        Exponent of the likelihood; see `Settings.tempering`.
    layout : Layout
        Order of the parameters in the flat vector.
    evidence : numpy.ndarray, shape (n_regions,)
        Source evidence of each region; see `inference.sources.log_evidence`.
    x0_mean : numpy.ndarray, shape (n_regions,)
        Prior mean of x0, source evidence included.
    x0_precision : numpy.ndarray, shape (n_regions, n_regions)
        Inverse of the prior correlation of x0, minus the identity.
    x0_root : numpy.ndarray, shape (n_regions, n_regions)
        Cholesky factor of the prior correlation of x0.
    envelope : numpy.ndarray, shape (n_seizures, n_steps, n_channels)
        Envelopes at the steps of the model.
    time_s : numpy.ndarray, shape (n_seizures, n_steps)
        Time of each step from the marked onset.
    mask : numpy.ndarray, shape (n_seizures, n_channels)
        1 for channels that count, else 0.
    products : kernels.Products
        Products of envelope and gain, where the residuals can use them.
    """

    problem: Problem
    priors: Priors
    settings: Settings
    tempering: float
    layout: Layout
    evidence: Array
    x0_mean: Array
    x0_precision: Array
    x0_root: Array
    envelope: Array
    time_s: Array
    mask: Array
    products: kernels.Products

    def __call__(self, point: Array) -> tuple[float, Array]:
        """Return log density and gradient at a flat standardised vector."""
        value, slope = _flat_density(
            np.ascontiguousarray(point), self.layout.centre, self.layout.scale, self.layout.starts,
            self.problem.weights, self.problem.gain, self.envelope, self.mask, self.x0_precision,
            self.options, self.products,
        )  # fmt: skip
        return float(value), np.asarray(slope)

    @cached_property
    def options(self) -> kernels.LikelihoodOptions:
        """Settings of the compiled log likelihood."""
        return likelihood_options(self.settings, self.tempering)

    def unconstrained(self, point: Array) -> Array:
        """Return the vector in PyMC's coordinates (positive values as logarithms)."""
        return self.layout.centre + self.layout.scale * point

    def standardised(self, unconstrained: Array) -> Array:
        """Return the inverse of `unconstrained`."""
        return (unconstrained - self.layout.centre) / self.layout.scale

    def named(self, points: Array) -> dict[str, Array]:
        """Return values by name in natural units; `points` has the shape (..., size)."""
        flat = self.unconstrained(points)
        values = {}
        for name, where in self.layout.slices.items():
            part = flat[..., where].reshape(flat.shape[:-1] + self.layout.shapes[name])
            values[name] = np.exp(part) if name in POSITIVE else part
        return values

    def flat(self, values: dict[str, Any]) -> Array:
        """Return the standardised vector of named values; the others stay at the prior centre."""
        point = np.zeros(self.layout.size)
        for name, value in values.items():
            where = self.layout.slices[name]
            part = np.log(value) if name in POSITIVE else np.asarray(value, dtype=float)
            part = np.broadcast_to(part, self.layout.shapes[name]).ravel()
            point[where] = (part - self.layout.centre[where]) / self.layout.scale[where]
        return point

    def drawn_from_prior(self, rng: np.random.Generator) -> Array:
        """Return a standardised vector drawn from the prior."""
        point = rng.standard_normal(self.layout.size)
        x0 = self.layout.slices["x0"]
        point[x0] = self.x0_root @ point[x0]
        while (self.unconstrained(point)[x0] > kernels.X0_CEILING).any():
            point[x0] = self.x0_root @ rng.standard_normal(self.problem.n_regions)
        level, offset = self.layout.slices["level"], self.layout.slices["offset"]
        point[offset] += point[level] * self.layout.scale[level] / self.layout.scale[offset]
        return point

    def trajectories(self, point: Array) -> tuple[Array, Array]:
        """Return x and z, each (S, T, n), of a flat vector."""
        return self.simulate(self.named(point))

    def simulate(self, values: dict[str, Array]) -> tuple[Array, Array]:
        """Return x and z, each (S, T, n), of named values."""
        z, x = self.start(values)
        return self.simulate_from(values["x0"], x, z, float(values["K"]), values["tau0"])

    def simulate_from(
        self, x0: Array, x_init: Array, z_init: Array, coupling: float, tau0: Array
    ) -> tuple[Array, Array]:
        """Return x and z, each (S, T, n), from initial states (S, n)."""
        s, weights = self.settings, np.ascontiguousarray(self.problem.weights)
        states: tuple[Array, Array] = kernels.sweep(
            x0, x_init, z_init, np.full(self.problem.n_regions, coupling), tau0,
            weights, s.n_steps, s.dt, self.options.integrator,
        )  # fmt: skip
        return states

    def start(self, values: dict[str, Array]) -> tuple[Array, Array]:
        """Return z(0) and x(0), each (S, n)."""
        x_init = values.get("x_init", values["z_init"])
        z, x, _, _ = kernels.initial_states(
            values["x0"], x_init, values["z_init"], self.options.initial
        )
        return z, x

    def expected(self, point: Array) -> Array:
        """Return the expected envelope (S, T, m) of a flat vector."""
        values = self.named(point)
        xs, _ = self.simulate(values)
        return self.observe(xs, values)

    def observe(self, xs: Array, values: dict[str, Array]) -> Array:
        """Return the expected envelope (S, T, m) of x (S, T, n)."""
        amplitude, form = float(values["amplitude"]), self.options.observation
        return np.stack(
            [kernels.observe(x, self.problem.gain, amplitude, values["offset"], form) for x in xs]
        )


def likelihood_options(settings: Settings, tempering: float) -> kernels.LikelihoodOptions:
    """Translate the settings of the fit for the compiled log likelihood."""
    student = settings.noise_family == "student"
    return kernels.LikelihoodOptions(
        dt=float(settings.dt),
        integrator=kernels.HEUN if settings.integrator == "heun" else kernels.EULER,
        observation=kernels.LOGPOWER if settings.observation == "logpower" else kernels.LINEAR,
        degrees_of_freedom=float(settings.degrees_of_freedom) if student else 0.0,
        initial=kernels.REST if settings.initial == "rest" else kernels.FREE,
        tempering=float(tempering),
    )


def build_density(
    problem: Problem, priors: Priors, settings: Settings, tempering: float = 1.0
) -> Density:
    """Combine data, priors and settings."""
    envelope, time_s = problem.on_grid(settings.n_steps)
    covariance = priors.fitted_covariance(problem)
    sd = np.sqrt(np.diag(covariance))
    correlation = covariance / np.outer(sd, sd)
    evidence = log_evidence(problem)
    x0_mean = informed_means(priors, problem, evidence)
    mask = np.ones((problem.n_seizures, problem.n_channels))
    return Density(
        problem=problem,
        priors=priors,
        settings=settings,
        tempering=tempering,
        layout=build_layout(problem, priors, settings, x0_mean, sd),
        evidence=evidence,
        x0_mean=x0_mean,
        x0_precision=np.linalg.inv(correlation) - np.eye(problem.n_regions),
        x0_root=np.linalg.cholesky(correlation),
        envelope=envelope,
        time_s=time_s,
        mask=mask,
        products=_products(settings, envelope, problem.gain, mask),
    )


def _products(settings: Settings, envelope: Array, gain: Array, mask: Array) -> kernels.Products:
    """Return the products with the gain, if the residuals are Normal and linear."""
    if settings.noise_family == "normal" and settings.observation == "linear":
        products: kernels.Products = kernels.products_with_gain(envelope, gain, mask)
        return products
    return kernels.NO_PRODUCTS


@jit
def _flat_density(
    point: Array,
    centre: Array,
    scale: Array,
    starts: Starts,
    weights: Array,
    gain: Array,
    envelope: Array,
    mask: Array,
    x0_precision: Array,
    options: kernels.LikelihoodOptions,
    products: kernels.Products,
) -> tuple[float, Array]:
    """Return log density and gradient in standardised coordinates."""
    s, n, m = envelope.shape[0], weights.shape[0], gain.shape[0]
    at = starts
    u = centre + scale * point
    slope = -point
    value = -0.5 * np.dot(point, point)
    standard_x0 = point[at.x0 : at.x0 + n].copy()
    correlated = np.dot(x0_precision, standard_x0)
    value -= 0.5 * np.dot(standard_x0, correlated)
    slope[at.x0 : at.x0 + n] -= correlated
    x_init: Array = np.zeros((s, n))
    if at.x_init != NOT_FITTED:
        x_init = u[at.x_init : at.x_init + s * n].copy().reshape((s, n))
    z_init = u[at.z_init : at.z_init + s * n].copy().reshape((s, n))
    # The offsets vary about a fitted level: replace their standard normal terms.
    shift = point[at.level] * scale[at.level]
    for c in range(at.offset, at.offset + m):
        centred = point[c] - shift / scale[c]
        value += 0.5 * (point[c] ** 2 - centred**2)
        slope[c] = -centred
        slope[at.level] += centred * scale[at.level] / scale[c]
    big_k, tau0 = np.exp(u[at.K]), np.exp(u[at.tau0 : at.tau0 + s])
    amplitude, noise = np.exp(u[at.amplitude]), np.exp(u[at.noise])
    bar = kernels.log_likelihood_with_products(
        u[at.x0 : at.x0 + n].copy(), x_init, z_init, np.full(n, big_k), tau0, amplitude,
        u[at.offset : at.offset + m].copy(), noise, weights, gain, envelope, mask, options,
        products,
    )  # fmt: skip
    value += kernels.wall(u[at.x0 : at.x0 + n], bar.x0)
    slope[at.x0 : at.x0 + n] += bar.x0 * scale[at.x0 : at.x0 + n]
    if at.x_init != NOT_FITTED:
        where = slice(at.x_init, at.x_init + s * n)
        slope[where] += bar.x_init.ravel() * scale[where]
    where = slice(at.z_init, at.z_init + s * n)
    slope[where] += bar.z_init.ravel() * scale[where]
    slope[at.K] += bar.coupling.sum() * big_k * scale[at.K]
    slope[at.tau0 : at.tau0 + s] += bar.tau0 * tau0 * scale[at.tau0 : at.tau0 + s]
    slope[at.amplitude] += bar.amplitude * amplitude * scale[at.amplitude]
    slope[at.offset : at.offset + m] += bar.offset * scale[at.offset : at.offset + m]
    slope[at.noise] += bar.noise * noise * scale[at.noise]
    return value + bar.value, slope
