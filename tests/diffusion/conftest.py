"""Fixtures with the phantom and its diffusion series."""

import pytest

from tests.diffusion.phantom import make_phantom, make_series, save_series


@pytest.fixture(scope="session")
def phantom():
    return make_phantom()


@pytest.fixture(scope="session")
def series(phantom):
    return make_series(phantom=phantom)


@pytest.fixture
def saved(series, tmp_path):
    return save_series(series, tmp_path / "dwi")
