"""The usage ledger of this installation: what is committed here is durable, signed and summed.

    ledger = Ledger.open(directory, identity=…, state=…, clock=…, license=…, software=…)
    receipt = await ledger.commit([Use(meter=…, quantity=3, billed=3, request_id="0193…")])
    receipt.header                      # offline-appliance/customner/0f3a9c2b7d11/1/812346
    ledger.close()

`commit` returns when the entries are on disk, and never before. The files of the directory and the format of
the entries: `docs/formats.md`, part Evidence.
"""

import asyncio
import logging
import os
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from appliance.errors import OutputError
from appliance.host.effective_clock import EffectiveClock
from appliance.host.filesystem import LOW_SPACE_BYTES, check_output, describe, free_bytes
from appliance.ledger.floor.quota_floor import QuotaFloor
from appliance.ledger.log.anchors import Anchor, close_all
from appliance.ledger.log.appender import JournalContext
from appliance.ledger.log.commit_thread import CommitThread
from appliance.ledger.log.day_keys import DayKeys
from appliance.ledger.log.directory_lock import LOCK_FILE, Lock, claim_keys, claim_state
from appliance.ledger.log.disk_reserve import Reserve
from appliance.ledger.log.journal import Journal
from appliance.ledger.log.recovery import Place, open_journal, succeed
from appliance.ledger.log.scrubber import Scrubber
from appliance.ledger.log.sqlite_store import Damaged
from appliance.ledger.log.usage_record import MAX_QUANTITY, UsageRecord
from license.crypto.ed25519 import SigningKey
from license.evidence.log.entry import Value
from license.evidence.log.source import CHECKPOINT_FILE
from license.licenses.verify import AuthenticLicense

_log = logging.getLogger("appliance.usage")

__all__ = ["MAX_QUANTITY", "Ledger", "Receipt", "UsageRecord"]

HEAD_FILE = "head"


@dataclass(slots=True)  # not frozen: one is made for every request
class Receipt:
    """Where the entries of a request stand.

    Attributes:
        origin: The log.
        first: Index of the first entry.
        count: Number of entries.
    """

    origin: str
    first: int
    count: int

    @property
    def header(self) -> str:
        """Value of the `Usage-Record` header: origin and index of the first entry."""
        return f"{self.origin}/{self.first}"


