"""How many cores this process may keep busy: those it may run on, or as many as its control group grants."""

import os
from pathlib import Path

from appliance.host.control_group import processor_grant


def usable_cores(root: Path = Path("/")) -> int:
    """Return how many threads can compute at once, at least 1.

    `docker run --cpus 2` and systemd's `CPUQuota=200%` leave every core in sight but grant two cores' time;
    more threads than that would be stopped in the middle of their work until the next period begins.

    Args:
        root: Where `proc` and `sys` are mounted; another place in tests.
    """
    cores = len(os.sched_getaffinity(0))
    quota = processor_grant(root)
    return cores if quota is None else max(1, min(cores, round(quota)))


def thread_counts(root: Path = Path("/")) -> list[int]:
    """Return how many threads may be worth trying, the usual number first.

    That is a thread for each usable core, and where two of them share one piece of silicon (SMT), also one
    for each such piece.

    Args:
        root: Where `proc` and `sys` are mounted; another place in tests.
    """
    cores = usable_cores(root)
    seen = os.sched_getaffinity(0)
    if cores < len(seen):  # what a control group grants is time, not certain cores
        return [cores]
    pieces = set()
    for core in seen:
        siblings = root / f"sys/devices/system/cpu/cpu{core}/topology/thread_siblings_list"
        try:
            pieces.add(siblings.read_text("ascii").strip())
        except (OSError, ValueError):
            return [cores]
    return [cores, len(pieces)] if len(pieces) < cores else [cores]
