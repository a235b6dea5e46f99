"""A minimal Debian in a directory: nothing in it but what README.md says to install.

Commands run in a mount and process namespace of their own, as root, with this machine's network. Packages
come from where this machine gets its own: its apt sources, and its pip and CA settings if it has any.
"""

import os
import re
import shutil
import subprocess
from pathlib import Path

from tests.support.paths import ROOT

PLACE = "/root/offline-appliance"
_BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")
_PASSED_ON = re.compile(
    r"PIP_\w+|SSL_CERT_FILE|REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE|(https?|all|no)_proxy", re.IGNORECASE
)
_INSIDE = """
root=$1; shift
mount --rbind /dev "$root/dev"
mount -t proc proc "$root/proc"
mount -t sysfs -o ro sys "$root/sys"
chroot "$root" "$@" || exit $?  # no exec: this shell is process 1, which a plain program must not be
"""


def packages() -> list[str]:
    """What README.md says to install."""
    found = re.search(r"^ +apt-get install (.+)$", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert found is not None
    return found[1].split()


def mirror() -> str:
    """Where this machine gets Debian's packages from; empty if it does not."""
    apt = Path("/etc/apt")
    files = [apt / "sources.list", *sorted((apt / "sources.list.d").glob("*.list"))]
    files += sorted((apt / "sources.list.d").glob("*.sources"))
    for path in files:
        for line in path.read_text().splitlines() if path.exists() else ():
            found = re.search(r"^(?:deb |URIs:).*?(\w+://\S+/debian)/?(?:\s|$)", line)
            if found:
                return found[1]
    return ""


def why_not() -> str:
    """Why no Debian can be made here; empty if one can."""
    if shutil.which("mmdebstrap") is None:
        return "mmdebstrap is not installed (Debian: apt-get install mmdebstrap)"
    if os.geteuid() != 0:
        return "needs root to mount and to change the root directory"
    if not mirror():
        return "no mirror of Debian is named in /etc/apt"
    probe = subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False)
    return "mounts are not allowed here" if probe.returncode else ""


def settings() -> dict[str, str]:
    """The environment by which this machine's pip finds its registry."""
    return {name: value for name, value in os.environ.items() if _PASSED_ON.fullmatch(name)}


class Debian:
    """One release, installed into an empty directory."""

    def __init__(self, release: str, root: Path) -> None:
        self.root, self.log = root, root.with_name("output")
        include = ",".join(packages())
        done = subprocess.run(
            ["mmdebstrap", "--variant=minbase", f"--include={include}", release, root, mirror()],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        self._pass_on_network()
        self._clone()

    def _pass_on_network(self) -> None:
        names = {Path(value) for value in settings().values() if value.startswith("/") and ":" not in value}
        places = [Path(one) / "pip" for one in os.environ.get("XDG_CONFIG_DIRS", "/etc/xdg").split(":")]
        own = [Path.home() / ".config/pip", Path.home() / ".pip"]
        for path in (
            *map(Path, ("/etc/resolv.conf", "/etc/hosts", "/etc/pip.conf")),
            _BUNDLE,
            *names,
            *places,
        ):
            self._copy(path, self.root / path.relative_to("/"))
        for path in own:
            self._copy(path, self.root / "root" / path.relative_to(Path.home()))

    @staticmethod
    def _copy(path: Path, to: Path) -> None:
        if path.is_file():
            to.parent.mkdir(parents=True, exist_ok=True)
            to.unlink(missing_ok=True)
            shutil.copyfile(path, to)
        elif path.is_dir():
            shutil.copytree(path, to, dirs_exist_ok=True)

    def _clone(self) -> None:
        head = subprocess.check_output(["git", "-C", ROOT, "rev-parse", "HEAD"], text=True).strip()
        place = self.root / PLACE.lstrip("/")
        subprocess.run(["git", "clone", "--quiet", "--no-hardlinks", ROOT, place], check=True)
        subprocess.run(["git", "-C", place, "checkout", "--quiet", "--detach", head], check=True)

    def run(self, command: str) -> tuple[int, str]:
        """Type a command where the repository was cloned to; return its exit code and what it wrote."""
        environ = {"HOME": "/root", "LANG": "C.UTF-8", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", **settings()}
        with self.log.open("w") as log:  # a file, so that one who waits, or was cut off, can look
            code = subprocess.run(
                [
                    *("unshare", "--mount", "--pid", "--fork", "--kill-child", "--propagation", "private"),
                    *("sh", "-euc", _INSIDE, "sh", self.root, "/bin/bash", "-c", f"cd {PLACE} && {command}"),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environ,
                check=False,
            ).returncode
        return code, self.log.read_text(errors="replace")

    def remove(self) -> None:
        subprocess.run(["rm", "-rf", "--one-file-system", self.root], check=True)
