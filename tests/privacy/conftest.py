"""Use the synthetic patients of the SEEG tests."""

from tests.seeg.conftest import base_signal, patient

__all__ = ["base_signal", "patient"]
