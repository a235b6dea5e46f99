"""The time that the licence is judged by and that usage entries carry: it never runs backwards.

Effective time starts at the latest instant there is proof of (the last ledger entry, the issue of the
licence, a cosignature of the vendor), advances with the machine's own uptime counter, and follows the wall
clock forward only. Setting the wall clock back therefore gains powered-off hours and nothing else. A wall
clock that is suddenly far ahead is not believed until it has stayed there for ten minutes and time
synchronisation, or a person, confirms it: one bad clock chip must not burn a licence.

`advance` is the whole rule, as a pure function from state and reading to state and events. `EffectiveClock`
adds the system's sources and a lock. Nothing here stops the service.
"""

import ctypes
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from license.encoding.strict import DAY
from license.licenses.terms import ClockPolicy

CONFIRM_SECONDS = 600
_TIME_ERROR = 5  # adjtimex(2): the clock is not synchronised
_ADJTIMEX_BYTES = 512  # larger than struct timex on every architecture


class ClockEventKind(StrEnum):
    """What happened to the clock; the `w` of `clock` entries."""

    BACK = "back"  # the wall clock fell behind effective time by more than the tolerance
    FORWARD = "forward"  # the wall clock jumped ahead, and was followed
    HELD = "held"  # the wall clock is too far ahead to be believed yet
    ADOPTED = "adopted"  # a held wall clock was confirmed and followed
    LOWERED = "lowered"  # a new licence set effective time back to the wall clock


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockEvent:
    """One regression or jump: effective time (`expected`) and the wall clock, both in Unix seconds."""

    kind: ClockEventKind
    expected: int
    wall: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockRules:
    """How far the wall clock may stray.

    Attributes:
        tolerance_seconds: Regressions and jumps up to this many seconds are not events.
        max_gap_seconds: A wall clock further ahead than this is held until confirmed.
    """

    tolerance_seconds: int = 300
    max_gap_seconds: int = 45 * DAY


