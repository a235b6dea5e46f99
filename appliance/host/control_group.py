"""What the control group of this process grants: processor time and memory, in version 1 and version 2.

`docker run --cpus 2 --memory 4g` and systemd's `CPUQuota=` and `MemoryMax=` leave the whole machine in sight.
Inside a container the names in `/proc/self/cgroup` may be those of the host, while what is mounted is the
container's own group: so every group from the one that is named up to what is mounted is looked at, and the
smallest grant counts.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_NO_LIMIT: Final = 1 << 60
"""Version 1 says no limit with a number near 2^63."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryGrant:
    """Memory in bytes: what is granted, and how much of it is in use and cannot be given back at once."""

    limit: int
    used: int


def processor_grant(root: Path = Path("/")) -> float | None:
    """Return how many cores' time is granted; None without a limit.

    Args:
        root: Where `proc` and `sys` are mounted; another place in tests.
    """
    grants = [_time_v2(group / "cpu.max") for group in _groups(root, "")]
    grants += [_time_v1(group) for group in _groups(root, "cpu")]
    return min((grant for grant in grants if grant is not None), default=None)


def memory_grant(root: Path = Path("/")) -> MemoryGrant | None:
    """Return the memory that is granted; None without a limit.

    Args:
        root: Where `proc` and `sys` are mounted; another place in tests.
    """
    grants = [
        _memory(group, limit="memory.max", used="memory.current", idle="inactive_file")
        for group in _groups(root, "")
    ]
    grants += [
        _memory(
            group, limit="memory.limit_in_bytes", used="memory.usage_in_bytes", idle="total_inactive_file"
        )
        for group in _groups(root, "memory")
    ]
    return min((grant for grant in grants if grant is not None), key=lambda grant: grant.limit, default=None)


def _groups(root: Path, controller: str) -> Iterator[Path]:
    """Yield the directories of this process's group and those above it; an empty controller is version 2."""
    try:
        lines = (root / "proc/self/cgroup").read_text("ascii", "replace").splitlines()
    except OSError:
        return
    top = root / "sys/fs/cgroup"
    for line in lines:
        _, names, path = [*line.split(":", 2), "", ""][:3]
        if controller not in names.split(",") or ".." in Path(path).parts:
            continue
        # Version 2 beside version 1 (hybrid) lies in a folder of its own.
        mounted = top / names if controller else (top / "unified" if (top / "unified").is_dir() else top)
        group = mounted / path.strip("/")
        yield from (place for place in (group, *group.parents) if place.is_relative_to(mounted))


def _time_v2(file: Path) -> float | None:
    try:
        quota, period = file.read_text("ascii").split()
        return None if quota == "max" else int(quota) / int(period)
    except (OSError, ValueError, ZeroDivisionError):
        return None


def _time_v1(group: Path) -> float | None:
    quota, period = _number(group / "cpu.cfs_quota_us"), _number(group / "cpu.cfs_period_us")
    return quota / period if quota is not None and period and quota > 0 else None


def _memory(group: Path, *, limit: str, used: str, idle: str) -> MemoryGrant | None:
    granted = _number(group / limit)
    if granted is None or granted >= _NO_LIMIT:
        return None
    in_use = max(0, (_number(group / used) or 0) - _statistic(group / "memory.stat", idle))
    return MemoryGrant(limit=granted, used=min(in_use, granted))


def _number(file: Path) -> int | None:
    try:
        return int(file.read_text("ascii"))
    except (OSError, ValueError):
        return None


def _statistic(file: Path, name: str) -> int:
    try:
        lines = file.read_text("ascii").splitlines()
    except (OSError, ValueError):
        return 0
    words = next((line.split() for line in lines if line.startswith(f"{name} ")), ["", "0"])
    return int(words[1]) if words[1].isdecimal() else 0
