from appliance.host.effective_clock import ClockSources, EffectiveClock, Reading
from appliance.ledger.read.high_water import HighWater, recorded_high_water
from tests.support.ledger import DAY, NOON, Machine


def test_without_a_ledger_nothing_is_known(machine: Machine) -> None:
    assert recorded_high_water(machine.directory) == HighWater(mark=None, serial=0, epoch=0)


def test_a_ledger_proves_time_and_licences(machine: Machine) -> None:
    ledger = machine.open()
    ledger.change_license(machine.renew(serial=5, epoch=3))
    machine.pass_time(500)
    ledger.close()
    floor = recorded_high_water(machine.directory)
    assert (floor.serial, floor.epoch) == (5, 3)
    assert floor.mark is not None
    assert (floor.mark.effective, floor.mark.boot) == (NOON + 500, "first")


def test_a_clock_set_back_between_two_starts_gains_nothing(machine: Machine) -> None:
    machine.open().close()
    machine.wall -= 30 * DAY
    machine.uptime, machine.boot = 1.0, "second"
    mark = recorded_high_water(machine.directory).mark
    reading = Reading(wall=machine.wall, uptime=machine.uptime, boot=machine.boot)
    sources = ClockSources(read=lambda: reading, synchronised=lambda: False)
    assert EffectiveClock(sources=sources, mark=mark).now() == NOON
