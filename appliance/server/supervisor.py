"""Keeps the workers of one host running: starts them, starts again what died, and stops them all in order.

The supervisor itself serves nothing. It takes the port, forks, and hears of its workers as systemd hears of a
service: over a socket that `NOTIFY_SOCKET` names. To systemd itself it is the one process that is ready when
all workers are, and alive while they are.

    a worker cannot start          all end, with its exit code
    a worker dies                  it is started again; its connections wait meanwhile, since its socket stays
    a worker is stuck              it is killed, and started again
    SIGTERM                        all drain: what has arrived is answered, what arrives later is refused
    SIGHUP                         passed on
    the supervisor dies            its workers drain and end
"""

import contextlib
import ctypes
import logging
import os
import secrets
import select
import signal
import socket
import struct
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from types import FrameType
from typing import Final

from appliance.config.settings import Settings
from appliance.host import systemd
from appliance.server.listening import bind
from appliance.server.workers import Worker

_log = logging.getLogger("appliance.workers")

STUCK_SECONDS: Final = 30.0
"""Silence of a worker after which it is killed; it gives a sign of life every half of that."""
_LOOK_SECONDS: Final = 0.5
_PAUSES: Final = (0.0, 1.0, 2.0, 5.0, 10.0, 30.0)  # before a worker that failed again is started again
_LAST_SECONDS: Final = 15.0  # beyond the drain: for the model, the last report and the last checkpoint
_PR_SET_PDEATHSIG: Final = 1
_CREDENTIALS: Final = struct.Struct("iii")
_MESSAGE_BYTES: Final = 4096


@dataclass(slots=True)
class _Child:
    """A worker's process, and what it has said of itself."""

    worker: Worker
    sockets: list[socket.socket]
    pid: int = 0
    ready: bool = False
    beat: float = 0.0
    failures: int = 0
    start_at: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Forked:
    """What the process of a worker is to do: serve as this worker on these sockets."""

    worker: Worker
    sockets: list[socket.socket]


class _InChild(BaseException):
    """Leads out of the supervisor in a process that was forked to be a worker."""

    def __init__(self, what: Forked) -> None:
        super().__init__()
        self.what = what


