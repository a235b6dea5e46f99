"""Appending to a usage log: entries, tree and checkpoint in one transaction, then the copies of the head.

Which entries, and when, is for `appliance.ledger.log.journal` to say.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

from appliance.host.effective_clock import EffectiveClock, Mark
from appliance.ledger.log.anchors import Anchor
from appliance.ledger.log.day_keys import DayKeys
from appliance.ledger.log.drafts import Draft, license_notes
from appliance.ledger.log.sqlite_store import Batch, Signed, Store
from appliance.ledger.log.state import LogState
from appliance.ledger.log.usage_record import UsageRecord, sums_of
from license.crypto.ed25519 import SigningKey
from license.encoding.strict import format_time
from license.evidence.log.checkpoint import Checkpoint, sign_checkpoint
from license.evidence.log.entry import Entry, Sums, render, render_use
from license.evidence.log.merkle import Frontier
from license.files import write_atomic
from license.licenses.verify import AuthenticLicense

_log = logging.getLogger("appliance.usage")


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalContext:
    """What a journal needs to know of the installation.

    Attributes:
        identity: Key of the installation.
        keys: Its day keys.
        clock: Effective time.
        software: Name and version, for `open` and `boot` entries.
        service: Service name, for the same entries.
        copies: Files of the installation's own that receive every checkpoint.
        anchors: Files kept elsewhere that receive every checkpoint.
    """

    identity: SigningKey
    keys: DayKeys
    clock: EffectiveClock
    software: str
    service: str
    copies: tuple[Path, ...]
    anchors: tuple[Anchor, ...] = ()


class Appender:
    """Writes one log, and keeps its state in step with what is durable.

    Args:
        store: Its file.
        context: The installation.
        state: The log as it is on disk; changed by `append`.
    """

    def __init__(self, store: Store, context: JournalContext, state: LogState) -> None:
        self._store = store
        self._context = context
        self._state = state

    def append(
        self,
        drafts: Sequence[Draft],
        *,
        at: int,
        groups: Sequence[Sequence[UsageRecord]] = (),
        why: str = "",
        license: AuthenticLicense | None = None,
        mark: Mark | None = None,
    ) -> list[int]:
        """Write drafts, then usage records at time `at`, in one transaction.

        Args:
            drafts: Entries that come first.
            at: Effective time of the usage records and of the checkpoint.
            groups: Usage records, a group for each request.
            why: The occasion of a checkpoint over it all; without one, none is signed.
            license: A licence that is in force from these entries on; its notes are kept.
            mark: Effective time with its uptime, if it was read already.

        Returns:
            The index of the first entry of each request.

        Raises:
            OSError, sqlite3.Error: The disk does not allow it; nothing is written.
        """
        state = self._state
        mark = mark or self._context.clock.mark()
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
        signed = self.sign(frontier, at, why) if why else None
        self._store.append(
            Batch(
                entries=rows,
                tiles=tiles,
                frontier=frontier,
                mark=(mark.effective, mark.uptime, mark.boot),
                signed=signed,
                notes=() if license is None else license_notes(license),
                pruned="minute" if why == "day" else "",
            )
        )
        self._advance(frontier, at=at, drafts=drafts, sums=sums_of(groups), license=license)
        if signed is not None:
            state.signed_size, state.signed_at = signed.size, at
            self.publish(signed)
        return firsts

    def _advance(
        self,
        frontier: Frontier,
        *,
        at: int,
        drafts: Sequence[Draft],
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
            self._context.clock.forget(kinds.count("clock"))
            if "sum" in kinds:
                state.unsummed = 0
        if sums:
            state.totals.add(state.day, sums)
            state.unsummed += sum(tally.entries for tally in sums.values())
        if license is not None:
            state.license_id, state.license_sha256 = license.license.id, license.sha256
            state.highest_serial = max(state.highest_serial, license.license.serial)
            state.highest_epoch = max(state.highest_epoch, license.delegation.epoch)

    def sign(self, frontier: Frontier, at: int, why: str) -> Signed:
        """Sign a head; at a start and under a new licence by the key of the installation as well."""
        keys = [self._state.day_key]
        if why in ("start", "license"):
            keys.append(self._context.identity)
        head = Checkpoint(origin=self._state.origin, size=frontier.size, root=frontier.root())
        return Signed(size=frontier.size, at=at, why=why, note=sign_checkpoint(head, *keys))

    def publish(self, signed: Signed) -> None:
        """Put a checkpoint where others find it; it is durable in the log already, so failures only warn."""
        note = signed.note
        # One line, from which the note can be put together again: whoever keeps it becomes a witness.
        line = note.decode("utf-8").rstrip("\n").replace("\n", " | ")
        _log.info("checkpoint of %s: %s", format_time(signed.at), line)
        for path in self._context.copies:
            try:
                write_atomic(path, note)
            except OSError as error:
                _log.warning("the checkpoint could not be copied to %s: %s", path, error.strerror)
        for anchor in self._context.anchors:
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
