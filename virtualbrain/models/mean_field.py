"""The adaptive-exponential mean field of second order: states and parameters."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from virtualbrain.errors import ModelError
from virtualbrain.models.mean_field_rates import Parameters

Array = NDArray[np.float64]

# Coefficients of the thresholds of excitatory and inhibitory neurons, as in the published
# whole-brain simulations. The Virtual Brain's class has other digits, with which the same coupling
# saturates the network near 190 Hz.
_P_E = (-0.0498, 0.00506, -0.025, 0.0014, -0.00041, 0.0105, -0.036, 0.0074, 0.0012, -0.0407)
_P_I = (-0.0514, 0.004, -0.0083, 0.0002, -0.0005, 0.0014, -0.0146, 0.0045, 0.0028, -0.0153)
_POSITIVE = ("g_L", "C_m", "tau_w_e", "tau_w_i", "Q_e", "Q_i", "tau_e", "tau_i", "N_tot",
             "p_connect_e", "p_connect_i", "g", "T", "tau_OU")  # fmt: skip
WAKE_B_E, SLEEP_B_E = 5.0, 60.0


@dataclass(frozen=True, kw_only=True)
class AdExMeanField:
    r"""Mean field of excitatory and inhibitory adaptive exponential neurons in each region.

    .. math::
        T \dot\nu_\mu &= F_\mu - \nu_\mu + \tfrac12 \sum_{\lambda\eta} c_{\lambda\eta}
            \partial_\lambda \partial_\eta F_\mu \\
        T \dot c_{\lambda\eta} &= \delta_{\lambda\eta} F_\lambda (1/T - F_\lambda) / N_\lambda
            + (F_\lambda - \nu_\lambda)(F_\eta - \nu_\eta)
            + \sum_\mu (c_{\lambda\mu} \partial_\mu F_\eta + c_{\mu\eta} \partial_\mu F_\lambda)
            - 2 c_{\lambda\eta} \\
        \dot W_\mu &= -W_\mu / \tau_{w\mu} + b_\mu \nu_\mu
            + a_\mu (\mu_V - E_{L\mu}) / \tau_{w\mu}

    The equations are those of ZerlautAdaptationSecondOrder of The Virtual Brain, and parameters
    have its names. The defaults are those of the published whole-brain simulations. ``b_e`` sets
    the brain state: `WAKE_B_E` gives irregular activity, `SLEEP_B_E` slow waves.

    Every parameter except `P_e` and `P_i` is a number, one per region (n_regions,), or, for an
    ensemble, one per member and region (n_members, n_regions) or (n_members, 1).

    Parameters
    ----------
    g_L, C_m : array_like
        Leak conductance (nS) and capacitance (pF) of a neuron.
    E_L_e, E_L_i, E_e, E_i : array_like
        Reversal potentials of leak and synapses (mV).
    a_e, a_i, b_e, b_i, tau_w_e, tau_w_i : array_like
        Adaptation: conductance (nS), increment at a spike (pA), time constant (ms).
    Q_e, Q_i, tau_e, tau_i : array_like
        Quantal conductance (nS) and decay time (ms) of the synapses.
    N_tot, p_connect_e, p_connect_i, g : array_like
        Number of neurons, connection probabilities, fraction of inhibitory neurons.
    K_ext_e, K_ext_i : array_like
        Synapses from outside the region.
    T : array_like
        Time scale of the mean field (ms); 20 as in The Virtual Brain, 40 in newer simulations.
    external_input_ex_ex, external_input_ex_in : array_like
        Drive (kHz) of the excitatory neurons, by excitatory and by inhibitory ones.
    external_input_in_ex, external_input_in_in : array_like
        The same of the inhibitory neurons.
    tau_OU, weight_noise : array_like
        Correlation time (ms) and weight of the noise ``ou_drift`` of the drive.
    S_i : array_like
        Input of other regions to the inhibitory neurons, relative to the excitatory ones.
    coupling : array_like
        Factor of the summed input of other regions.
    P_e, P_i : sequence of float
        Ten coefficients of the threshold of excitatory and inhibitory neurons.

    Raises
    ------
    ModelError
        A parameter is not finite, or one that must be positive is not.

    References
    ----------
    di Volo et al. 2019, Neural Comput 31:653.
    """

    states: ClassVar[tuple[str, ...]] = (
        "E", "I", "C_ee", "C_ei", "C_ii", "W_e", "W_i", "ou_drift",
    )  # fmt: skip
    units: ClassVar[dict[str, str]] = {
        "E": "kHz", "I": "kHz", "C_ee": "kHz2", "C_ei": "kHz2", "C_ii": "kHz2", "W_e": "pA",
        "W_i": "pA", "ou_drift": "1",
    }  # fmt: skip
    parameters: ClassVar[tuple[str, ...]] = Parameters._fields

    g_L: ArrayLike = 10.0  # noqa: N815
    E_L_e: ArrayLike = -63.0
    E_L_i: ArrayLike = -65.0
    C_m: ArrayLike = 200.0
    b_e: ArrayLike = WAKE_B_E
    a_e: ArrayLike = 0.0
    b_i: ArrayLike = 0.0
    a_i: ArrayLike = 0.0
    tau_w_e: ArrayLike = 500.0
    tau_w_i: ArrayLike = 1.0
    E_e: ArrayLike = 0.0
    E_i: ArrayLike = -80.0
    Q_e: ArrayLike = 1.5
    Q_i: ArrayLike = 5.0
    tau_e: ArrayLike = 5.0
    tau_i: ArrayLike = 5.0
    N_tot: ArrayLike = 10_000.0
    p_connect_e: ArrayLike = 0.05
    p_connect_i: ArrayLike = 0.05
    g: ArrayLike = 0.2
    K_ext_e: ArrayLike = 400.0
    K_ext_i: ArrayLike = 0.0
    T: ArrayLike = 20.0
    external_input_ex_ex: ArrayLike = 0.315e-3
    external_input_ex_in: ArrayLike = 0.0
    external_input_in_ex: ArrayLike = 0.315e-3
    external_input_in_in: ArrayLike = 0.0
    tau_OU: ArrayLike = 5.0  # noqa: N815
    weight_noise: ArrayLike = 1e-4
    S_i: ArrayLike = 1.0
    coupling: ArrayLike = 0.3
    P_e: tuple[float, ...] = _P_E
    P_i: tuple[float, ...] = _P_I

    def __post_init__(self) -> None:
        for name in (*self.parameters, "P_e", "P_i"):
            if not np.isfinite(np.asarray(getattr(self, name), dtype=np.float64)).all():
                raise ModelError(f"{name} is not finite", where=type(self).__name__)
        for name in _POSITIVE:
            if not (np.asarray(getattr(self, name)) > 0).all():
                raise ModelError(
                    f"{name} is not positive", where=type(self).__name__, expected="above zero"
                )
        if not (np.asarray(self.g) < 1).all():
            raise ModelError("g is not a fraction", where=type(self).__name__, expected="below 1")
        for name in ("P_e", "P_i"):
            if np.shape(getattr(self, name)) != (10,):
                raise ModelError(
                    f"{name} has the shape {np.shape(getattr(self, name))}",
                    where=type(self).__name__,
                    expected="ten coefficients",
                )

    def packed(self, n_members: int, n_regions: int) -> Array:
        """Return the parameters, shape (n_members or 1, n_regions, n_parameters).

        Raises
        ------
        ModelError
            A parameter is neither a number, nor one per region, nor one per member and region.
        """
        values = [np.atleast_2d(np.asarray(getattr(self, n), np.float64)) for n in self.parameters]
        for name, value in zip(self.parameters, values, strict=True):
            if (
                value.ndim > 2
                or value.shape[0] not in (1, n_members)
                or value.shape[1] not in (1, n_regions)
            ):
                raise ModelError(
                    f"{name} has the shape {np.shape(getattr(self, name))}",
                    where=type(self).__name__,
                    expected=f"a number, ({n_regions},) or ({n_members}, {n_regions})",
                )
        members = max(len(value) for value in values)
        wide = [np.broadcast_to(value, (members, n_regions)) for value in values]
        return np.ascontiguousarray(np.stack(wide, axis=2))
