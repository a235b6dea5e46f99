"""Facts about the machine. Reads only: nothing is created, locked or written."""

import contextlib
import grp
import os
import platform
import pwd
import shutil
import sqlite3
import stat
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from appliance.host.container import in_container
from appliance.host.control_group import memory_grant
from appliance.host.cpus import usable_cores
from appliance.host.filesystem import file_system, free_bytes
from license.errors import LicenseError
from license.evidence.log.checkpoint import read_checkpoint
from license.evidence.log.source import find_databases, log_number, open_database, published_heads

UNIT: Final = "appliance.service"
_UNIT_PROPERTIES: Final = ("LoadState", "ActiveState", "UnitFileState", "Result", "NRestarts", "StatusText")
_PROBE_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """The user a path must be open to.

    Attributes:
        name: Name, or the number where it has none.
        uid: User.
        gids: Groups.
    """

    name: str
    uid: int
    gids: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class PathFact:
    """A file or directory as it stands.

    Attributes:
        path: What was looked at.
        exists: Whether there is anything; the rest says nothing otherwise.
        directory: Whether it is a directory.
        uid: Owner.
        gid: Group.
        mode: Permission bits.
        owner: Both by name, such as `root:root`.
        file_system: Type of the file system.
        free: Bytes that may still be written there.
        error: Why it could not be looked at, or empty.
    """

    path: Path
    exists: bool = True
    directory: bool = True
    uid: int = 0
    gid: int = 0
    mode: int = 0o700
    owner: str = "root:root"
    file_system: str = "ext4"
    free: int = 1 << 40
    error: str = ""

    def allows(self, account: Account, bits: int) -> bool:
        """Whether permission bits (4 read, 2 write, 1 search) are all granted to a user; root has them."""
        if account.uid == 0:
            return True
        if account.uid == self.uid:
            granted = self.mode >> 6
        elif self.gid in account.gids:
            granted = self.mode >> 3
        else:
            granted = self.mode
        return granted & bits == bits


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryFact:
    """Memory in bytes: `limit` is the smaller of the machine's and the control group's."""

    limit: int
    available: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessorFact:
    """Architecture, usable cores and, where the kernel tells, instruction set flags."""

    machine: str
    cores: int
    flags: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class LogFact:
    """One log of the ledger.

    Attributes:
        name: File name.
        number: Its k.
        damaged: Whether it was set aside.
        size: Durable entries.
        origin: Name of the log.
        error: Why it cannot be read, or empty.
    """

    name: str
    number: int
    damaged: bool = False
    size: int = 0
    origin: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerFact:
    """The ledger directory: its logs, oldest first, and the head published beside them."""

    directory: Path
    logs: tuple[LogFact, ...] = ()
    head_origin: str = ""
    head_size: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeFact:
    """Who keeps the clock.

    Attributes:
        kernel: Whether the kernel considers the clock synchronised, adjtimex(2).
        age: Seconds since a time service reached its server, as systemd-timesyncd.service(8) leaves it in
            `/run/systemd/timesync/synchronized`; None if none did since the machine was started.
        container: Whether this is a container, which has the clock of its host.
    """

    kernel: bool
    age: int | None = None
    container: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitFact:
    """What systemd knows of the unit; `present` is false where no systemd runs."""

    present: bool
    properties: Mapping[str, str]


def account_of(uid: int) -> Account:
    """Return a user with its groups."""
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        return Account(name=str(uid), uid=uid, gids=frozenset({uid}))
    return Account(name=entry.pw_name, uid=uid, gids=frozenset(os.getgrouplist(entry.pw_name, entry.pw_gid)))


def look_at(path: Path) -> PathFact:
    """Return what a path is."""
    try:
        status = path.stat()
        space = free_bytes(path)
    except FileNotFoundError:
        return PathFact(path=path, exists=False)
    except OSError as error:
        return PathFact(path=path, exists=False, error=error.strerror or str(error))
    mounts = _read("/proc/self/mountinfo")
    return PathFact(
        path=path,
        directory=stat.S_ISDIR(status.st_mode),
        uid=status.st_uid,
        gid=status.st_gid,
        mode=stat.S_IMODE(status.st_mode),
        owner=f"{_user(status.st_uid)}:{_group(status.st_gid)}",
        file_system=file_system(path, mounts),
        free=space,
    )


