"""States and parameters of each model in memory order, and their offsets within a block.

A block holds `LANES` regions; each variable of a block is a run of `LANES` numbers
(`virtualbrain.models.simd_layout`).
"""

from typing import NamedTuple

from virtualbrain.models.simd_layout import LANES


class SixStates(NamedTuple):
    """States of the six-dimensional Epileptor."""

    x1: int
    y1: int
    z: int
    x2: int
    y2: int
    g: int


class RestingStates(NamedTuple):
    """Further states of the resting-state Epileptor."""

    x_rs: int
    y_rs: int


class StimulationStates(NamedTuple):
    """Further state of the stimulation Epileptor."""

    m: int


class ReducedStates(NamedTuple):
    """States of the two-dimensional Epileptor."""

    x1: int
    z: int


class CouplingSums(NamedTuple):
    """Coupling sums of a region: those of x1, x2 and x_rs."""

    x1: int
    x2: int
    x_rs: int


class SixParameters(NamedTuple):
    """Parameters of the six-dimensional Epileptor."""

    x0: int
    K: int
    r: int
    tt: int
    a: int
    b: int
    c: int
    d: int
    Iext: int
    Iext2: int
    slope: int
    tau: int
    aa: int
    bb: int
    Kvf: int
    Kf: int


class RestingParameters(NamedTuple):
    """Further parameters of the resting-state Epileptor."""

    tau_rs: int
    I_rs: int
    a_rs: int
    b_rs: int
    d_rs: int
    e_rs: int
    f_rs: int
    alpha_rs: int
    beta_rs: int
    gamma_rs: int
    K_rs: int
    p: int


class StimulationParameters(NamedTuple):
    """Further parameters of the stimulation Epileptor."""

    r2: int
    threshold: int
    gain: int
    decay: int
    filling: int


class ReducedParameters(NamedTuple):
    """Parameters of the two-dimensional Epileptor."""

    x0: int
    K: int
    r: int
    tt: int
    a: int
    b: int
    c: int
    d: int
    Iext: int
    slope: int
    Kvf: int


def _offsets(fields: tuple[str, ...], after: tuple[str, ...] = ()) -> list[int]:
    """Return the offset of each field, in numbers, behind the fields `after`."""
    return [LANES * (len(after) + k) for k in range(len(fields))]


STATE = SixStates(*_offsets(SixStates._fields))
RESTING_STATE = RestingStates(*_offsets(RestingStates._fields, SixStates._fields))
STIMULATION_STATE = StimulationStates(*_offsets(StimulationStates._fields, SixStates._fields))
REDUCED_STATE = ReducedStates(*_offsets(ReducedStates._fields))
SUM = CouplingSums(*_offsets(CouplingSums._fields))
PARAMETER = SixParameters(*_offsets(SixParameters._fields))
RESTING_PARAMETER = RestingParameters(*_offsets(RestingParameters._fields, SixParameters._fields))
STIMULATION_PARAMETER = StimulationParameters(
    *_offsets(StimulationParameters._fields, SixParameters._fields)
)
REDUCED_PARAMETER = ReducedParameters(*_offsets(ReducedParameters._fields))
