"""Put the workflow and its configuration into the wheel."""

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

INCLUDED = (
    "Snakefile",
    "workflow",
    "config",
    "envs/python.yaml",  # of the rules
    "envs/mrtrix3.yaml",
    "envs/requirements.lock",
)


class ProjectFolders(BuildHookInterface):
    """Map top-level folders to `virtualbrain/_project`, where `project_root` looks for them."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the folders; an editable installation uses those of the checkout."""
        if version != "editable":
            mapped = {name: f"virtualbrain/_project/{name}" for name in INCLUDED}
            build_data["force_include"].update(mapped)
