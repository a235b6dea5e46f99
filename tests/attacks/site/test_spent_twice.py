"""Somebody who wants a plan twice: replicas that are killed, thrown away or copied, a desk put back."""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import ClassVar

import pytest

from appliance.site.status import site_status
from license.client.metering import MeteringClient
from license.errors import AuthorityError, Mismatch
from license.slices.protocol import SliceReply
from tests.support.replicas import RULES, InProcessSite, Member


@pytest.fixture
def site(tmp_path: Path) -> Iterator[InProcessSite]:
    made = InProcessSite(tmp_path)
    made.license(100)
    yield made
    made.close()


def test_three_replicas_answer_a_plan_of_100_units_to_the_last_and_no_more(site: InProcessSite) -> None:
    with site.open():
        members = [site.member().start() for _ in range(3)]
        for _ in range(40):
            for member in members:
                member.use_all(most=4)
        assert site.answered() == 100
        assert {member.ask() for member in members} <= {"OutOfQuota", "SliceUsedUp"}
        assert site.charged == 100


def test_a_replica_whose_state_is_thrown_away_gains_nothing(tmp_path: Path) -> None:
    site = InProcessSite(tmp_path, instances=20)
    site.license(100)
    with site.open() as desk:
        answered = 0
        for _ in range(12):
            member = site.member().start()
            answered += member.use_all(most=9)
            member.kill()
            shutil.rmtree(member.home)
        assert answered <= 100
        lost = sum(desk.write_off(of) for of in list(desk.book.replicas))
        assert lost
        assert site.charged <= 100
        assert site.open_units == 0
        assert site.charged >= answered
    site.close()


def test_a_desk_that_was_put_back_believes_its_replicas_and_grants_nothing_for_one_lease_period(
    site: InProcessSite,
) -> None:
    with site.open():
        member = site.member().start()
        member.use_all(most=3)
    site.copy("yesterday")
    with site.open():
        assert member.use_all(most=50) == 50
        site.time.pass_time(1)
    site.put_back("yesterday")
    with site.open(listened=False) as desk:
        site.time.pass_time(RULES.heartbeat_s)
        member.speak()
        allowed = max(desk.book.replicas[member.of].allowed.values())
        assert allowed >= 53
        until = site.time.now + site.lease_s
        assert desk.book.paused_until == until
        site.time.pass_time(600)
        member.speak()
        assert desk.book.paused_until == until
        assert site.charged == 53
        other = site.member().start()
        assert other.ask() == "SliceUsedUp"
        site.time.pass_time(site.lease_s)
        member.speak()
        other.speak()
        total = member.use_all() + other.use_all() + member.use_all()
        assert site.answered() == 53 + total == 100


def test_a_copy_of_a_replica_and_the_replica_are_refused_with_the_reason(
    site: InProcessSite, tmp_path: Path
) -> None:
    with site.open() as desk:
        member = site.member().start()
        member.ask()
        member.kill()
        shutil.copytree(member.home, tmp_path / "copy")
        copy = Member(tmp_path / "copy", site, member.client)
        member.start()
        site.time.pass_time(1)
        copy.start()
        assert copy.ask() == "Mismatch" or copy.ask() == "SliceUsedUp"
        site.time.pass_time(600)
        member.speak()
        assert member.reporter is not None
        for one in (member, copy):
            assert one.reporter is not None
            site.time.pass_time(600)
            one.speak()
            assert one.reporter.endpoint_state.status == "Mismatch"
            assert "two histories" in one.reporter.endpoint_state.message
            with pytest.raises(Mismatch, match="was copied"):
                one.start()
        assert desk.book.replicas[member.of].forked
        copy.kill()


class Overheard(MeteringClient):
    """The way to a desk, with somebody who keeps each word that a replica says to it."""

    words: ClassVar[list[bytes]] = []

    def slice(self, note: bytes, *, now: int) -> SliceReply:
        self.words.append(note)
        return super().slice(note, now=now)


def test_a_word_of_a_replica_that_is_sent_again_or_comes_late_changes_nothing(site: InProcessSite) -> None:
    with site.open() as desk:
        member = site.member().start()
        assert member.reporter is not None
        member.reporter.client = Overheard(billing=site.url, api_key=member.client.api_key, timeout_s=10)
        for _ in range(3):
            member.use_all(most=2)
            site.time.pass_time(RULES.heartbeat_s)
            member.reporter.attempt()
        before = (site.charged, site.open_units)
        for word in Overheard.words[:-1]:
            with pytest.raises(AuthorityError) as refused:
                desk.slices(word)
            assert refused.value.code == "LateWord"
        assert (site.charged, site.open_units) == before
        site.time.pass_time(RULES.heartbeat_s)
        assert member.use_all(most=5) == 5


KEPT = {"all anew": ("instance.key", "hpke.key"), "keys": ("*.key",), "all but the log": ("*.key", "[!u]*")}


def lose_log(member: Member, kept: str = "all anew") -> None:
    """Throw a replica's log away, and of its state all but what is kept."""
    shutil.rmtree(member.home / "output")
    for path in (member.home / "state").rglob("*"):
        if path.is_file() and not any(path.match(pattern) for pattern in KEPT[kept]):
            path.unlink()


@pytest.mark.parametrize("kept", list(KEPT))
@pytest.mark.parametrize("restarted", [False, True], ids=["same desk", "desk started again"])
@pytest.mark.parametrize("reported", [False, True], ids=["not reported", "reported"])
def test_a_replica_that_throws_its_log_and_count_away_and_keeps_its_keys_uses_its_slice_once(
    site: InProcessSite, *, restarted: bool, reported: bool, kept: str
) -> None:
    with ExitStack() as desks:
        desk = desks.enter_context(site.open())
        member = site.member().start()
        answered = member.use_all(most=40 if reported else 1)
        site.time.pass_time(1_000 if reported else RULES.heartbeat_s)
        member.speak()
        assert bool(desk.book.position(member.log).next) == reported
        member.kill()
        lose_log(member, kept)
        if restarted:
            desks.close()
            desk = desks.enter_context(site.open())
        site.time.pass_time(30)
        member.start()
        assert member.reporter is not None
        assert member.ask() in ("Mismatch", "SliceUsedUp", "Unknown")
        site.time.pass_time(30)
        member.speak()
        member.speak()
        replica = desk.book.replicas[member.of]
        assert replica.forked
        assert replica.lost
        assert "lost its usage log" in member.reporter.endpoint_state.message
        held = site.charged
        assert (held >= answered, site.open_units) == (True, 0)
        other = site.member().start()
        assert other.use_all() == 100 - held


def test_a_desk_that_is_killed_remembers_what_a_replica_showed_with_its_slice(
    site: InProcessSite, tmp_path: Path
) -> None:
    with site.open() as desk:
        member = site.member().start()
        answered = member.use_all(most=20)
        member.kill()
        site.copy("killed")  # as the disk stands, without what an orderly stop writes
        granted = max(desk.book.replicas[member.of].allowed.values())
    site.put_back("killed")
    lose_log(member)
    with site.open() as desk:
        member.start()
        member.speak()
        assert desk.book.replicas[member.of].forked
        assert site.charged == granted >= answered


def test_a_desk_that_was_put_back_by_its_operator_counts_no_replica_that_is_none(site: InProcessSite) -> None:
    with site.open(restored=True) as desk:
        site.time.pass_time(site.lease_s + RULES.patience_s)
        desk.tick()
        assert site_status(desk)["replicas"] == []
    with site.open() as desk:
        assert site_status(desk)["replicas"] == []
