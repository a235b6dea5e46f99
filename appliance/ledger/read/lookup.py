"""Was this request counted already? Asked once after a restart, for work that a crash interrupted."""

import contextlib
import logging
import sqlite3
from collections.abc import Collection
from pathlib import Path

from license.evidence.log.source import find_databases, log_number, open_database

_log = logging.getLogger("appliance.usage")

_AT_ONCE = 500
_FIND = (
    "SELECT DISTINCT json_extract(text,'$.id') FROM entry "
    "WHERE n >= ? AND kind = 'use' AND json_extract(text,'$.id') IN ({})"
)


def recorded_requests(directory: Path, ids: Collection[str], *, since: tuple[str, int]) -> set[str]:
    """Return those of some request ids whose usage is durable in a ledger directory.

    Read-only, in a connection of its own; blocks for about a second for each million entries looked through.

    Args:
        directory: `{Mounts:Output}/{service}/{instance}`.
        ids: `request_id` of the uses that are looked for.
        since: Where to begin: the origin of a log and the number of entries it had; logs before it are left
            out. An empty origin looks through everything.
    """
    first = int(since[0].rpartition("/")[2]) if since[0] else 0
    recorded: set[str] = set()
    wanted = sorted(set(ids))
    for path in find_databases(directory):
        number = log_number(path)
        if number < first:
            continue
        start = since[1] if number == first else 0
        try:
            with contextlib.closing(open_database(path)) as connection:
                for offset in range(0, len(wanted), _AT_ONCE):
                    batch = wanted[offset : offset + _AT_ONCE]
                    statement = _FIND.format(",".join("?" * len(batch)))
                    recorded.update(str(row[0]) for row in connection.execute(statement, (start, *batch)))
        except sqlite3.Error as error:
            _log.error("the usage log %s cannot be looked through: %s", path, error)
    return recorded
