from dataclasses import dataclass, field

import pytest

from appliance.host.effective_clock import (
    ClockEvent,
    ClockEventKind,
    ClockRules,
    ClockSources,
    EffectiveClock,
    Mark,
    Reading,
    system_sources,
)
from license.encoding.strict import DAY

T = 1_790_000_000
RULES = ClockRules(tolerance_seconds=300, max_gap_seconds=45 * DAY)


@dataclass
class Machine:
    """A machine whose clocks a test sets."""

    wall: int = T
    uptime: float = 100.0
    boot: str = "first"
    synchronised: bool = False
    asked: int = field(default=0, init=False)

    def read(self) -> Reading:
        return Reading(wall=self.wall, uptime=self.uptime, boot=self.boot)

    def ask(self) -> bool:
        self.asked += 1
        return self.synchronised

    def sleep(self, seconds: int, *, jump: int = 0) -> None:
        self.uptime += seconds
        self.wall += seconds + jump

    def reboot(self, *, off: int, jump: int = 0) -> None:
        self.uptime, self.boot = 5.0, self.boot + "+"
        self.wall += off + jump

    def clock(self, *, floor: int = 0, mark: Mark | None = None) -> EffectiveClock:
        sources = ClockSources(read=self.read, synchronised=self.ask)
        return EffectiveClock(sources=sources, floor=floor, mark=mark, rules=RULES)


def words(clock: EffectiveClock) -> list[ClockEventKind]:
    found = [event.kind for event in clock.events()]
    clock.forget(len(found))
    return found


# Each step: seconds that pass, jump of the wall clock; then what effective time has gained, and the events.
SEQUENCES: dict[str, list[tuple[int, int, int, list[ClockEventKind]]]] = {
    "an honest clock": [(60, 0, 60, []), (3600, 0, 3660, [])],
    "small steps are no events": [(60, 300, 360, []), (60, -300, 420, []), (60, 0, 480, [])],
    "set back: time goes on by uptime, one event": [
        (60, -7200, 60, [ClockEventKind.BACK]),
        (60, 0, 120, []),
        (7200, 0, 7320, []),
    ],
    "set back and put right: no time is lost": [(60, -7200, 60, [ClockEventKind.BACK]), (60, 7200, 120, [])],
    "set back twice: two events": [
        (60, -7200, 60, [ClockEventKind.BACK]),
        (60, 7200, 120, []),
        (60, -7200, 180, [ClockEventKind.BACK]),
    ],
    "a jump ahead is followed and kept": [
        (60, 7200, 7260, [ClockEventKind.FORWARD]),
        (60, -7200, 7320, [ClockEventKind.BACK]),
    ],
    "a wild jump is held, however long": [
        (60, 400 * DAY, 60, [ClockEventKind.HELD]),
        (1200, 0, 1260, []),
        (1200, 0, 2460, []),
    ],
    "a wild jump that goes away leaves nothing": [
        (60, 400 * DAY, 60, [ClockEventKind.HELD]),
        (60, -400 * DAY, 120, []),
    ],
}


@pytest.mark.parametrize("name", SEQUENCES)
def test_running_sequences(name: str) -> None:
    machine = Machine()
    clock = machine.clock()
    for seconds, jump, gained, expected in SEQUENCES[name]:
        machine.sleep(seconds, jump=jump)
        assert clock.now() == T + gained
        assert words(clock) == expected


def test_a_held_jump_is_adopted_after_ten_minutes_of_synchronised_time() -> None:
    machine = Machine()
    clock = machine.clock()
    machine.sleep(1, jump=400 * DAY)
    assert clock.now() == T + 1
    machine.sleep(599)
    machine.synchronised = True
    assert clock.now() == T + 600
    assert machine.asked == 0
    machine.sleep(1)
    assert clock.now() == machine.wall
    assert words(clock) == [ClockEventKind.HELD, ClockEventKind.ADOPTED]


def test_a_person_may_accept_a_held_jump_at_once() -> None:
    machine = Machine()
    clock = machine.clock()
    assert not clock.accept()
    machine.sleep(1, jump=400 * DAY)
    assert clock.accept()
    assert clock.now() == machine.wall
    assert clock.events()[-1] == ClockEvent(
        kind=ClockEventKind.ADOPTED, expected=T + 1, wall=T + 1 + 400 * DAY
    )


def test_after_a_reboot_the_wall_clock_is_followed_without_an_event() -> None:
    machine = Machine()
    mark = machine.clock().mark()
    machine.reboot(off=44 * DAY)
    clock = machine.clock(mark=mark)
    assert (clock.now(), words(clock)) == (machine.wall, [])


def test_after_a_reboot_with_the_clock_set_back_only_powered_off_time_is_gained() -> None:
    machine = Machine()
    mark = machine.clock().mark()
    machine.reboot(off=10 * DAY, jump=-20 * DAY)
    clock = machine.clock(mark=mark)
    assert (clock.now(), words(clock)) == (T, [ClockEventKind.BACK])
    machine.sleep(3600)
    assert clock.now() == T + 3600


def test_a_restart_within_one_boot_counts_the_time_between_although_the_clock_was_set_back() -> None:
    machine = Machine()
    mark = machine.clock().mark()
    machine.sleep(7200, jump=-10 * DAY)
    assert machine.clock(mark=mark).now() == T + 7200


def test_a_wild_clock_at_boot_is_held() -> None:
    machine = Machine()
    mark = machine.clock().mark()
    machine.reboot(off=60, jump=3650 * DAY)
    clock = machine.clock(mark=mark)
    assert (clock.now(), words(clock), clock.held) == (T, [ClockEventKind.HELD], True)


def test_the_floor_counts_as_proof_of_time() -> None:
    machine = Machine()
    clock = machine.clock(floor=T + DAY)
    assert (clock.now(), words(clock), clock.behind) == (T + DAY, [ClockEventKind.BACK], True)
    clock.raise_floor(T + 2 * DAY)
    assert clock.now() == T + 2 * DAY


def test_only_a_new_licence_lowers_time_and_not_below_its_issue() -> None:
    machine = Machine()
    mark = Mark(effective=T + 400 * DAY, uptime=0.0, boot="earlier")
    clock = machine.clock(mark=mark)
    assert clock.now() == T + 400 * DAY
    assert not clock.lower(T + 1)
    assert clock.lower(T - DAY)
    assert clock.now() == T
    assert words(clock) == [ClockEventKind.BACK, ClockEventKind.LOWERED]


def test_a_new_installation_takes_the_wall_clock_even_long_after_its_licence_was_issued() -> None:
    machine = Machine()
    clock = machine.clock(floor=T - 200 * DAY)
    assert (clock.now(), words(clock)) == (T, [])


def test_the_system_sources_read_this_machine() -> None:
    sources = system_sources()
    first, second = sources.read(), sources.read()
    assert first.boot == second.boot
    assert first.uptime <= second.uptime
    assert isinstance(sources.synchronised(), bool)
    assert abs(EffectiveClock().now() - first.wall) <= 2
