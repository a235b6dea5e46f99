"""Tables of (boot, wall, boottime) and, at each step, the state of the licence that effective time gives."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.host.effective_clock import ClockSources, EffectiveClock, Mark, Reading
from appliance.ledger.read.high_water import HighWater
from appliance.licensing.effective_time import open_clock, time_at_start
from license.encoding.strict import DAY
from license.licenses.license import License
from license.licenses.terms import InstanceBinding, Plan
from license.licenses.validity import State, state_at

T = 1_790_000_000 - 1_790_000_000 % DAY
YEAR = 365


def licence(serial: int = 1, *, issued: int = T) -> License:
    expires = issued + YEAR * DAY
    return License(
        id=f"L{serial}",
        serial=serial,
        issued=issued,
        not_before=issued,
        expires=expires,
        terminates=expires + 30 * DAY,
        report_by=expires,
        customer="C",
        subscription="s",
        product="ner",
        plan=Plan(tier="DC0", period=(issued, expires), meters=()),
        instance=InstanceBinding(binding="any"),
    )


@dataclass
class Box:
    """A server: its clocks, what its ledger keeps, and a running service if there is one."""

    wall: int = T
    uptime: float = 60.0
    boot: int = 1
    floor: HighWater = field(default_factory=HighWater)
    license: License = field(default_factory=licence)
    clock: EffectiveClock | None = None
    kept: HighWater = field(default_factory=HighWater)
    judged: int = 0

    def sources(self) -> ClockSources:
        def read() -> Reading:
            return Reading(wall=self.wall, uptime=self.uptime, boot=f"boot {self.boot}")

        return ClockSources(read=read, synchronised=lambda: False)

    def start(self) -> None:
        """Start as `appliance.server.app` does: judge, open, let a new licence put the clock right."""
        self.judged = time_at_start(self.license, self.floor, self.sources())
        self.clock = open_clock(self.license, self.floor, self.sources())
        if 0 < self.floor.serial < self.license.serial:
            self.clock.lower(self.license.issued)
        self.commit()

    def commit(self) -> None:
        if self.clock is not None:
            serial = max(self.floor.serial, self.license.serial)
            self.floor = HighWater(mark=self.clock.mark(), serial=serial, epoch=1)

    def run(self, days: float, jump: float = 0) -> None:
        self.uptime += days * DAY
        self.wall += round((days + jump) * DAY)
        self.commit()

    def reboot(self, off: float, jump: float = 0) -> None:
        self.clock, self.boot, self.uptime = None, self.boot + 1, 60.0
        self.wall += round((off + jump) * DAY)
        self.start()

    def renew(self) -> None:
        self.license = licence(self.license.serial + 1, issued=self.wall)

    @property
    def effective(self) -> float:
        assert self.clock is not None
        return (self.clock.now() - T) / DAY

    @property
    def state(self) -> State:
        assert self.clock is not None
        return state_at(self.license, self.clock.now())


Step = tuple[Callable[[Box], None], State, float]


def run(days: float, jump: float = 0) -> Callable[[Box], None]:
    return lambda box: box.run(days, jump)


def reboot(off: float, jump: float = 0) -> Callable[[Box], None]:
    return lambda box: box.reboot(off, jump)


def snapshot(box: Box) -> None:
    box.kept = box.floor


def restore(box: Box) -> None:
    box.floor = box.kept


def renew(box: Box) -> None:
    box.renew()


def accept(box: Box) -> None:
    assert box.clock is not None
    box.clock.accept()
    box.commit()


# Each step: what happens; then the state expected, and effective time in days since the first start.
TABLES: dict[str, list[Step]] = {
    "an honest year": [
        (run(200), State.VALID, 200),
        (reboot(40), State.VALID, 240),
        (run(40), State.EXPIRING, 280),
        (run(90), State.GRACE, 370),
        (run(30), State.EXPIRED, 400),
    ],
    "set back while running gains nothing": [
        (run(360), State.EXPIRING, 360),
        (run(1, jump=-300), State.EXPIRING, 361),
        (run(10), State.GRACE, 371),
        (run(30), State.EXPIRED, 401),
    ],
    "set back while off gains the hours without power": [
        (run(360), State.EXPIRING, 360),
        (reboot(20, jump=-120), State.EXPIRING, 360),
        (run(4), State.EXPIRING, 364),
        (run(2), State.GRACE, 366),
        (reboot(0, jump=-300), State.GRACE, 366),
        (run(30), State.EXPIRED, 396),
    ],
    "set back at every start still ends": [
        *[(reboot(1, jump=-30), State.VALID, 0.0)] * 3,
        (run(100), State.VALID, 100),
        (reboot(1, jump=-200), State.VALID, 100),
        (run(200), State.EXPIRING, 300),
        (reboot(1, jump=-200), State.EXPIRING, 300),
        (run(95), State.EXPIRED, 395),
    ],
    "one boot in 2099, repaired at the next": [
        (run(10), State.VALID, 10),
        (reboot(1, jump=73 * 365), State.VALID, 10),
        (run(2), State.VALID, 12),
        (reboot(0, jump=-73 * 365), State.VALID, 13),
        (run(1), State.VALID, 14),
    ],
    "2099 while running, repaired while running": [
        (run(10), State.VALID, 10),
        (run(1, jump=73 * 365), State.VALID, 11),
        (run(3), State.VALID, 14),
        (run(1, jump=-73 * 365), State.VALID, 15),
    ],
    "2099 accepted by mistake: only a new licence puts it right": [
        (run(10), State.VALID, 10),
        (reboot(0, jump=73 * 365), State.VALID, 10),
        (accept, State.EXPIRED, 10 + 73 * 365),
        (reboot(0, jump=-73 * 365), State.EXPIRED, 10 + 73 * 365),
        (renew, State.EXPIRED, 10 + 73 * 365),
        (reboot(1), State.VALID, 11),
    ],
    "off for three months, accepted by a person": [
        (run(10), State.VALID, 10),
        (reboot(90), State.VALID, 10),
        (run(1), State.VALID, 11),
        (accept, State.VALID, 101),
    ],
    "a snapshot restored goes on from the clock": [
        (run(10), State.VALID, 10),
        (snapshot, State.VALID, 10),
        (run(20), State.VALID, 30),
        (restore, State.VALID, 30),
        (reboot(0), State.VALID, 30),
    ],
    "a snapshot restored and the clock set back: the span in between is gained, and no more": [
        (run(350), State.EXPIRING, 350),
        (snapshot, State.EXPIRING, 350),
        (run(20), State.GRACE, 370),
        (restore, State.GRACE, 370),
        (reboot(0, jump=-100), State.EXPIRING, 350),
        (run(46), State.EXPIRED, 396),
    ],
}


@pytest.mark.parametrize("name", TABLES)
def test_each_step_has_its_state(name: str) -> None:
    box = Box()
    box.start()
    for number, (happens, state, effective) in enumerate(TABLES[name]):
        happens(box)
        assert (box.state, round(box.effective, 1)) == (state, effective), f"step {number} of {name}"


def test_what_a_start_is_judged_by_is_what_it_then_goes_by() -> None:
    box = Box()
    box.start()
    box.run(10)
    box.license = replace(box.license, clock=replace(box.license.clock, max_gap_d=5))
    box.reboot(20)
    assert round((box.judged - T) / DAY) == round(box.effective) == 10, "its own, shorter gap counts"


JUMPS = st.tuples(st.floats(0, 60), st.floats(-800, 800), st.booleans())


@given(st.lists(JUMPS, max_size=30))
def test_no_play_with_the_clock_serves_longer_than_the_licence_grants(
    plays: list[tuple[float, float, bool]],
) -> None:
    box = Box()
    box.start()
    served = 0.0
    for days, jump, off in plays:
        if off:
            box.reboot(days, jump)
        else:
            before = box.state.serves
            box.run(days, jump)
            if before and box.state.serves:
                served += days
    assert served * DAY <= box.license.terminates - box.license.issued


def test_a_mark_of_another_boot_counts_no_uptime() -> None:
    floor = HighWater(mark=Mark(effective=T + DAY, uptime=1e6, boot="boot 0"), serial=1, epoch=1)
    box = Box(floor=floor, wall=T)
    box.start()
    assert box.effective == 1
