"""A real systemd as process 1: systemd-nspawn on an overlay of this machine's own tree.

It is thrown away afterwards. Nothing is downloaded, nothing outside the overlay is written. It has loopback
and no other network.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.paths import ROOT

VENV = Path("/opt/appliance/venv")
BOOT_SECONDS = 30
CGROUPS = [Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup/unified"), Path("/sys/fs/cgroup/systemd")]
INSIDE = """
set -e
mount --make-rprivate /
mount -t tmpfs -o size=2G,mode=755 boot "$1"
mkdir "$1"/up "$1"/work "$1"/root
mount -t overlay boot -o "lowerdir=/,upperdir=$1/up,workdir=$1/work" "$1/root"
: > "$1/root/etc/machine-id"
rm -rf "$1/root/opt/appliance" "$1/root/etc/appliance" "$1/root/var/lib/appliance"
mkdir -p "$1/root/opt/appliance"
exec systemd-nspawn -D "$1/root" --boot --register=no --keep-unit --console=pipe --private-network \
  --machine "boot$$" --capability=all --system-call-filter=bpf --bind-ro="$2:/srv/tree" \
  --bind-ro="$3:/opt/libraries" -- systemd.unit=basic.target
"""


def why_not() -> str:
    """Why no system can be booted here; empty if one can."""
    missing = [name for name in ("systemd-nspawn", "unshare", "nsenter") if shutil.which(name) is None]
    if os.geteuid() != 0:
        return "booting a container needs root"
    if missing:
        return f"{' and '.join(missing)} missing (Debian: apt-get install systemd-container)"
    if not system_python().exists():
        return f"{system_python()} missing: the service's interpreter must lie outside of home directories"
    probe = subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False)
    return "mounts are not allowed here" if probe.returncode else ""


def system_python() -> Path:
    """An interpreter of this version that a unit with ProtectHome= can see."""
    return Path(f"/usr/bin/python{sys.version_info.major}.{sys.version_info.minor}")


class Container:
    """A booted system; commands run in it as root."""

    def __init__(self, home: Path) -> None:
        self.log = home / "console.log"
        place = home / "tree"
        place.mkdir()
        name = f"boot{os.getpid()}"
        self.groups = [group / name for group in CGROUPS if (group / "cgroup.procs").exists()]
        for group in self.groups:
            group.mkdir(exist_ok=True)
        join = "".join(f"echo $$ > {group}/cgroup.procs; " for group in self.groups)
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [
                    *("sh", "-c", f"{join}exec setsid unshare --mount sh -c '{INSIDE}' sh \"$@\"", "sh"),
                    *(str(place), str(ROOT), libraries()),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=os.environ | {"SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"},
            )
        self.init = 0
        self._wait()

    def _wait(self) -> None:
        deadline = time.monotonic() + BOOT_SECONDS
        while time.monotonic() < deadline:
            assert self.process.poll() is None, self.log.read_text(errors="replace")
            for child in self._children():
                self.init = child
                if self.run("systemctl is-system-running", check=False).stdout.strip() in (
                    "running",
                    "degraded",
                ):
                    return
            time.sleep(0.1)
        raise AssertionError(self.log.read_text(errors="replace"))

    def _children(self) -> list[int]:
        """Process 1 of the container: the child of systemd-nspawn that calls itself systemd."""
        found = subprocess.run(
            ["ps", "-o", "pid=,comm=", "--ppid", str(self.process.pid)],
            capture_output=True,
            text=True,
            check=False,
        ).stdout
        return [int(line.split()[0]) for line in found.splitlines() if line.split()[1] == "systemd"]

    def command(self, script: str) -> list[str]:
        words = ["nsenter", "-t", str(self.init), "-a", "env", "-i", "HOME=/root", "LANG=C.UTF-8"]
        return [*words, "PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "bash", "-c", script]

    def run(self, script: str, *, check: bool = True) -> "subprocess.CompletedProcess[str]":
        """Run a shell script inside, as root; with `check` its failure is the test's."""
        done = subprocess.run(
            self.command(script), capture_output=True, text=True, timeout=120, check=False, cwd="/"
        )
        if check and done.returncode:
            raise AssertionError(f"{script}\n{done.stdout}{done.stderr}\n{self.journal()[-3000:]}")
        return done

    def start(self, script: str) -> "subprocess.Popen[str]":
        """Start a shell script inside and return at once."""
        return subprocess.Popen(
            self.command(script), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd="/"
        )

    def show(self, key: str, unit: str = "appliance.service") -> str:
        return self.run(f"systemctl show -P {key} {unit}").stdout.strip()

    def journal(self, unit: str = "appliance*") -> str:
        return self.run(f"journalctl -b -u '{unit}' -o cat --no-pager", check=False).stdout

    def write(self, path: str, text: str, *, mode: str = "0644") -> None:
        words = self.command(f"install -D -m {mode} /dev/stdin {path}")
        subprocess.run(words, input=text, text=True, check=True, cwd="/")

    def copy(self, directory: Path, to: str) -> None:
        """Copy a directory into the container, with its modes, as root's."""
        packed = subprocess.run(["tar", "-C", directory, "-c", "."], capture_output=True, check=True).stdout
        words = self.command(f"mkdir -p {to} && tar -C {to} --no-same-owner -x")
        subprocess.run(words, input=packed, check=True, cwd="/")

    def close(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for group in self.groups:
            for below in sorted(group.rglob("*"), reverse=True):
                if below.is_dir():
                    with contextlib.suppress(OSError):
                        below.rmdir()
            with contextlib.suppress(OSError):
                group.rmdir()


@pytest.fixture
def container(tmp_path: Path) -> Iterator[Container]:
    reason = why_not()
    if reason:
        pytest.skip(reason)
    booted = Container(tmp_path)
    yield booted
    booted.close()


def libraries() -> str:
    """Where the running interpreter has its libraries."""
    return next(path for path in sys.path if path.endswith("site-packages"))


def install_tree(container: Container) -> None:
    """Install this tree with the libraries of the running interpreter: as a bundle does, without its time."""
    python = system_python()
    packages = f"{VENV}/lib/{python.name}/site-packages"
    container.run(
        f"{python} -m venv --without-pip {VENV} && mkdir -p /opt/appliance/app && "
        f"cp -r /srv/tree/appliance /srv/tree/license /opt/appliance/app/ && "
        f"printf '/opt/appliance/app\\n/opt/libraries\\n' > {packages}/appliance.pth && "
        f"for module in appliance.cli.main license.authority.cli.main; do "
        f"name={VENV}/bin/${{module%%.*}} && "
        f"printf '#!{VENV}/bin/python\\nfrom '$module' import main\\nmain()\\n' > $name && "
        f"chmod 755 $name; done && "
        "install -m 0644 -D /srv/tree/systemd/appliance.tmpfiles /usr/lib/tmpfiles.d/appliance.conf && "
        "systemd-tmpfiles --create /usr/lib/tmpfiles.d/appliance.conf && "
        "install -m 0644 /srv/tree/systemd/appliance.env /etc/appliance/ && "
        "install -m 0644 /srv/tree/systemd/*.service /srv/tree/systemd/*.socket /etc/systemd/system/ && "
        "systemctl daemon-reload"
    )
