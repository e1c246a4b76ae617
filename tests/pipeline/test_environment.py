"""Caches of compiled code."""

import os

from virtualbrain.pipeline.environment import use_project_caches


def test_changed_kernels_use_another_cache(tmp_path, monkeypatch):
    """numba would reuse a caller's machine code, which contains the old function."""
    kernels = tmp_path / "inference" / "kernels"
    kernels.mkdir(parents=True)
    (kernels / "sweeps.py").write_text("a = 1")
    monkeypatch.setattr("virtualbrain.pipeline.environment.project_root", lambda: tmp_path)
    found = []
    for text in ("a = 1", "a = 2", "a = 1"):
        (kernels / "sweeps.py").write_text(text)
        monkeypatch.setattr(os, "environ", {})
        use_project_caches()
        found.append(os.environ["NUMBA_CACHE_DIR"])
    assert found[0] == found[2] != found[1]