class Ledger:
    """The open ledger of one installation. Made by `open`; close it exactly once.

    `commit` is for any event loop; every other method may be called from any thread and may take as long as a
    disk does.
    """

    def __init__(
        self, place: Place, journal: Journal, reserve: Reserve, *, locks: tuple[Lock, ...], floor: QuotaFloor
    ) -> None:
        self._place = place
        self._floor = floor
        self._locks = locks
        self._writer = CommitThread(
            journal, reserve, succeed=self._succeed, committed=floor.follow, lock=locks[0]
        )
        self.scrubber = Scrubber(lambda: self._writer.journal.path, self._writer.report_damage)

    @classmethod
    def open(  # noqa: PLR0913 (each is a part of the ledger that only the caller knows)
        cls,
        directory: Path,
        *,
        identity: SigningKey,
        state: Path,
        keys: Path | None = None,
        clock: EffectiveClock,
        license: AuthenticLicense,
        software: str,
        service: str = "customner",
        anchors: Sequence[Anchor] = (),
    ) -> "Ledger":
        """Open the ledger in a directory, making it the first time, and record the start.

        Args:
            directory: `{Mounts:Output}/{service}/{instance}`; its last parts are made if they are missing.
            identity: Key of the installation.
            state: Directory of mode 0700 for the day keys and a copy of the last checkpoint; made if missing.
            keys: Directory of the installation's keys, if that is another. The count of the plan lies there
                if it can be written, so that it outlives the output; and one process uses the keys at a time.
            clock: Effective time; it is raised to what the ledger proves.
            license: The licence in force.
            software: Name and version.
            service: Service name.
            anchors: Further files that receive each checkpoint; closed with the ledger, or if this fails.

        Raises:
            OutputError: The directory cannot hold a ledger; `LedgerLocked` if another process owns it.
            SerialTooLow, EpochTooLow: The licence is older than one that was in force here.
        """
        _make(directory)
        _make_state(state)
        context = JournalContext(
            identity=identity,
            keys=DayKeys(state),
            clock=clock,
            software=software,
            service=service,
            copies=(directory / CHECKPOINT_FILE, state / HEAD_FILE),
            anchors=tuple(anchors),
        )
        lock = Lock(directory / LOCK_FILE)
        claims: list[Lock] = [lock]
        try:
            claims.append(claim_state(state, service))
            counted = state if keys is None or not os.access(keys, os.W_OK) else keys
            if counted != state:
                claims.append(claim_keys(counted, service))
            prefix = f"offline-appliance/{service}/{identity.verifying.fingerprint}"
            floor = QuotaFloor(directory, counted, service)
            place = Place(directory=directory, context=context, prefix=prefix, known=floor.log)
            journal = open_journal(place, license)
            try:
                journal.boot(license)
                floor.recount(journal)
                reserve = Reserve(directory)
                _take_reserve(directory, reserve)
                return cls(place, journal, reserve, locks=tuple(claims), floor=floor)
            except BaseException:
                journal.close()
                raise
        except (OSError, sqlite3.Error) as error:
            close_all(anchors)
            _release(*claims)
            raise OutputError(
                f"the ledger in {directory} cannot be opened: {error}; {describe(directory)}",
                hint="check free space, the owner of the directory and the state of the disk",
            ) from error
        except BaseException:
            close_all(anchors)
            _release(*claims)
            raise

    async def commit(self, uses: Sequence[UsageRecord]) -> Receipt:
        """Record what one request used; returns when it is durable.

        A record that was begun is not abandoned: where the caller's task is cancelled meanwhile, this still
        returns its receipt, or raises, and the task is cancelled at whatever it awaits next.

        Raises:
            UsageStoreUnavailable: It could not be made durable: the answer must be withheld.
            ValueError: There is nothing to record.
        """
        if not uses:
            raise ValueError("a request that used nothing has no usage record")
        promise = self._writer.submit(uses)
        try:
            origin, first = await promise
        except asyncio.CancelledError:
            _cancel_later()
            origin, first = promise.result()
        return Receipt(origin, first, len(uses))

    def record(self, events: Sequence[tuple[str, Mapping[str, Value]]], uses: Sequence[UsageRecord]) -> int:
        """Record what happened, and what was used, in one transaction; returns when it is durable.

        For callers without an event loop; `commit` is for those that answer many at once.

        Args:
            events: Entries of other kinds than `use`: their kind, and what they say.
            uses: What was used.

        Returns:
            The index of the first of these entries.

        Raises:
            UsageStoreUnavailable: It could not be made durable.
        """
        ends: list[int] = []

        def write(journal: Journal) -> None:
            self._locks[0].check()
            journal.commit([uses] if uses else [], events)
            ends.append(journal.state.frontier.size)
            self._floor.follow(journal)

        self._writer.call(write)
        return ends[0] - len(uses) - len(events)

    def change_license(self, license: AuthenticLicense) -> None:
        """Put another licence in force; the one in force already changes nothing.

        A log that is not the one whose head the licence carries is succeeded by another first, as at a start.

        Raises:
            SerialTooLow, EpochTooLow: It is older than one that was in force here.
            UsageStoreUnavailable: It could not be recorded, or not yet: the log has to be succeeded.
        """

        def change(journal: Journal) -> None:
            journal.check_accepted(license)
            journal.change_license(license)
            self._floor.remember(journal)
            self._floor.recount(journal)

        self._writer.call(change)

    def checkpoint(self) -> None:
        """Sign a checkpoint over all that was committed before this call, unless one covers it already.

        Raises:
            UsageStoreUnavailable: It could not be recorded.
        """
        self._writer.call(Journal.checkpoint)

    def acknowledge(self, origin: str, position: int) -> None:
        """Record that the endpoint of a connected run has counted the first `position` entries of a log.

        Raises:
            UsageStoreUnavailable: It could not be recorded.
        """
        self._writer.call(lambda journal: journal.acknowledge(origin, position))

    def close(self) -> None:
        """Commit what waits, sign the last checkpoint, and let go of the directory."""
        self.scrubber.close()
        self._writer.close()
        self._floor.close(self._writer.journal)
        self._writer.journal.close()
        close_all(self._place.context.anchors)
        _release(*self._locks)

    def used(self, meter: str, start: int, end: int) -> int:
        """Return the billed units of a meter on the UTC days from `start` up to, not including, `end`.

        From memory; what counts for the plan beside the open log is in it. Both are Unix seconds, usually
        midnights.
        """
        totals = self._writer.journal.state.totals
        return totals.used(meter, start, end) + self._floor.used(meter, start, end)

    def _succeed(self, journal: Journal, damage: Damaged) -> Journal:
        # What the old file can no longer tell is still known here, and counts for the plan.
        self._floor.remember(journal)
        successor = succeed(self._place, journal, damage)
        try:
            self._floor.recount(successor)
        except BaseException:
            successor.close()
            raise
        return successor

    @property
    def path(self) -> Path:
        """The database of the log that is written now."""
        return self._writer.journal.path

    @property
    def origin(self) -> str:
        """Name of the log that is written now; a damaged one is succeeded by another."""
        return self._writer.journal.state.origin

    def heartbeat_age(self) -> float:
        """Seconds since the writer last came round; it does so every second unless the disk holds it up."""
        return self._writer.heartbeat_age()

    @property
    def healthy(self) -> bool:
        """Whether usage can be recorded; false from a failed commit until one succeeds again."""
        return self._writer.healthy

    @property
    def size(self) -> int:
        """Number of entries that are durable."""
        return self._writer.journal.state.frontier.size

    @property
    def signed(self) -> int:
        """Number of entries under the last checkpoint."""
        return self._writer.journal.state.signed_size

    def metered(self, origin: str) -> int:
        """Return how many entries of a log were acknowledged by the endpoint of a connected run."""
        return self._writer.journal.state.metered.get(origin, 0)

    @property
    def highest_serial(self) -> int:
        """Highest licence serial that was ever in force here."""
        return self._writer.journal.state.highest_serial

    @property
    def highest_epoch(self) -> int:
        """Highest issuer epoch that was ever seen here."""
        return self._writer.journal.state.highest_epoch


def _cancel_later() -> None:
    """Have the running task cancelled at its next await instead of here, counted as the one request it is."""
    task = asyncio.current_task()
    if task is not None:
        task.uncancel()
        task.cancel()


def _make(directory: Path) -> None:
    existing = directory
    while not existing.exists() and existing != existing.parent:
        existing = existing.parent
    check_output(existing)
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot make {directory}: {error.strerror}; {describe(existing)}") from error


def _make_state(directory: Path) -> None:
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot make {directory}: {error.strerror}") from error


def _release(*locks: Lock) -> None:
    for lock in locks:
        lock.release()


def _take_reserve(directory: Path, reserve: Reserve) -> None:
    if free_bytes(directory) < LOW_SPACE_BYTES:
        _log.warning("less than %d MiB are free in %s", LOW_SPACE_BYTES >> 20, directory)
    try:
        reserve.hold()
    except OSError as error:
        _log.warning("no reserve could be set aside in %s: %s", directory, error.strerror)
