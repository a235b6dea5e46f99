"""What becomes of a plan that blocks when parts of a site fail: real HTTP and ledgers, clocks of the test."""

import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import pytest

from appliance.errors import LedgerLocked
from appliance.ledger.transfer.retention import plan_pruning
from appliance.site.desk import Desk
from license.authority.ingest import ingest_bundle
from license.client.licenses import KEY_HEADER
from license.errors import DownloadError, LicenseError
from license.evidence.tool.zipapp import build
from license.evidence.verify.verify import verify
from license.trust.roots import load_roots
from tests.support.paths import ROOT
from tests.support.replicas import METER, RULES, InProcessSite, Member
from tests.support.site import NO_TLS


@pytest.fixture
def site(tmp_path: Path) -> Iterator[InProcessSite]:
    made = InProcessSite(tmp_path)
    made.license(100)
    yield made
    made.close()


def test_a_replica_that_stops_in_order_gives_back_what_it_did_not_use(site: InProcessSite) -> None:
    with site.open():
        first, second = site.member().start(), site.member().start()
        first.use_all(most=5)
        first.stop()
        assert (site.charged, site.open_units) == (5, site.open_units)
        assert second.use_all() == 95
        assert (site.charged, site.answered()) == (100, 100)


def test_a_replica_that_stops_while_its_desk_starts_again_still_gives_its_slice_back(
    site: InProcessSite,
) -> None:
    with site.open():
        member = site.member().start()
        assert member.use_all(5, most=5) == 5
    assert member.ask(2) == "Answered"
    site.time.pass_time(600)
    member.speak()
    assert member.reporter is not None
    assert member.reporter.endpoint_state.failed == 1, "its last report did not arrive"
    with ThreadPoolExecutor(1) as other:
        stopped = other.submit(member.stop)
        time.sleep(0.3)  # the first try of the stop has met nobody
        assert not stopped.done()
        with site.open(listened=False):
            stopped.result(timeout=30)
            assert (site.charged, site.open_units) == (7, 0)


def test_the_slice_of_a_replica_that_was_killed_stays_taken_until_it_reports(site: InProcessSite) -> None:
    with site.open() as desk:
        first, second = site.member().start(), site.member().start()
        assert first.use_all(8, most=8) == 8
        (allowed,) = desk.book.replicas[first.of].allowed.values()
        assert allowed > 8
        first.kill()
        site.time.pass_time(60)
        assert second.use_all() == 100 - allowed
        assert second.ask() == "SliceUsedUp"
        first.start()
        first.stop()
        assert second.use_all() == allowed - 8
        assert site.answered() == site.charged == 100


def test_what_was_written_off_is_not_charged_again_when_it_is_reported_after_all(site: InProcessSite) -> None:
    with site.open() as desk:
        member = site.member().start()
        member.use_all(7, most=7)
        held = site.charged + site.open_units
        member.kill()
        site.time.pass_time(site.lease_s + RULES.patience_s)
        desk.tick()
        assert (site.charged, site.open_units) == (held, 0)
        assert desk.book.replicas[member.of].lost
        member.start()
        assert (site.charged, desk.book.replicas[member.of].counted) == (
            held,
            dict.fromkeys(desk.book.replicas[member.of].counted, 7),
        )


def test_replicas_serve_without_their_desk_to_the_end_of_slice_and_lease(site: InProcessSite) -> None:
    with site.open():
        member = site.member().start()
        assert member.use_all(10, most=10) == 10
        assert member.reporter is not None
        left = member.reporter.slices.limit(METER, term(member), 100, 0) - 10
    assert left > 0
    until = member.reporter.answers_until()
    assert until == member.manager.current.license.terminates - 1
    site.time.pass_time(1_800)
    member.speak()
    assert member.ask() == "Answered"
    assert member.ask(left) == "SliceUsedUp"
    site.time.pass_time(until - site.time.now)
    assert member.ask() == "Answered"
    site.time.pass_time(1)
    assert member.ask() == "CouldNotConnect"
    with site.open():
        site.time.pass_time(1)
        member.speak()
        assert member.ask() == "Answered"


def term(member: Member) -> int:
    return member.manager.current.license.plan.period[0]


def test_the_desk_counts_on_after_a_restart_and_listens_before_it_grants(site: InProcessSite) -> None:
    with site.open():
        member = site.member().start()
        assert member.use_all(most=20) == 20
        site.time.pass_time(600)
        member.speak()
        before = site.charged
    with site.open(listened=False) as desk:
        assert site.charged == before
        other = site.member().start()
        assert other.ask() == "SliceUsedUp"
        site.time.pass_time(2 * RULES.heartbeat_s)
        other.speak()
        assert other.ask() == "Answered"
        assert desk.book.replicas[other.of].allowed
        for _ in range(30):
            member.use_all(most=3)
            other.use_all(most=3)
        assert site.answered() == 100