def clock_rules(policy: ClockPolicy) -> ClockRules:
    """Return how far the wall clock may stray under a licence that has this policy."""
    return ClockRules(tolerance_seconds=policy.tolerance_s, max_gap_seconds=policy.max_gap_d * DAY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One look at the machine's clocks.

    Attributes:
        wall: Wall clock in Unix seconds.
        uptime: Seconds since boot, suspended time included (CLOCK_BOOTTIME, and never less than what passed
            by CLOCK_MONOTONIC).
        boot: Identity of this boot; uptimes of different boots cannot be compared.
    """

    wall: int
    uptime: float
    boot: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """Effective time at one instant of one boot: what a ledger keeps for the clock to go on from."""

    effective: int
    uptime: float
    boot: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockState:
    """The state between two readings.

    Attributes:
        effective: Effective time in Unix seconds, with its fraction, at `uptime`.
        uptime: Uptime of the last reading.
        held_since: Uptime at which the wall clock was first seen too far ahead; None if it is not.
        behind: The wall clock is behind and this was reported.
    """

    effective: float
    uptime: float
    held_since: float | None = None
    behind: bool = False


def first_state(
    reading: Reading, *, floor: int, mark: Mark | None, rules: ClockRules
) -> tuple[ClockState, tuple[ClockEvent, ...]]:
    """Return the state at start.

    Args:
        reading: The clocks now.
        floor: The latest instant there is proof of, apart from `mark`; 0 if there is none.
        mark: What the ledger kept last. Within the same boot it goes on by uptime.
        rules: How far the wall clock may stray.

    Without a mark nothing speaks against the wall clock, so it is taken as it is if it is not behind `floor`.
    """
    if mark is None:
        effective = float(max(floor, reading.wall))
        state = ClockState(effective=effective, uptime=reading.uptime)
        return advance(state, reading, rules=rules)
    elapsed = reading.uptime - mark.uptime if mark.boot == reading.boot else 0.0
    proven = max(float(floor), mark.effective + max(0.0, elapsed))
    state = ClockState(effective=proven, uptime=reading.uptime)
    # Between two boots the wall clock is expected to be ahead: only the gap beyond the limit is news.
    if mark.boot != reading.boot and proven <= reading.wall <= proven + rules.max_gap_seconds:
        state = replace(state, effective=float(reading.wall))
    return advance(state, reading, rules=rules)


def advance(
    state: ClockState,
    reading: Reading,
    *,
    rules: ClockRules,
    confirmed: Callable[[], bool] = lambda: False,
) -> tuple[ClockState, tuple[ClockEvent, ...]]:
    """Move effective time to a new reading of the same boot.

    Args:
        state: The state so far. reading: The clocks now; an uptime below the state's counts as no time
        passed. rules: How far the wall clock may stray. confirmed: Asked only when a held wall clock has
        waited long enough: is the machine's time synchronised?
    """
    expected = state.effective + max(0.0, reading.uptime - state.uptime)
    uptime = max(state.uptime, reading.uptime)
    ahead = reading.wall - expected
    if ahead > rules.max_gap_seconds:
        return _hold(replace(state, effective=expected, uptime=uptime), reading, confirmed)
    if ahead < -rules.tolerance_seconds:
        events = () if state.behind else (_event(ClockEventKind.BACK, expected, reading),)
        return ClockState(effective=expected, uptime=uptime, behind=True), events
    followed = ClockState(effective=max(expected, float(reading.wall)), uptime=uptime)
    events = (_event(ClockEventKind.FORWARD, expected, reading),) if ahead > rules.tolerance_seconds else ()
    return followed, events


def adopt(
    state: ClockState, reading: Reading, kind: ClockEventKind
) -> tuple[ClockState, tuple[ClockEvent, ...]]:
    """Take the wall clock as it is: held and now confirmed, or the lower one that a new licence allows."""
    adopted = ClockState(effective=float(reading.wall), uptime=reading.uptime)
    return adopted, (_event(kind, state.effective, reading),)


def _hold(
    state: ClockState, reading: Reading, confirmed: Callable[[], bool]
) -> tuple[ClockState, tuple[ClockEvent, ...]]:
    if state.held_since is None:
        held = replace(state, held_since=reading.uptime, behind=False)
        return held, (_event(ClockEventKind.HELD, state.effective, reading),)
    if reading.uptime - state.held_since >= CONFIRM_SECONDS and confirmed():
        return adopt(state, reading, ClockEventKind.ADOPTED)
    return state, ()


def _event(kind: ClockEventKind, expected: float, reading: Reading) -> ClockEvent:
    return ClockEvent(kind=kind, expected=int(expected), wall=reading.wall)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockSources:
    """Where readings come from.

    Attributes:
        read: Returns the clocks now.
        synchronised: Says whether the kernel considers the wall clock synchronised.
    """

    read: Callable[[], Reading]
    synchronised: Callable[[], bool]


class UptimeCounter:
    """Uptime from two counters of the kernel, so that one that is held still does not hold time up.

    CLOCK_BOOTTIME is CLOCK_MONOTONIC and the time spent suspended: it is never slower. The service itself
    waits by the monotonic counter and would not run if that stood still.
    """

    def __init__(self) -> None:
        self._suspended: float | None = None

    def pass_to(self, boottime: float, monotonic: float) -> float:
        """Return the uptime at a reading of both: at least as far on as either counter says."""
        ahead = boottime - monotonic
        self._suspended = ahead if self._suspended is None else max(self._suspended, ahead)
        return monotonic + self._suspended


def system_sources() -> ClockSources:
    """Return the sources of this machine (Linux)."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()

    uptime = UptimeCounter()

    def read() -> Reading:
        seconds = uptime.pass_to(time.clock_gettime(time.CLOCK_BOOTTIME), time.monotonic())
        return Reading(wall=int(time.time()), uptime=seconds, boot=boot)

    return ClockSources(read=read, synchronised=_kernel_synchronised)


class EffectiveClock:
    """Effective time for the whole process; every method may be called from any thread.

    Args:
        sources: Where readings come from; the system's by default.
        floor: The latest instant there is proof of (issue of the licence, newest cosignature); 0 if none.
        mark: What the ledger kept last (see `appliance.ledger.read.high_water`); None for a new installation.
        rules: How far the wall clock may stray.
    """

    def __init__(
        self,
        *,
        sources: ClockSources | None = None,
        floor: int = 0,
        mark: Mark | None = None,
        rules: ClockRules | None = None,
    ) -> None:
        self._sources = sources or system_sources()
        self._rules = rules or ClockRules()
        self._lock = threading.Lock()
        self._state, events = first_state(self._sources.read(), floor=floor, mark=mark, rules=self._rules)
        self._events = list(events)

    def now(self) -> int:
        """Return effective time in Unix seconds, UTC."""
        return self.mark().effective

    def mark(self) -> Mark:
        """Return effective time together with the uptime it belongs to."""
        with self._lock:
            return self._step()

    @property
    def held(self) -> bool:
        """Whether the wall clock is too far ahead and awaits confirmation."""
        with self._lock:
            return self._state.held_since is not None

    @property
    def behind(self) -> bool:
        """Whether the wall clock is behind effective time by more than the tolerance."""
        with self._lock:
            return self._state.behind

    def reading(self) -> Reading:
        """Return what the machine's clocks say now, true or not."""
        return self._sources.read()

    def events(self) -> tuple[ClockEvent, ...]:
        """Return the events that nobody has recorded yet, oldest first."""
        with self._lock:
            return tuple(self._events)

    def forget(self, count: int) -> None:
        """Drop the oldest events: they are recorded."""
        with self._lock:
            del self._events[:count]

    def raise_floor(self, floor: int) -> None:
        """Move effective time up to an instant there is proof of, such as the issue of a licence."""
        with self._lock:
            self._step()
            if floor > self._state.effective:
                self._state = replace(self._state, effective=float(floor))

    def accept(self) -> bool:
        """Adopt a held wall clock now, because the operator confirmed it; False if none is held."""
        with self._lock:
            self._step()
            if self._state.held_since is None:
                return False
            self._adopt(ClockEventKind.ADOPTED)
            return True

    def lower(self, floor: int) -> bool:
        """Let effective time fall to the wall clock, but not below `floor`.

        Only a new licence may do this, with its time of issue: it is how a clock that ran ahead is put right.
        False if the wall clock is not behind by more than the tolerance, or is behind `floor`.
        """
        with self._lock:
            if self._lowest(floor) == self._step().effective:
                return False
            self._adopt(ClockEventKind.LOWERED)
            return True

    def lowest(self, floor: int) -> int:
        """Return what effective time would be after `lower(floor)`; nothing changes."""
        with self._lock:
            return self._lowest(floor)

    def _lowest(self, floor: int) -> int:
        effective, wall = self._step().effective, self._sources.read().wall
        return wall if floor <= wall < effective - self._rules.tolerance_seconds else effective

    def set_rules(self, rules: ClockRules) -> None:
        """Judge by other rules from now on: those of a new licence."""
        with self._lock:
            self._rules = rules

    def _adopt(self, kind: ClockEventKind) -> None:
        self._state, events = adopt(self._state, self._sources.read(), kind)
        self._events.extend(events)

    def _step(self) -> Mark:
        reading = self._sources.read()
        self._state, events = advance(
            self._state, reading, rules=self._rules, confirmed=self._sources.synchronised
        )
        self._events.extend(events)
        return Mark(effective=int(self._state.effective), uptime=self._state.uptime, boot=reading.boot)


def _kernel_synchronised() -> bool:
    """Ask adjtimex(2), which any time daemon keeps up to date; no means not known to be synchronised."""
    timex = ctypes.create_string_buffer(_ADJTIMEX_BYTES)
    state = ctypes.CDLL(None, use_errno=True).adjtimex(timex)
    return state not in (-1, _TIME_ERROR)
