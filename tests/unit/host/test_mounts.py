from pathlib import Path

import pytest

from appliance.host.mounts import is_mount, lost_with_container, mount_of

VOLUMES = "/var/lib/docker/volumes"
MOUNTS = f"""\
700 600 0:50 / / rw,relatime master:1 - overlay overlay rw,lowerdir=/l
701 700 0:51 / /memory rw,nosuid - tmpfs tmpfs rw
702 700 254:0 /srv/license /license rw,relatime - ext4 /dev/vda rw
703 700 254:0 {VOLUMES}/{"a1" * 32}/_data /output rw,relatime - ext4 /dev/vda rw
704 700 254:0 {VOLUMES}/records/_data /kept rw,relatime - ext4 /dev/vda rw
705 700 254:1 /volumes/{"b2" * 32}/_data /other\\040place rw,relatime - xfs /dev/vdb rw
706 700 254:0 /var/lib/kubelet/pods/1/volumes/kubernetes.io~empty-dir/data /pod rw - ext4 /dev/vda rw
"""


@pytest.mark.parametrize(
    ("path", "lost"),
    [
        ("/license", ""),
        ("/license/below", ""),
        ("/kept", ""),
        ("/state", "the container's own layer"),
        ("/memory/output", "a tmpfs in memory"),
        ("/output/customner", "a volume without a name"),
        ("/other place", "a volume without a name"),
        ("/pod", "an emptyDir of its pod"),
    ],
)
def test_what_ends_with_a_container_is_known(path: str, lost: str) -> None:
    assert lost_with_container(Path(path), MOUNTS) == lost


def test_a_mount_is_named_as_an_engine_s_option_names_it() -> None:
    assert mount_of(Path("/license"), MOUNTS).source == "/srv/license"
    assert mount_of(Path("/kept/below"), MOUNTS).source == "records"


def test_only_the_point_itself_is_a_mount() -> None:
    assert is_mount(Path("/license"), MOUNTS)
    assert not is_mount(Path("/license/below"), MOUNTS)
    assert not is_mount(Path("/state"), MOUNTS)
    assert not is_mount(Path("/"), MOUNTS)
