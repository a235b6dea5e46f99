#!/bin/sh
# Makes a base image out of Debian 12 packages, for machines that reach a Debian mirror and no registry:
#
#   sh packaging/image/base.sh base.tar && podman import base.tar localhost/offline-appliance-base
#
# It holds Python, what the wheels link to (libstdc++), certificates, and the shell of `docker exec`; no apt, no perl,
# no manual pages. No package is ever installed into it, so what only installing needs is purged again. Needs mmdebstrap, and root or user namespaces.
set -eu
exec mmdebstrap --variant=essential --aptopt='Apt::Install-Recommends "false"' \
  --hook-dir=/usr/share/mmdebstrap/hooks/merged-usr \
  --include=usr-is-merged,python3,python3-venv,ca-certificates,libstdc++6 \
  --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' \
  --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/info/*' \
  --dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-exclude=/usr/share/lintian/*' \
  --dpkgopt='path-exclude=/usr/lib/x86_64-linux-gnu/gconv/*' \
  --dpkgopt='path-exclude=/usr/share/python-wheels/*' --dpkgopt='path-exclude=/usr/share/bash-completion/*' \
  --customize-hook='chroot "$1" dpkg --purge --force-depends --force-remove-essential perl-base debconf' \
  --customize-hook='rm -rf "$1"/usr/lib/python3.*/lib2to3 "$1"/usr/lib/python3.*/pydoc_data "$1"/usr/lib/python3.*/test' \
  bookworm "$1"
