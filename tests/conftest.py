"""Use the project's caches of compiled code; run the longest tests first."""

from virtualbrain.pipeline.environment import use_project_caches

use_project_caches()


def pytest_collection_modifyitems(items):
    """Start the longest tests first, so that no core waits for them at the end.

    First the complete patient, then the other files that start complete runs.
    """
    items.sort(
        key=lambda item: (
            item.path.name != "test_whole_patient.py",
            item.path.parent.name != "workflow",
        )
    )
