import numpy as np
import pytest

from virtualbrain.synthetic.bundles import make_bundles
from virtualbrain.synthetic.diffusion_signal import make_diffusion
from virtualbrain.synthetic.head import make_head


@pytest.fixture(scope="session")
def synthetic_head():
    return make_head(np.random.default_rng(1))


@pytest.fixture(scope="session")
def synthetic_bundles(synthetic_head):
    return make_bundles(synthetic_head, np.random.default_rng(1))


@pytest.fixture(scope="session")
def synthetic_diffusion(synthetic_head, synthetic_bundles):
    return make_diffusion(synthetic_head, synthetic_bundles, np.random.default_rng(1))
