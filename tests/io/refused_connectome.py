"""The error that refuses a ready connectome."""

from pathlib import Path

import pytest

from virtualbrain.errors import InputError
from virtualbrain.io.connectome import read_placed_connectome


def problem_of(folder: Path) -> InputError:
    """Read a ready connectome that must be refused; return the reason."""
    with pytest.raises(InputError) as caught:
        read_placed_connectome(folder)
    return caught.value
