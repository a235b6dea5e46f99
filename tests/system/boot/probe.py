"""Runs in the service's own sandbox, in its place: prints each attempt; exit status 1 on a surprise."""

import ctypes
import mmap
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

state = Path(os.environ["STATE_DIRECTORY"].split(":")[0])
libc = ctypes.CDLL(None, use_errno=True)
surprises = 0


def attempt(name: str, allowed: bool, act: Callable[[], object]) -> None:
    global surprises  # noqa: PLW0603 (a script)
    try:
        act()
    except Exception as error:
        happened, why = False, f" ({error})"
    else:
        happened, why = True, ""
    surprises += happened is not allowed
    print("ok " if happened is allowed else "BAD", name, "allowed" if happened else "refused", why)  # noqa: T201


def dropped() -> None:
    script = state / "dropped.sh"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o700)
    try:
        subprocess.check_call([str(script)])
    finally:
        script.unlink()


def writable(directory: str) -> None:
    if os.statvfs(directory).f_flag & os.ST_RDONLY:
        raise OSError("mounted read-only")


def new_namespace() -> None:
    if libc.unshare(0x10000000):
        raise OSError(ctypes.get_errno(), "unshare")


def set_user_id() -> None:
    file = state / "set-user-id"
    file.touch()
    file.chmod(0o4755)


def sound() -> None:
    """Read a recording from memory and bring it to another rate, as speech does.

    By descriptor: for a file-like object soundfile needs callbacks of cffi's old kind, and those need memory
    that is writable and executable.
    """
    import numpy as np
    import soundfile
    import soxr

    descriptor = os.memfd_create("recording")
    with soundfile.SoundFile(descriptor, "w", 44_100, 1, format="WAV", closefd=False) as file:
        file.write(np.zeros(44_100, dtype=np.float32))
    os.lseek(descriptor, 0, os.SEEK_SET)
    samples, rate = soundfile.read(descriptor, dtype="float32", closefd=False)
    if len(soxr.resample(samples, rate, 16_000)) != 16_000:
        raise OSError("the sound is not whole")


attempt("socket(AF_INET)", False, lambda: socket.socket(socket.AF_INET))
attempt("socket(AF_INET6)", False, lambda: socket.socket(socket.AF_INET6))
attempt("socket(AF_UNIX)", True, lambda: socket.socket(socket.AF_UNIX))
attempt("name look-up", False, lambda: socket.getaddrinfo("example.com", 443))
attempt("write state", True, lambda: (state / "probe").write_text(""))
attempt("write /etc", False, lambda: Path("/etc/probe").write_text(""))
attempt("write the licence", False, lambda: os.truncate("/etc/appliance/license/license.note", 0))
attempt("/ is writable", False, lambda: writable("/"))
attempt("/usr is writable", False, lambda: writable("/usr"))
attempt("/opt/appliance/venv is writable", False, lambda: writable("/opt/appliance/venv"))
attempt("run what was dropped in state", False, dropped)
attempt("run /bin/true", True, lambda: subprocess.check_call(["/bin/true"]))
attempt("writable and executable memory", False, lambda: mmap.mmap(-1, 4096, prot=7))
attempt("a user namespace", False, new_namespace)
attempt("read a file of root's", False, lambda: Path("/etc/appliance/download.env").read_text())
attempt("list /root", False, lambda: list(Path("/root").iterdir()))
attempt("signal process 1", False, lambda: os.kill(1, 0))
attempt("set-user-id", False, set_user_id)
attempt("read and resample sound", True, sound)
sys.exit(bool(surprises))
