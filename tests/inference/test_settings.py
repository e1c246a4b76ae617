"""Invalid settings are refused."""

import pytest

from inference.settings import Settings
from virtualbrain.errors import ConfigError


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"method": "magic"}, "expected onsets or nuts or laplace"),
        ({"observation": "cubic"}, "expected logpower or linear"),
        ({"chains": 0}, "chains is 0"),
        ({"n_steps": 5}, "20 steps or more"),
        ({"dt": 0.0}, "dt above zero"),
        ({"tempering": 2.0}, "tempering is 2"),
    ],
)
def test_invalid_settings_are_refused(values, words):
    with pytest.raises(ConfigError, match=words):
        Settings(**values)
