#!/usr/bin/env bash
# Make the content of the container image as a folder, from Debian packages and the wheel, without
# Docker; run a command in it without a network.
# Usage: envs/root-file-system.sh make ROOT             (root; needs mmdebstrap and a network)
#        envs/root-file-system.sh run ROOT BIDS OUT COMMAND...    (root; BIDS is read-only)
# The command runs as the owner of OUT.
set -euo pipefail
project=$(cd "$(dirname "$0")/.." && pwd)
suite=trixie

make_root() { # folder
    local bundle=${PIP_CERT:-} hooks=()
    if [ -n "$bundle" ]; then # of a proxy, for the time of the installation
        hooks+=(--customize-hook="install -D '$bundle' \"\$1/run/secrets/certificates\"")
    fi
    mmdebstrap --variant=apt "$suite" "$1" \
        --customize-hook="mkdir -p \"\$1/src\"" \
        --customize-hook="cd '$project' && cp -r LICENSE README.md Snakefile pyproject.toml \
            config envs inference virtualbrain workflow \"\$1/src\"" \
        "${hooks[@]}" \
        --customize-hook="chroot \"\$1\" env -i PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
            sh -c 'cd /src && sh envs/container.sh'" \
        --customize-hook="rm -rf \"\$1/src\" \"\$1/run/secrets\""
}

run_in_root() { # root, dataset, results, command...
    local root=$1 bids=$2 out=$3 owner
    shift 3
    owner=$(stat -c %u:%g "$out")
    # shellcheck disable=SC2016 # expanded by the inner shell
    unshare --net --mount --pid --ipc --uts --fork --kill-child bash -euc '
        root=$1 bids=$2 out=$3 owner=$4
        shift 4
        mount -t proc proc "$root/proc"
        mount --rbind /dev "$root/dev"
        mount -t tmpfs tmpfs "$root/tmp"
        mount --bind "$bids" "$root/bids"
        mount -o remount,bind,ro "$root/bids"
        mount --bind "$out" "$root/out"
        exec chroot --userspec="$owner" "$root" \
            env -i HOME=/tmp LANG=C.UTF-8 PATH=/usr/local/bin:/usr/bin:/bin \
            sh -c "cd /tmp; exec \"\$@\"" sh "$@"
    ' bash "$root" "$bids" "$out" "$owner" "$@"
}

case "${1:-}" in
make) make_root "$2" ;;
run) shift && run_in_root "$@" ;;
*)
    sed -n '2,6s/^# //p' "$0" >&2
    exit 2
    ;;
esac