def nearest(path: Path) -> PathFact:
    """Return what exists of the way to a path."""
    fact = look_at(path)
    while not fact.exists and path != path.parent and not fact.error:
        path = path.parent
        fact = look_at(path)
    return fact


def memory() -> MemoryFact:
    """Return the memory there is, and what is free of it."""
    values = {}
    for line in _read("/proc/meminfo").splitlines():
        name, _, rest = line.partition(":")
        words = rest.split()
        if words and words[0].isdecimal():
            values[name] = int(words[0]) * 1024
    limit = values.get("MemTotal", 0)
    available = values.get("MemAvailable", limit)
    granted = memory_grant()
    if granted is not None and limit:
        limit = min(limit, granted.limit)
        available = min(available, limit - granted.used)
    return MemoryFact(limit=limit, available=min(available, limit))


def processor() -> ProcessorFact:
    """Return what this machine computes with."""
    flags = next(
        (line.partition(":")[2] for line in _read("/proc/cpuinfo").splitlines() if line.startswith("flags")),
        "",
    )
    return ProcessorFact(machine=platform.machine(), cores=usable_cores(), flags=frozenset(flags.split()))


def ledger(directory: Path) -> LedgerFact:
    """Return the logs of one installation; a log that cannot be read says so."""
    origin, size = "", 0
    for kept in published_heads(directory):
        with contextlib.suppress(LicenseError):
            head = read_checkpoint(kept.note)
            origin, size = head.origin, head.size
    logs = tuple(_log(path) for path in find_databases(directory))
    return LedgerFact(directory=directory, logs=logs, head_origin=origin, head_size=size)


def time_source(*, kernel: bool, now: int, run: Path = Path("/run")) -> TimeFact:
    """Return who keeps the clock.

    Args:
        kernel: What the kernel says.
        now: Unix second by the machine's clock.
        run: Where systemd and container managers leave what they know (container_interface of systemd.io).
    """
    age = None
    with contextlib.suppress(OSError):
        touched = int((run / "systemd/timesync/synchronized").stat().st_mtime)
        age = now - touched if touched <= now else None
    return TimeFact(kernel=kernel, age=age, container=in_container(run.parent))


def unit(name: str = UNIT) -> UnitFact:
    """Ask systemd about the unit."""
    systemctl = shutil.which("systemctl")
    if systemctl is None or not Path("/run/systemd/system").is_dir():
        return UnitFact(present=False, properties={})
    words = [systemctl, "show", name, *(f"--property={key}" for key in _UNIT_PROPERTIES)]
    try:
        output = subprocess.run(  # noqa: S603 (a fixed command)
            words, capture_output=True, text=True, timeout=_PROBE_SECONDS, check=False
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return UnitFact(present=False, properties={})
    pairs = (line.partition("=") for line in output.splitlines())
    return UnitFact(present=True, properties={key: value for key, _, value in pairs if key})


def _log(path: Path) -> LogFact:
    number, damaged = log_number(path), path.name.startswith("damaged")
    try:
        with contextlib.closing(open_database(path)) as connection:
            row = connection.execute("SELECT origin, size FROM tree").fetchone()
    except (sqlite3.Error, OSError) as error:
        return LogFact(name=path.name, number=number, damaged=damaged, error=str(error))
    if row is None:
        return LogFact(name=path.name, number=number, damaged=damaged, error="it was never begun")
    return LogFact(name=path.name, number=number, damaged=damaged, size=int(row[1]), origin=str(row[0]))


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return ""


def _user(uid: int) -> str:
    with contextlib.suppress(KeyError):
        return pwd.getpwuid(uid).pw_name
    return str(uid)


def _group(gid: int) -> str:
    with contextlib.suppress(KeyError):
        return grp.getgrgid(gid).gr_name
    return str(gid)
