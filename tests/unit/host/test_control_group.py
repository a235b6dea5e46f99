from pathlib import Path

import pytest

from appliance.host.control_group import memory_grant, processor_grant

MIB = 1 << 20


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def test_version_1_inside_a_container_whose_group_has_the_host_s_name(tmp_path: Path) -> None:
    root = write(
        tmp_path,
        {
            "proc/self/cgroup": "5:memory:/docker/abc\n4:cpu,cpuacct:/docker/abc\n0::/\n",
            "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "150000\n",
            "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
            "sys/fs/cgroup/memory/memory.limit_in_bytes": f"{700 * MIB}\n",
            "sys/fs/cgroup/memory/memory.usage_in_bytes": f"{300 * MIB}\n",
            "sys/fs/cgroup/memory/memory.stat": f"cache 1\ntotal_inactive_file {100 * MIB}\n",
        },
    )
    assert processor_grant(root) == 1.5
    grant = memory_grant(root)
    assert grant is not None
    assert (grant.limit, grant.used) == (700 * MIB, 200 * MIB)


def test_version_2_takes_the_smallest_on_the_way_to_the_root(tmp_path: Path) -> None:
    root = write(
        tmp_path,
        {
            "proc/self/cgroup": "0::/system.slice/appliance.service\n",
            "sys/fs/cgroup/cpu.max": "max 100000\n",
            "sys/fs/cgroup/system.slice/cpu.max": "200000 100000\n",
            "sys/fs/cgroup/system.slice/appliance.service/cpu.max": "400000 100000\n",
            "sys/fs/cgroup/system.slice/memory.max": f"{512 * MIB}\n",
            "sys/fs/cgroup/system.slice/memory.current": f"{100 * MIB}\n",
            "sys/fs/cgroup/system.slice/appliance.service/memory.max": "max\n",
        },
    )
    assert processor_grant(root) == 2
    grant = memory_grant(root)
    assert grant is not None
    assert (grant.limit, grant.used) == (512 * MIB, 100 * MIB)


def test_both_versions_at_once_are_both_looked_at(tmp_path: Path) -> None:
    root = write(
        tmp_path,
        {
            "proc/self/cgroup": "4:cpu:/\n0::/\n",
            "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n",
            "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
            "sys/fs/cgroup/unified/cpu.max": "300000 100000\n",
        },
    )
    assert processor_grant(root) == 3


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"proc/self/cgroup": "nonsense\n"},
        {"proc/self/cgroup": "5:memory:/../x\n", "sys/fs/cgroup/memory/memory.limit_in_bytes": "1\n"},
        {
            "proc/self/cgroup": "5:memory:/\n",
            "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
        },
        {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "1 0\n", "sys/fs/cgroup/memory.max": "max\n"},
    ],
)
def test_no_limit_is_none(tmp_path: Path, files: dict[str, str]) -> None:
    root = write(tmp_path, files)
    assert processor_grant(root) is None
    assert memory_grant(root) is None
