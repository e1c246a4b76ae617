#!/usr/bin/env bash
# Pin the newest versions that pyproject.toml allows; no registry's address is written.
set -euo pipefail
cd "$(dirname "$0")/.."
command -v uv >/dev/null || .venv/bin/python -m pip install --quiet uv
export PATH="$PWD/.venv/bin:$PATH"
rm -f envs/requirements.lock envs/requirements-test.lock # old pins would be kept
common=(--universal --no-header --no-annotate --no-emit-index-url --no-emit-find-links --quiet)
printf 'hatchling\neditables\npip\n' |
    uv pip compile "${common[@]}" pyproject.toml - -o envs/requirements.lock
uv pip compile "${common[@]}" --extra test -c envs/requirements.lock pyproject.toml -o .cache/all.lock
grep -vxFf envs/requirements.lock .cache/all.lock >envs/requirements-test.lock
