# mypy: allow-untyped-defs
# The compiler of the loops infers their types.
"""Equations of the adaptive-exponential mean field of second order: the rates of one region.

Rates of neurons are in kHz and times in ms. The derivatives of the transfer functions with respect
to both rates are exact: every quantity is a tuple of its value, its two first derivatives (by the
rate of the excitatory and of the inhibitory neurons), and its three second derivatives. As in The
Virtual Brain, a first derivative is multiplied by 1e-3 and a second one by 1e-6.

Source: di Volo et al. 2019 (Neural Comput 31:653), Zerlaut et al. 2018 (J Comput Neurosci 44:45).
"""

import math
from typing import NamedTuple

from virtualbrain.models.compile import inner

SPONTANEOUS = 1.0e-6  # spontaneous release, kHz

_jet = inner(forceinline=True, fastmath={"contract"})

_ROOT_2 = math.sqrt(2.0)
_SLOPE_OF_ERFC = -2.0 / math.sqrt(math.pi)


class Parameters(NamedTuple):
    """Parameters of one region; units in `mean_field.AdExMeanField`."""

    g_L: float  # noqa: N815
    E_L_e: float
    E_L_i: float
    C_m: float
    b_e: float
    a_e: float
    b_i: float
    a_i: float
    tau_w_e: float
    tau_w_i: float
    E_e: float
    E_i: float
    Q_e: float
    Q_i: float
    tau_e: float
    tau_i: float
    N_tot: float
    p_connect_e: float
    p_connect_i: float
    g: float
    K_ext_e: float
    K_ext_i: float
    T: float
    external_input_ex_ex: float
    external_input_ex_in: float
    external_input_in_ex: float
    external_input_in_in: float
    tau_OU: float  # noqa: N815
    weight_noise: float
    S_i: float
    coupling: float


@_jet
def _product(u, v):
    return (
        u[0] * v[0],
        u[1] * v[0] + u[0] * v[1],
        u[2] * v[0] + u[0] * v[2],
        u[3] * v[0] + 2.0 * (u[1] * v[1]) + u[0] * v[3],
        u[4] * v[0] + u[1] * v[2] + u[2] * v[1] + u[0] * v[4],
        u[5] * v[0] + 2.0 * (u[2] * v[2]) + u[0] * v[5],
    )


@_jet
def _of(u, value, slope, curvature):
    """Return a function of u from its value, first and second derivative at u."""
    return (
        value,
        slope * u[1],
        slope * u[2],
        slope * u[3] + curvature * (u[1] * u[1]),
        slope * u[4] + curvature * (u[1] * u[2]),
        slope * u[5] + curvature * (u[2] * u[2]),
    )


@_jet
def _inverse(u):
    r = 1.0 / u[0]
    return _of(u, r, -r * r, 2.0 * r * r * r)


@_jet
def _product_with_linear(value, slope_1, slope_2, u):
    """Return the product of a function that is linear in both rates with u."""
    return (
        value * u[0],
        slope_1 * u[0] + value * u[1],
        slope_2 * u[0] + value * u[2],
        2.0 * slope_1 * u[1] + value * u[3],
        slope_1 * u[2] + slope_2 * u[1] + value * u[4],
        2.0 * slope_2 * u[2] + value * u[5],
    )


@_jet
def _inverse_of_linear(value, slope_1, slope_2):
    r = 1.0 / value
    a, b = -r * slope_1, -r * slope_2
    return r, r * a, r * b, 2.0 * r * a * a, 2.0 * r * a * b, 2.0 * r * b * b


@_jet
def _root_and_inverse(u):
    """Return the square root of u, and one over it."""
    s = math.sqrt(u[0])
    r = 1.0 / s
    r3 = r * r * r
    return _of(u, s, 0.5 * r, -0.25 * r3), _of(u, r, -0.5 * r3, 0.75 * r3 * r * r)


@_jet
def _sum(u, v):
    return u[0] + v[0], u[1] + v[1], u[2] + v[2], u[3] + v[3], u[4] + v[4], u[5] + v[5]


@_jet
def _line(shift, k, u):
    """Return shift + k u."""
    return shift + k * u[0], k * u[1], k * u[2], k * u[3], k * u[4], k * u[5]


