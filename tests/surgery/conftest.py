"""A fitted network whose best plan is known by construction."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from virtualbrain.models.reduced_physics import equilibrium
from virtualbrain.network import normalise_weights
from virtualbrain.surgery.draws import FittedDraws, draws_from

REGIONS = [f"r{i}" for i in range(8)]
EPILEPTOGENIC = ("r0", "r4")


def chain_weights() -> np.ndarray:
    """r0 drives r1 and r2; r4 drives r5; r3, r6 and r7 hang on by weak edges."""
    weights = np.full((8, 8), 0.001)
    for i, j in ((0, 1), (0, 2), (4, 5)):
        weights[i, j] = weights[j, i] = 1.0
    return normalise_weights(weights)


@pytest.fixture
def posterior() -> xr.DataTree:
    rng = np.random.default_rng(5)
    n_chains, n_draws = 2, 60
    x0 = np.full(8, -3.2)
    x0[[0, 4]], x0[[1, 2, 5]] = -1.6, -2.3
    x0 = x0 + 0.02 * rng.standard_normal((n_chains, n_draws, 8))
    x_init, z_init = equilibrium(np.minimum(x0, -2.2))
    per_region = ("chain", "draw", "region")
    scalar = np.ones((n_chains, n_draws))
    samples = xr.Dataset(
        {
            "x0": (per_region, x0),
            "x_init": (per_region, x_init),
            "z_init": (per_region, z_init),
            "K": (("chain", "draw"), 1.5 * scalar),
            "tau0": (("chain", "draw"), 15.0 * scalar),
        },
        coords={"region": REGIONS},
    )
    constant = xr.Dataset(
        {
            "weights": (("region", "source"), chain_weights()),
            "time_s": (("seizure", "time"), np.linspace(-5, 75, 401)[None]),
        },
        coords={"region": REGIONS, "source": REGIONS},
    )
    tree = xr.DataTree.from_dict({"/posterior": samples, "/constant_data": constant})
    tree.attrs = {"dt": 0.1, "n_steps": 401, "I1": 3.1, "integrator": "euler"}
    return tree


@pytest.fixture
def regions() -> pd.DataFrame:
    return pd.DataFrame({"name": REGIONS, "volume": np.arange(1.0, 9.0) * 1000})


@pytest.fixture
def zones() -> pd.DataFrame:
    return pd.DataFrame({"region": ["r0", "r4", "r1", "r2", "r5", "r3", "r6", "r7"]})


@pytest.fixture
def generator() -> np.random.Generator:
    return np.random.default_rng(3)


@pytest.fixture
def draws(posterior, generator) -> FittedDraws:
    return draws_from(posterior, 20, generator)
