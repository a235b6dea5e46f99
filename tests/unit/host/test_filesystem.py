import os
from pathlib import Path

import pytest

from appliance.errors import OutputError
from appliance.host.filesystem import check_output, describe, file_system

MOUNTS = """\
22 1 254:0 / / rw,relatime - ext4 /dev/vda rw
30 22 0:30 / /mnt/share rw - nfs4 server:/export rw
31 22 0:31 / /mnt/with\\040space rw shared:1 - fuse.sshfs host:/ rw
32 30 0:32 / /mnt/share/local rw - xfs /dev/vdb rw
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/var/lib", "ext4"),
        ("/mnt", "ext4"),
        ("/mnt/share", "nfs4"),
        ("/mnt/share/a/b", "nfs4"),
        ("/mnt/shared", "ext4"),
        ("/mnt/share/local/x", "xfs"),
        ("/mnt/with space/x", "fuse.sshfs"),
    ],
)
def test_the_file_system_of_a_path_is_that_of_the_nearest_mount(path: str, kind: str) -> None:
    assert file_system(Path(path), MOUNTS) == kind


def test_a_network_file_system_is_refused_by_name(tmp_path: Path) -> None:
    mounts = f"30 22 0:30 / {tmp_path} rw - cifs //server/share rw\n"
    with pytest.raises(OutputError, match=r"network file system \(cifs\)"):
        check_output(tmp_path, mounts=mounts)


def test_a_missing_directory_says_how_to_make_it(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="does not exist") as caught:
        check_output(tmp_path / "missing")
    assert "install -d" in caught.value.hint


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_an_unwritable_directory_says_owner_and_mode(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError, match=r"not writable .* owner .*, mode 0500"):
        check_output(tmp_path)


def test_a_directory_that_cannot_be_written_even_by_root_says_owner_and_mode() -> None:
    with pytest.raises(OutputError, match=r"not writable .* owner root:root, mode 0555"):
        check_output(Path("/proc/self/net") if os.geteuid() else Path("/proc"))


def test_owner_and_mode_are_said_as_people_write_them(tmp_path: Path) -> None:
    tmp_path.chmod(0o750)
    assert describe(tmp_path).endswith("mode 0750")
