import os
from pathlib import Path

import pytest

from appliance.host.cpus import thread_counts, usable_cores

ALL = len(os.sched_getaffinity(0))


def machine(root: Path, group: str, grants: dict[str, str]) -> Path:
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text(f"0::{group}\n")
    for place, text in grants.items():
        directory = root / "sys/fs/cgroup" / place
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "cpu.max").write_text(text)
    return root


def test_without_control_groups_every_core_counts(tmp_path: Path) -> None:
    assert usable_cores(tmp_path) == ALL


def test_a_quota_of_one_core_means_one_thread(tmp_path: Path) -> None:
    assert usable_cores(machine(tmp_path, "/", {"": "100000 100000\n"})) == 1


def test_the_tightest_group_above_decides(tmp_path: Path) -> None:
    grants = {"a": "100000 100000", "a/b": "max 100000"}
    assert usable_cores(machine(tmp_path, "/a/b", grants)) == 1


def test_less_than_half_a_core_is_still_one_thread(tmp_path: Path) -> None:
    assert usable_cores(machine(tmp_path, "/", {"": "20000 100000"})) == 1


@pytest.mark.parametrize("text", ["max 100000", "", "x y", "1 0", "10000000 100000"])
def test_no_quota_a_large_one_or_an_odd_one_changes_nothing(tmp_path: Path, text: str) -> None:
    assert usable_cores(machine(tmp_path, "/", {"": text})) == ALL


def test_a_group_outside_of_sight_is_ignored(tmp_path: Path) -> None:
    assert usable_cores(machine(tmp_path, "/../../etc", {})) == ALL


def siblings(root: Path, threads: dict[int, str]) -> Path:
    for core, text in threads.items():
        directory = root / f"sys/devices/system/cpu/cpu{core}/topology"
        directory.mkdir(parents=True)
        (directory / "thread_siblings_list").write_text(text)
    return root


def test_threads_that_share_a_core_are_worth_a_second_try(tmp_path: Path) -> None:
    seen = sorted(os.sched_getaffinity(0))
    assert thread_counts(siblings(tmp_path / "alone", {core: f"{core}\n" for core in seen})) == [ALL]
    shared = siblings(tmp_path / "shared", dict.fromkeys(seen, "0-1\n"))
    assert thread_counts(shared) == ([ALL, 1] if ALL > 1 else [1])
    assert thread_counts(tmp_path) == [ALL], "unknown siblings are no siblings"
    quota = machine(tmp_path / "quota", "/", {"": "100000 100000\n"})
    assert thread_counts(siblings(quota, dict.fromkeys(seen, "0-1\n"))) == [1]
