"""The operator's confirmation of the clock: read once, for the boot and the time it was given for."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from appliance.host.effective_clock import ClockSources, EffectiveClock, Mark, Reading
from appliance.licensing.clock_confirmation import FILE, consume_confirmation, write_confirmation
from license.encoding.strict import DAY

T = 1_790_000_000
AHEAD = Reading(wall=T + 400 * DAY, uptime=1_000.0, boot="one")


def held(reading: Reading = AHEAD) -> EffectiveClock:
    sources = ClockSources(read=lambda: reading, synchronised=lambda: False)
    return EffectiveClock(sources=sources, mark=Mark(effective=T, uptime=0.0, boot="before"))


def test_a_confirmation_is_read_once(tmp_path: Path) -> None:
    clock = held()
    assert clock.held
    path = write_confirmation(tmp_path, AHEAD)
    assert path.stat().st_mode & 0o777 == 0o600
    assert consume_confirmation(tmp_path, clock)
    assert clock.now() == AHEAD.wall
    assert not consume_confirmation(tmp_path, clock)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "reading",
    [
        replace(AHEAD, boot="two"),
        replace(AHEAD, wall=AHEAD.wall + 73 * 365 * DAY),
        replace(AHEAD, uptime=AHEAD.uptime + 3_600),
    ],
    ids=["another boot", "another time", "a clock that stood still meanwhile"],
)
def test_a_confirmation_for_another_time_or_boot_is_used_up_and_changes_nothing(
    tmp_path: Path, reading: Reading
) -> None:
    write_confirmation(tmp_path, AHEAD)
    clock = held(reading)
    assert not consume_confirmation(tmp_path, clock)
    assert clock.held
    assert list(tmp_path.iterdir()) == []


def test_a_confirmation_given_an_hour_ago_holds_if_the_clock_went_on(tmp_path: Path) -> None:
    write_confirmation(tmp_path, AHEAD)
    clock = held(replace(AHEAD, wall=AHEAD.wall + 3_600, uptime=AHEAD.uptime + 3_600))
    assert consume_confirmation(tmp_path, clock)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: path.write_text("{"),
        lambda path: path.write_text("[]"),
        lambda path: path.write_text(json.dumps({"wall": "soon", "uptime": 1, "boot": "one"})),
        lambda path: path.write_bytes(b"\xff" * 5_000),
    ],
)
def test_nonsense_confirms_nothing(tmp_path: Path, spoil: Callable[[Path], object]) -> None:
    spoil(tmp_path / FILE)
    clock = held()
    assert not consume_confirmation(tmp_path, clock)
    assert clock.held
