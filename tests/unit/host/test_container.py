"""What a hint says in a container is typed on its host; nothing of containers is said elsewhere."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from appliance.host.container import in_container, reload_command
from tests.support.paths import ROOT

TRIED = """
import os, sys
from pathlib import Path
from appliance.host.container import access_hint
from license import files
print(access_hint(Path('/license'), directory=True))
print(files.access_hint(Path('/license'), directory=True))
"""


@pytest.mark.parametrize("mark", ["run/.containerenv", ".dockerenv", "run/systemd/container"])
def test_a_container_is_known_by_what_its_engine_leaves(tmp_path: Path, mark: str) -> None:
    assert not in_container(tmp_path)
    assert reload_command(tmp_path) == "systemctl reload appliance"
    (tmp_path / mark).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / mark).touch()
    assert in_container(tmp_path)
    assert reload_command(tmp_path) == "docker kill --signal HUP CONTAINER"


def why_no_mounts() -> str:
    """Why this test may not mount anything; empty if it may."""
    if os.geteuid() != 0:
        return "needs root, to mount a directory in a root of its own"
    tried = subprocess.run(["unshare", "--mount", "true"], capture_output=True, text=True, check=False)
    return tried.stderr.strip()  # as in a root directory that is no mount point


WHY_NO_MOUNTS = why_no_mounts()


@pytest.mark.skipif(bool(WHY_NO_MOUNTS), reason=WHY_NO_MOUNTS)
def test_a_volume_is_opened_on_the_host_and_only_the_appliance_says_so(tmp_path: Path) -> None:
    """In a root directory of its own, that has a mount and the mark of an engine."""
    (tmp_path / "given").mkdir()
    (tmp_path / "program.py").write_text(TRIED)
    root = tmp_path / "root"
    root.mkdir()
    script = f"""
set -e
for top in usr etc {ROOT.parts[1]} {Path(sys.base_prefix).parts[1]} {tmp_path.parts[1]}; do
  mkdir -p {root}/$top; mount --rbind /$top {root}/$top
done
for link in bin lib lib64 sbin; do [ ! -L /$link ] || ln -s usr/$link {root}/$link; done
mkdir -p {root}/license {root}/run; touch {root}/run/.containerenv
mkdir {root}/proc; mount --rbind /proc {root}/proc
mount --bind {tmp_path}/given {root}/license
exec chroot {root} env PYTHONPATH={ROOT} {sys.executable} {tmp_path}/program.py
"""
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    ours, plain = done.stdout.splitlines()
    assert ours.endswith("on the host, sudo chown 0:0 DIRECTORY    # the one that is mounted at /license")
    assert "host" not in plain
