"""A replica's slice of its site's plan: what it may use, and when to ask its desk for more.

The gate compares with the slice in memory; no call is made for a request. More is asked for once half is
used, at once when a request had to be refused, and at every heartbeat of the desk, which also hears from a
replica that way. A slice of an earlier run is shown to the desk, and used only once the desk has granted it
again: two copies of one replica would use it twice.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from appliance.config.identity import Identity
from appliance.licensing.manager import LicenseManager
from appliance.licensing.quota import window
from appliance.metering.reports import Log, head_of
from license.client.metering import MeteringClient
from license.crypto.ed25519 import VerifyingKey
from license.encoding.strict import MAX_TIME, format_date
from license.errors import BadReply, LicenseError
from license.files import read_limited, write_atomic
from license.licenses.site import desk_key
from license.licenses.verify import AuthenticLicense
from license.slices.protocol import (
    MAX_STANDING_BYTES,
    Shortage,
    Slice,
    Standing,
    open_slice,
    sign_standing,
)

_log = logging.getLogger("appliance.metering")

SLICE_FILE: Final = "slice"
FIRST_UNITS: Final = 1_000
"""What is asked for before it is known how much is used; at most a fiftieth of the plan."""
LEASE_SECONDS: Final = 60
"""Shortest time between two leases that are asked for because the desk divides another plan."""
SHORT_BEATS: Final = 2
"""Where the plan is short, a replica keeps what it uses in so many heartbeats."""
QUIET_BEATS: Final = 10
"""So many heartbeats after its last units went back, an idle replica asks for some again."""

UsedUnits = Callable[[str, int, int], int]
"""`used(meter, start, end)`: billed units recorded in the ledger."""


class SliceKeeper:
    """Keeps the slice of one replica. `limit`, `refused` and `report` may be called from any thread.

    Args:
        manager: The lease in force.
        identity: Keys of this installation.
        directory: Where the lease lies; the slice lies beside it.
        used: Usage recorded so far.
        wake: Called when more should be asked for soon.
    """

    def __init__(
        self,
        manager: LicenseManager,
        *,
        identity: Identity,
        directory: Path,
        used: UsedUnits,
        wake: Callable[[], None],
    ) -> None:
        self._manager = manager
        self._identity = identity
        self._path = directory / SLICE_FILE
        self._used = used
        self._wake = wake
        self._granted: Slice | None = None
        self._held = self._read()
        self._known = -1
        self._low: dict[str, int] = {}
        self._need: dict[str, int] = {}
        self._rate: dict[str, float] = {}
        self._before: tuple[int, dict[str, int]] | None = None
        self._next_at = self._not_before = 0
        self._shortage = Shortage.NONE
        self._quiet: dict[str, int] = {}
        self._told: dict[str, int] = {}
        self._lowered: Slice | None = None
        self._taken: dict[tuple[str, int], int] = {}
        self._guard = threading.Lock()

    @property
    def applies(self) -> bool:
        """Whether the lease in force is that of a site's desk."""
        return self._manager.current.site is not None

    def limit(self, meter: str, term: int, units: int, taken: int) -> int:
        """Return up to how many of the plan's units this replica may use in a term.

        Args:
            meter: The meter.
            term: First second of the term.
            units: Units of the plan.
            taken: Units that are recorded and reserved, with those of the request at hand.
        """
        if not self.applies:
            return units
        granted = self._granted
        allowed = 0 if granted is None else min(units, granted.of(meter, term))
        if taken > self._low.get(meter, -1) and allowed < units:
            self._low[meter] = units
            self._wake_soon()
        return allowed

    def take(self, meter: str, term: int, units: int, taken: int) -> int:
        """Return the same as `limit`, for a request that is answered if it fits.

        What is recorded and reserved after it, up to the next such call, is never more than `taken`: so much
        is not given back meanwhile.
        """
        with self._guard:
            allowed = self.limit(meter, term, units, taken)
            if taken <= allowed:
                self._taken[meter, term] = taken
            return allowed

    def refused(self, meter: str, need: int) -> None:
        """Learn that a request had to be refused: so many units beyond those recorded were needed."""
        known = self._need.get(meter)
        self._need[meter] = need if known is None else min(need, known)
        self._wake_soon()

    def due(self, now: int) -> bool:
        """Whether it is time to speak to the desk."""
        return self.applies and now >= self._next_at

    def wait(self, until: int) -> None:
        """Ask for nothing before a second, whoever is refused meanwhile: the desk does not answer."""
        self._next_at = self._not_before = until

    def is_used_up(self, now: int) -> bool:
        """Whether nothing is left of some meter: then the desk should hear at once what was used.

        Once is enough where nothing is left because it went back.
        """
        lease, granted = self._manager.current, self._granted
        if granted is None or lease.license.plan.overage != "block":
            return False
        term, _ = window(lease.license.plan, now)
        used = self._used_units(lease, now)
        empty = {meter for meter, units in used.items() if units >= granted.of(meter, term)}
        if not empty <= self._quiet.keys():
            return True
        is_news = bool(empty) and used != self._told
        self._told = used
        return is_news

    def is_of_another_plan(self, now: int) -> bool:
        """Whether the desk divides another plan than that of the lease, as after a renewal."""
        lease, granted = self._manager.current, self._granted
        if not self.applies or granted is None or now < lease.license.issued + LEASE_SECONDS:
            return False
        plan = lease.license.plan
        meters = {meter for meter, _ in plan.meters} if plan.overage == "block" else set()
        return granted.term != window(plan, now)[0] or set(dict(granted.units)) != meters

    def speak(self, client: MeteringClient, log: Log, *, now: int, returns: bool = False) -> str:
        """Tell the desk how things stand, and take what it grants; returns the status word.

        Args:
            client: The way to the desk.
            log: The usage log that is written.
            now: Effective time, Unix seconds.
            returns: Whether nothing is answered any more: what was not used goes back.

        Raises:
            DownloadError: The desk was not reached, or refuses.
            LicenseError: What it granted is not good here.
            sqlite3.Error, LookupError: The log cannot be read.
        """
        lease = self._manager.current
        term, _ = window(lease.license.plan, now)
        used, need = self._used_units(lease, now), dict(self._need)
        if self._known < 0:
            self._known = client.head(log.origin, now=now)
        head, growth = head_of(log, self._known)
        wants = {} if returns else self._wants(lease, used, need, now)
        keeps: Mapping[str, int] = {}
        if returns:
            self._forget()
        else:
            keeps = self._give_back(lease, used, need, now)
        standing = Standing(
            instance=self._identity.vkey,
            head=head,
            since=self._known,
            growth=growth,
            term=term,
            used=tuple(used.items()),
            need=() if returns else tuple(need.items()),
            wants=tuple(wants.items()),
            held=self._held,
            keeps=tuple(keeps.items()),
            returns=returns,
            created=now,
        )
        self._known = -1  # until the desk has said what it knows
        self._next_at = now + self._heartbeat(lease)
        reply = client.slice(sign_standing(standing, self._identity.signing), now=now)
        if not returns:
            self._take(lease, reply.slice, used, term)
            for meter, units in need.items():
                if self._need.get(meter, 0) >= units:
                    self._need.pop(meter, None)
        self._known, self._shortage = reply.head, reply.shortage
        self._before = (now, used)
        self._not_before = now + reply.retry_s
        if reply.retry_s:
            self._next_at = min(self._next_at, self._not_before)
        return reply.status

    def report(self, now: int) -> dict[str, Any] | None:
        """Return how the slice stands, for `/status`; None where the lease is not that of a desk."""
        if not self.applies:
            return None
        lease, granted = self._manager.current, self._granted
        term, _ = window(lease.license.plan, now)
        return {
            "desk": VerifyingKey.from_vkey(desk_key(lease.site)).fingerprint if lease.site else "",
            "term": format_date(term),
            "units": {} if granted is None else dict(granted.units),
            "sequence": 0 if granted is None else granted.sequence,
        }

    # -- inside ----------------------------------------------------------------------------------------------

    def _wake_soon(self) -> None:
        self._next_at = min(self._next_at, self._not_before)
        self._wake()

    def _heartbeat(self, lease: AuthenticLicense) -> int:
        desk = lease.license.desk
        return 60 if desk is None else desk.heartbeat_s

    def _used_units(self, lease: AuthenticLicense, now: int) -> dict[str, int]:
        plan = lease.license.plan
        start, end = window(plan, now)
        stop = end if plan.monthly else MAX_TIME
        return {meter: self._used(meter, start, stop) for meter, _ in plan.meters}

    def _wants(
        self, lease: AuthenticLicense, used: Mapping[str, int], need: Mapping[str, int], now: int
    ) -> dict[str, int]:
        """What is used in two intervals between reports, going by what was used since the last word.

        Less where the plan is short; and nothing where an idle slice went back, until somebody asks again or
        it was long ago: units may have been bought meanwhile, or the next month have begun.
        """
        connected = lease.license.connected
        seconds = 2 * (connected.max_interval_s if connected else self._heartbeat(lease))
        wants = {}
        for meter, units in lease.license.plan.meters:
            if self._before is not None:
                passed = max(1, now - self._before[0])
                grown = max(0, used[meter] - self._before[1].get(meter, 0))
                self._rate[meter] = max(grown / passed, self._rate.get(meter, 0.0) / 2)
                if grown or need.get(meter):
                    self._quiet.pop(meter, None)
            if now >= self._quiet.get(meter, now):
                self._quiet.pop(meter, None)
            first = min(FIRST_UNITS, max(1, units // 50))
            wants[meter] = max(first, int(self._rate.get(meter, 0.0) * seconds))
            if self._shortage or meter in self._quiet:
                wants[meter] = self._soon(lease, meter)
        return wants

    def _soon(self, lease: AuthenticLicense, meter: str) -> int:
        """What is used in a few heartbeats, going by what was used of late.

        At least one unit: without any it is not ready, and a balancer would never ask it. Near the end of the
        plan it may be none.
        """
        soon = int(self._rate.get(meter, 0.0) * SHORT_BEATS * self._heartbeat(lease))
        is_last = self._shortage is Shortage.LAST or meter in self._quiet
        return soon if is_last else max(1, soon)

    def _give_back(
        self, lease: AuthenticLicense, used: Mapping[str, int], need: Mapping[str, int], now: int
    ) -> dict[str, int]:
        """Stop using what is idle where the plan is short, and return up to how much is kept, by meter.

        It is said again with each word until the desk has answered with another slice.
        """
        term, _ = window(lease.license.plan, now)
        with self._guard:
            granted = self._granted
            if self._lowered is None and self._shortage and granted is not None and granted.term == term:
                soon = {meter: self._soon(lease, meter) for meter, _ in granted.units if meter in used}
                kept = {
                    meter: max(
                        used[meter] + max(need.get(meter, 0), units), self._taken.get((meter, term), 0)
                    )
                    for meter, units in soon.items()
                }
                less = {meter: units for meter, units in kept.items() if units < granted.of(meter, term)}
                if less:
                    units = tuple((meter, less.get(meter, count)) for meter, count in granted.units)
                    self._granted = self._lowered = replace(granted, units=units, note=b"")
                    until = now + QUIET_BEATS * self._heartbeat(lease)
                    self._quiet |= {meter: until for meter in less if not soon[meter]}
            lowered = self._lowered
        if lowered is None or lowered.term != term:
            return {}
        # Shown to a desk that was put back, after a start, it would be granted anew.
        self._path.unlink(missing_ok=True)
        return dict(lowered.units)

    def _take(self, lease: AuthenticLicense, note: bytes, used: dict[str, int], term: int) -> None:
        site = lease.site
        if site is None:
            raise BadReply("the answer grants a slice to a lease that no desk has signed")
        granted = open_slice(note, VerifyingKey.from_vkey(desk_key(site)))
        if granted.instance != self._identity.vkey or granted.subscription != lease.license.subscription:
            raise BadReply("the slice that the desk answered with is another's")
        with self._guard:
            lowered = self._lowered
            if lowered is not None and (granted.sequence, granted.term) == (lowered.sequence, lowered.term):
                self._held = note  # the slice of before, as a desk repeats it that has just started
                granted = lowered
            else:
                self._lowered = None
            self._granted = granted
        if self._lowered is None and note != self._held:
            with contextlib.suppress(OSError):  # it is only shown to a desk that was put back
                write_atomic(self._path, note)
            self._held = note
        self._low = {meter: (used[meter] + granted.of(meter, term)) // 2 for meter in used}

    def _forget(self) -> None:
        """Use nothing any more; before the desk is told so."""
        self._granted = None
        self._path.unlink(missing_ok=True)

    def _read(self) -> bytes:
        with contextlib.suppress(LicenseError):
            return read_limited(self._path, MAX_STANDING_BYTES)
        return b""
