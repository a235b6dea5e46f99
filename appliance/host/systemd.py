"""The interface to systemd, by the standard library alone.

Five things that a service manager hands over in the environment: where to send state changes
(sd_notify(3)), how often to show a sign of life (sd_watchdog_enabled(3)), the sockets that a .socket unit
opened (sd_listen_fds(3)), secrets as files (systemd.exec(5), Credentials) and whether standard error is the
journal (systemd.exec(5), $JOURNAL_STREAM). Without a service manager each of them answers "nothing", so the
same program runs in a terminal and in a container.

What to say, and when, is left to `appliance.server.server`.
"""

import asyncio
import logging
import os
import socket
from collections.abc import Callable, Mapping, MutableMapping
from pathlib import Path
from typing import TextIO

from appliance.errors import SettingsError

log = logging.getLogger("appliance.systemd")

FIRST_PASSED_FD = 3
MAX_CREDENTIAL_BYTES = 1_048_576
"""systemd's own limit for all credentials of a unit together."""

SETTING_CREDENTIAL = "setting_"
"""Credentials that are settings begin with it."""

PRIORITIES = ((logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6))
"""Python's levels as syslog priorities (sd-daemon(3)); everything below is 7, debug."""


def notify(*assignments: str, environ: Mapping[str, str] = os.environ) -> bool:
    """Tell the service manager about a change, for example `notify("READY=1", "STATUS=serving")`.

    Returns:
        True when the message was handed over; False without a service manager. A manager that cannot be
        reached is logged and never raised: no request should fail because of it.
    """
    address = environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return False
    if address.startswith("@"):
        address = "\0" + address[1:]
    # One assignment per line: a line break inside a value would begin an assignment of its own.
    message = "\n".join(" ".join(assignment.splitlines()) for assignment in assignments)
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
            channel.connect(address)
            channel.sendall(message.encode())
    except OSError as error:
        log.warning("the service manager could not be told %r: %s", message, error)
        return False
    return True


def watchdog_seconds(*, environ: Mapping[str, str] = os.environ, pid: int | None = None) -> float | None:
    """Return the seconds between two signs of life, or None when nobody waits for them.

    It is half of `WatchdogSec=`, as sd_watchdog_enabled(3) advises, so that one late sign does no harm.

    Raises:
        SettingsError: The manager's value is not a number.
    """
    if environ.get("WATCHDOG_PID", str(pid or os.getpid())) != str(pid or os.getpid()):
        return None
    return _number("WATCHDOG_USEC", environ) / 2_000_000 or None


async def keep_alive(
    interval_seconds: float,
    stuck: Callable[[], str | None],
    *,
    environ: Mapping[str, str] = os.environ,
) -> None:
    """Send a sign of life from the event loop, for as long as every other part gives one too.

    Args:
        interval_seconds: From `watchdog_seconds`.
        stuck: Names the part that has stopped making progress, or returns None. While it names a part, no
            sign is sent and the manager restarts the service when `WatchdogSec=` has passed.
        environ: Where `NOTIFY_SOCKET` is found.
    """
    reported = None
    while True:
        part = stuck()
        if part is None:
            notify("WATCHDOG=1", environ=environ)
        elif part != reported:
            log.critical("%s has stopped making progress; the service manager will restart the service", part)
            notify(f"STATUS={part} has stopped making progress", environ=environ)
        reported = part
        await asyncio.sleep(interval_seconds)


def listen_sockets(
    *, environ: MutableMapping[str, str] = os.environ, pid: int | None = None
) -> list[socket.socket]:
    """Take over the listening sockets of the .socket unit, in its order; an empty list without one.

    The variables are removed, so that a child process does not take the sockets for its own.

    Raises:
        SettingsError: Something else than a listening stream socket was passed: the .socket unit says
            `Accept=yes` or `ListenDatagram=`, which this service cannot serve.
    """
    if environ.get("LISTEN_PID") != str(pid or os.getpid()):
        return []
    count = _number("LISTEN_FDS", environ)
    for key in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"):
        environ.pop(key, None)
    return [_listening(fd) for fd in range(FIRST_PASSED_FD, FIRST_PASSED_FD + count)]


def _listening(fd: int) -> socket.socket:
    os.set_inheritable(fd, False)
    try:
        passed = socket.socket(fileno=fd)
        listens = passed.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    except OSError as error:
        raise SettingsError(f"file descriptor {fd} of the socket unit is not a socket") from error
    if not listens or passed.type != socket.SOCK_STREAM:
        raise SettingsError(
            f"file descriptor {fd} of the socket unit is not a listening stream socket",
            hint="use ListenStream= without Accept=yes in the socket unit",
        )
    return passed


def credential(name: str, *, environ: Mapping[str, str] = os.environ) -> bytes | None:
    """Return a secret passed with `LoadCredential=NAME:/path`, or None when the unit names none.

    Raises:
        SettingsError: The name is not a plain file name, or the credential cannot be read or is too large.
    """
    directory = environ.get("CREDENTIALS_DIRECTORY")
    if not directory:
        return None
    if name in {"", ".", ".."} or "/" in name:
        raise SettingsError(f"{name!r} is not the name of a credential")
    try:
        with (Path(directory) / name).open("rb") as file:
            secret = file.read(MAX_CREDENTIAL_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SettingsError(f"credential {name!r} cannot be read: {error.strerror}") from error
    if len(secret) > MAX_CREDENTIAL_BYTES:
        raise SettingsError(f"credential {name!r} is larger than {MAX_CREDENTIAL_BYTES} bytes")
    return secret


def credential_settings(*, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the settings among the credentials: the files of `LoadCredential=setting:DIRECTORY`.

    `setting_ApiKeys__billing` is what systemd makes of the file `ApiKeys__billing`, and becomes the setting
    `ApiKeys:billing`, as an environment variable of that name would.

    Raises:
        SettingsError: A credential cannot be read or is not text.
    """
    directory = environ.get("CREDENTIALS_DIRECTORY")
    if not directory or not Path(directory).is_dir():
        return {}
    settings = {}
    for path in sorted(Path(directory).glob(f"{SETTING_CREDENTIAL}*")):
        name = path.name.removeprefix(SETTING_CREDENTIAL)
        try:
            settings[name] = (credential(path.name, environ=environ) or b"").decode("utf-8").strip()
        except UnicodeDecodeError as error:
            raise SettingsError(f"credential {path.name!r} is not text") from error
    return settings


def is_journal(stream: TextIO, *, environ: Mapping[str, str] = os.environ) -> bool:
    """Tell whether what is written to `stream` arrives in the journal (and not in a file or terminal)."""
    try:
        status = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"


class JournalFormatter(logging.Formatter):
    """Puts the priority before every line, so that `journalctl -p warning` finds what it should.

    Time and process are left out: the journal records both itself. Every line of a traceback carries the
    priority, because the journal takes each line for an entry of its own.
    """

    def __init__(self, fmt: str = "%(message)s") -> None:
        super().__init__(fmt)

    def format(self, record: logging.LogRecord) -> str:
        """Return the record's text with `<N>` before each of its lines."""
        prefix = f"<{next((number for level, number in PRIORITIES if record.levelno >= level), 7)}>"
        return "\n".join(prefix + line for line in super().format(record).splitlines() or [""])


def _number(key: str, environ: Mapping[str, str]) -> int:
    value = environ.get(key, "0")
    if not (value.isascii() and value.isdigit()):
        raise SettingsError(f"{key} holds {value!r}, which is not a number")
    return int(value)
