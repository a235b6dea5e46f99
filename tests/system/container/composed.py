"""docs/deploy/site/compose.yaml, typed as lines of podman: one container after the other, by name.

So a test starts, kills, pauses and cuts off what it wants, without a compose program. A key of the file that
is not known here fails the test that reads it.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml  # type: ignore[import-untyped]

from tests.support.paths import ROOT
from tests.system.container.engine import Engine

PLACE: Final = ROOT / "docs/deploy/site"
_FLAGS: Final = {"mem_limit": "--memory", "cpus": "--cpus"}
_LISTS: Final = {
    "cap_drop": "--cap-drop",
    "security_opt": "--security-opt",
    "tmpfs": "--tmpfs",
    "dns_opt": "--dns-opt",
}
_FIXED: Final = {"desk": "10.89.47.250", "postgres": "10.89.47.251"}
"""Addresses that nobody need ask for: podman 4's name service (aardvark-dns 1.4) is silent for seconds after
a container of the network was killed, started or removed, which is what these tests do all the time."""
_NOT_TYPED: Final = {
    "image",
    "command",
    "profiles",
    "restart",
    "stop_grace_period",
    "healthcheck",
    "networks",
} | {
    "environment",
    "volumes",
    "ports",
    "read_only",
}


class Composed:
    """The services of the file, in a folder of a host.

    Args:
        engine: Podman.
        home: Folder that directories of the file lie in.
        images: For each image of the file, the one that stands for it here.
        variables: What the file's `${NAME:-…}` stand for.
        port: Port of this host for HAProxy.
    """

    def __init__(
        self, engine: Engine, home: Path, images: Mapping[str, str], variables: Mapping[str, str], port: int
    ) -> None:
        text = (PLACE / "compose.yaml").read_text()
        for name, value in variables.items():
            assert f"${{{name}:-unset}}" in text
            text = text.replace(f"${{{name}:-unset}}", value)
        self.services: dict[str, Any] = yaml.safe_load(text)["services"]
        self._networks: dict[str, Any] = yaml.safe_load(text)["networks"]
        self.engine, self.home, self.port = engine, home, port
        self._images = images
        self.project = f"oa{port}"
        self.started: list[str] = []
        (home / "haproxy.cfg").write_text((PLACE / "haproxy.cfg").read_text())
        (home / "haproxy.cfg").chmod(0o644)

    def name(self, service: str) -> str:
        return f"{self.project}_{service}"

    def make_networks(self) -> None:
        for name, settings in self._networks.items():
            about = settings or {}
            assert set(about) <= {"internal", "ipam"}
            subnets = [one["subnet"] for one in about.get("ipam", {}).get("config", [])]
            words = [f"--subnet={subnet}" for subnet in subnets] + ["--internal"] * about.get(
                "internal", False
            )
            self.engine.run("network", "create", *words, f"{self.project}_{name}")

    def run(self, service: str) -> str:
        """Run a service that ends, and return what it writes."""
        return self.engine.run("run", "--rm", *self.words(service, self.services[service])).stdout

    def up(self, service: str, *more: str, like: str = "", command: list[str] | None = None) -> None:
        """Start a service; one that the file does not have is like another one of it."""
        about = dict(self.services[like or service])
        if command:
            about["command"] = command
        self.started.append(service)
        self.engine.run("run", "-d", "--name", self.name(service), *more, *self.words(service, about))

    def words(self, service: str, about: dict[str, Any]) -> list[str]:
        """Return the words after `podman run` that a service is."""
        known = {*_FLAGS, *_LISTS, *_NOT_TYPED}
        assert set(about) <= known, set(about) - known
        words = ["--no-healthcheck"]
        for key, flag in _FLAGS.items():
            words += [flag, str(about[key])] if key in about else []
        for key, flag in _LISTS.items():
            words += [word for value in about.get(key, []) for word in (flag, value)]
        words += ["--read-only"] if about.get("read_only") else []
        for name, value in about.get("environment", {}).items():
            words += ["-e", f"{name}={value}"]
        for volume in about.get("volumes", []):
            words += ["-v", self._volume(volume)]
        for port in about.get("ports", []):
            words += ["-p", port.replace(":5000:", f":{self.port}:")]
        networks = about.get("networks", [])
        settings = networks if isinstance(networks, dict) else dict.fromkeys(networks)
        for network, of in settings.items():
            # Podman's own spelling of an alias in one of several networks.
            about_it = [f"alias={alias}" for alias in [service, *(of or {}).get("aliases", [])]]
            about_it += [f"ip={_FIXED[service]}"] if service in _FIXED else []
            words += ["--network", f"{self.project}_{network}:{','.join(about_it)}"]
        if settings:
            words += [word for name, ip in _FIXED.items() for word in ("--add-host", f"{name}:{ip}")]
        return [*words, self._images[about["image"]], *about.get("command", [])]

    def _volume(self, volume: str) -> str:
        if volume.startswith("./"):
            return f"{self.home}/{volume[2:]}"
        return re.sub(r"^(?=\w)", f"{self.project}_", volume)

    def kill(self, service: str) -> None:
        self.engine.run("kill", "--signal", "KILL", self.name(service))

    def cut(self, service: str, *, off: bool = True) -> None:
        """Take a service off its network, or put it back under its names."""
        (network, of) = next(iter(self.services["text-1"]["networks"].items()))
        place, name = f"{self.project}_{network}", self.name(service)
        if off:
            self.engine.run("network", "disconnect", place, name)
        else:
            aliases = [f"--alias={alias}" for alias in (service, *of["aliases"])]
            self.engine.run("network", "connect", *aliases, place, name)

    def down(self) -> None:
        """Remove all of it."""
        for service in self.started:
            self.engine.run("rm", "--force", "--volumes", "--time", "0", self.name(service), check=False)
        for network in self._networks:
            self.engine.run("network", "rm", "--force", f"{self.project}_{network}", check=False)
        self.engine.run("volume", "rm", "--force", f"{self.project}_jobs", check=False)
