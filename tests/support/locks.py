"""What a lock file pins, and which requirements of the pinned packages it leaves unmet."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

Metadata = Callable[[str, str], Iterable[str]]
"""From a name and a version to the lines `Requires-Dist` of that package."""


@dataclass(frozen=True, slots=True)
class Pin:
    """One package of a lock: its version, and where it is wanted."""

    version: str
    marker: Marker | None

    def applies(self, environment: dict[str, str]) -> bool:
        return self.marker is None or self.marker.evaluate(environment)


def environment_of(python: str) -> dict[str, str]:
    """The marker variables of CPython on 64-bit Linux, for example for `3.11`."""
    return {
        "python_version": python,
        "python_full_version": f"{python}.0",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
        "platform_machine": "x86_64",
        "platform_system": "Linux",
        "sys_platform": "linux",
        "os_name": "posix",
    }


def read_pins(lock: Path, environment: dict[str, str]) -> dict[str, str]:
    """The versions that a lock pins there, by canonical name. ValueError for a line that pins nothing."""
    pins: dict[str, str] = {}
    for line in lock.read_text().splitlines():
        if not line or line.startswith((" ", "#")):
            continue
        matched = re.fullmatch(r"([\w.-]+)==([\w.!+]+)(?: ; ([^\\]+?))?(?: (?:\\|--hash=.*))?", line)
        if matched is None:
            raise ValueError(f"{lock.name} does not pin {line!r} with ==")
        pin = Pin(matched[2], Marker(matched[3]) if matched[3] else None)
        if pin.applies(environment):
            pins[str(canonicalize_name(matched[1]))] = pin.version
    return pins


def unmet(
    roots: Iterable[str], pins: dict[str, str], environment: dict[str, str], requires: Metadata
) -> list[str]:
    """Walk from the roots, extras and markers included, and tell each requirement that no pin satisfies."""
    complaints: dict[str, None] = {}
    waiting = [("the project", requirement) for requirement in map(Requirement, roots)]
    seen: set[tuple[str, str]] = set()
    while waiting:
        parent, requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        if requirement.marker is not None and not requirement.marker.evaluate({**environment, "extra": ""}):
            continue
        version = pins.get(name)
        if version is None or not requirement.specifier.contains(version, prereleases=True):
            complaints[f"{parent} needs {requirement}, and the lock has {version or 'none'}"] = None
            continue
        for extra in {"", *requirement.extras}:
            if (name, extra) in seen:
                continue
            seen.add((name, extra))
            for line in requires(name, version):
                wanted = Requirement(line)
                if wanted.marker is None:
                    waiting.append((name, wanted))
                elif wanted.marker.evaluate({**environment, "extra": extra}):
                    wanted.marker = None
                    waiting.append((name, wanted))
    return list(complaints)
