"""Effective time as a licence sees it: its issue is proof of time, its rules judge the wall clock.

`appliance.host.effective_clock` knows no licence and `license.licenses.validity` no clock; this is where
they meet.
"""

from appliance.host.effective_clock import ClockSources, EffectiveClock, clock_rules
from appliance.ledger.read.high_water import HighWater
from license.encoding.strict import MAX_TIME, format_time
from license.licenses.license import License


def clamp_time(second: int) -> int:
    """Return the Unix second that a licence can name next to any second a clock may show."""
    return min(max(second, 0), MAX_TIME)


def time_text(second: int) -> str:
    """Return a Unix second in words, even one no licence could name."""
    return format_time(clamp_time(second))


def clock_state(clock: EffectiveClock) -> str:
    """Return how the wall clock stands: `held` (too far ahead to be believed), `behind`, or `ok`."""
    return "held" if clock.held else "behind" if clock.behind else "ok"


def open_clock(
    license: License, high_water: HighWater, sources: ClockSources | None = None
) -> EffectiveClock:
    """Return effective time at a start under a licence, going on from what the ledger proves."""
    return EffectiveClock(
        sources=sources, floor=license.issued, mark=high_water.mark, rules=clock_rules(license.clock)
    )


def time_at_start(license: License, high_water: HighWater, sources: ClockSources | None = None) -> int:
    """Return the time a start under this licence would begin with.

    A licence that was never in force here puts a clock right that ran ahead, as the ledger will do.
    """
    clock = open_clock(license, high_water, sources)
    if high_water.serial and license.serial > high_water.serial:
        return clock.lowest(license.issued)
    return clock.now()


def time_while_running(license: License, clock: EffectiveClock, *, serial: int) -> int:
    """Return the time a running service would judge a licence by; `serial` is that of the one in force."""
    return clock.lowest(license.issued) if license.serial > serial else clock.now()