def test_a_desk_that_is_told_it_was_put_back_grants_nothing_for_one_lease_period(
    site: InProcessSite,
) -> None:
    with site.open():
        member = site.member().start()
        assert member.use_all(most=4) == 4
    with site.open(restored=True):
        begun = site.time.now - 2 * RULES.heartbeat_s
        other = site.member().start()
        assert member.ask() == "Answered", "it has its slice"
        refused = []
        while other.ask() == "SliceUsedUp":
            refused.append(site.time.now - begun)
            site.time.pass_time(300)
            for one in (member, other):
                one.speak()
        assert site.lease_s - 300 <= refused[-1] < site.lease_s
    with site.open():
        assert other.ask() == "Answered", "only once: a start without the word does not begin it anew"


def test_a_clock_that_is_off_is_refused_with_the_number(site: InProcessSite) -> None:
    with site.open():
        for ahead in (7_200, -7_200):
            member = site.member()
            site.time.now += ahead
            member_time = site.time.now
            site.time.now -= ahead
            desk_clock = site.time.now
            assert abs(member_time - desk_clock) == 7_200
            with pytest.raises(DownloadError, match="7,200 s"):
                lease_at(member, member_time)
        lease_at(site.member(), site.time.now + 299)


def lease_at(member: Member, now: int) -> None:
    from appliance.config.identity import load_identity
    from appliance.config.products import CUSTOM_NER
    from appliance.metering.lease import fetch_lease

    identity = load_identity(member.home / "state")
    fetch_lease(
        member.client,
        identity=identity,
        roots=load_roots(member.site.authority.roots_dir),
        service=CUSTOM_NER,
        directory=identity.state / "connected",
        serial=0,
        now=now,
    )


def test_one_replica_more_than_the_site_has_is_refused_until_one_leaves(tmp_path: Path) -> None:
    site = InProcessSite(tmp_path, instances=2)
    site.license(100)
    with site.open():
        first, _ = site.member().start(), site.member().start()
        third = site.member()
        with pytest.raises(LicenseError, match="2 replicas at once"):
            third.start()
        first.stop()
        third.start()
        assert third.use_all(most=1) == 1
    site.close()


def test_two_desks_on_one_directory_are_never_there(site: InProcessSite) -> None:
    with site.open(), pytest.raises(LedgerLocked):
        Desk(site.place, roots=load_roots(site.authority.roots_dir), sources=site.time.sources())


def test_a_plan_that_records_is_leased_without_slices_and_every_unit_is_counted(tmp_path: Path) -> None:
    site = InProcessSite(tmp_path)
    site.license(10, overage="record")
    with site.open():
        members = [site.member().start() for _ in range(2)]
        for member in members:
            assert member.ask(30) == "Answered"
            member.stop()
        assert site.charged == site.answered() == 60
    site.close()


def test_units_that_were_bought_are_granted_once_the_new_licence_is_at_the_desk(site: InProcessSite) -> None:
    with site.open() as desk:
        member = site.member().start()
        assert member.use_all() == 100
        site.time.pass_time(600)
        member.speak()
        assert member.ask() == "OutOfQuota"
        site.authority.add_units("acme", METER, 50)
        site.license()
        desk.tick()
        site.time.pass_time(600)
        member.speak()
        assert member.use_all() == 50
        assert site.charged <= 150


