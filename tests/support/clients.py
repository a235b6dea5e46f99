"""Released clients in folders of their own, installed once from a lock."""

import fcntl
import os
import shutil
import subprocess
from pathlib import Path

import pytest

INSTALL_SECONDS = 300


def tool(name: str, package: str) -> str:
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not installed: apt-get install {package}")
    return path


def run(command: list[str], **environ: str) -> str:
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=100, env=os.environ | environ, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def install(folder: Path, marks: list[Path], command: list[str], *, cwd: Path | None = None) -> None:
    """Install once for what the locks say; skip with the reason where that cannot be had."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # tests of another process want the same
        _install(folder, marks, command, cwd=cwd)


def _install(folder: Path, marks: list[Path], command: list[str], *, cwd: Path | None) -> None:
    mark, wanted = folder / ".installed", b"".join(one.read_bytes() for one in marks)
    if mark.exists() and mark.read_bytes() == wanted:
        return
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for one in marks:
        shutil.copy(one, folder)
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=INSTALL_SECONDS, cwd=cwd, check=False
    )
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["it failed"])[-1]
        pytest.skip(f"the client cannot be installed here: {reason[:200]}")
    mark.write_bytes(wanted)
