"""Is this machine's log the one that the vendor accepted? A licence that carries cosigned heads can tell."""

import contextlib
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from appliance.ledger.read.inclusion_proof import log_origin
from license.errors import LicenseError
from license.evidence.log.merkle import root_at
from license.evidence.log.source import find_databases, open_database
from license.evidence.log.tiles import stored_subtree
from license.licenses.license import License
from license.licenses.terms import LogHead


@dataclass(frozen=True, slots=True, kw_only=True)
class ForkFinding:
    """A log that is not as it was accepted.

    Attributes:
        origin: Its name.
        size: Number of entries that were accepted.
        message: What is found instead, in a sentence.
    """

    origin: str
    size: int
    message: str


class LedgerMismatch(LicenseError):
    """The local usage log is not the one that the vendor accepted, and the licence forbids to go on."""

    code = "LedgerMismatch"
    default_hint = (
        "restore the newest backup of the output and state directories, or send the vendor an export "
        "and ask for a licence that accepts this log"
    )


def compare_heads(directory: Path, license: License, *, instance: str) -> list[ForkFinding]:
    """Return the logs of this installation that are not those the licence's cosigned heads describe.

    Read-only, and quick: a few hashes for each head. Heads of other installations are passed over.

    Args:
        directory: `{Mounts:Output}/{service}/{instance}`; it need not exist.
        license: The licence to be installed, or in force.
        instance: The twelve hex digits of this installation.
    """
    heads = [head for head in license.ledger.logs if head.origin.split("/")[2:3] == [instance]]
    if not heads:
        return []
    paths: dict[str, Path] = {}
    for path in find_databases(directory):
        with contextlib.suppress(sqlite3.Error, LicenseError):
            paths[log_origin(path)] = path
    findings = []
    for head in heads:
        message = _compare(head, paths.get(head.origin))
        if message:
            findings.append(ForkFinding(origin=head.origin, size=head.size, message=message))
    return findings


def check_heads(directory: Path, license: License, *, instance: str) -> list[ForkFinding]:
    """Do the same, and refuse where the licence's `on_fork` says so.

    Raises:
        LedgerMismatch: A log differs and the policy is `refuse`.
    """
    findings = compare_heads(directory, license, instance=instance)
    if findings and license.ledger.on_fork == "refuse":
        raise LedgerMismatch(f"{findings[0].origin}: {findings[0].message}")
    return findings


def _compare(head: LogHead, path: Path | None) -> str:
    if path is None:
        return f"the vendor accepted {head.size:,} entries of it, but it is not here"
    try:
        with contextlib.closing(open_database(path)) as connection:
            size = connection.execute("SELECT max(n) + 1 FROM entry").fetchone()[0] or 0
            if size < head.size:
                return f"the vendor accepted {head.size:,} entries of it, but only {size:,} are here"
            if root_at(head.size, stored_subtree(connection)) != head.root:
                return f"its first {head.size:,} entries are not those that the vendor accepted"
    except (sqlite3.Error, LookupError) as error:
        return f"it cannot be compared with what the vendor accepted: {error}"
    return ""
