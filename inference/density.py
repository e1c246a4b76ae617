"""The whole log density of the fit as one compiled function of one flat vector.

It is the density of the PyMC model in `inference.model`, in standardised coordinates: every
unconstrained value less its prior centre, in prior standard deviations. Screening calls
it thousands of times without a graph to compile; a test holds the two equal.
"""

from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from inference import kernels
from inference.priors import Priors
from inference.problem import Problem
from inference.settings import Settings
from inference.sources import informed_means, log_evidence

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Layout:
    """Where each parameter stands in the flat vector, with prior centre and scale."""

    slices: dict[str, slice]
    shapes: dict[str, tuple[int, ...]]
    centre: Array
    scale: Array

    @property
    def size(self) -> int:
        """Length of the flat vector."""
        return len(self.centre)


@dataclass(frozen=True)
class Density:
    """Log density and gradient of one problem under one set of beliefs.

    Parameters
    ----------
    problem, priors, settings
        What is fitted, believed, and chosen.
    share : float
        Power of the likelihood; see `Settings.tempering`.
    evidence : numpy.ndarray, shape (n_regions,)
        What the sources' power says of each region, `inference.sources.log_evidence`.
    x0_mean : numpy.ndarray, shape (n_regions,)
        Prior mean of x0 with that evidence in it.
    tie, root : numpy.ndarray, shape (n_regions, n_regions)
        Of the prior correlation of x0: its inverse less the identity, and its Cholesky factor.
    """

    problem: Problem
    priors: Priors
    settings: Settings
    share: float
    layout: Layout
    evidence: Array
    x0_mean: Array
    tie: Array
    root: Array
    envelope: Array
    time_s: Array
    mask: Array
    products: kernels.Products

    def __call__(self, point: Array) -> tuple[float, Array]:
        """Return log density and gradient at a flat standardised vector."""
        value, slope = _flat_density(
            np.ascontiguousarray(point), self.layout.centre, self.layout.scale, self.sizes,
            self.problem.weights, self.problem.gain, self.envelope, self.mask, self.tie,
            self.options, self.products,
        )  # fmt: skip
        return float(value), np.asarray(slope)

    @property
    def sizes(self) -> NDArray[np.int64]:
        """Regions, seizures, channels, and whether x(0) is fitted."""
        free = int(self.settings.initial == "free")
        p = self.problem
        return np.array([p.n_regions, p.n_seizures, p.n_channels, free])

    @property
    def options(self) -> Array:
        """Options of `kernels.log_likelihood_by`."""
        return kernel_options(self.settings, self.share)

    def unconstrained(self, point: Array) -> Array:
        """Return the vector in PyMC's coordinates (logarithms of what is positive)."""
        return self.layout.centre + self.layout.scale * point

    def standardised(self, unconstrained: Array) -> Array:
        """Return the inverse of `unconstrained`."""
        return (unconstrained - self.layout.centre) / self.layout.scale

    def named(self, points: Array) -> dict[str, Array]:
        """Return named values in natural units; `points` (..., size)."""
        flat = self.unconstrained(points)
        values = {}
        for name, where in self.layout.slices.items():
            part = flat[..., where].reshape(flat.shape[:-1] + self.layout.shapes[name])
            values[name] = np.exp(part) if name in POSITIVE else part
        return values

    def flat(self, values: dict[str, Any]) -> Array:
        """Return the standardised vector of named values; those not given stay at the centre."""
        point = np.zeros(self.layout.size)
        for name, value in values.items():
            where = self.layout.slices[name]
            part = np.log(value) if name in POSITIVE else np.asarray(value, dtype=float)
            part = np.broadcast_to(part, self.layout.shapes[name]).ravel()
            point[where] = (part - self.layout.centre[where]) / self.layout.scale[where]
        return point

    def drawn_from_prior(self, rng: np.random.Generator) -> Array:
        """Return a standardised vector drawn from the beliefs alone."""
        point = rng.standard_normal(self.layout.size)
        n = self.problem.n_regions
        point[:n] = self.root @ point[:n]
        while (self.unconstrained(point)[:n] > kernels.X0_CEILING).any():
            point[:n] = self.root @ rng.standard_normal(n)
        level, offset = self.layout.slices["level"], self.layout.slices["offset"]
        point[offset] += point[level] * self.layout.scale[level] / self.layout.scale[offset]
        return point

    def trajectories(self, point: Array) -> tuple[Array, Array]:
        """Return x and z, (S, T, n), of one flat vector."""
        return self.simulate(self.named(point))

    def simulate(self, values: dict[str, Array]) -> tuple[Array, Array]:
        """Return x and z, (S, T, n), for named values."""
        z, x = self.start(values)
        s = self.settings
        states: tuple[Array, Array] = kernels.sweep(
            values["x0"], x, z, np.full(self.problem.n_regions, float(values["K"])),
            values["tau0"], self.problem.weights, s.n_steps, s.dt, int(s.integrator == "heun"),
        )  # fmt: skip
        return states

    def start(self, values: dict[str, Array]) -> tuple[Array, Array]:
        """Return z(0) and x(0), each (S, n)."""
        rule = kernels.REST if self.settings.initial == "rest" else kernels.FREE
        x_init = values.get("x_init", values["z_init"])
        z, x, _, _ = kernels.initial_states(values["x0"], x_init, values["z_init"], rule)
        return z, x

    def expected(self, point: Array) -> Array:
        """Return the expected envelope (S, T, m) of one flat vector."""
        values = self.named(point)
        xs, _ = self.simulate(values)
        return self.observe(xs, values)

    def observe(self, xs: Array, values: dict[str, Array]) -> Array:
        """Return the expected envelope (S, T, m) of trajectories."""
        form = kernels.LOGPOWER if self.settings.observation == "logpower" else kernels.LINEAR
        return np.stack(
            [
                kernels.observe(
                    x, self.problem.gain, float(values["amplitude"]), values["offset"], form
                )
                for x in xs
            ]
        )


