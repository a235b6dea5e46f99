"""File systems of a test's own that can be made to fail as real ones do. Root only; everything is undone."""

import contextlib
import fcntl
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

_IMAGE_BYTES = 48 * 1024 * 1024
_GET_FLAGS, _SET_FLAGS, _IMMUTABLE = (
    0x80086601,
    0x40086602,
    0x10,
)  # FS_IOC_GETFLAGS and so on, of <linux/fs.h>


def sh(*words: object) -> None:
    subprocess.run([str(word) for word in words], check=True, capture_output=True, timeout=60)


def require_mounts() -> None:
    if os.geteuid():
        pytest.skip("only root may mount a file system")


@contextlib.contextmanager
def tmpfs(point: Path, *, megabytes: int) -> Iterator[Path]:
    """A memory file system of a given size."""
    point.mkdir(exist_ok=True)
    mount("-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", point)
    try:
        yield point
    finally:
        sh("umount", "-l", point)


@contextlib.contextmanager
def full_disk(point: Path) -> Iterator[Path]:
    """A folder on a memory file system of its own that has no free byte; the folder may get small names."""
    require_mounts()
    with tmpfs(point, megabytes=1) as disk:
        (disk / "folder").mkdir()
        fill(disk / "filler")
        yield disk / "folder"


@contextlib.contextmanager
def ext4(home: Path, point: Path) -> Iterator[Path]:
    """An ext4 in a sparse image below `home`, on a loop device; it turns read-only on its first error."""
    image = home / "image"
    with image.open("wb") as file:
        file.truncate(_IMAGE_BYTES)
    try:
        sh("mkfs.ext4", "-q", "-E", "lazy_itable_init=0,nodiscard", image)
    except (FileNotFoundError, subprocess.CalledProcessError):
        pytest.skip("mkfs.ext4 is not installed (Debian: apt-get install e2fsprogs)")
    point.mkdir(exist_ok=True)
    mount("-o", "loop,errors=remount-ro", image, point)
    try:
        yield point
    finally:
        sh("umount", "-l", point)


def mount(*words: object) -> None:
    try:
        sh("mount", *words)
    except (FileNotFoundError, subprocess.CalledProcessError) as error:
        pytest.skip(f"this machine cannot mount it: {error}")


def turn_read_only(point: Path) -> None:
    """Let the ext4 find an error in itself, upon which the kernel mounts it read-only, open files or not."""
    device = subprocess.run(
        ["findmnt", "-no", "SOURCE", str(point)], check=True, capture_output=True, text=True
    ).stdout.strip()
    trigger = Path("/sys/fs/ext4") / Path(device).name / "trigger_fs_error"
    try:
        trigger.write_text("1")
    except OSError as error:
        pytest.skip(f"this kernel cannot be told to find an error: {error}")


def mount_again(home: Path, point: Path) -> None:
    """What an administrator does then: unmount under the service's feet, check, mount.

    The service lets go of its files once it has noticed, within a second or so.
    """
    deadline = time.monotonic() + 60
    while subprocess.run(["umount", str(point)], check=False, capture_output=True).returncode:
        if time.monotonic() > deadline:
            raise AssertionError("somebody keeps files open on the failed disk")
        time.sleep(0.1)
    subprocess.run(["fsck.ext4", "-p", "-f", str(home / "image")], check=False, capture_output=True)
    # A copy: a container that another test started at that moment may hold the old mount in its own name
    # space, and the kernel would hand out the same read-only file system once more.
    checked = home.with_name("checked-image")
    shutil.copyfile(home / "image", checked)
    sh("mount", "-o", "loop,errors=remount-ro", checked, point)


@contextlib.contextmanager
def immutable(*paths: Path) -> Iterator[None]:
    """Nobody may write to these files meanwhile, not even root: what `chattr +i` does."""
    try:
        for path in paths:
            _set_immutable(path, on=True)
    except OSError as error:
        for path in paths:
            with contextlib.suppress(OSError):
                _set_immutable(path, on=False)
        pytest.skip(f"only root may make files immutable, and not on every file system: {error}")
    try:
        yield
    finally:
        for path in paths:
            _set_immutable(path, on=False)


def _set_immutable(path: Path, *, on: bool) -> None:
    with path.open("rb") as file:
        flags = int.from_bytes(fcntl.ioctl(file, _GET_FLAGS, bytes(4)), sys.byteorder)
        flags = flags | _IMMUTABLE if on else flags & ~_IMMUTABLE
        fcntl.ioctl(file, _SET_FLAGS, flags.to_bytes(4, sys.byteorder))


def fill(path: Path) -> None:
    """Write to a file until there is no room left on its disk."""
    with contextlib.suppress(OSError), path.open("wb", buffering=0) as file:
        for size in (65_536, 4096, 512):
            with contextlib.suppress(OSError):
                while True:
                    file.write(bytes(size))
