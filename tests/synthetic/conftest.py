"""A head, its fibres and its diffusion series: made by one process, read by all."""

import pickle

import numpy as np
import pytest

from virtualbrain.synthetic.bundles import make_bundles
from virtualbrain.synthetic.diffusion_signal import make_diffusion
from virtualbrain.synthetic.head import make_head


@pytest.fixture(scope="session")
def stored(made_once):
    """A function that returns what another function makes, from a file if it was made before."""

    def get(name, make):
        folder = made_once(
            f"synthetic-{name}", lambda new: (new / "made.pickle").write_bytes(pickle.dumps(make()))
        )
        return pickle.loads((folder / "made.pickle").read_bytes())

    return get


@pytest.fixture(scope="session")
def synthetic_head(stored):
    return stored("head", lambda: make_head(np.random.default_rng(1)))


@pytest.fixture(scope="session")
def synthetic_bundles(stored, synthetic_head):
    return stored("bundles", lambda: make_bundles(synthetic_head, np.random.default_rng(1)))


@pytest.fixture(scope="session")
def synthetic_diffusion(stored, synthetic_head, synthetic_bundles):
    return stored(
        "diffusion",
        lambda: make_diffusion(synthetic_head, synthetic_bundles, np.random.default_rng(1)),
    )
