import numpy as np
import pytest

from virtualbrain.synthetic.bundles import make_bundles
from virtualbrain.synthetic.diffusion_signal import make_diffusion
from virtualbrain.synthetic.head import make_head


@pytest.fixture(scope="session")
def made_head():
    return make_head(np.random.default_rng(1))


@pytest.fixture(scope="session")
def made_bundles(made_head):
    return make_bundles(made_head, np.random.default_rng(1))


@pytest.fixture(scope="session")
def made_diffusion(made_head, made_bundles):
    return make_diffusion(made_head, made_bundles, np.random.default_rng(1))
