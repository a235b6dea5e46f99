"""Python commands as processes that do not import the product again: see fork_server.py.

What is not `python -m MODULE …`, and what needs a process made by `exec` (its command line, its interpreter's
options), is started by `subprocess` as ever.
"""

import atexit
import functools
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Final

from tests.support.fork_server import REQUEST_BYTES
from tests.support.paths import ROOT

_LOCK: Final = threading.Lock()
_ENVIRON: Final = dict(os.environ)
"""Before a test changed it: the fork server lives longer than the test that needs it first."""


class ForkedProcess:
    """A running process, with the part of `subprocess.Popen` that tests use."""

    def __init__(
        self,
        module: str,
        words: Sequence[str],
        *,
        environ: Mapping[str, str],
        stdin: "IO[bytes] | None" = None,
        stdout: "IO[bytes] | None" = None,
        stderr: "IO[bytes] | None" = None,
        directory: Path | None = None,
    ) -> None:
        self.args = [sys.executable, "-m", module, *words]
        self.returncode: int | None = None
        request = {
            "module": module,
            "arguments": [module, *words],
            "environ": dict(environ),
            "directory": str(directory or Path.cwd()),
        }
        data = json.dumps(request).encode()
        assert len(data) < REQUEST_BYTES, "the environment is too long to be sent"
        self._status, theirs = os.pipe2(os.O_CLOEXEC)
        with open(os.devnull, "r+b") as nothing:  # noqa: PTH123
            streams = [(stream or nothing).fileno() for stream in (stdin, stdout, stderr)]
            with _LOCK:
                connection = _fork_server().connection
                socket.send_fds(connection, [data], [*streams, theirs])
                self.pid = int(connection.recv(20))
        os.close(theirs)

    def poll(self) -> int | None:
        return self._look(0)

    def wait(self, timeout: float | None = None) -> int:
        ended = self._look(timeout)
        if ended is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0)
        return ended

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def _look(self, timeout: float | None) -> int | None:
        if self.returncode is None and _readable(self._status, timeout):
            self.returncode = int(os.read(self._status, 20))
            os.close(self._status)
        return self.returncode


def can_fork(environ: Mapping[str, str]) -> bool:
    """Say whether an environment holds nothing that takes effect at `exec` only: LD_PRELOAD, PYTHON…"""
    names = {name for name in {*environ, *_ENVIRON} if name.startswith(("LD_", "PYTHON"))}
    return all(environ.get(name) == _ENVIRON.get(name) for name in names)


def run_forked(
    module: str,
    words: Sequence[str],
    *,
    environ: Mapping[str, str],
    stdin: bytes = b"",
    directory: Path | None = None,
    timeout: float = 60,
) -> "subprocess.CompletedProcess[bytes]":
    """Run a command to its end, as `subprocess.run(…, capture_output=True)` does.

    Raises:
        TimeoutExpired: It took longer; it was killed.
    """
    if not can_fork(environ):
        return subprocess.run(
            [sys.executable, "-m", module, *words],
            input=stdin,
            capture_output=True,
            env=environ,
            cwd=directory,
            timeout=timeout,
            check=False,
        )
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as said:
        given.write(stdin)
        given.seek(0)
        process = ForkedProcess(
            module, words, environ=environ, stdin=given, stdout=out, stderr=said, directory=directory
        )
        try:
            code = process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise
        printed = []
        for stream in (out, said):
            stream.seek(0)
            printed.append(stream.read())
    return subprocess.CompletedProcess(process.args, code, *printed)


def run_forked_text(module: str, words: Sequence[str], **options: Any) -> "subprocess.CompletedProcess[str]":
    """Run a command to its end, as `run_forked` does; what it printed is text."""
    done = run_forked(module, words, **options)
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


def _readable(descriptor: int, timeout: float | None) -> bool:
    waiting = select.poll()
    waiting.register(descriptor, select.POLLIN)
    return bool(waiting.poll(None if timeout is None else timeout * 1000))


class _ForkServer:
    """The process that forks for this one, which ends it when it ends."""

    def __init__(self) -> None:
        self.connection, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        command = [sys.executable, "-m", "tests.support.fork_server", str(theirs.fileno())]
        self.process = subprocess.Popen(command, pass_fds=[theirs.fileno()], cwd=ROOT, env=_ENVIRON)
        theirs.close()
        atexit.register(self.end)

    def end(self) -> None:
        self.connection.close()
        self.process.wait()


@functools.cache
def _fork_server() -> _ForkServer:
    return _ForkServer()