@_jet
def transfer(E, I, external_e, external_i, W, E_L, P, p):  # noqa: E741
    """Return the rate of neurons and its derivatives, and their mean membrane potential."""
    n_e, n_i = (1.0 - p.g) * p.p_connect_e * p.N_tot, p.g * p.p_connect_i * p.N_tot
    f_e = (E + SPONTANEOUS) * n_e + external_e * p.K_ext_e
    f_i = (I + SPONTANEOUS) * n_i + external_i * p.K_ext_i
    k_e, k_i = p.Q_e * p.tau_e, p.Q_i * p.tau_i
    inverse_conductance = _inverse_of_linear(p.g_L + k_e * f_e + k_i * f_i, k_e * n_e, k_i * n_i)
    driven = p.g_L * E_L - W + k_e * p.E_e * f_e + k_i * p.E_i * f_i
    potential = _product_with_linear(
        driven, k_e * p.E_e * n_e, k_i * p.E_i * n_i, inverse_conductance
    )
    jump_e = _line(0.0, k_e, _product(inverse_conductance, _line(p.E_e, -1.0, potential)))
    jump_i = _line(0.0, k_i, _product(inverse_conductance, _line(p.E_i, -1.0, potential)))
    power_e = _product_with_linear(f_e, n_e, 0.0, _product(jump_e, jump_e))
    power_i = _product_with_linear(f_i, 0.0, n_i, _product(jump_i, jump_i))
    power = _sum(power_e, power_i)
    rate_e = _inverse(_line(p.tau_e, p.C_m, inverse_conductance))
    rate_i = _inverse(_line(p.tau_i, p.C_m, inverse_conductance))
    twice_variance = _sum(_product(power_e, rate_e), _product(power_i, rate_i))
    root, inverse_root = _root_and_inverse(twice_variance)
    correlation_rate = _product(twice_variance, _inverse(power))
    # Threshold, a polynomial of normalised mean, spread and correlation time of the potential.
    V = _line(6.0, 0.1, potential)
    S = _line(-4.0 / 6.0, 1.0 / (6.0 * _ROOT_2), root)
    T = _line(-0.5, p.g_L / p.C_m, _inverse(correlation_rate))
    by_V = _sum(_sum(_line(P[1], P[4], V), _line(0.0, P[7], S)), _line(0.0, P[8], T))
    by_S = _sum(_line(P[2], P[5], S), _line(0.0, P[9], T))
    by_T = _line(P[3], P[6], T)
    threshold = _line(
        1e3 * P[0], 1e3, _sum(_sum(_product(V, by_V), _product(S, by_S)), _product(T, by_T))
    )
    distance = _product(_sum(threshold, _line(0.0, -1.0, potential)), inverse_root)
    z = distance[0]
    slope = _SLOPE_OF_ERFC * math.exp(-z * z)
    tail = _of(distance, math.erfc(z), slope, -2.0 * z * slope)
    return _line(0.0, 0.5, _product(tail, correlation_rate)), potential[0]


@_jet
def rates(E, I, C_ee, C_ei, C_ii, W_e, W_i, ou, coupling, P_e, P_i, p):  # noqa: E741
    """Return the rates of all states of one region.

    E and I are the rates of excitatory and inhibitory neurons, C their covariances, W their
    adaptation, and ou the noise of the input. `coupling` is the input of the other regions.
    """
    noise = p.weight_noise * ou
    to_e = max(coupling + p.external_input_ex_ex + noise, 0.0)
    to_i = max(p.S_i * coupling + p.external_input_in_ex + noise, 0.0)
    F, potential_e = transfer(E, I, to_e, p.external_input_ex_in, W_e, p.E_L_e, P_e, p)
    H, potential_i = transfer(E, I, to_i, p.external_input_in_in, W_i, p.E_L_i, P_i, p)
    N_e, N_i = p.N_tot * (1.0 - p.g), p.N_tot * p.g
    error_e, error_i = F[0] - E, H[0] - I
    F_e, F_i, H_e, H_i = 1e-3 * F[1], 1e-3 * F[2], 1e-3 * H[1], 1e-3 * H[2]
    per_T = 1.0 / p.T
    return (
        per_T * (error_e + 1e-6 * (0.5 * C_ee * F[3] + C_ei * F[4] + 0.5 * C_ii * F[5])),
        per_T * (error_i + 1e-6 * (0.5 * C_ee * H[3] + C_ei * H[4] + 0.5 * C_ii * H[5])),
        per_T
        * (
            F[0] * (per_T - F[0]) / N_e + error_e * error_e + 2.0 * (C_ee * F_e + C_ei * F_i - C_ee)
        ),
        per_T * (error_e * error_i + C_ee * F_e + C_ei * (H_e + F_i) + C_ii * H_i - 2.0 * C_ei),
        per_T
        * (
            H[0] * (per_T - H[0]) / N_i + error_i * error_i + 2.0 * (C_ii * H_i + C_ei * H_e - C_ii)
        ),
        p.b_e * E + (p.a_e * (potential_e - p.E_L_e) - W_e) / p.tau_w_e,
        p.b_i * I + (p.a_i * (potential_i - p.E_L_i) - W_i) / p.tau_w_i,
        -ou / p.tau_OU,
    )
