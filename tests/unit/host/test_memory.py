"""How many sessions a control group's memory holds, with trees of files that stand for the kernel's."""

import os
from pathlib import Path

import pytest

from appliance.host.memory import MIB, memory_limit, sessions_that_fit

MODEL = 20 * MIB


def machine(root: Path, *, total: int = 64_000, granted: str = "", resident: int = 200) -> Path:
    """A machine with `total` MiB, a group that is granted so much, and this process with `resident` MiB."""
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/meminfo").write_text(f"MemTotal: {total * 1024} kB\nMemAvailable: {total * 512} kB\n")
    pages = resident * MIB // os.sysconf("SC_PAGE_SIZE")
    (root / "proc/self/statm").write_text(f"{4 * pages} {pages} 100 1 0 100 0\n")
    (root / "proc/self/cgroup").write_text("4:memory:/docker/1\n0::/docker/1\n")
    group = root / "sys/fs/cgroup"
    group.mkdir(parents=True)
    if granted:
        (group / "memory.max").write_text(granted)
    return root


@pytest.mark.parametrize(
    ("granted", "sessions"), [("256", 1), ("512", 3), ("1024", 11), ("4096", 59), ("max", 995)]
)
def test_memory_that_is_granted_decides_how_many_sessions_fit(
    tmp_path: Path, granted: str, sessions: int
) -> None:
    text = granted if granted == "max" else f"{int(granted) * MIB}"
    assert sessions_that_fit(MODEL, machine(tmp_path, granted=text)) == sessions


def test_version_1_grants_as_version_2_does(tmp_path: Path) -> None:
    root = machine(tmp_path)
    group = root / "sys/fs/cgroup/memory/docker/1"
    group.mkdir(parents=True)
    (group / "memory.limit_in_bytes").write_text(f"{512 * MIB}\n")
    assert memory_limit(root) == 512 * MIB
    assert sessions_that_fit(MODEL, root) == 3


def test_a_small_machine_decides_without_a_limit(tmp_path: Path) -> None:
    assert sessions_that_fit(MODEL, machine(tmp_path, total=400)) == 2


def test_what_is_taken_already_is_not_there_for_sessions(tmp_path: Path) -> None:
    """By a second model, say."""
    assert sessions_that_fit(MODEL, machine(tmp_path, granted=f"{512 * MIB}", resident=320)) == 2


def test_a_large_model_needs_more_for_each_session(tmp_path: Path) -> None:
    assert sessions_that_fit(400 * MIB, machine(tmp_path, granted=f"{1024 * MIB}", resident=500)) == 2


def test_a_limit_that_is_too_small_for_any_leaves_one(tmp_path: Path) -> None:
    assert sessions_that_fit(MODEL, machine(tmp_path, granted=f"{100 * MIB}")) == 1


def test_where_nothing_is_said_nothing_is_limited(tmp_path: Path) -> None:
    assert memory_limit(tmp_path) == 0
    assert sessions_that_fit(MODEL, tmp_path) > 256
