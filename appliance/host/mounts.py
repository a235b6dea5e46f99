"""What lies under a directory, by `/proc/self/mountinfo` (proc(5)): and whether it outlives a container.

A container is removed with its own layer, with a tmpfs and with the volumes that have no name (`--rm`), and a
pod with its emptyDirs. Usage records and keys that lie there are gone.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_ANONYMOUS: Final = re.compile(r"/volumes/[0-9a-f]{64}/_data(/|$)")
_NAMED: Final = re.compile(r"/volumes/([a-zA-Z0-9][a-zA-Z0-9_.-]*)/_data$")
_EMPTY_DIR: Final = "/kubernetes.io~empty-dir/"
_VOLATILE: Final = frozenset({"tmpfs", "ramfs"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """One mount.

    Attributes:
        point: Where it is mounted.
        root: What of its file system is mounted there; for a bind mount, the path on the host as the file
            system has it.
        kind: Type of the file system.
    """

    point: Path
    root: str
    kind: str

    @property
    def source(self) -> str:
        """What an engine's `-v` has on the left: the name of a volume, or a directory of the host."""
        named = _NAMED.search(self.root)
        return named[1] if named is not None else self.root


def mount_of(directory: Path, mounts: str | None = None) -> Mount:
    """Return the mount that a directory lies on; it need not exist.

    Args:
        directory: The directory.
        mounts: Text of `/proc/self/mountinfo`; read from there unless a test has another.
    """
    path = directory.resolve()
    best = Mount(point=Path("/"), root="/", kind="")
    for line in (mountinfo() if mounts is None else mounts).splitlines():
        fields, _, rest = line.partition(" - ")
        words = fields.split(" ")
        point = Path(_plain(words[4]))
        # A later line of equal depth lies over an earlier one.
        if len(point.parts) >= len(best.point.parts) and (path == point or point in path.parents):
            best = Mount(point=point, root=_plain(words[3]), kind=rest.split(" ")[0])
    return best


def is_mount(directory: Path, mounts: str | None = None) -> bool:
    """Whether something is mounted at a directory itself, such as a volume."""
    return mount_of(directory, mounts).point == directory.resolve() != Path("/")


def lost_with_container(directory: Path, mounts: str | None = None) -> str:
    """Say what a directory of a container lies on that ends with it; empty where it lasts.

    Args:
        directory: A directory inside a container.
        mounts: As for `mount_of`.
    """
    mount = mount_of(directory, mounts)
    if mount.kind in _VOLATILE:
        return f"a {mount.kind} in memory"
    if _ANONYMOUS.search(mount.root):
        return "a volume without a name"
    if _EMPTY_DIR in mount.root:
        return "an emptyDir of its pod"
    return "the container's own layer" if mount.point == Path("/") else ""


def mountinfo() -> str:
    """Return what the kernel says of the mounts of this process; empty where it does not."""
    try:
        return Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return ""


def _plain(text: str) -> str:
    return text.encode("ascii", "backslashreplace").decode("unicode_escape")
