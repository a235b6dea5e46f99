"""What the logs of an installation prove before one is opened: how late it is, which licences were in force.

Read-only. A start asks this first, so that the clock begins no earlier than it ended, and an old licence or
issuer is refused before it is in force.
"""

import contextlib
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from appliance.host.effective_clock import Mark
from appliance.ledger.read.entries import read_events
from license.errors import LicenseError
from license.evidence.log.source import find_databases, open_database


@dataclass(frozen=True, slots=True, kw_only=True)
class HighWater:
    """The least that is known.

    Attributes:
        mark: Effective time at the last commit, with its uptime; None without a ledger.
        serial: Highest licence serial that was in force; 0 without one.
        epoch: Highest issuer epoch that was in force; 0 without one.
    """

    mark: Mark | None = None
    serial: int = 0
    epoch: int = 0


def recorded_high_water(directory: Path) -> HighWater:
    """Return what the logs in a ledger directory prove; a log that cannot be read proves nothing here."""
    high_water = HighWater()
    for path in find_databases(directory):
        with contextlib.suppress(sqlite3.Error, OSError, LicenseError):
            high_water = _later(high_water, _read(path))
    return high_water


def _read(path: Path) -> HighWater:
    with contextlib.closing(open_database(path)) as connection:
        row = connection.execute("SELECT effective, uptime, boot FROM tree WHERE size > 0").fetchone()
        licenses = read_events(connection, "lic")
    return HighWater(
        mark=None if row is None else Mark(effective=int(row[0]), uptime=float(row[1]), boot=str(row[2])),
        serial=max((entry.number("s") for entry in licenses), default=0),
        epoch=max((entry.number("e") for entry in licenses), default=0),
    )


def _later(first: HighWater, second: HighWater) -> HighWater:
    marks = [mark for mark in (first.mark, second.mark) if mark is not None]
    return HighWater(
        mark=max(marks, key=lambda mark: mark.effective, default=None),
        serial=max(first.serial, second.serial),
        epoch=max(first.epoch, second.epoch),
    )
