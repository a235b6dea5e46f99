"""Checks of what is read and written: mounts with owner and mode, file system, free space, the ledger."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from appliance.doctor.facts import Account, LedgerFact, PathFact
from appliance.doctor.finding import Finding, failed, passed, warned
from appliance.host.filesystem import LOW_SPACE_BYTES, NETWORK_FILE_SYSTEMS
from license.errors import LicenseError
from license.evidence.verify.result import Report
from license.files import OWN_DIRECTORY, is_shared, quoted

_READ: Final = 0o5
_WRITE: Final = 0o7
_MIB: Final = 1024 * 1024
_FEW_BYTES: Final = 16 * _MIB
_VOLATILE: Final = frozenset({"tmpfs", "ramfs"})


def check_mount(key: str, fact: PathFact | None, service: Account, *, written: bool, made: bool) -> Finding:
    """A mount is there and open to the service.

    Args:
        key: The setting, such as `Mounts:Output`.
        fact: What is there; None if the setting is missing.
        service: The user the service runs as.
        written: Whether the service writes there.
        made: Whether the service manager makes it at start.
    """
    if fact is None:
        return failed(
            key, f"{key} is not set", f"add {key}=DIRECTORY, or write it into /etc/appliance/appliance.env"
        )
    if not fact.exists:
        return _missing(key, fact, service, written=written, made=made)
    about = f"{fact.path}: owner {fact.owner}, mode {fact.mode:04o}"
    if not fact.directory:
        return failed(
            key, f"{fact.path} is not a directory", f"name the directory that holds it: {key}=DIRECTORY"
        )
    if not fact.allows(service, _WRITE if written else _READ):
        verb = "write" if written else "read"
        owned = f"sudo chown {service.name}: {quoted(fact.path)}"
        opened = f"sudo chmod a+rx {quoted(fact.path)}"
        command = OWN_DIRECTORY if is_shared(fact.path) else owned if written else opened
        return failed(key, f"{about}; the service runs as {service.name}, which cannot {verb} there", command)
    return passed(key, about)


def _missing(key: str, fact: PathFact, service: Account, *, written: bool, made: bool) -> Finding:
    if fact.error:
        return failed(
            key, f"{fact.path} cannot be looked at: {fact.error}", "look as root: sudo appliance doctor"
        )
    if made:
        return passed(key, f"{fact.path} is made at the first start")
    mode, owner = ("0700", service.name) if written else ("0755", "root")
    return failed(
        key, f"{fact.path} does not exist", f"sudo install -d -m {mode} -o {owner} {quoted(fact.path)}"
    )


def check_notes(notes: Sequence[PathFact], service: Account) -> Finding:
    """Each file of the licence directory can be read by the service, not only by root who looks.

    Args:
        notes: The licences and issuer notes.
        service: The user the service runs as.
    """
    closed = [fact for fact in notes if fact.exists and not fact.allows(service, 0o4)]
    if not closed:
        return passed("licence files", f"{len(notes)} that {service.name} can read")
    first = closed[0]
    return failed(
        "licence files",
        f"{first.path}: owner {first.owner}, mode {first.mode:04o}; {service.name} cannot read it",
        f"sudo chmod a+r {quoted(first.path.parent)}/*.note",
    )


def check_file_system(fact: PathFact) -> Finding:
    """Usage records lie on a disk of this machine, and on a lasting one."""
    kind = fact.file_system
    if kind in NETWORK_FILE_SYSTEMS:
        return failed(
            "file system",
            f"{fact.path} is on a network file system ({kind}), where no ledger can be kept",
            "name a local directory with Mounts:Output, and copy exports to the network",
        )
    if kind in _VOLATILE:
        return warned(
            "file system",
            f"{fact.path} is in memory ({kind}): usage records would be gone after a restart",
            "name a directory on a disk with Mounts:Output",
        )
    return passed("file system", f"{kind or 'unknown'} at {fact.path}")


def check_space(fact: PathFact) -> Finding:
    """There is room for usage records."""
    free = f"{fact.free // _MIB} MiB are free at {fact.path}"
    command = f"df -h {fact.path}    # then make room: docs/runbooks/disk-full.md"
    if fact.free < _FEW_BYTES:
        return failed("free space", f"only {free}: requests are answered with 503 when none is left", command)
    if fact.free < LOW_SPACE_BYTES:
        return warned("free space", f"only {free}", command)
    return passed("free space", free)


def check_ledger(fact: LedgerFact) -> Finding:
    """The ledger can be read, none of it was set aside, and it is not older than the head it published."""
    if not fact.logs:
        if fact.head_size:
            return failed(
                "ledger",
                f"{fact.directory} holds a signed head of {fact.head_size} entries and no log",
                "restore the directory from its backup: docs/runbooks/backup.md",
            )
        return passed("ledger", f"none yet at {fact.directory}; the first start makes it")
    verify = f"appliance usage verify {quoted(fact.directory)}"
    for log in fact.logs:
        if log.error:
            return failed("ledger", f"{log.name} cannot be read: {log.error}", verify)
        if log.origin == fact.head_origin and log.size < fact.head_size:
            return failed(
                "ledger",
                f"{log.name} has {log.size} entries, but its published head covers {fact.head_size}: "
                "an old copy was put back",
                verify,
            )
    damaged = [log.name for log in fact.logs if log.damaged]
    if damaged:
        return warned("ledger", f"set aside as damaged: {', '.join(damaged)}", verify)
    last = fact.logs[-1]
    return passed("ledger", f"{last.origin}: {last.size} entries in {fact.directory}")


def check_evidence(report: Report | LicenseError | None, output: Path | None = None) -> Finding:
    """Every usage record verifies, as an auditor would do it.

    Args:
        report: What the verification found, or why there was none; None if it was not possible to begin.
        output: What was verified.
    """
    if report is None or output is None:
        return failed(
            "usage records",
            "they cannot be verified",
            "correct Mounts:Output and the trust roots first",
        )
    command = f"appliance usage verify {quoted(output)}"
    if isinstance(report, LicenseError):
        return failed("usage records", report.message, command)
    entries = sum(log.size for log in report.logs)
    troubles = [finding for finding in report.findings if finding.severity]
    if not troubles:
        return passed("usage records", f"all {entries} in {len(report.logs)} logs verify")
    first = f"{len(troubles)} findings in {entries} entries, the first: {troubles[0].message}"
    return (failed if report.exit_code > 1 else warned)("usage records", first, command)
