#!/usr/bin/env bash
# Pin the newest versions that pyproject.toml allows, with the hashes of all their files; no
# registry's address is written.
# Usage: envs/lock.sh [keep]    keep: pin only what is not pinned yet
set -euo pipefail
cd "$(dirname "$0")/.."
command -v uv >/dev/null || .venv/bin/python -m pip install --quiet uv
export PATH="$PWD/.venv/bin:$PATH"
mkdir -p .cache
earlier=.cache/earlier.lock
if [ "${1:-}" = keep ]; then cat envs/requirements{,-test,-docs}.lock; fi >"$earlier"
compile=(uv pip compile --universal --generate-hashes --quiet
    --no-header --no-annotate --no-emit-index-url --no-emit-find-links)

printf 'hatchling\neditables\npip\n' |
    "${compile[@]}" -c "$earlier" pyproject.toml - -o .cache/runtime.lock
"${compile[@]}" -c "$earlier" -c .cache/runtime.lock --extra test pyproject.toml -o .cache/all.lock
"${compile[@]}" -c "$earlier" -c .cache/runtime.lock --extra docs pyproject.toml -o .cache/docs.lock
{
    grep '^#' envs/requirements-group.lock
    grep -o '^[^# ]*==[^ ]*' envs/requirements-group.lock | "${compile[@]}" --no-deps -
} >.cache/group.lock
echo uv | "${compile[@]}" --no-deps - -o .cache/uv.lock

cp .cache/runtime.lock envs/requirements.lock
grep -vxFf envs/requirements.lock .cache/all.lock >envs/requirements-test.lock
grep -vxFf envs/requirements.lock .cache/docs.lock >envs/requirements-docs.lock
cp .cache/group.lock envs/requirements-group.lock
cp .cache/uv.lock envs/requirements-uv.lock