POSITIVE = ("K", "tau0", "amplitude", "noise")


def kernel_options(settings: Settings, share: float) -> Array:
    """Return the options that `kernels.log_likelihood` takes."""
    return np.array(
        [
            settings.dt,
            float(settings.integrator == "heun"),
            float(settings.observation == "logpower"),
            settings.degrees_of_freedom if settings.noise_family == "student" else 0.0,
            float(settings.initial == "rest"),
            share,
        ]
    )


def build_density(
    problem: Problem, priors: Priors, settings: Settings, share: float = 1.0
) -> Density:
    """Put data, beliefs and choices together."""
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
        share=share,
        layout=_build_layout(problem, priors, settings, x0_mean, sd),
        evidence=evidence,
        x0_mean=x0_mean,
        tie=np.linalg.inv(correlation) - np.eye(problem.n_regions),
        root=np.linalg.cholesky(correlation),
        envelope=envelope,
        time_s=time_s,
        mask=mask,
        products=_products(settings, envelope, problem.gain, mask),
    )


def _products(settings: Settings, envelope: Array, gain: Array, mask: Array) -> kernels.Products:
    """Return the products with the gain where the form of the residuals has use for them."""
    if settings.noise_family == "normal" and settings.observation == "linear":
        products: kernels.Products = kernels.products_with_gain(envelope, gain, mask)
        return products
    return kernels.NO_PRODUCTS