class Supervisor:
    """Runs workers until it is told to stop.

    Args:
        workers: What each of them is.

    Raises:
        SettingsError: The address is not ours or is in use.
    """

    def __init__(self, workers: Sequence[Worker]) -> None:
        self._settings = workers[0].settings
        sockets = systemd.listen_sockets()
        self._children = [_Child(worker, list(sockets)) for worker in workers]
        if not sockets:
            _share_port(self._children, self._settings)
        self._address = f"@appliance-workers-{secrets.token_hex(16)}"
        self._channel = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._channel.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self._channel.setblocking(False)
        self._channel.bind("\0" + self._address[1:])
        self._stopping: int | None = None
        self._told_ready = False
        self._exit_code = 0
        self._kill_at = 0.0
        self._watchdog = systemd.watchdog_seconds()
        self._alive_at = 0.0

    def run(self) -> "int | Forked":
        """Supervise until all workers have ended, and return the exit code of this process.

        In the process of a worker this returns, too: with what that worker is to do.
        """
        woken, wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        signal.signal(signal.SIGHUP, lambda *_: self._tell(signal.SIGHUP))
        signal.signal(signal.SIGCHLD, lambda *_: None)
        systemd.notify("STATUS=starting the workers")
        waited: list[int | socket.socket] = [woken, self._channel]
        try:
            while self._look():
                ready, _, _ = select.select(waited, [], [], _LOOK_SECONDS)
                if woken in ready:
                    with contextlib.suppress(BlockingIOError):
                        os.read(woken, _MESSAGE_BYTES)
        except _InChild as forked:
            return forked.what
        finally:
            signal.set_wakeup_fd(-1)
            for end in (woken, wake):
                os.close(end)
            self._channel.close()
        return self._exit_code

    def _look(self) -> bool:
        """Do what is due; False once all is over."""
        self._hear()
        self._bury()
        now = time.monotonic()
        for child in self._children:
            if not child.pid and self._stopping is None and now >= child.start_at:
                self._start(child)
            elif child.ready and now - child.beat > STUCK_SECONDS and self._stopping is None:
                _log.critical("worker %d is stuck and is killed", child.worker.number)
                os.kill(child.pid, signal.SIGKILL)
        if not self._told_ready and all(child.ready for child in self._children):
            self._told_ready = True
            count, address = len(self._children), _address(self._children[0].sockets[0], self._settings)
            systemd.notify("READY=1", f"STATUS=serving on {address} with {count} workers")
            _log.info("%d workers serve", count)
            _log.info("ready: %s", address)
        if self._watchdog is not None and now >= self._alive_at:
            systemd.notify("WATCHDOG=1")
            self._alive_at = now + self._watchdog
        if self._stopping is not None and now > self._kill_at:
            self._tell(signal.SIGKILL)
        return self._stopping is None or any(child.pid for child in self._children)

    def _start(self, child: _Child) -> None:
        child.ready, child.beat = False, time.monotonic()
        parent = os.getpid()
        child.pid = os.fork()
        if child.pid:
            return
        self._become(child, parent)
        raise _InChild(Forked(worker=child.worker, sockets=child.sockets))

    def _become(self, child: _Child, parent: int) -> None:
        """Make a worker of this process, which was just forked."""
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
            signal.signal(number, signal.SIG_IGN if number == signal.SIGHUP else signal.SIG_DFL)
        os.setpgid(0, 0)  # Ctrl-C reaches the supervisor, which asks each worker once
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            os._exit(0)
        for one in {one for other in self._children for one in other.sockets}.difference(child.sockets):
            one.close()
        os.environ["NOTIFY_SOCKET"] = self._address
        os.environ["WATCHDOG_USEC"] = str(int(STUCK_SECONDS * 1_000_000))
        os.environ["WATCHDOG_PID"] = str(os.getpid())
        child.worker = _on_its_cores(child.worker)

    def _hear(self) -> None:
        """Take in what workers say; whoever else writes to the socket is not heard."""
        while True:
            try:
                message, ancillary, _, _ = self._channel.recvmsg(
                    _MESSAGE_BYTES, socket.CMSG_SPACE(_CREDENTIALS.size)
                )
            except BlockingIOError:
                return
            sender = next(
                (
                    _CREDENTIALS.unpack(data)[0]
                    for level, kind, data in ancillary
                    if (level, kind) == (socket.SOL_SOCKET, socket.SCM_CREDENTIALS)
                ),
                0,
            )
            for child in self._children:
                if child.pid and child.pid == sender:
                    child.beat = time.monotonic()
                    if b"READY=1" in message.split(b"\n"):
                        child.ready, child.failures = True, 0

    def _bury(self) -> None:
        """Take note of the processes that have ended."""
        for child in self._children:
            if not child.pid:
                continue
            pid, status = os.waitpid(child.pid, os.WNOHANG)
            if pid:
                child.pid = 0
                self._ended(child, os.waitstatus_to_exitcode(status))

    def _ended(self, child: _Child, code: int) -> None:
        number = child.worker.number
        if self._stopping is not None:
            self._exit_code = self._exit_code or max(code, 0)
            return
        if not self._told_ready:
            _log.error("worker %d could not start (exit status %d); all end", number, code)
            self._exit_code = code if code > 0 else 1
            self._stop(signal.SIGTERM)
            return
        pause = _PAUSES[min(child.failures, len(_PAUSES) - 1)]
        child.failures += 1
        child.start_at = time.monotonic() + pause
        said = f"by {signal.Signals(-code).name}" if code < 0 else f"with exit status {code}"
        _log.error("worker %d ended %s and is started again in %g s", number, said, pause)

    def _stop(self, number: int, frame: FrameType | None = None) -> None:  # noqa: ARG002
        """Have all workers drain; nobody but they holds the port, so that whoever comes later is refused."""
        settings = self._settings
        drain = settings.lame_duck_seconds + settings.drain_seconds + _LAST_SECONDS
        if self._stopping is None:
            self._stopping = number
            self._kill_at = time.monotonic() + drain
            systemd.notify("STOPPING=1", "STATUS=draining", f"EXTEND_TIMEOUT_USEC={int(drain * 1_000_000)}")
            for child in self._children:
                for one in child.sockets:
                    one.close()
        self._tell(number)

    def _tell(self, number: int) -> None:
        for child in self._children:
            if child.pid:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child.pid, number)


def _on_its_cores(worker: Worker) -> Worker:
    """Move this process to the cores of a worker; where that is not allowed, have it compute on as many."""
    try:
        os.sched_setaffinity(0, worker.cores)
    except OSError:  # as the units for systemd have it; or a core was taken away
        sessions = worker.settings.sessions or len(worker.cores)
        return replace(worker, settings=replace(worker.settings, sessions=sessions))
    return worker


def _share_port(children: Sequence[_Child], settings: Settings) -> None:
    """Take the port once for each worker, and one of its own; port 0 is what the first of them was given."""
    port = settings.port
    for number, child in enumerate(children):
        child.sockets.append(bind(settings, port=port, shared=True))
        port = child.sockets[0].getsockname()[1]
        if settings.worker_port:
            child.sockets.append(bind(settings, port=settings.worker_port + number))


def _address(bound: socket.socket, settings: Settings) -> str:
    name = bound.getsockname()
    if not isinstance(name, tuple):
        return str(name)
    host = f"[{name[0]}]" if ":" in name[0] else name[0]
    return f"{'https' if settings.tls_certificate else 'http'}://{host}:{name[1]}"
