"""Was this request counted already? Asked once after a restart, for work that a crash interrupted.

What is counted is not counted again, so only an entry proves it that was hashed up to a signed head.
"""

import contextlib
import logging
from collections.abc import Collection, Sequence
from pathlib import Path

from appliance.ledger.floor.proven_logs import UNREADABLE, prove_log, read_heads
from appliance.ledger.log.rehash import Rehash
from appliance.ledger.log.sqlite_store import Damaged
from license.evidence.log.source import find_databases, log_number, open_database

_log = logging.getLogger("appliance.usage")

_AT_ONCE = 500
_USE = '{"k":"use",'
_FIND = (
    "SELECT n, text, json_extract(text,'$.id') FROM entry "
    "WHERE n >= ? AND kind = 'use' AND json_extract(text,'$.id') IN ({})"
)


def recorded_requests(directory: Path, ids: Collection[str], *, since: tuple[str, int]) -> set[str]:
    """Return those of some request ids whose usage is durable and proven in a ledger directory.

    Read-only, in a connection of its own; blocks for about a second for each million entries looked through.
    A log that is not what was signed proves nothing.

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
        try:
            recorded |= _proven(path, wanted, since[1] if number == first else 0)
        except (*UNREADABLE, Damaged) as error:
            _log.error("the usage log %s does not prove what was counted: %s", path, error)
    return recorded


def _proven(path: Path, wanted: Sequence[str], start: int) -> set[str]:
    heads = read_heads(path.parent)  # first: the log may grow beyond its snapshot
    with contextlib.closing(open_database(path)) as connection:
        found: list[tuple[int, str, str]] = []
        for offset in range(0, len(wanted), _AT_ONCE):
            batch = wanted[offset : offset + _AT_ONCE]
            statement = _FIND.format(",".join("?" * len(batch)))
            found += connection.execute(statement, (start, *batch)).fetchall()
        if not found:
            return set()
        size = prove_log(connection, heads)
        Rehash(connection, size).check_events((n, text) for n, text, _ in found)
        return {str(name) for _, text, name in found if text.startswith(_USE)}
