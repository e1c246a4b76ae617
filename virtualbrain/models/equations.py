# mypy: allow-untyped-defs
# The compiler of the loops infers their types.
"""Equations of the Epileptor models: the rates of one region.

Every function takes states, coupling sums and parameters of one region as plain numbers and
returns rates (derivatives in model time). The integrator calls it for each lane. Both sides of
every branch are evaluated, so that the compiler selects a value instead of jumping.

`c1`, `c2`, `c3` are the coupling sums of x1, x2 and x_rs. `current` is a stimulus that is added to
the rest current of population 1. The numbers 4, 0.1, 0.6, 0.3, 3.5, 0.25 and 0.01 belong to the
published model.

Source: Jirsa et al. 2014 (Brain 137:2210), Proix et al. 2014 (J Neurosci 34:15009), Courtiol et al.
2020 (J Neurosci 40:5572), as The Virtual Brain integrates them.
"""

import math

from virtualbrain.models.compile import inner


@inner(forceinline=True)
def population_1(x1, y1, z, x2, c1, current, a, b, c, d, Iext, slope, Kvf):
    """Return the rates of x1 and y1: fast discharges."""
    left = (b - a * x1) * x1
    right = slope - x2 + 0.6 * (z - 4.0) * (z - 4.0)
    gain = left if x1 < 0.0 else right
    return y1 - z + Iext + current + Kvf * c1 + gain * x1, c - d * x1 * x1 - y1


@inner(forceinline=True)
def population_2(x1, z, x2, y2, g, c2, Iext2, aa, bb, tau, Kf):
    """Return the rates of x2, y2 and g: spike-and-wave events and their slow drive."""
    pull = aa * (x2 + 0.25)
    recovery = 0.0 if x2 < -0.25 else pull
    dx2 = -y2 + x2 - x2 * x2 * x2 + Iext2 + bb * g - 0.3 * (z - 3.5) + Kf * c2
    return dx2, (recovery - y2) / tau, -0.01 * (g - 0.1 * x1)


@inner(forceinline=True)
def permittivity(x1, z, c1, x0, r, K):
    """Return the rate of z, which rises in seizure; seizing neighbours lower it."""
    z2 = z * z
    floor = -0.1 * (z2 * z2) * (z2 * z)
    return r * (4.0 * (x1 - x0) + (floor if z < 0.0 else 0.0) - z - K * c1)


@inner(forceinline=True)
def permittivity_modified(x1, z, c1, x0, r, K):
    """Return the rate of z in the sigmoid form, in which a LOW x0 means excitable."""
    return r * (x0 + 3.0 / (1.0 + math.exp(-(x1 + 0.5) / 0.1)) - z - K * c1)


@inner(forceinline=True)
def reduced_cubic(x, z, c1, current, a, b, c, d, Iext, Kvf):
    """Return the rate of x in the fitted form: y1 eliminated, cubic on both sides."""
    return c - z + Iext + current + Kvf * c1 - (a * x + d - b) * x * x


@inner(forceinline=True)
def reduced_tvb(x, z, c1, current, a, b, c, d, Iext, slope, Kvf):
    """Return the rate of x in the form of The Virtual Brain: another right branch."""
    left = (a * x + d - b) * x
    right = d * x - slope - 0.6 * (z - 4.0) * (z - 4.0)
    return c - z + Iext + current + Kvf * c1 - (left if x < 0.0 else right) * x


@inner(forceinline=True)
def resting_oscillator(
    x, y, c3, tau_rs, I_rs, a_rs, b_rs, d_rs, e_rs, f_rs, alpha_rs, beta_rs, gamma_rs, K_rs
):
    """Return the rates of x_rs and y_rs: the background rhythm of a region."""
    drive = gamma_rs * (I_rs + K_rs * c3)
    dx = d_rs * tau_rs * (alpha_rs * y + (e_rs - f_rs * x) * x * x + drive)
    return dx, d_rs * (a_rs + b_rs * x - beta_rs * y) / tau_rs


@inner(forceinline=True)
def accumulator(m, current, r2, decay, filling):
    """Return the rate of m, which accumulates the absolute stimulus and decays."""
    return r2 * (filling * abs(current) - decay * m)
