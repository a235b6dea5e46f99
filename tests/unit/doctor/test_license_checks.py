from collections.abc import Callable
from pathlib import Path

import pytest

from appliance.config.settings import Settings
from appliance.doctor.examine import Examination
from appliance.doctor.facts import Account, PathFact, TimeFact
from appliance.doctor.finding import Level
from appliance.doctor.license_checks import (
    check_clock,
    check_identity,
    check_license,
    check_report,
    check_settings,
    check_time_source,
)
from appliance.host.effective_clock import ClockRules, Mark
from license.encoding.strict import DAY, format_time
from license.errors import LicenseError, WrongMachine
from license.licenses.verify import AuthenticLicense

KEY = Path("/var/lib/appliance/instance.key")
SERVICE = Account(name="appliance", uid=990)
NOW = 1_800_000_000


@pytest.fixture
def licensed(look: Callable[..., Examination]) -> AuthenticLicense:
    found = look().licensed
    assert not isinstance(found, LicenseError)
    return found


@pytest.mark.parametrize(
    ("words", "level"),
    [
        (["Eula=accept"], Level.PASS),
        (["Eula=accept", "Fluentd:Host=x"], Level.PASS),
        (["Eula=accept", "Mount:Output=x"], Level.WARN),
        ([], Level.FAIL),
    ],
)
def test_a_missing_acceptance_fails_and_a_misspelt_setting_is_told(words: list[str], level: Level) -> None:
    assert check_settings(Settings.read(words, {})).level is level


@pytest.mark.parametrize(
    ("key", "error", "level"),
    [
        (PathFact(path=KEY, uid=990, mode=0o600), "", Level.PASS),
        (PathFact(path=KEY, uid=990, mode=0o640), "", Level.FAIL),
        (PathFact(path=KEY, uid=1000, mode=0o600), "", Level.WARN),
        (PathFact(path=KEY, exists=False), "", Level.WARN),
        (PathFact(path=KEY, exists=False, error="Permission denied"), "", Level.FAIL),
        (PathFact(path=KEY, uid=990, mode=0o600), "not a key", Level.FAIL),
    ],
)
def test_the_key_is_there_readable_and_private(key: PathFact, error: str, level: Level) -> None:
    assert check_identity(key, "0f3a9c2b7d11", error, SERVICE).level is level


def test_a_licence_is_judged_at_the_time_given(licensed: AuthenticLicense) -> None:
    terms = licensed.license
    moments = {
        terms.not_before - 30 * DAY: Level.FAIL,
        terms.not_before: Level.PASS,
        terms.expires - DAY: Level.WARN,
        terms.expires + 1: Level.WARN,
        terms.terminates: Level.FAIL,
    }
    assert {moment: check_license(licensed, moment).level for moment in moments} == moments


def test_the_day_of_the_next_usage_report_is_told_and_reminded_of(licensed: AuthenticLicense) -> None:
    due = licensed.license.report_by
    early, late = check_report(licensed, due - 60 * DAY), check_report(licensed, due + 1)
    assert (early.level, late.level) == (Level.PASS, Level.WARN)
    assert format_time(due) in early.message
    assert "appliance usage export" in late.command


def test_a_refused_licence_gives_its_word_and_next_step() -> None:
    found = check_license(WrongMachine("it names another key"), NOW)
    assert found.level is Level.FAIL
    assert found.message.startswith("WrongMachine")
    assert found.command


@pytest.mark.parametrize(
    ("wall", "proven", "level"),
    [
        (NOW, NOW - 5, Level.PASS),
        (NOW, 0, Level.PASS),
        (NOW - 299, NOW, Level.PASS),
        (NOW - 301, NOW, Level.FAIL),
        (NOW + 46 * DAY, NOW, Level.WARN),
        (-1, NOW, Level.FAIL),
        (1 << 60, NOW, Level.WARN),
    ],
)
def test_a_clock_behind_what_is_proven_fails_and_one_far_ahead_is_doubted(
    wall: int, proven: int, level: Level
) -> None:
    mark = Mark(effective=proven, uptime=1.0, boot="b") if proven else None
    assert check_clock(wall, proven=proven, mark=mark, rules=ClockRules()).level is level


@pytest.mark.parametrize(
    ("fact", "level"),
    [
        (TimeFact(kernel=True), Level.PASS),
        (TimeFact(kernel=False), Level.WARN),
        (TimeFact(kernel=False, age=0), Level.PASS),
        (TimeFact(kernel=False, age=DAY + 1), Level.WARN),
        (TimeFact(kernel=True, container=True), Level.PASS),
        (TimeFact(kernel=False, container=True), Level.WARN),
    ],
)
def test_a_clock_nobody_keeps_is_a_warning(fact: TimeFact, level: Level) -> None:
    found = check_time_source(fact)
    assert found.level is level
    assert found.command.startswith("on the host: ") == (fact.container and level is Level.WARN)
