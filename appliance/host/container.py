"""Whether this is a container, and what its engine mounted there."""

import os
from pathlib import Path
from typing import Final

from appliance.host.mounts import is_mount
from license import files
from license.files import quoted

_MARKS: Final = ("run/.containerenv", ".dockerenv", "run/systemd/container")
"""What podman, docker and systemd's container interface leave in a container."""
_TOP: Final = files.SYSTEM | {"etc", "home", "media", "mnt", "opt", "root", "run", "srv", "tmp", "var"}


def in_container(root: Path = Path("/")) -> bool:
    """Whether this is a container, or an image of systemd-nspawn.

    Args:
        root: The root directory; another one in tests.
    """
    return any((root / mark).exists() for mark in _MARKS)


def reload_command(root: Path = Path("/")) -> str:
    """Return what makes a running service look at its files at once; in a container, typed on its host.

    Args:
        root: The root directory; another one in tests.
    """
    return "docker kill --signal HUP CONTAINER" if in_container(root) else "systemctl reload appliance"


def access_hint(path: Path, *, directory: bool) -> str:
    """Say as `license.files.access_hint` what lets this process use a path; in a container, on its host."""
    return files.access_hint(path, directory=directory, let_in=_let_in)


def _let_in(path: Path, us: str) -> str:
    if _is_volume(path):
        return f": on the host, sudo chown {us} DIRECTORY    # the one that is mounted at {quoted(path)}"
    return files.let_in(path, us)


def _is_volume(path: Path) -> bool:
    """Whether a directory of a container's root is one that its engine mounted there, such as `/license`."""
    real = Path(os.path.abspath(path))  # noqa: PTH100 (a link may lead to what cannot be looked at)
    return len(real.parts) == 2 and real.parts[1] not in _TOP and is_mount(real) and in_container()
