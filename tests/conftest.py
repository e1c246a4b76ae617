"""Tests share the project's caches of compiled code, and start warm the second time."""

from virtualbrain.stage import use_project_caches

use_project_caches()
