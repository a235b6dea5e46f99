"""HAProxy and PostgreSQL as containers, out of Debian packages, for machines that reach no registry.

They take the same settings as the images that docs/deploy/site/compose.yaml names: the same paths, the same
variables.
"""

import hashlib
import os
import subprocess
from pathlib import Path
from typing import Final

from tests.system.container.engine import CACHE, Engine

IMAGE: Final = "localhost/oa-tests/neighbours"
MAKE: Final = (
    "mmdebstrap", "--variant=essential", "--aptopt=Apt::Install-Recommends \"false\"",
    "--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr", "--include=usr-is-merged,haproxy,postgresql-15",
    "--dpkgopt=path-exclude=/usr/share/doc/*", "--dpkgopt=path-exclude=/usr/share/man/*",
    "--dpkgopt=path-exclude=/usr/share/locale/*", "--dpkgopt=path-exclude=*/libLLVM*", "bookworm",
)  # fmt: skip
POSTGRES: Final = """#!/bin/sh
set -eu
data=/var/lib/postgresql/data; PATH=$PATH:/usr/lib/postgresql/15/bin
if [ ! -s $data/PG_VERSION ]; then
  printf %s "$POSTGRES_PASSWORD" >/tmp/password
  initdb -D $data -U "$POSTGRES_USER" --pwfile=/tmp/password -A scram-sha-256 -E UTF8 --locale C -N >/dev/null
  echo "host all all all scram-sha-256" >>$data/pg_hba.conf
  echo "create database $POSTGRES_USER" | postgres --single -D $data postgres >/dev/null
fi
exec postgres -D $data -c listen_addresses='*' -c unix_socket_directories=/tmp -c jit=off
"""
CONTAINERFILE: Final = """FROM {base} AS haproxy
USER haproxy
ENTRYPOINT ["haproxy", "-W", "-db", "-f", "/usr/local/etc/haproxy/haproxy.cfg"]
FROM {base} AS postgres
COPY --chmod=755 entry /usr/local/bin/entry
RUN install -d -o postgres -m 0700 /var/lib/postgresql/data
USER postgres
ENTRYPOINT ["entry"]
"""


def make_neighbours(engine: Engine, context: Path) -> dict[str, str]:
    """Make the images unless they are there, and return what each is called.

    Raises:
        CalledProcessError: Debian's packages cannot be had.
    """
    label = hashlib.sha256(repr((MAKE, POSTGRES, CONTAINERFILE)).encode()).hexdigest()[:16]
    names = {target: f"{IMAGE}-{target}:{label}" for target in ("haproxy", "postgres")}
    if all(engine.run("image", "exists", name, check=False).returncode == 0 for name in names.values()):
        return names
    base, archive = f"{IMAGE}-base:{label}", CACHE / f"neighbours-{label}.tar"
    if not archive.exists():
        made = archive.with_suffix(".part.tar")
        subprocess.run([*MAKE, str(made)], check=True, capture_output=True, timeout=600)
        made.rename(archive)
    engine.run("import", str(archive), base)
    (context / "entry").write_text(POSTGRES)
    (context / "Containerfile").write_text(CONTAINERFILE.format(base=base))
    for target, name in names.items():
        words = ["bud", "-q", "--format", "docker", "--network", "none", "--target", target, "-t", name]
        subprocess.run(
            ["buildah", *words, str(context)],
            check=True, capture_output=True, env={**os.environ, **engine.environ},
        )  # fmt: skip
    return names
