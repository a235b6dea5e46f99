#!/bin/sh
# Installs or upgrades the service from this folder, without any network. Run as root:  sh install.sh
#
#   --prefix DIR     where the program goes (default /opt/appliance)
#   --python FILE    the Python to use (default: this system's, if the wheels fit it, or another one that they fit)
#   --no-units       program only, for containers and hosts without systemd
#   --uninstall      remove program and units; keys, licence, settings and usage ledger stay
#   --purge          with --uninstall: remove those as well, after the ledger was exported and accepted
#
# The program is built beside the old one and takes its place only when it is whole. Upgrades leave /etc/appliance
# and /var/lib/appliance alone; running requests are finished, and callers wait in the socket meanwhile. If the new
# version does not start, it rolls back to the previous version.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
prefix=/opt/appliance python='' units=yes action=install purge=no
while [ $# -gt 0 ]; do
  case $1 in
    --prefix) prefix=$2; shift ;;
    --python) python=$2; shift ;;
    --no-units) units=no ;;
    --uninstall) action=uninstall ;;
    --purge) purge=yes ;;
    *) echo "error: $1 is not known" >&2; sed -n '2,13p' "$0" >&2; exit 2 ;;
  esac
  shift
done

say() { echo "$*" >&2; }
fail() { say "error: $1"; [ $# -lt 2 ] || say "hint: $2"; exit 1; }
booted() { [ "$units" = yes ] && [ -d /run/systemd/system ]; }
instances() { systemctl list-units --plain --no-legend "$@" 'appliance.service' 'appliance@*.service' | cut -d' ' -f1; }

[ "$(id -u)" = 0 ] || fail "only root can install this" "sudo sh $0"
if command -v dpkg-query >/dev/null && dpkg-query -W -f '${Status}' offline-appliance 2>/dev/null | grep -q ' installed$'; then
  fail "the package offline-appliance is installed here" "apt-get install $here/offline-appliance_*.deb, or apt-get remove offline-appliance first"
fi

if [ "$action" = uninstall ]; then
  if booted; then
    systemctl disable --now appliance.socket appliance.service >/dev/null 2>&1 || true
    for unit in $(instances --all); do
      systemctl disable --now "${unit%.service}.socket" "$unit" >/dev/null 2>&1 || true
    done
  fi
  rm -rf "$prefix/venv" "$prefix"/venv.* "$prefix/share"
  rmdir "$prefix" 2>/dev/null || true
  [ "$units" = no ] || rm -f /etc/systemd/system/appliance.service /etc/systemd/system/appliance.socket \
    /etc/systemd/system/appliance@.service /etc/systemd/system/appliance@.socket \
    /etc/systemd/system/appliance-download.service /etc/systemd/system/appliance-download@.service \
    /usr/lib/tmpfiles.d/appliance.conf /usr/lib/sysusers.d/appliance.conf
  if [ -L /usr/local/bin/appliance ]; then rm -f /usr/local/bin/appliance; fi
  if booted; then systemctl daemon-reload; fi
  if [ "$purge" = yes ]; then
    rm -rf /etc/appliance /var/lib/private/appliance /var/lib/appliance
    say "Removed, with keys, licence, settings and usage ledger."
  else
    say "Removed. Keys and usage ledger stay in /var/lib/private/appliance, licence and settings in /etc/appliance."
  fi
  exit 0
fi

[ "$(uname -m)" = x86_64 ] || fail "this bundle is for x86_64, and this machine is $(uname -m)" "ask the vendor for another one"
libc=$(getconf GNU_LIBC_VERSION 2>/dev/null || echo none)
case $libc in
  "glibc 2."*) [ "${libc#glibc 2.}" -ge 28 ] || fail "glibc 2.28 or newer is needed, and this system has $libc" "use a newer system" ;;
  *) fail "this system has no glibc: the wheels are for glibc 2.28 or newer" "use Debian, Ubuntu, RHEL, SLES or the like" ;;
esac

# There are wheels for certain versions of Python. The unit hides home directories, so none from there will do.
version_of() { "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null || true; }
fits() { case " $(cat "$here/PYTHONS") " in *" $(version_of "$1") "*) [ -n "$(version_of "$1")" ] ;; *) false ;; esac; }
if [ -n "$python" ]; then
  fits "$python" || fail "$python is Python $(version_of "$python"), and this bundle has wheels for $(cat "$here/PYTHONS")" \
    "name another one with --python"