def test_the_export_of_a_site_is_clean_and_says_who_was_there_and_what_was_lost(
    site: InProcessSite, tmp_path: Path
) -> None:
    from appliance.ledger.transfer.export_file import export_usage

    with site.open() as desk:
        first, second = site.member().start(), site.member().start()
        first.use_all(most=6)
        second.use_all(most=4)
        first.stop()
        second.kill()
        desk.write_off(second.of)
        total = site.charged
    out = tmp_path / "site.zip"
    with export_usage(site.place.output, site.place.state, out=out, full=True, note=None):
        pass
    report = verify(out, load_roots(site.authority.roots_dir))
    assert report.exit_code == 0, report.findings
    (log,) = report.logs
    by_state = {replica.instance: replica for replica in log.replicas}
    assert by_state[first.of].state == "left"
    assert by_state[first.of].quantity == 6
    assert by_state[second.of].state == "lost"
    assert sum(by_state[second.of].lost.values()) == total - 6 - by_state[second.of].quantity
    assert [finding.code for finding in report.findings] == ["lost"]
    alone = tmp_path / "usage-verify.pyz"
    build(alone, ROOT)
    words = [sys.executable, "-I", str(alone), str(out), "--roots", str(site.authority.roots_dir)]
    told = subprocess.run(words, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stdout
    assert f"replica   {second.of}  offline-appliance" in told.stdout
    assert ", lost, since" in told.stdout
    taken = ingest_bundle(site.authority, out)
    assert taken.report.exit_code == 0, taken.report.findings
    assert [account.used.billed for account in taken.accounts] == [total]
    assert taken.accepted


def test_the_export_of_a_replica_is_clean_too_and_the_vendor_refuses_to_count_it_twice(
    site: InProcessSite, tmp_path: Path
) -> None:
    from appliance.ledger.transfer.export_file import export_usage

    with site.open():
        member = site.member().start()
        member.use_all(most=6)
        member.stop()
    out = tmp_path / "replica.zip"
    with export_usage(member.home / "output", member.home / "state", out=out, full=True, note=None):
        pass
    report = verify(out, load_roots(site.authority.roots_dir))
    assert report.exit_code == 0, report.findings
    with pytest.raises(LicenseError, match="counted by the desk"):
        ingest_bundle(site.authority, out)


def test_nothing_is_pruned_of_the_log_of_a_desk_which_would_count_reports_again(site: InProcessSite) -> None:
    with site.open():
        site.member().start().use_all(most=3)
    (pruning,) = plan_pruning(site.place.output, load_roots(site.authority.roots_dir))
    assert pruning.entries == 0
    assert "log of a site's desk" in pruning.reason


def test_a_desk_that_is_down_is_not_asked_for_each_request_that_is_refused(site: InProcessSite) -> None:
    with site.open():
        member = site.member().start()
        member.use_all(most=4)
    assert member.reporter is not None
    while member.ask(5) == "Answered":
        pass
    site.time.pass_time(60)
    member.speak()
    failed = member.reporter.endpoint_state.failed
    assert failed > 0
    for _ in range(20):
        assert member.ask(5) == "SliceUsedUp"
        member.speak()
    assert member.reporter.endpoint_state.failed == failed
    site.time.pass_time(5)
    member.speak()
    assert member.reporter.endpoint_state.failed == failed + 1


def test_the_next_period_of_a_plan_begins_on_all_replicas_within_a_minute_and_a_half(tmp_path: Path) -> None:
    site = InProcessSite(tmp_path, lease_s=6 * 3_600)
    site.license(1_000)
    with site.open() as desk:
        member = site.member().start()
        begins = desk.licenses.current.license.plan.period[1]
        site.time.pass_time(begins - 600 - site.time.now)
        member.kill()
        member.start()
        site.authority.renew_resource("acme")
        site.license(period="next")
        refused: list[int] = []
        while site.time.now < begins + 600:
            site.time.pass_time(10)
            desk.tick()
            member.speak()
            refused += [site.time.now - begins] * (member.ask() != "Answered")
        assert all(0 <= second <= 90 for second in refused)
        assert member.manager.current.license.plan.period[0] == begins
        assert (METER, begins) in desk.book.replicas[member.of].allowed
    site.close()


def test_a_plan_that_no_longer_blocks_is_leased_anew_within_two_minutes(tmp_path: Path) -> None:
    site = InProcessSite(tmp_path, lease_s=6 * 3_600)
    site.license(100)
    with site.open() as desk:
        member = site.member().start()
        begins = desk.licenses.current.license.plan.period[1]
        site.time.pass_time(begins - 600 - site.time.now)
        member.kill()
        member.start()
        site.authority.renew_resource("acme", overage="record")
        site.license(period="next")
        site.time.pass_time(600)
        for _ in range(12):
            site.time.pass_time(10)
            desk.tick()
            member.speak()
        assert member.manager.current.license.plan.overage == "record"
        assert member.use_all(most=150) == 150
    site.close()


@pytest.mark.parametrize(
    ("path", "code", "says"), [("/v1/slices", 405, "use POST"), ("/openapi.json", 404, "its page is at /")]
)
def test_a_desk_that_is_asked_wrongly_says_what_it_takes(
    site: InProcessSite, path: str, code: int, says: str
) -> None:
    with site.open():
        answer = httpx2.get(f"{site.url}{path}", headers={KEY_HEADER: site.place.api_key()}, verify=NO_TLS)
        assert answer.status_code == code
        assert says in answer.json()["error"]["hint"]
        assert answer.headers.get("Allow", "") == ("POST" if code == 405 else "")
