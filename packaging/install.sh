#!/bin/sh
# Installs or upgrades the service from this folder, without any network. Run as root:  sh install.sh
#
#   --prefix DIR     where the program goes (default /opt/appliance)
#   --no-units       program only, for containers and hosts without systemd
#   --uninstall      remove program and units; keys, licence, settings and usage ledger stay
#   --purge          with --uninstall: remove those as well, after the ledger was exported and accepted
#
# The program is built beside the old one and takes its place only when it is whole. Upgrades leave /etc/appliance
# and /var/lib/appliance alone; running requests are finished, and callers wait in the socket meanwhile.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
prefix=/opt/appliance units=yes action=install purge=no
while [ $# -gt 0 ]; do
  case $1 in
    --prefix) prefix=$2; shift ;;
    --no-units) units=no ;;
    --uninstall) action=uninstall ;;
    --purge) purge=yes ;;
    *) echo "error: $1 is not known" >&2; sed -n '2,9p' "$0" >&2; exit 2 ;;
  esac
  shift
done

say() { echo "$*" >&2; }
fail() { say "error: $1"; [ $# -lt 2 ] || say "hint: $2"; exit 1; }
booted() { [ "$units" = yes ] && [ -d /run/systemd/system ]; }

[ "$(id -u)" = 0 ] || fail "only root can install this" "sudo sh $0"

if [ "$action" = uninstall ]; then
  if booted; then systemctl disable --now appliance.socket appliance.service >/dev/null 2>&1 || true; fi
  rm -rf "$prefix/venv" "$prefix"/venv.* "$prefix/share"
  rmdir "$prefix" 2>/dev/null || true
  [ "$units" = no ] || rm -f /etc/systemd/system/appliance.service /etc/systemd/system/appliance.socket \
    /etc/systemd/system/appliance@.service /etc/systemd/system/appliance@.socket \
    /etc/systemd/system/appliance-download.service /etc/systemd/system/appliance-download@.service \
    /usr/lib/tmpfiles.d/appliance.conf
  [ -L /usr/local/bin/appliance ] && rm -f /usr/local/bin/appliance
  if booted; then systemctl daemon-reload; fi
  if [ "$purge" = yes ]; then
    rm -rf /etc/appliance /var/lib/private/appliance /var/lib/appliance
    say "Removed, with keys, licence, settings and usage ledger."
  else
    say "Removed. Keys and usage ledger stay in /var/lib/private/appliance, licence and settings in /etc/appliance."
  fi
  exit 0
fi

# The wheels are for certain versions of Python: the first one found that they fit.
python=
for version in $(cat "$here/PYTHONS"); do
  for candidate in "/usr/bin/python$version" "/usr/local/bin/python$version"; do
    [ -z "$python" ] && [ -x "$candidate" ] && python=$candidate
  done
done
[ -n "$python" ] || fail "this bundle is for Python $(cat "$here/PYTHONS"), and none is in /usr/bin or /usr/local/bin" \
  "apt-get install python3, or build the bundle for this machine's version"
"$python" -c 'import venv' 2>/dev/null || fail "$python has no venv module" "apt-get install python3"

(cd "$here" && sha256sum --quiet --strict -c SHA256SUMS) || fail "files of this bundle are damaged" "carry it over again"

# A virtual environment cannot be moved, so it is made under a name of its own, and a link leads to the present one.
new=$prefix/venv.$(date +%s)
trap 'rm -rf "$new"' EXIT
install -d -m 0755 "$prefix"
"$python" -m venv --without-pip "$new"
pip=$(echo "$here"/wheels/pip-*.whl)
# The key to the download, a proxy or an index of this host must have no say here.
env -i PATH=/usr/bin:/bin HOME=/nonexistent PYTHONPATH="$pip" PIP_CONFIG_FILE=/dev/null PIP_NO_CACHE_DIR=1 \
  "$new/bin/python" -m pip install --quiet --no-index --no-compile --disable-pip-version-check --no-warn-script-location \
  --find-links "$here/wheels" --require-hashes -r "$here/requirements.txt"
"$new/bin/python" -m compileall -q -j 0 "$new/lib" >/dev/null || true
chmod -R go+rX-w "$new"
"$new/bin/python" -c 'import appliance.start, license.verify' || fail "the installed program does not start"

if [ "$units" = yes ]; then
  install -d -m 0755 /etc/systemd/system /usr/lib/tmpfiles.d
  install -m 0644 "$here"/systemd/*.service "$here"/systemd/*.socket /etc/systemd/system/
  install -m 0644 "$here/systemd/appliance.tmpfiles" /usr/lib/tmpfiles.d/appliance.conf
  install -d -m 0755 /etc/appliance /etc/appliance/license /etc/appliance/roots.d
  install -d -m 0700 /etc/appliance/credentials
  [ -e /etc/appliance/appliance.env ] || install -m 0644 "$here/systemd/appliance.env" /etc/appliance/
  if [ -d "$here/roots.d" ]; then install -m 0644 "$here"/roots.d/*.vkey /etc/appliance/roots.d/; fi
fi

active=no
if booted && systemctl is-active --quiet appliance.service; then
  active=yes
  systemctl stop appliance.service
fi
if [ -d "$prefix/venv" ] && [ ! -L "$prefix/venv" ]; then mv "$prefix/venv" "$prefix/venv.before"; fi
ln -sfn "$new" "$prefix/venv.link" && mv -T "$prefix/venv.link" "$prefix/venv"
trap - EXIT
for old in "$prefix"/venv.*; do
  if [ "$old" != "$new" ]; then rm -rf "$old"; fi
done
rm -rf "$prefix/share" && cp -r "$here/share" "$prefix/share"
[ "$units" = no ] || ln -sfn "$prefix/venv/bin/appliance" /usr/local/bin/appliance
if booted; then
  systemctl daemon-reload
  if [ $active = yes ]; then systemctl start appliance.service; fi
fi
say "Installed $("$prefix/venv/bin/appliance" --version). Next: docs in $prefix/share/docs, first docs/operator.md"
