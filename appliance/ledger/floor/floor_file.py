"""What the plan counts, as the state directory keeps it: usage by day, in two small files.

`usage-<service>` has every day; it is replaced each minute, at a start and at a stop, and survives a power
cut. `usage-<service>.today` has the day in progress and is overwritten in place after each commit, before the
answers leave: that survives whatever happens to the process. Each begins with the SHA-256 of what follows, so
one that is torn or damaged is no count at all.
"""

import hashlib
import json
import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from appliance.ledger.read.totals import Days, greater
from license.encoding.strict import format_date, parse_date, parse_json
from license.errors import LicenseError, Malformed
from license.evidence.log.entry import Entry, Sums, Tally, render
from license.files import read_limited, write_atomic

_log = logging.getLogger("appliance.usage")

_MAX_BYTES: Final = 4 * 1024 * 1024
_PAGE: Final = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Floor:
    """The least that was used.

    Attributes:
        log: The log that was written last.
        days: Usage that counts against the plan, whatever log recorded it.
    """

    log: str
    days: Days


class FloorFile:
    """The two files of one service.

    Args:
        state: The state directory, mode 0700.
        service: Service name.
    """

    def __init__(self, state: Path, service: str) -> None:
        self.path = state / f"usage-{service}"
        self._today = state / f"usage-{service}.today"

    def read(self) -> Floor | None:
        """Return what they say together; None where neither can be read."""
        found = [floor for path in (self.path, self._today) if (floor := _read(path)) is not None]
        if not found:
            return None
        return Floor(
            log=max((floor.log for floor in found), key=_number_of),
            days=greater(found[0].days, found[-1].days),
        )

    def keep(self, floor: Floor) -> None:
        """Replace what was kept, durably; raises `OSError`."""
        write_atomic(self.path, _render(floor.log, floor.days))

    def note(self, log: str, day: int, sums: Sums) -> None:
        """Overwrite the day in progress; durable once the system writes it. Raises `OSError`."""
        data = _render(log, {day: sums})
        descriptor = os.open(self._today, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            # Always whole pages: nothing of a longer one before is left behind the end.
            os.pwrite(descriptor, data.ljust(-(-len(data) // _PAGE) * _PAGE, b"\n"), 0)
        finally:
            os.close(descriptor)


def _render(log: str, days: Days) -> bytes:
    said = {format_date(day): sums for day, sums in sorted(days.items()) if sums}
    line = json.dumps({"log": log, "days": said}, separators=(",", ":")).encode("ascii")
    return b"%s\n%s\n" % (hashlib.sha256(line).hexdigest().encode("ascii"), line)


def _read(path: Path) -> Floor | None:
    """Read one file; one that cannot be read proves nothing."""
    if not path.exists():
        return None
    try:
        digest, _, rest = read_limited(path, _MAX_BYTES).partition(b"\n")
        line = rest.partition(b"\n")[0]
        if hashlib.sha256(line).hexdigest().encode("ascii") != digest:
            raise Malformed("it does not have the sum it begins with")
        return _parse(parse_json(line.decode("utf-8"), max_bytes=_MAX_BYTES))
    except (LicenseError, ValueError, TypeError, KeyError, AttributeError) as error:
        _log.warning("the count of usage in %s cannot be read, the logs alone count: %s", path, error)
        return None


def _parse(claims: dict[str, Any]) -> Floor:
    days = {
        parse_date(date): {
            str(meter): Tally(*(_number(value) for value in numbers)) for meter, numbers in sums.items()
        }
        for date, sums in claims["days"].items()
    }
    for day, sums in days.items():
        # What could not be recorded as carried was never counted, and would hold up every start.
        render(Entry(kind="carry", n=0, at=day, values={"of": format_date(day), "s": sums}))
    return Floor(log=str(claims["log"]), days=days)


def _number(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise Malformed("a sum is not a number")
    return value


def _number_of(log: str) -> int:
    number = log.rpartition("/")[2]
    return int(number) if number.isascii() and number.isdigit() and len(number) < 10 else 0
