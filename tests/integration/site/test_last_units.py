"""The end of a plan: what lies idle at replicas goes back, so that whoever is asked uses the last units."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.replicas import METER, RULES, InProcessSite, Member


@pytest.fixture
def site(tmp_path: Path) -> Iterator[InProcessSite]:
    made = InProcessSite(tmp_path)
    made.license(100)
    yield made
    made.close()


def beat(site: InProcessSite, *members: Member) -> None:
    """Let a heartbeat pass."""
    site.time.pass_time(RULES.heartbeat_s)
    for member in members:
        member.speak()


def allowed(member: Member) -> int:
    assert member.site.desk is not None
    return max(member.site.desk.book.replicas[member.of].allowed.values(), default=0)


def test_the_last_units_are_used_by_the_one_replica_that_is_asked_while_three_stand_idle(
    site: InProcessSite,
) -> None:
    with site.open() as desk:
        idle = [site.member().start() for _ in range(3)]
        busy = site.member().start()
        for member in idle:
            member.use_all(most=2)
        beat(site, *idle)
        held = sum(allowed(member) for member in idle)
        assert held > 6
        answered = 0
        for _ in range(12):
            answered += busy.use_all()
            beat(site, *idle, busy)
            assert site.charged + site.open_units <= 100
        assert answered == 100 - 6
        assert site.answered() == 100
        assert [allowed(member) for member in idle] == [2, 2, 2]
        for _ in range(3):
            beat(site, *idle, busy)
        assert {member.ask() for member in (*idle, busy)} == {"OutOfQuota"}
        assert site.charged == 100
        assert desk.is_used_up()


def test_an_idle_replica_that_gave_its_slice_back_is_granted_units_as_soon_as_it_is_asked(
    site: InProcessSite,
) -> None:
    with site.open():
        idle, busy = site.member().start(), site.member().start()
        answered = 0
        for _ in range(6):
            answered += busy.use_all(most=99 - answered)
            beat(site, idle, busy)
        assert (answered, allowed(idle)) == (99, 0)
        busy.stop()
        assert idle.ask() == "SliceUsedUp"
        site.time.pass_time(1)
        idle.speak()
        assert idle.ask() == "Answered"
        written = site.desk.ledger.size if site.desk else 0
        for _ in range(5):
            beat(site, idle)
        assert site.desk is not None
        assert site.desk.ledger.size - written < 20, "slices do not go to and fro at each heartbeat"


def test_what_a_request_under_way_may_still_use_is_not_given_back(site: InProcessSite) -> None:
    with site.open():
        idle, busy = site.member().start(), site.member().start()
        granted = allowed(idle)
        held = idle.gate.admit(granted)
        with held:
            busy.use_all()
            for _ in range(4):
                beat(site, idle, busy)
            assert allowed(idle) == granted
            assert busy.use_all() + allowed(idle) <= 100
        assert METER in idle.reporter.slices.report(site.time.now)["units"]  # type: ignore[union-attr,index]


def test_an_answer_that_is_lost_makes_nothing_of_what_was_given_back_usable_again(
    site: InProcessSite,
) -> None:
    with site.open():
        idle, busy = site.member().start(), site.member().start()
        busy.use_all(most=80)
        beat(site, busy, idle)
        client = idle.client
        assert idle.reporter is not None
        before = idle.reporter.slices.report(site.time.now)
    site.time.pass_time(RULES.heartbeat_s)
    idle.speak()  # no desk hears it
    after = idle.reporter.slices.report(site.time.now)
    assert before is not None
    assert after is not None
    assert after["units"][METER] < before["units"][METER]
    with site.open(listened=False):  # which repeats what a replica shows
        site.time.pass_time(RULES.heartbeat_s)
        idle.speak()
        again = idle.reporter.slices.report(site.time.now)
        assert again is not None
        assert again["units"][METER] == after["units"][METER]
        assert client.api_key
        site.time.pass_time(2 * RULES.heartbeat_s)
        for _ in range(3):
            beat(site, idle, busy)
        assert busy.use_all() + site.answered() >= 80
        assert site.charged + site.open_units <= 100


def test_a_replica_that_stands_idle_or_has_just_started_is_ready_while_others_use_the_plan_fast(
    tmp_path: Path,
) -> None:
    """Without a unit it would not be ready, and no balancer would ask it for what it needs to get some."""
    site = InProcessSite(tmp_path)
    site.license(5_000)
    with site.open() as desk:
        idle, *busy = (site.member().start() for _ in range(3))
        for _ in range(8):
            for member in busy:
                member.use_all(25, most=200)
            beat(site, idle, *busy)
        late = site.member().start()
        beat(site, idle, late, *busy)
        key = next(iter(desk.book.replicas[idle.of].allowed))
        assert desk.book.free(key, 5_000) < 2_000, "the others ask for what they use in two reports"
        assert [idle.ask(), late.ask()] == ["Answered", "Answered"]
        for _ in range(3):
            beat(site, idle, late, *busy)
            assert [idle.ask(), late.ask()] == ["Answered", "Answered"]
    site.close()
