"""Head, fibres and diffusion series of the demo patient."""

import pytest


@pytest.fixture(scope="session")
def synthetic_head(demo_images):
    return demo_images.head


@pytest.fixture(scope="session")
def synthetic_bundles(demo_images):
    return demo_images.bundles


@pytest.fixture(scope="session")
def synthetic_diffusion(demo_images):
    return demo_images.diffusion