else
  for candidate in /usr/bin/python3 /usr/local/bin/python3 \
    $(for version in $(cat "$here/PYTHONS"); do echo "/usr/bin/python$version" "/usr/local/bin/python$version"; done); do
    if [ -x "$candidate" ] && fits "$candidate"; then python=$candidate; break; fi
  done
  [ -n "$python" ] || fail \
    "this bundle has wheels for Python $(cat "$here/PYTHONS"), and none of those is in /usr/bin or /usr/local/bin" \
    "install one of them with this system's package manager, or name one: sh install.sh --python FILE"
fi
"$python" -c 'import venv' 2>/dev/null || fail "$python has no venv module" "apt-get install python3-venv, or what this system calls it"
version=$(version_of "$python")

(cd "$here" && sha256sum --quiet --strict -c SHA256SUMS) || fail "files of this bundle are damaged" "carry it over again"

# A virtual environment cannot be moved, so it is made under a name of its own, and a link leads to the present one.
new=$prefix/venv.$(date +%s)
trap 'rm -rf "$new"' EXIT
install -d -m 0755 "$prefix"
"$python" -m venv --without-pip "$new"
pip=$(echo "$here"/wheels/pip-*.whl)
# The key to the download, a proxy or an index of this host must have no say here.
env -i PATH=/usr/bin:/bin HOME=/nonexistent PYTHONPATH="$pip" PIP_CONFIG_FILE=/dev/null PIP_NO_CACHE_DIR=1 \
  "$new/bin/python" -m pip install --quiet --no-index --no-deps --no-compile --disable-pip-version-check \
  --no-warn-script-location --find-links "$here/wheels" --require-hashes -r "$here/requirements-$version.txt"
"$new/bin/python" -m compileall -q -j 0 "$new/lib" >/dev/null || true
chmod -R go+rX-w "$new"
"$new/bin/python" -c 'import appliance.cli.serve, appliance.server.server, license.licenses.verify' || fail "the installed program does not start"

if [ "$units" = yes ]; then
  install -d -m 0755 /etc/systemd/system /usr/lib/tmpfiles.d /usr/lib/sysusers.d
  mkdir "$new/units" && cp -p /etc/systemd/system/appliance*.service /etc/systemd/system/appliance*.socket "$new/units" 2>/dev/null || true
  install -m 0644 "$here"/systemd/*.service "$here"/systemd/*.socket /etc/systemd/system/
  install -m 0644 "$here/systemd/appliance.tmpfiles" /usr/lib/tmpfiles.d/appliance.conf
  install -m 0644 "$here/systemd/appliance.sysusers" /usr/lib/sysusers.d/appliance.conf
  if command -v systemd-sysusers >/dev/null; then systemd-sysusers appliance.conf || true; fi
  install -d -m 0755 /etc/appliance /etc/appliance/license /etc/appliance/roots.d
  install -d -m 0700 /etc/appliance/credentials
  [ -e /etc/appliance/appliance.env ] || install -m 0644 "$here/systemd/appliance.env" /etc/appliance/
  if [ -d "$here/roots.d" ]; then install -m 0644 "$here"/roots.d/*.vkey /etc/appliance/roots.d/; fi
fi

if [ -d "$prefix/venv" ] && [ ! -L "$prefix/venv" ]; then mv "$prefix/venv" "$prefix/venv.before"; fi
before=$(readlink "$prefix/venv" || true)
lead_to() { ln -sfn "$1" "$prefix/venv.link" && mv -T "$prefix/venv.link" "$prefix/venv"; }
lead_to "$new"
trap - EXIT
if booted; then
  systemctl daemon-reload
  # What runs was started from the directory of its own version, and reads nothing of the new one.
  for unit in $(instances --state=active,reloading); do
    if ! systemctl restart "$unit"; then
      if [ -d "$before" ]; then
        lead_to "$before"
        cp -p "$new"/units/* /etc/systemd/system/ && systemctl daemon-reload
        systemctl restart "$unit" || true
        rm -rf "$new"
        fail "$unit does not start with the new version: rolled back to the previous version" "journalctl -u $unit"
      fi
      fail "$unit does not start" "journalctl -u $unit"
    fi
  done
fi
rm -rf "$new/units"
for old in "$prefix"/venv.*; do
  if [ "$old" != "$new" ]; then rm -rf "$old"; fi
done
rm -rf "$prefix/share" && cp -r "$here/share" "$prefix/share"
[ "$units" = no ] || ln -sfn "$prefix/venv/bin/appliance" /usr/local/bin/appliance
say "Installed $("$prefix/venv/bin/appliance" --version). Next: docs in $prefix/share/docs, first docs/operator.md"
