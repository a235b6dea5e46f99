"""docs/deploy/compose.yaml as it stands, with the compose of each engine: licence, service, stop."""

import os
import shutil
import socket
import subprocess

import pytest

from tests.support.paths import ROOT
from tests.system.container.host import CORES, Host
from tests.system.container.test_text_lines import found, used

pytestmark = pytest.mark.slow

PROGRAMS = {"podman": "podman-compose", "docker": "docker-compose"}


def own_address() -> str:
    """An address of this machine that lasts; that of a bridge is there while a container is on it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as way:
        try:
            way.connect(("192.0.2.1", 9))  # sends nothing
        except OSError:
            pytest.skip("needs an address of this machine beside 127.0.0.1")
        return str(way.getsockname()[0])


class Compose:
    """The program beside the file; a directory on the left of a volume is relative to it."""

    def __init__(self, host: Host, kind: str) -> None:
        self.name = f"oa{host.port}"
        self._program = PROGRAMS[kind]
        self._home = host.home
        self._environ = {
            **os.environ,
            **host.engine.environ,
            "BILLING": host.shop.url.replace(host.engine.host, own_address()),
            "API_KEY": host.shop.disconnected,
        }

    def run(self, *words: str) -> str:
        done = subprocess.run(
            [self._program, "-p", self.name, *words], cwd=self._home, env=self._environ, check=False,
            capture_output=True, text=True, timeout=180, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr


@pytest.fixture
def compose(host: Host, kind: str) -> Compose:
    if shutil.which(PROGRAMS[kind]) is None:
        pytest.skip(f"needs {PROGRAMS[kind]}: apt-get install --no-install-recommends {PROGRAMS[kind]}")
    text = (ROOT / "docs/deploy/compose.yaml").read_text()
    for old, new in (
        ("offline-appliance:0.1.0", host.images["text"]),
        (":5000:5000", f":{host.port}:5000"),
        ("cpus: 4", f"cpus: {min(4, CORES)}"),
    ):
        assert old in text
        text = text.replace(old, new)
    (host.home / "compose.yaml").write_text(text)
    return Compose(host, kind)


def test_one_host_is_licensed_and_serves_on_after_it_was_stopped(host: Host, compose: Compose) -> None:
    try:
        compose.run("run", "--rm", "--no-deps", "-T", "license")
        assert (host.home / "license/license.note").exists()
        for counted in (1, 2):
            compose.run("up", "-d", "text")
            (name,) = host.engine.run(
                "ps", "--filter", f"name={compose.name}", "--format", "{{.Names}}"
            ).stdout.split()
            host.engine.wait_ready(name)
            assert "Berlin" in found(host)
            assert used(host) == counted
            compose.run("stop", "text")
            assert host.engine.inspect(name)["State"]["ExitCode"] == 0, host.engine.logs(name)[-2000:]
    finally:
        compose.run("down")
        host.engine.run("network", "rm", f"{compose.name}_inside", check=False)
