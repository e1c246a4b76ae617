#!/usr/bin/env bash
# Set up the project: interpreter, virtual environment, packages, MRtrix3; for tests also Chromium
# and, if possible, Slurm.
# Usage: envs/setup.sh runtime|test|docs
set -euo pipefail
cd "$(dirname "$0")/.."
venv=.venv

say() { printf 'set-up: %s\n' "$*" >&2; }
fail() { say "$*"; exit 2; }

is_new_enough() {
    "$1" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 12) or sys.version_info >= (3, 14))' 2>/dev/null
}

find_python() {
    local candidate
    for candidate in python3.12 python3.13 python3 \
        "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.1[23]*/bin/python3 \
        "${XDG_DATA_HOME:-$HOME/.local/share}"/uv/python/cpython-3.1[23]*/bin/python3; do
        if command -v "$candidate" >/dev/null 2>&1 && is_new_enough "$candidate"; then
            command -v "$candidate"
            return
        fi
    done
    fail "no Python 3.12 or 3.13 found; install one (apt-get install python3.12 python3.12-venv, pyenv install 3.12, or uv python install 3.12) and start again"
}

have_packages() { # names of programs
    local program
    for program in "$@"; do command -v "$program" >/dev/null 2>&1 || return 1; done
}

install_system() { # Debian package, then the programs in it
    local package=$1
    shift
    if have_packages "$@"; then return; fi
    local as_root=()
    if [ "$(id -u)" != 0 ]; then
        as_root=(sudo -n)
        sudo -n true 2>/dev/null ||
            fail "$package is missing and needs an administrator: sudo apt-get install $package"
    fi
    command -v apt-get >/dev/null || fail "$package is missing: install it with this system's package manager or from envs/"
    say "installing $package"
    mkdir -p .cache
    if ! { "${as_root[@]}" apt-get update && "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y --no-install-recommends "$package"; } >.cache/apt.log 2>&1; then
        fail "apt-get install $package failed, see .cache/apt.log; install it by hand and start again"
    fi
    have_packages "$@" || fail "$package was installed but $* cannot be found on the PATH"
}

pip_error() { # one line from pip's log
    local package
    package=$(sed -n '/DO NOT MATCH THE HASHES/{n;s/^ *\([^ ]*\).*/\1/p;q}' .cache/pip.log)
    if [ -n "$package" ]; then
        echo "the file of $package has another hash than envs/ states; do not use it before you know why"
    else
        grep -m1 '^ERROR' .cache/pip.log || tail -n 1 .cache/pip.log
    fi
}

pip_install() { "$venv/bin/python" -m pip install --no-deps --disable-pip-version-check "$@" >>.cache/pip.log 2>&1; }

# uv takes a fraction of pip's time, but does not read pip's settings: an index, or none.
has_uv() {
    ! "$venv/bin/python" -m pip config list 2>/dev/null | grep -qE '\.(index-url|no-index)=' &&
        { [ -x "$venv/bin/uv" ] || pip_install --require-hashes -r envs/requirements-uv.lock; }
}

uv_install() {
    UV_HTTP_RETRIES=1 "$venv/bin/uv" pip install --python "$venv/bin/python" --system-certs \
        --no-config --no-deps --require-hashes "$@" >>.cache/uv.log 2>&1
}

# Python compiles a package when it is first imported: most are never.
install_python_packages() { # lock files
    say "installing Python packages (up to three minutes)"
    mkdir -p .cache
    local arguments=()
    for lock in "$@"; do arguments+=(-r "$lock"); done
    if has_uv && uv_install "${arguments[@]}"; then return; fi
    : >.cache/pip.log
    pip_install --require-hashes --no-compile "${arguments[@]}" ||
        fail "pip could not install the locked packages: $(pip_error) (see .cache/pip.log)"
}

runtime() {
    install_system mrtrix3 mrconvert tckgen tcksift2
    if [ ! -x "$venv/bin/python" ] || ! is_new_enough "$venv/bin/python"; then
        local python
        python=$(find_python)
        say "creating $venv with $python"
        rm -rf "$venv"
        "$python" -m venv "$venv"
    fi
    install_python_packages envs/requirements.lock envs/requirements-group.lock
    pip_install --no-build-isolation -e . ||
        fail "the project itself could not be installed, see .cache/pip.log"
    touch "$venv/.runtime-ready"
}

install_slurm() { # a cluster of one node for the tests, which are skipped without it
    (
        export PATH="$PATH:/usr/sbin:/sbin"
        install_system munge munged && install_system slurm-wlm slurmctld slurmd sbatch
    ) || say "the Slurm tests will be skipped"
}

tests() {
    install_system chromium chromium
    install_slurm
    install_python_packages envs/requirements-test.lock
    touch "$venv/.test-ready"
}

docs() {
    install_python_packages envs/requirements-docs.lock
    touch "$venv/.docs-ready"
}

case "${1:-}" in
runtime) runtime ;;
test) tests ;;
docs) docs ;;
*) fail "usage: envs/setup.sh runtime|test|docs" ;;
esac
