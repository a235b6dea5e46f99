"""Memory that this process may have, and how many sessions of a model it holds.

A session is a thread that computes. While it does, it needs room for a batch: 33 MiB with the bundled model
for a call of 512 tokens in four windows, 60 MiB in one of 512. onnxruntime keeps what it once took. A
container that takes more sessions than it can hold is killed in the middle of an answer.
"""

import os
import sys
from pathlib import Path
from typing import Final

from appliance.host.control_group import memory_grant

MIB: Final = 1 << 20
BASE_BYTES: Final = 250 * MIB
"""What the service takes without a model, with room for requests, the ledger and the interpreter's moods."""
MODEL_FACTOR: Final = 3
"""Memory that a model takes with its first session, over the size of its files."""
_SESSION_BYTES: Final = 64 * MIB
_RESERVE_BYTES: Final = 64 * MIB
_ANY: Final = 1 << 16


def memory_limit(root: Path = Path("/")) -> int:
    """Return how many bytes this process may have: of its control groups or the machine; 0 if nothing says.

    Args:
        root: Where `proc` and `sys` are mounted; another place in tests.
    """
    granted = memory_grant(root)
    limits = [_total(root), granted.limit if granted is not None else 0]
    return min((limit for limit in limits if limit), default=0)


def memory_for_models(root: Path = Path("/")) -> int:
    """Return how many bytes models may take beside the rest of the service; very many if nothing says.

    Args:
        root: As for `memory_limit`.
    """
    limit = memory_limit(root)
    return left_for_models(limit) if limit else sys.maxsize


def left_for_models(limit: int) -> int:
    """Return what a host of that size leaves for models beside the rest of the service, both in bytes."""
    return max(0, limit - BASE_BYTES - _RESERVE_BYTES)


def session_bytes(model_bytes: int) -> int:
    """Return what each session of a model needs beside the first."""
    return max(_SESSION_BYTES, model_bytes // 2)


def sessions_that_fit(model_bytes: int, root: Path = Path("/")) -> int:
    """Return how many sessions of a loaded model the memory holds beside what is taken; at least 1.

    Args:
        model_bytes: Size of the model's graph.
        root: As for `memory_limit`.
    """
    limit = memory_limit(root)
    if not limit:
        return _ANY
    room = limit - resident_bytes(root) - _RESERVE_BYTES
    return max(1, room // session_bytes(model_bytes))


def _total(root: Path) -> int:
    try:
        text = (root / "proc/meminfo").read_text("ascii", "replace")
    except OSError:
        return 0
    words = next((line.split() for line in text.splitlines() if line.startswith("MemTotal:")), ["", "0"])
    return int(words[1]) * 1024 if words[1].isdecimal() else 0


def resident_bytes(root: Path = Path("/")) -> int:
    """Return how many bytes of memory this process holds now; 0 if nothing says.

    Args:
        root: As for `memory_limit`.
    """
    try:
        return int((root / "proc/self/statm").read_text("ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0