def _build_layout(
    problem: Problem, priors: Priors, settings: Settings, x0_mean: Array, x0_sd: Array
) -> Layout:
    """Lay the parameters out in the order of the PyMC model."""
    n, s, m = problem.n_regions, problem.n_seizures, problem.n_channels
    parts: list[tuple[str, tuple[int, ...], Any, Any]] = [("x0", (n,), x0_mean, x0_sd)]
    if settings.initial == "free":
        parts.append(("x_init", (s, n), priors.x_init.mean, priors.x_init.sd))
    parts += [
        ("z_init", (s, n), priors.z_init.mean, priors.z_init.sd),
        ("K", (), np.log(priors.K.median), priors.K.sd_log),
        ("tau0", (s,), np.log(priors.tau0.median), priors.tau0.sd_log),
        ("amplitude", (), np.log(priors.amplitude.median), priors.amplitude.sd_log),
        ("level", (), priors.level.mean, priors.level.sd),
        ("offset", (m,), priors.level.mean, priors.offset.sd),
        ("noise", (), np.log(priors.noise.median), priors.noise.sd_log),
    ]
    slices, shapes, centre, scale, first = {}, {}, [], [], 0
    for name, shape, middle, spread in parts:
        count = int(np.prod(shape))
        slices[name], shapes[name] = slice(first, first + count), shape
        centre.append(np.broadcast_to(middle, count))
        scale.append(np.broadcast_to(spread, count))
        first += count
    return Layout(slices, shapes, np.concatenate(centre), np.concatenate(scale))


_jit: Any = numba.njit(cache=True, nogil=True, error_model="numpy")


@_jit
def _flat_density(
    point: Array,
    centre: Array,
    scale: Array,
    sizes: NDArray[np.int64],
    weights: Array,
    gain: Array,
    envelope: Array,
    mask: Array,
    tie: Array,
    options: Array,
    products: kernels.Products,
) -> tuple[float, Array]:
    """Log density and gradient in standardised coordinates."""
    n, s, m, free = sizes[0], sizes[1], sizes[2], sizes[3]
    u = centre + scale * point
    slope = -point
    value = -0.5 * np.dot(point, point)
    standard_x0 = point[:n].copy()
    tied = np.dot(tie, standard_x0)
    value -= 0.5 * np.dot(standard_x0, tied)
    slope[:n] -= tied
    at = n
    x_init = np.zeros((s, n))
    if free == 1:
        x_init = u[at : at + s * n].copy().reshape((s, n))
        at += s * n
    z_init = u[at : at + s * n].copy().reshape((s, n))
    scalars = at + s * n
    k, tau, amp, level, off = (
        scalars,
        scalars + 1,
        scalars + 1 + s,
        scalars + 2 + s,
        scalars + 3 + s,
    )
    noise = off + m
    # offsets scatter about a fitted level: replace their standard-normal term
    shift = point[level] * scale[level]
    for c in range(m):
        about = point[off + c] - shift / scale[off + c]
        value += 0.5 * (point[off + c] ** 2 - about**2)
        slope[off + c] = -about
        slope[level] += about * scale[level] / scale[off + c]
    big_k, tau0 = np.exp(u[k]), np.exp(u[tau : tau + s])
    amplitude, sigma = np.exp(u[amp]), np.exp(u[noise])
    ll, b_x0, b_x, b_z, b_k, b_tau, b_amp, b_off, b_noise = kernels.log_likelihood_by(
        u[:n].copy(), x_init, z_init, np.full(n, big_k), tau0, amplitude, u[off : off + m].copy(),
        sigma, weights, gain, envelope, mask, options, products,
    )  # fmt: skip
    value += kernels.wall(u[:n], b_x0)
    slope[:n] += b_x0 * scale[:n]
    if free == 1:
        slope[n : n + s * n] += b_x.ravel() * scale[n : n + s * n]
    slope[at : at + s * n] += b_z.ravel() * scale[at : at + s * n]
    slope[k] += b_k.sum() * big_k * scale[k]
    slope[tau : tau + s] += b_tau * tau0 * scale[tau : tau + s]
    slope[amp] += b_amp * amplitude * scale[amp]
    slope[off : off + m] += b_off * scale[off : off + m]
    slope[noise] += b_noise * sigma * scale[noise]
    return value + ll, slope
