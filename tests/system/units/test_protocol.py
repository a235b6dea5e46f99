"""What a service manager sees of a process that uses `appliance.host.systemd`.

The manager is played by a datagram socket, a listening socket at file descriptor 3, a directory of
credentials and a pipe for the journal.
"""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self

import pytest

pytestmark = pytest.mark.e2e

SERVICE = Path(__file__).with_name("service.py")
LAUNCH = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ["LISTEN_PID"] = os.environ["WATCHDOG_PID"] = str(os.getpid())
os.execv(sys.argv[2], sys.argv[2:])
"""
SECRET = "correct horse battery staple"


class Manager:
    """Starts the service as systemd would, and listens to what it says."""

    def __init__(self, home: Path, *, watchdog_seconds: float = 0) -> None:
        self.channel = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.channel.bind(str(home / "notify"))
        self.channel.settimeout(60)
        listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = listener.getsockname()[1]
        credentials = home / "credentials"
        credentials.mkdir()
        (credentials / "api-key").write_text(SECRET)
        read_end, write_end = os.pipe()
        journal = os.fstat(write_end)
        environ = os.environ | {
            "NOTIFY_SOCKET": str(home / "notify"),
            "LISTEN_FDS": "1",
            "CREDENTIALS_DIRECTORY": str(credentials),
            "JOURNAL_STREAM": f"{journal.st_dev}:{journal.st_ino}",
        }
        if watchdog_seconds:
            environ["WATCHDOG_USEC"] = str(int(watchdog_seconds * 1_000_000))
        self.process = subprocess.Popen(
            [sys.executable, "-c", LAUNCH, str(listener.fileno()), sys.executable, str(SERVICE)],
            env=environ,
            stderr=write_end,
            pass_fds=(listener.fileno(),),
        )
        os.close(write_end)
        listener.close()
        self.journal = os.fdopen(read_end)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        self.channel.close()
        self.journal.close()

    def said(self) -> list[str]:
        """The next message, as its assignments; waits for it."""
        return self.channel.recv(4096).decode().split("\n")

    def until(self, assignment: str) -> None:
        while assignment not in self.said():
            pass

    def ask(self, word: str) -> str:
        with socket.create_connection(("127.0.0.1", self.port), timeout=60) as connection:
            connection.sendall(f"{word}\n".encode())
            return connection.makefile().readline().strip()

    def log(self) -> list[str]:
        """Every line of the finished process."""
        self.process.wait(60)
        return self.journal.read().splitlines()


Start = Callable[..., Manager]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    managers: list[Manager] = []

    def start(**options: float) -> Manager:
        managers.append(Manager(tmp_path, **options))
        return managers[-1]

    yield start
    for manager in managers:
        manager.__exit__()


def test_ready_is_said_once_the_service_answers(start: Start) -> None:
    manager = start()
    assert manager.said() == ["READY=1", "STATUS=serving on 1 sockets"]
    assert manager.ask("hello") == f"hello {len(SECRET)}"


def test_a_connection_made_before_readiness_waits_and_is_answered(start: Start) -> None:
    assert start().ask("early").startswith("early")


@pytest.mark.slow
def test_signs_of_life_come_in_time_and_stop_when_the_loop_hangs(start: Start) -> None:
    manager = start(watchdog_seconds=3)
    manager.until("READY=1")
    manager.channel.settimeout(3)
    for _ in range(3):
        assert manager.said() == ["WATCHDOG=1"]
    connection = socket.create_connection(("127.0.0.1", manager.port))
    connection.sendall(b"hang\n")
    with connection, pytest.raises(TimeoutError):
        while True:
            manager.said()


def test_a_stop_lets_the_request_in_flight_finish(start: Start) -> None:
    manager = start()
    manager.until("READY=1")
    with socket.create_connection(("127.0.0.1", manager.port), timeout=60) as slow:
        slow.sendall(b"slow\n")
        manager.ask("hello")  # answered after the slow request was accepted: they wait in one queue
        manager.process.send_signal(signal.SIGTERM)
        manager.until("STOPPING=1")
        assert slow.makefile().readline() == f"slow {len(SECRET)}\n"
    assert manager.process.wait(60) == 0


def test_every_line_in_the_journal_has_a_priority_and_none_a_secret(start: Start) -> None:
    manager = start()
    manager.until("READY=1")
    manager.process.terminate()
    lines = manager.log()
    assert lines == ["<6>ready", "<6>drained"]
    assert all(re.match("<[0-7]>", line) for line in lines)
