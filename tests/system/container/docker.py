"""A docker daemon of the tests' own: data, socket and bridge apart from any that the machine has."""

import contextlib
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.system.container.engine import Engine

_CLIENT: Final = shutil.which("docker", path="/usr/bin") or shutil.which("docker")
_BRIDGE: Final = "oa-docker0"
_ADDRESS: Final = "172.31.91.1"
_SECONDS: Final = 60


def why_no_docker() -> str:
    """Why no docker daemon can be started here; empty if one can."""
    if _CLIENT is None or shutil.which("dockerd") is None:
        return "needs docker: apt-get install --no-install-recommends docker.io"
    if shutil.which("ip") is None:
        return "needs a bridge for docker: apt-get install iproute2"
    return ""


@contextlib.contextmanager
def running_docker(place: Path) -> Iterator[Engine]:
    """Start a daemon whose data lie in a folder, and end it.

    Args:
        place: Folder for data, socket and log. The path of a socket has at most 107 bytes.
    """
    socket = place / "s"
    words = ["--data-root", place / "data", "--exec-root", place / "x", "--pidfile", place / "pid"]
    # A bridge of its own: one named docker0 may be another daemon's.
    subprocess.run(["ip", "link", "delete", _BRIDGE], check=False, capture_output=True)
    subprocess.run(["ip", "link", "add", "name", _BRIDGE, "type", "bridge"], check=True)
    subprocess.run(["ip", "address", "add", f"{_ADDRESS}/24", "dev", _BRIDGE], check=True)
    subprocess.run(["ip", "link", "set", _BRIDGE, "up"], check=True)
    log = place / "log"
    with log.open("wb") as file:
        daemon = subprocess.Popen(
            ["dockerd", "-H", f"unix://{socket}", *map(str, words), "--bridge", _BRIDGE],
            stdout=file,
            stderr=file,
        )
    engine = Engine(name=str(_CLIENT), host=_ADDRESS, environ={"DOCKER_HOST": f"unix://{socket}"})
    try:
        deadline = time.monotonic() + _SECONDS
        while engine.run("version", check=False).returncode != 0:
            said = log.read_text(errors="replace")[-1500:]
            assert daemon.poll() is None, f"dockerd ended: {said}"
            assert time.monotonic() < deadline, f"dockerd does not answer: {said}"
            time.sleep(0.1)
        yield engine
    finally:
        daemon.terminate()
        try:
            daemon.wait(_SECONDS)
        except subprocess.TimeoutExpired:
            daemon.kill()
        subprocess.run(["ip", "link", "delete", _BRIDGE], check=False, capture_output=True)
