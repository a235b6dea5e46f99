"""Effective time as a licence sees it: its issue is proof of time, its rules judge the wall clock.

`appliance.host.effective_clock` knows no licence and `license.licenses.validity` no clock; this is where
they meet.
"""

from appliance.host.effective_clock import ClockRules, ClockSources, EffectiveClock
from appliance.ledger.read.high_water import HighWater
from license.encoding.strict import DAY
from license.licenses.license import License


def rules_of(license: License) -> ClockRules:
    """Return how far the wall clock may stray under a licence."""
    policy = license.clock
    return ClockRules(tolerance_seconds=policy.tolerance_s, max_gap_seconds=policy.max_gap_d * DAY)


def open_clock(license: License, floor: HighWater, sources: ClockSources | None = None) -> EffectiveClock:
    """Return effective time at a start under a licence, going on from what the ledger proves."""
    return EffectiveClock(sources=sources, floor=license.issued, mark=floor.mark, rules=rules_of(license))


def time_at_start(license: License, floor: HighWater, sources: ClockSources | None = None) -> int:
    """Return the time a start under this licence would begin with.

    A licence that was never in force here puts a clock right that ran ahead, as the ledger will do.
    """
    clock = open_clock(license, floor, sources)
    if floor.serial and license.serial > floor.serial:
        return clock.lowest(license.issued)
    return clock.now()


def time_while_running(license: License, clock: EffectiveClock, *, serial: int) -> int:
    """Return the time a running service would judge a licence by; `serial` is that of the one in force."""
    return clock.lowest(license.issued) if license.serial > serial else clock.now()
