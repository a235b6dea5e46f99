import os
from pathlib import Path

import pytest

from appliance.inference.cores import usable_cores

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
