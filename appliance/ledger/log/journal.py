"""What is written into a usage log, and when: the rules of entries, days, months and checkpoints.

Synchronous and used by one thread at a time; `appliance.ledger.log.commit_thread` gives it that thread.
Each method writes one transaction or a short series of them; after a failure a new journal is made from
what is on disk.

    boot   [turn] boot lic    checkpoint "start", signed by the day key and the key of the installation
    use    [turn] clock… [sum] use…
           sum                the sums of the day so far, every 16,384 uses: nobody adds up more than that
    minute                    checkpoint "minute", if anything was added; sooner if somebody asks for it
    turn   key                names the next day's key; checkpoint "day" by the old key, which is then erased
           close              in a new month: the sums of the old one
    idle   tick               an hour after the last entry, and after a turn
    stop   tick               checkpoint "stop"
    ack    ack                the endpoint of a connected run has counted so many entries
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

from appliance.host.effective_clock import ClockEventKind, ClockRules, EffectiveClock, Mark
from appliance.ledger.log.anchors import Anchor
from appliance.ledger.log.day_keys import DayKeys
from appliance.ledger.log.sqlite_store import Batch, Signed, Store
from appliance.ledger.log.state import LogState, check_head, load_state
from appliance.ledger.log.usage_record import UsageRecord, sums_of
from appliance.ledger.read.high_water import HighWater
from license.crypto.ed25519 import SigningKey
from license.encoding.strict import DAY, encode_base64, format_date, format_time
from license.errors import EpochTooLow, SerialTooLow
from license.evidence.log.checkpoint import Checkpoint, sign_checkpoint
from license.evidence.log.entry import Entry, Sums, Value, render, render_use
from license.evidence.log.merkle import Frontier
from license.files import write_atomic
from license.licenses.verify import AuthenticLicense

_log = logging.getLogger("appliance.usage")

CHECKPOINT_SECONDS = 60
IDLE_SECONDS = 3600
SUM_ENTRIES = 16_384

# An entry before it has its place in the log: kind, effective time, values.
_Draft = tuple[str, int, Mapping[str, Value]]


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalContext:
    """What a journal needs to know of the installation.

    Attributes:
        identity: Key of the installation.
        keys: Its day keys.
        clock: Effective time.
        software: Name and version, for `open` and `boot` entries.
        service: Service name, likewise.
        copies: Files of the installation's own that receive every checkpoint.
        anchors: Files that others keep, likewise.
    """

    identity: SigningKey
    keys: DayKeys
    clock: EffectiveClock
    software: str
    service: str
    copies: tuple[Path, ...]
    anchors: tuple[Anchor, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Predecessor:
    """The log that a successor takes over from.

    Attributes:
        reason: Why, in a word.
        head: The last head of it that was signed.
        note: That head as it was signed; empty where only its numbers are known.
    """

    reason: str
    head: Checkpoint
    note: bytes


class Journal:
    """One open log.

    Args:
        store: Its file.
        setting: The installation.
        state: The log as it is on disk.
        license: The licence that was in force before a failure.
    """

    def __init__(
        self,
        store: Store,
        setting: JournalContext,
        state: LogState,
        *,
        license: AuthenticLicense | None = None,
    ) -> None:
        self._store = store
        self._setting = setting
        self._state = state
        self._license = license

    @classmethod
    def begin(
        cls,
        store: Store,
        setting: JournalContext,
        *,
        origin: str,
        license: AuthenticLicense,
        floor: HighWater,
        predecessor: Predecessor | None = None,
    ) -> "Journal":
        """Begin a log with its `open` entry, or with `recover` if it takes over from another.

        Its first checkpoint is signed by the installation and by the first day key: that binds the two. What
        the logs before it prove (`floor`) goes on to hold.
        """
        setting.clock.raise_floor(max(license.license.issued, floor.mark.effective if floor.mark else 0))
        at = setting.clock.now()
        key = setting.keys.make(origin)
        month = format_date(at)[:7]
        state = LogState(
            origin=origin,
            frontier=Frontier(),
            day=at - at % DAY,
            day_key=key,
            day_month=month,
            month=month,
            highest_serial=floor.serial,
            highest_epoch=floor.epoch,
        )
        values: dict[str, Value] = {
            "o": origin,
            "i": setting.identity.verifying.vkey,
            "d": format_date(state.day),
            "vk": key.verifying.vkey,
            "r": license.root.vkey,
            "v": setting.software,
            "s": setting.service,
        }
        if predecessor is not None:
            head = predecessor.head
            values |= {"w": predecessor.reason, "po": head.origin, "pn": head.size}
            values["pr"] = encode_base64(head.root)
        store.create(origin)
        journal = cls(store, setting, state)
        journal._write([("recover" if predecessor else "open", at, values)], at=at, why="start")
        setting.keys.erase_except(key.verifying)
        return journal

    def reload(self) -> "Journal":
        """Return a journal over what is on disk now, after a failure left this one in doubt.

        Raises:
            Damaged: What is there is not what was written, or not all of it.
            OSError, sqlite3.Error: The disk does not allow it yet.
        """
        self._store.reopen()
        state = load_state(
            self._store,
            origin=self._state.origin,
            identity=self._setting.identity.verifying,
            keys=self._setting.keys,
        )
        durable = self._state.frontier
        head = Checkpoint(origin=state.origin, size=durable.size, root=durable.root())
        check_head(self._store, state, head)
        return Journal(self._store, self._setting, state, license=self._license)

    def settle(self) -> None:
        """Make sure of what was written before a failure; see `Store.settle`."""
        self._store.settle()

    def close(self) -> None:
        """Close the file."""
        self._store.close()

    def now(self) -> int:
        """Effective time in Unix seconds."""
        return self._setting.clock.now()

    @property
    def path(self) -> Path:
        """The file."""
        return self._store.path

    @property
    def license(self) -> AuthenticLicense | None:
        """The licence in force; None before `boot`."""
        return self._license

    def last_words(self) -> bytes:
        """Sign all that was durable, from memory, and publish it; for a log that can no longer be written.

        Whatever becomes of the file: this head says what was in it.
        """
        note = self._sign(self._state.frontier, self.now(), "damage").note
        self._publish(note)
        return note

    @property
    def state(self) -> LogState:
        """The log as it stands; for reading."""
        return self._state

    def boot(self, license: AuthenticLicense) -> None:
        """Record that the service starts, and under which licence.

        Raises:
            SerialTooLow, EpochTooLow: The licence is older than one that was in force here.
        """
        self.check_license(license)
        self._license = license
        self._set_rules(license)
        at = self._setting.clock.now()
        self._turn(at)
        reading = self._setting.clock.reading()
        values: dict[str, Value] = {
            "x": reading.boot,
            "c": format_time(max(0, reading.wall)),
            "r": license.root.vkey,
            "v": self._setting.software,
        }
        self._write([("boot", at, values), *self._clock_drafts(at)], at=at, why="start")
        self.change_license(license)

    def check_license(self, license: AuthenticLicense) -> None:
        """Refuse a licence older than one that was in force here.

        Raises:
            SerialTooLow, EpochTooLow: It is.
        """
        serial, epoch = license.license.serial, license.delegation.epoch
        if serial < self._state.highest_serial:
            highest = self._state.highest_serial
            raise SerialTooLow(
                f"the licence has serial {serial}, but serial {highest} was already in force here"
            )
        if epoch < self._state.highest_epoch:
            highest = self._state.highest_epoch
            raise EpochTooLow(f"the licence's issuer has epoch {epoch}, but epoch {highest} was seen here")

    def check_accepted(self, license: AuthenticLicense) -> None:
        """Check that this log extends the heads of it that the vendor accepted and the licence carries.

        Raises:
            Damaged: It does not: it was put back to an older state, or is another history.
        """
        for head in license.license.ledger.logs:
            if head.origin == self._state.origin:
                accepted = Checkpoint(origin=head.origin, size=head.size, root=head.root)
                check_head(self._store, self._state, accepted)

    def change_license(self, license: AuthenticLicense) -> None:
        """Put another licence in force; one with a higher serial may put right a clock that ran ahead.

        Raises:
            SerialTooLow, EpochTooLow: It is older than one that was in force here.
        """
        self.check_license(license)
        if license.sha256 == self._state.license_sha256:
            return
        clock = self._setting.clock
        self._set_rules(license)
        newer = 0 < self._state.highest_serial < license.license.serial
        if newer and clock.lower(license.license.issued):
            # Still told at the time before: the last words of a day that never was.
            before = next(event for event in clock.events() if event.word is ClockEventKind.LOWERED).expected
            self._turn(before)
            self._write(self._clock_drafts(before), at=before)
        at = clock.now()
        self._turn(at)
        drafts = [_license_draft(license, at), *self._clock_drafts(at)]
        self._write(drafts, at=at, why="license", license=license)

    def commit(self, groups: Sequence[Sequence[UsageRecord]]) -> list[int]:
        """Write the uses of several requests, a group for each, in one transaction.

        Returns:
            The index of the first entry of each request.
        """
        mark = self._setting.clock.mark()
        at = mark.effective
        self._turn(at)
        drafts = self._clock_drafts(at)
        if self._state.unsummed >= SUM_ENTRIES:
            drafts.append(("sum", at, {"s": dict(self._state.totals.day)}))
        return self._write(drafts, at=at, groups=groups, mark=mark)

    def tend(self) -> None:
        """Do what time asks for: the turn of the day, the minute's checkpoint, a sign of life when idle."""
        state, at = self._state, self._setting.clock.now()
        turned = not state.day <= at < state.day + DAY
        if turned:
            self._turn(at)
        # The turn alone is no sign of life: a start writes one too, for days on which nothing ran.
        if turned or at - state.written_at >= IDLE_SECONDS:
            self._write([*self._clock_drafts(at), ("tick", at, {"w": "idle"})], at=at, why="minute")
        elif state.signed_size < state.frontier.size and at - state.signed_at >= CHECKPOINT_SECONDS:
            self._write([], at=at, why="minute")

    def checkpoint(self) -> None:
        """Sign now whatever is not signed yet."""
        self.tend()
        if self._state.signed_size < self._state.frontier.size:
            self._write([], at=self._setting.clock.now(), why="minute")

    def stop(self) -> None:
        """Record that the service stops, and sign the log as it is left."""
        at = self._setting.clock.now()
        self._turn(at)
        self._write([*self._clock_drafts(at), ("tick", at, {"w": "stop"})], at=at, why="stop")

    def acknowledge(self, origin: str, position: int) -> None:
        """Record that the endpoint of a connected run has counted so many entries of a log; once is enough.

        Args:
            origin: The log, this one or one before it.
            position: Number of entries, from the first one on.
        """
        if position <= self._state.metered.get(origin, 0):
            return
        at = self._setting.clock.now()
        self._turn(at)
        draft: _Draft = ("ack", at, {"o": origin, "x": position})
        self._write([*self._clock_drafts(at), draft], at=at)
        self._state.metered[origin] = position

    def note_fault(self, word: str, *, since: int, lost: int) -> None:
        """Record that the store failed, or is back: the error, since when, and the requests it cost."""
        at = self._setting.clock.now()
        self._turn(at)
        values: dict[str, Value] = {"w": word, "since": format_time(min(since, at)), "lost": lost}
        self._write([("disk", at, values)], at=at, why="disk")

    def _turn(self, at: int) -> None:
        """End the day in progress if `at` lies on another one, and the month likewise."""
        state = self._state
        if not state.day <= at < state.day + DAY:
            key = self._setting.keys.make(state.origin)
            values: dict[str, Value] = {
                "of": format_date(state.day),
                "d": format_date(at),
                "vk": key.verifying.vkey,
                "s": state.totals.day,
            }
            self._write([("key", at, values)], at=at, why="day")
            state.start_day(at, key)
            self._setting.keys.erase_except(key.verifying)
        if state.day_month != state.month:
            first = state.frontier.size
            month: dict[str, Value] = {
                "mo": state.month,
                "lo": state.month_first,
                "hi": first - 1,
                "s": state.totals.month,
            }
            self._write([("close", at, month)], at=at)
            state.start_month(at, first)

    def _set_rules(self, license: AuthenticLicense) -> None:
        policy = license.license.clock
        self._setting.clock.set_rules(
            ClockRules(tolerance_seconds=policy.tolerance_s, max_gap_seconds=policy.max_gap_d * DAY)
        )
        self._setting.clock.raise_floor(license.license.issued)

    def _clock_drafts(self, at: int) -> list[_Draft]:
        drafts: list[_Draft] = []
        for event in self._setting.clock.events():
            times = {"from": format_time(event.expected), "to": format_time(max(0, event.wall))}
            drafts.append(("clock", at, {"w": str(event.word), **times}))
        return drafts

    def _write(
        self,
        drafts: Sequence[_Draft],
        *,
        at: int,
        groups: Sequence[Sequence[UsageRecord]] = (),
        why: str = "",
        license: AuthenticLicense | None = None,
        mark: Mark | None = None,
    ) -> list[int]:
        """Write drafts, then uses at time `at`, in one transaction; with `why`, a checkpoint over it all."""
        state = self._state
        mark = mark or self._setting.clock.mark()
        n = state.frontier.size
        texts = [
            render(Entry(kind=kind, n=n + i, at=time, values=values))
            for i, (kind, time, values) in enumerate(drafts)
        ]
        firsts = []
        if groups:
            time_text, license_id, n = _format_time(at), state.license_id, n + len(texts)
            for group in groups:
                firsts.append(n)
                for meter, quantity, billed, request_id, grace in group:
                    used = (n, time_text, request_id, meter, quantity, billed, license_id)
                    texts.append(render_use(used, grace=grace))
                    n += 1
        frontier, rows, tiles = _grow(state.frontier, texts)
        signed = self._sign(frontier, at, why) if why else None
        self._store.append(
            Batch(
                entries=rows,
                tiles=tiles,
                frontier=frontier,
                mark=(mark.effective, mark.uptime, mark.boot),
                signed=signed,
                notes=() if license is None else _notes(license),
                pruned="minute" if why == "day" else "",
            )
        )
        self._advance(frontier, at=at, drafts=drafts, sums=sums_of(groups), license=license)
        if signed is not None:
            state.signed_size, state.signed_at = signed.size, at
            self._publish(signed.note)
        return firsts

    def _advance(
        self,
        frontier: Frontier,
        *,
        at: int,
        drafts: Sequence[_Draft],
        sums: Sums,
        license: AuthenticLicense | None,
    ) -> None:
        """Remember what is now durable."""
        state = self._state
        if frontier.size > state.frontier.size:
            state.written_at = at
        state.frontier = frontier
        if drafts:
            kinds = [kind for kind, _, _ in drafts]
            self._setting.clock.forget(kinds.count("clock"))
            if "sum" in kinds:
                state.unsummed = 0
        if sums:
            state.totals.add(state.day, sums)
            state.unsummed += sum(tally.entries for tally in sums.values())
        if license is not None:
            self._license = license
            state.license_id, state.license_sha256 = license.license.id, license.sha256
            state.highest_serial = max(state.highest_serial, license.license.serial)
            state.highest_epoch = max(state.highest_epoch, license.delegation.epoch)

    def _sign(self, frontier: Frontier, at: int, why: str) -> Signed:
        keys = [self._state.day_key]
        if why in ("start", "license"):
            keys.append(self._setting.identity)
        head = Checkpoint(origin=self._state.origin, size=frontier.size, root=frontier.root())
        return Signed(size=frontier.size, at=at, why=why, note=sign_checkpoint(head, *keys))

    def _publish(self, note: bytes) -> None:
        """Put a checkpoint where others find it; it is durable in the log already, so failures only warn."""
        # One line, from which the note can be put together again: whoever keeps it becomes a witness.
        _log.info("checkpoint %s", note.decode("utf-8").rstrip("\n").replace("\n", " | "))
        for path in self._setting.copies:
            try:
                write_atomic(path, note)
            except OSError as error:
                _log.warning("the checkpoint could not be copied to %s: %s", path, error.strerror)
        for anchor in self._setting.anchors:
            anchor.offer(note)


_format_time = lru_cache(maxsize=4)(format_time)  # many commits share a second


def _grow(
    frontier: Frontier, texts: Sequence[str]
) -> tuple[Frontier, list[tuple[int, str, bytes]], list[tuple[int, int, bytes]]]:
    grown = frontier.copy()
    tiles: list[tuple[int, int, bytes]] = []
    # `leaf_hash` of each, without the price of a call.
    leaves = [sha256(b"\x00" + text.encode("utf-8")).digest() for text in texts]
    grown.extend(leaves, tiles)
    return grown, list(zip(range(frontier.size, grown.size), texts, leaves, strict=True)), tiles


def _license_draft(license: AuthenticLicense, at: int) -> _Draft:
    values: dict[str, Value] = {
        "l": license.license.id,
        "s": license.license.serial,
        "e": license.delegation.epoch,
        "h": license.sha256,
        "i": sha256(license.issuer_note).hexdigest(),
    }
    return ("lic", at, values)


def _notes(license: AuthenticLicense) -> list[tuple[str, bytes]]:
    return [(sha256(note).hexdigest(), note) for note in (license.note, license.issuer_note)]
