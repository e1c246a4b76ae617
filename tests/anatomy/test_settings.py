import pytest

from virtualbrain.anatomy.settings import AnatomySettings
from virtualbrain.errors import ConfigError


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"atlas": "../etc"}, "is invalid"),
        ({"atlas": ""}, "is invalid"),
        ({"atlas_space": "Talairach"}, "MNI or T1w"),
        ({"brain_extraction": "bet"}, "robex or template"),
        ({"registration": "slow"}, "standard or quick"),
        ({"working_mm": 0.0}, "0.5 to 4.0 mm"),
        ({"surface_spacing_mm": 50.0}, "1.0 to 8.0 mm"),
    ],
)
def test_invalid_settings_are_rejected(wrong, message):
    with pytest.raises(ConfigError, match=message):
        AnatomySettings(**wrong)


def test_defaults_are_valid():
    assert AnatomySettings().atlas == "DesikanKilliany"
