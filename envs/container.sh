#!/bin/sh
# Install MRtrix3 and the project into a Debian system; Dockerfile, apptainer.def and
# root-file-system.sh run this same script as root, in the folder of the project.
set -eu

apt-get update
DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends \
    ca-certificates mrtrix3 passwd python3 python3-venv
rm -rf /var/lib/apt/lists/* /var/cache/apt/archives/*.deb

certificates=/run/secrets/certificates # of a proxy that opens TLS; only there during the build
if [ -s "$certificates" ]; then export PIP_CERT="$certificates"; fi
python3 -m venv /opt/virtualbrain
pip() { /opt/virtualbrain/bin/python -m pip --no-cache-dir --disable-pip-version-check "$@"; }
pip install --require-hashes --no-deps -r envs/requirements.lock -r envs/requirements-group.lock
pip wheel --no-deps --no-build-isolation --wheel-dir /tmp/wheel .
pip install --no-deps --no-index /tmp/wheel/*.whl
rm -rf /tmp/wheel
ln -s /opt/virtualbrain/bin/virtualbrain /usr/local/bin/virtualbrain
mkdir -p /bids /out
useradd --create-home --shell /bin/sh virtualbrain
virtualbrain --help >/dev/null
