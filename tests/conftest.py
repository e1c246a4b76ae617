"""Tests share the project's caches of compiled code, and start warm the second time."""

from virtualbrain.pipeline.job import use_project_caches

use_project_caches()


def pytest_collection_modifyitems(items):
    """Begin with what takes longest, so that no core waits for it at the end.

    That is the whole patient, then the other files that start whole runs.
    """
    items.sort(
        key=lambda item: (
            item.path.name != "test_whole_patient.py",
            item.path.parent.name != "workflow",
        )
    )
