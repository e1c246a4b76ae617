"""The models of the Epileptor family: parameters, states and rest states."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from virtualbrain.errors import ModelError
from virtualbrain.models import rates
from virtualbrain.models.reduced_physics import REST_CURRENT
from virtualbrain.models.variables import (
    ReducedParameters,
    ReducedStates,
    RestingParameters,
    RestingStates,
    SixParameters,
    SixStates,
    StimulationParameters,
    StimulationStates,
)

Array = NDArray[np.float64]

# x0 just below the threshold, in the usual and in the modified form.
_REST_X0 = -2.2
_REST_X0_MODIFIED = 3.1
# Duration of a seizure at x0 = -1.6, in model time multiplied by r and tt.
_SEIZURE_UNITS = 0.336


@dataclass(frozen=True, kw_only=True)
class _Model:
    """Base class of all models.

    Every parameter is a number, one per region (n_regions,), or, for an ensemble, one per member
    and region (n_members, n_regions).
    """

    states: ClassVar[tuple[str, ...]]
    parameters: ClassVar[tuple[str, ...]]
    coupled: ClassVar[Mapping[str, str]]

    x0: ArrayLike = -1.6
    K: ArrayLike = 0.0
    r: ArrayLike = 0.00035
    tt: ArrayLike = 1.0
    a: ArrayLike = 1.0
    b: ArrayLike = 3.0
    c: ArrayLike = 1.0
    d: ArrayLike = 5.0
    Iext: ArrayLike = REST_CURRENT
    slope: ArrayLike = 0.0
    Kvf: ArrayLike = 0.0
    seconds_per_unit: float = 1e-3

    def __post_init__(self) -> None:
        for name in self.parameters:
            if not np.isfinite(np.asarray(getattr(self, name), dtype=np.float64)).all():
                raise ModelError(f"{name} is not finite", where=type(self).__name__)
        for name in ("r", "tt", "seconds_per_unit"):
            if not (np.asarray(getattr(self, name)) > 0).all():
                raise ModelError(
                    f"{name} is not positive", where=type(self).__name__, expected="above zero"
                )

    @property
    def code(self) -> int:
        """Number of the model in the compiled rates."""
        raise NotImplementedError

    def lowest_stable_x1(self, dt: float, n_members: int, n_regions: int) -> Array:
        """Return the x1 below which an explicit step of `dt` (model time) is unstable.

        For negative x1 the relaxation rate of x1 is tt (3 a x1**2 - 2 B x1), with B = b, or b - d
        where y1 is eliminated. Euler and Heun steps are stable up to a rate of 2 / dt.

        Returns
        -------
        numpy.ndarray, shape (n_members or 1, n_regions)
            Values of x1, all negative.
        """
        p = dict(
            zip(self.parameters, self.packed(n_members, n_regions).swapaxes(0, 1), strict=True)
        )
        B = p["b"] if "y1" in self.states else p["b"] - p["d"]
        return np.asarray((B - np.sqrt(B**2 + 6.0 * p["a"] / (dt * p["tt"]))) / (3.0 * p["a"]))

    @property
    def tau0(self) -> Array:
        """Time scale of the slow variable, 1 / r."""
        return np.asarray(1.0 / np.asarray(self.r, dtype=np.float64))

    def packed(self, n_members: int, n_regions: int) -> Array:
        """Return the parameters, shape (n_members or 1, n_parameters, n_regions).

        Raises
        ------
        ModelError
            A parameter is neither a number, nor one per region, nor one per member and region.
        """
        values = [self._shaped(name, n_members, n_regions) for name in self.parameters]
        members = max(len(value) for value in values)
        wide = [np.broadcast_to(value, (members, n_regions)) for value in values]
        return np.stack(wide, axis=1)

    def _shaped(self, name: str, n_members: int, n_regions: int) -> Array:
        value = np.atleast_2d(np.asarray(getattr(self, name), dtype=np.float64))
        if (
            value.ndim != 2
            or value.shape[0] not in (1, n_members)
            or (value.shape[1] not in (1, n_regions))
        ):
            raise ModelError(
                f"{name} has the shape {np.shape(getattr(self, name))}",
                expected=f"a number, ({n_regions},) or ({n_members}, {n_regions})",
            )
        return value

    def uses(self, coupled_state: str) -> bool:
        """Return True if the coupling of a state has a parameter that is not zero."""
        names = self.coupled[coupled_state].split()
        return any(np.any(np.asarray(getattr(self, name)) != 0) for name in names)

    def rest(self, n_members: int, n_regions: int) -> Array:
        """Return initial states at rest for every region.

        It is the rest state of the region without coupling. A region above the threshold has
        none; it gets the rest state just below the threshold and starts its first seizure there.

        Parameters
        ----------
        n_members, n_regions : int
            Number of members of the ensemble (1 for a single run) and of regions.

        Returns
        -------
        numpy.ndarray, shape (n_members or 1, n_states, n_regions)
            The states in the order of `states`.
        """
        p = dict(
            zip(self.parameters, self.packed(n_members, n_regions).swapaxes(0, 1), strict=True)
        )
        x1, z = _rest_of_population_1(p, self._modified)
        return np.stack([self._rest_state(name, p, x1, z) for name in self.states], axis=1)

    @property
    def _modified(self) -> bool:
        return bool(getattr(self, "modification", False))

    def _rest_state(self, name: str, p: Mapping[str, Array], x1: Array, z: Array) -> Array:
        if name == "x1":
            return x1
        if name == "z":
            return z
        if name == "y1":
            return np.asarray(p["c"] - p["d"] * x1**2)
        if name == "g":
            return 0.1 * x1
        if name == "x2":
            drive = p["Iext2"] + p["bb"] * 0.1 * x1 - 0.3 * (z - 3.5)
            return _lowest_root(drive)
        return np.zeros_like(x1)


def _rest_of_population_1(p: Mapping[str, Array], modified: bool) -> tuple[Array, Array]:
    """Find x1 and z of the rest state on the left branch of the fast nullcline, by bisection."""
    B = p["b"] - p["d"]
    fold = np.minimum(2.0 * B / (3.0 * p["a"]), 0.0)
    x0 = np.maximum(p["x0"], _REST_X0_MODIFIED) if modified else np.minimum(p["x0"], _REST_X0)

    def slow(x: Array) -> Array:
        return x0 + 3.0 / (1.0 + np.exp(-(x + 0.5) / 0.1)) if modified else 4.0 * (x - x0)

    low, high = np.full_like(fold, -20.0), np.where(fold < 0, fold, 0.0)
    for _ in range(70):
        middle = 0.5 * (low + high)
        excess = p["c"] + p["Iext"] + (B - p["a"] * middle) * middle**2 - slow(middle)
        low, high = np.where(excess > 0, middle, low), np.where(excess > 0, high, middle)
    return middle, slow(middle)


def _lowest_root(drive: Array) -> Array:
    """Return the lowest real root of x**3 - x = drive."""
    x = np.full_like(drive, -2.0)
    for _ in range(60):
        x = x - (x**3 - x - drive) / (3.0 * x**2 - 1.0)
    return np.where(np.isfinite(x), np.clip(x, -2.0, 2.0), -1.0)


@dataclass(frozen=True, kw_only=True)
class Epileptor(_Model):
    r"""The six-dimensional Epileptor (Jirsa et al. 2014), with all parameters of The Virtual Brain.

    .. math::
        \dot x_1 &= t_t\,(y_1 - z + I_{ext} + K_{vf} c_1 + f_1 x_1) \\
        \dot y_1 &= t_t\,(c - d x_1^2 - y_1) \\
        \dot z &= t_t\, r\,(4(x_1 - x_0) - z - 0.1 z^7 [z < 0] - K c_1) \\
        \dot x_2 &= t_t\,(-y_2 + x_2 - x_2^3 + I_{ext2} + b_b g - 0.3(z - 3.5) + K_f c_2) \\
        \dot y_2 &= t_t\,(-y_2 + a_a (x_2 + 0.25)[x_2 \ge -0.25])/\tau \\
        \dot g &= -0.01\, t_t\,(g - 0.1 x_1)

    with :math:`f_1 = -a x_1^2 + b x_1` for :math:`x_1 < 0`, else
    :math:`slope - x_2 + 0.6 (z-4)^2`, and :math:`c_1 = \sum_j C_{ij}(x_{1,j} - x_{1,i})`; c_2 is
    the same sum of x_2.

    Every parameter is a number, one per region (n_regions,), or, for an ensemble, one per member
    and region (n_members, n_regions). The model has no units; rates are per unit of model time.

    Parameters
    ----------
    x0 : array_like
        Excitability; without coupling seizures start above about -2.06. With `modification` a LOW
        value is the excitable one (threshold 2.91).
    K : array_like
        Permittivity coupling, K > 0: a seizing neighbour pushes a region towards seizure. ``Ks`` of
        The Virtual Brain is -K.
    r : array_like
        Rate of the slow variable z, 1 / tau0.
    tt : array_like
        Speed of all rates: 0.1 makes a seizure ten times as long. See `slowed_to`.
    a, b, c, d : array_like
        Coefficients of the fast population.
    Iext : array_like
        Rest current of population 1.
    slope : array_like
        Added to the factor of x1 in its own rate where x1 >= 0, so it drives x1 further up during
        a discharge; 0 as published.
    Kvf : array_like
        Very fast coupling: factor of c_1 in the rate of x1. With 0, the default, x1 of other
        regions acts through `K` only.
    Iext2 : array_like
        Rest current of population 2.
    tau : array_like
        Time scale of y2.
    aa, bb : array_like
        Factor of y2, and of the low-pass variable g in population 2.
    Kf : array_like
        Fast coupling: factor of c_2 in the rate of x2, between the spike-and-wave events of
        regions; 0 by default.
    modification : bool
        The sigmoid form of the slow variable.
    seconds_per_unit : float
        Duration of one unit of model time in seconds, at tt = 1; 1 ms as in The Virtual Brain.

    Raises
    ------
    ModelError
        A parameter is not finite, or `r`, `tt` or `seconds_per_unit` is not positive.

    References
    ----------
    Jirsa et al. 2014, Brain 137:2210.
    """

    states: ClassVar[tuple[str, ...]] = SixStates._fields
    parameters: ClassVar[tuple[str, ...]] = SixParameters._fields
    coupled: ClassVar[Mapping[str, str]] = {"x1": "K Kvf", "x2": "Kf"}

    Iext2: ArrayLike = 0.45
    tau: ArrayLike = 10.0
    aa: ArrayLike = 6.0
    bb: ArrayLike = 2.0
    Kf: ArrayLike = 0.0
    modification: bool = False

    def slowed_to(self, seizure_s: float) -> Self:
        """Return the same model with `tt` set so that a seizure lasts about `seizure_s`.

        The seizure of an uncoupled region takes 0.336 / (r tt) units of model time at x0 = -1.6,
        0.27 at -1.8 and 0.22 near the threshold (measured). Coupling changes the duration.

        Parameters
        ----------
        seizure_s : float
            Duration of a seizure in seconds.

        Returns
        -------
        Epileptor
            The slowed model, of the same class.

        Raises
        ------
        ModelError
            The duration is not positive.
        """
        if not seizure_s > 0:
            raise ModelError(f"seizure duration of {seizure_s} s", expected="seconds above zero")
        tt = _SEIZURE_UNITS * self.seconds_per_unit / (np.asarray(self.r) * seizure_s)
        return replace(self, tt=tt)

    @property
    def code(self) -> int:
        """Number of the model in the compiled rates."""
        return rates.SIX_D_MODIFIED if self.modification else rates.SIX_D


@dataclass(frozen=True, kw_only=True)
class Epileptor2D(_Model):
    r"""The two-dimensional reduction (Proix et al. 2014), y1 eliminated.

    .. math::
        \dot x &= t_t\,(c - z + I_{ext} + K_{vf} c_1 - f x) \\
        \dot z &= t_t\, r\,(4(x - x_0) - z - 0.1 z^7 [z < 0] - K c_1)

    with :math:`f = a x^2 + (d - b) x` for :math:`x < 0`. For :math:`x \ge 0` f is the same
    (``cubic``, the form that is fitted) or :math:`d x - slope - 0.6 (z - 4)^2` (``tvb``), and
    :math:`c_1 = \sum_j C_{ij}(x_j - x_i)`.

    Every parameter is a number, one per region (n_regions,), or, for an ensemble, one per member
    and region (n_members, n_regions). The model has no units; rates are per unit of model time.

    Parameters
    ----------
    x0, K, r, tt : array_like
        Excitability, coupling, 1 / tau0 and speed, as in `Epileptor`.
    a, b, c, d : array_like
        Coefficients of the fast population.
    Iext : array_like
        Rest current of population 1.
    slope : array_like
        Added to the factor of x in its own rate where x >= 0; used by the form ``tvb`` only.
    Kvf : array_like
        Very fast coupling: factor of c_1 in the rate of x; 0 by default.
    form : {"cubic", "tvb"}
        The form of f for :math:`x \ge 0`.
    modification : bool
        The sigmoid form of the slow variable.
    seconds_per_unit : float
        Duration of one unit of model time in seconds, at tt = 1.

    Raises
    ------
    ModelError
        A parameter is not finite, or `r`, `tt` or `seconds_per_unit` is not positive.

    References
    ----------
    Proix et al. 2014, J Neurosci 34:15009.
    """

    states: ClassVar[tuple[str, ...]] = ReducedStates._fields
    parameters: ClassVar[tuple[str, ...]] = ReducedParameters._fields
    coupled: ClassVar[Mapping[str, str]] = {"x1": "K Kvf"}

    form: Literal["cubic", "tvb"] = "cubic"
    modification: bool = False

    @property
    def code(self) -> int:
        """Number of the model in the compiled rates."""
        if self.form not in ("cubic", "tvb"):
            raise ModelError(f"unknown form {self.form!r}", expected="cubic or tvb")
        if self.form == "cubic":
            return rates.CUBIC_MODIFIED if self.modification else rates.CUBIC
        return rates.TVB_2D_MODIFIED if self.modification else rates.TVB_2D


@dataclass(frozen=True, kw_only=True)
class EpileptorRestingState(Epileptor):
    r"""The Epileptor with a background rhythm (Courtiol et al. 2020).

    .. math::
        \dot x_{rs} &= d_{rs}\tau_{rs}\,(\alpha y_{rs} - f x_{rs}^3 + e x_{rs}^2
                       + \gamma (I_{rs} + K_{rs} c_3)) \\
        \dot y_{rs} &= d_{rs}\,(a_{rs} + b_{rs} x_{rs} - \beta y_{rs})/\tau_{rs}

    LFP :math:`= p(x_2 - x_1) + (1 - p) x_{rs}`. `tt` does not change the rhythm, as in The
    Virtual Brain. There is no `modification`. :math:`c_3 = \sum_j C_{ij}(x_{rs,j} - x_{rs,i})`. The
    other parameters, their shapes and errors are those of `Epileptor`.

    Parameters
    ----------
    tau_rs, d_rs : array_like
        Time scales of the rhythm.
    a_rs, b_rs, e_rs, f_rs, alpha_rs, beta_rs, gamma_rs : array_like
        Coefficients of the rhythm.
    I_rs : array_like
        Current into the rhythm.
    K_rs : array_like
        Coupling of x_rs.
    p : array_like
        Fraction of the LFP that comes from the Epileptor, 0 to 1; the rest is the rhythm. The
        default 0 shows the rhythm alone, 1 the LFP of `Epileptor`. It changes no dynamics.

    References
    ----------
    Courtiol et al. 2020, J Neurosci 40:5572.
    """

    states: ClassVar[tuple[str, ...]] = (*SixStates._fields, *RestingStates._fields)
    parameters: ClassVar[tuple[str, ...]] = (*SixParameters._fields, *RestingParameters._fields)
    coupled: ClassVar[Mapping[str, str]] = {"x1": "K Kvf", "x2": "Kf", "x_rs": "K_rs"}

    tau_rs: ArrayLike = 1.0
    I_rs: ArrayLike = 0.0
    a_rs: ArrayLike = -2.0
    b_rs: ArrayLike = -10.0
    d_rs: ArrayLike = 0.02
    e_rs: ArrayLike = 3.0
    f_rs: ArrayLike = 1.0
    alpha_rs: ArrayLike = 1.0
    beta_rs: ArrayLike = 1.0
    gamma_rs: ArrayLike = 1.0
    K_rs: ArrayLike = 1.0
    p: ArrayLike = 0.0

    @property
    def code(self) -> int:
        """Number of the model in the compiled rates."""
        if self.modification:
            raise ModelError("the resting-state Epileptor has no modification")
        return rates.RESTING


@dataclass(frozen=True, kw_only=True)
class EpileptorStimulation(Epileptor):
    r"""The Epileptor with an accumulator of stimulation (Dollomaja et al. 2025, 7 dimensions).

    .. math::
        \dot x_1 &= \ldots + gain\, I_{stim} \\
        \dot z &= t_t\, r\,(4(x_1 - x_0 - H(m - threshold)) - z - K c_1) \\
        \dot m &= t_t\, r_2\,(filling\,|I_{stim}| - decay\; m)

    Three forms are published. This one keeps all six equations, so without a stimulus it equals
    the Epileptor. The neural-field form and the four-dimensional form have no population 2. The
    published code also reads a coupling of m that is not defined; it is left out here.

    The other parameters, their shapes and errors are those of `Epileptor`.

    Parameters
    ----------
    r2 : array_like
        Rate of the accumulator m.
    threshold : array_like
        Value of m above which x0 is raised by 1. A large value keeps stimulation from starting a
        seizure.
    gain : array_like
        Factor of the stimulation current in population 1.
    decay, filling : array_like
        Factors of the decay of m, and of its growth by the absolute current.

    References
    ----------
    Dollomaja et al. 2025, PLoS Comput Biol 21:e1012911.
    """

    states: ClassVar[tuple[str, ...]] = (*SixStates._fields, *StimulationStates._fields)
    parameters: ClassVar[tuple[str, ...]] = (
        *SixParameters._fields,
        *StimulationParameters._fields,
    )

    r2: ArrayLike = 0.00035
    threshold: ArrayLike = 1.8
    gain: ArrayLike = 3.0
    decay: ArrayLike = 0.3
    filling: ArrayLike = 20.0

    @property
    def code(self) -> int:
        """Number of the model in the compiled rates."""
        if self.modification:
            raise ModelError("the stimulation Epileptor has no modification")
        return rates.STIMULATED


Model = Epileptor | Epileptor2D
