"""Reports of connected appliances at the authority: counted once, under any order, repetition and loss."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from license.authority.book.metering import LogUsage, MeterRepository, disagreement, usage_of
from license.authority.http.app import make_app
from license.crypto.ed25519 import SigningKey
from license.encoding.strict import DAY
from license.errors import AuthorityError, Malformed, NeedsNewerVersion, UnsignedReport, WrongMode
from license.evidence.log.entry import Tally
from license.evidence.log.merkle import consistency_path, root_at
from license.licenses.validity import State, state_at
from license.licenses.verify import open_license
from license.metering_protocol import (
    REPORT_LINE,
    SignedReport,
    UsageRecord,
    UsageReport,
    open_report,
    sign_report,
)
from license.trust.signed_note import open_note, sign_note
from license.trust.statement import parse_statement
from tests.support.evidence import subtrees_of
from tests.unit.license.authority.http.test_app import ask, check_error, key
from tests.unit.license.conftest import METER, NOW


def origin_of(machine: SigningKey) -> str:

    return f"offline-appliance/customner/{machine.verifying.fingerprint}/1"


def report(log: str, first: int, after: int, quantity: int = 0, **changes: Any) -> UsageReport:
    record = UsageRecord(
        meter=METER,
        entries=after - first,
        quantity=quantity or after - first,
        billed=quantity or after - first,
        at=NOW,
    )
    values: dict[str, Any] = {
        "log": log,
        "first": first,
        "next": after,
        "software": "0.1.0",
        "records": (record,),
    }
    return UsageReport(**values | changes)


def signed(machine: SigningKey, found: UsageReport) -> SignedReport:
    """The same as a machine sends it, over a log whose entries hash to their index."""
    subtree = subtrees_of([sha256(b"%d" % n).digest() for n in range(found.next)])
    growth = consistency_path(found.first, found.next, subtree)
    return sign_report(found, root=root_at(found.next, subtree), growth=growth, key=machine)


def total(vendor: Any, resource: str = "acme-ner") -> int:
    usage = usage_of(vendor.authority.store.engine, resource)
    return sum(tally.quantity for log in usage for tally in log.days.values())


@pytest.fixture
def met(vendor: Any) -> Any:
    """A vendor that has granted its machine a lease."""
    resource = vendor.authority.store.find_by_key(vendor.key)
    vendor.authority.grant_lease(resource, vendor.request())
    return vendor


@pytest.fixture
def book(met: Any) -> MeterRepository:
    return MeterRepository(met.authority.store.engine)


def accept(
    met: Any,
    book: MeterRepository,
    found: UsageReport,
    resource: str = "acme-ner",
    machine: SigningKey | None = None,
) -> int:
    return book.accept(resource, signed(machine or met.machine, found), now=met.clock())


KEY = SigningKey.generate("offline-appliance/instance")
OWN = f"offline-appliance/customner/{KEY.verifying.fingerprint}/1"


def sealed(said: dict[str, Any]) -> bytes:
    """What a report says, with the rest and the signature of the installation, whatever it says."""
    head = sign_report(report(OWN, 3, 5), root=bytes(32), growth=(), key=KEY)
    rest = {"instance": head.instance, "checkpoint": head.checkpoint.decode(), "growth": []}
    return sign_note(f"{REPORT_LINE}\n{json.dumps(said | rest, indent=1)}\n", KEY)


def test_a_report_has_the_documented_shape() -> None:
    log = "offline-appliance/customner/0f3a9c2b7d11/1"
    said = json.loads(report(log, 3, 5, 7).to_bytes())
    (record,) = said["records"]
    body = record["usageRequestBody"]
    names = {"id", "containerType", "containerVersion", "containerId", "meter", "requestTime", "apiType"}
    assert set(body) == names
    assert body["meter"] == {"name": METER, "quantity": 7.0}
    assert b'"quantity": 7.0' in report(log, 3, 5, 7).to_bytes()
    assert (body["containerType"], body["containerId"]) == ("customner", "0f3a9c2b7d11")


def test_the_same_run_of_entries_has_the_same_bytes_and_another_one_another_id() -> None:
    log = "offline-appliance/customner/0f3a9c2b7d11/1"
    assert report(log, 3, 5).to_bytes() == report(log, 3, 5).to_bytes()
    ids = {
        json.loads(r.to_bytes())["records"][0]["usageRequestBody"]["id"]
        for r in (report(log, 3, 5), report(log, 3, 6))
    }
    assert len(ids) == 2


@given(
    first=st.integers(0, 2**40),
    entries=st.integers(1, 10_000),
    quantities=st.tuples(st.integers(0, 2**53), st.integers(0, 2**53)),
    at=st.integers(0, 4_000_000_000),
)
def test_what_is_written_is_what_is_read(
    first: int, entries: int, quantities: tuple[int, int], at: int
) -> None:
    record = UsageRecord(meter=METER, entries=entries, quantity=quantities[0], billed=quantities[1], at=at)
    made = UsageReport(
        log=OWN,
        first=first,
        next=first + entries,
        software="0.1.0",
        records=(record,),
    )
    sent = sign_report(made, root=bytes(32), growth=(), key=KEY)
    assert open_report(sent.note) == sent


@pytest.mark.parametrize(
    "change",
    [
        lambda said: said.update(log="offline-appliance/x/y/1"),
        lambda said: said.update(first=5),
        lambda said: said.update(first=4),
        lambda said: said.update(records=[]),
        lambda said: said.update(records=said["records"] * 2),
        lambda said: said["records"][0].update(entries=0),
        lambda said: said["records"][0].update(entries=3),
        lambda said: said["records"][0].pop("usageRequestBody"),
        lambda said: said["records"][0]["usageRequestBody"].update(containerId="111111111111"),
        lambda said: said["records"][0]["usageRequestBody"]["meter"].update(quantity=1.5),
        lambda said: said["records"][0]["usageRequestBody"]["meter"].update(quantity=-1),
    ],
)
def test_a_report_that_contradicts_itself_is_refused(change: Callable[[Any], Any]) -> None:
    said = report(OWN, 3, 5).to_claims()
    assert open_report(sealed(said)).report == report(OWN, 3, 5)
    change(said)
    with pytest.raises(Malformed):
        open_report(sealed(said))


def test_a_report_is_counted_once_however_often_it_comes(met: Any, book: MeterRepository) -> None:
    log = origin_of(met.machine)
    for _ in range(3):
        assert accept(met, book, report(log, 0, 10)) == 10
    assert total(met) == 10
    assert accept(met, book, report(log, 10, 25)) == 25
    assert accept(met, book, report(log, 0, 10)) == 25
    assert total(met) == 25


def test_a_report_with_a_gap_or_an_overlap_counts_nothing_and_says_where_to_go_on(
    met: Any, book: MeterRepository
) -> None:
    log = origin_of(met.machine)
    accept(met, book, report(log, 0, 10))
    assert accept(met, book, report(log, 12, 20)) == 10
    assert accept(met, book, report(log, 5, 20)) == 10
    assert total(met) == 10
    assert accept(met, book, report(log, 10, 20)) == 20
    assert total(met) == 20


def test_many_senders_of_one_log_count_it_once(met: Any, book: MeterRepository) -> None:
    log = origin_of(met.machine)

    def send(_: int) -> None:
        position = 0
        while position < 60:
            position = accept(met, book, report(log, position, position + 5))

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(send, range(6)))
    assert total(met) == 60


def test_an_installation_without_a_lease_of_the_resource_is_not_counted(
    met: Any, book: MeterRepository
) -> None:
    with pytest.raises(AuthorityError) as caught:
        accept(met, book, report(OWN, 0, 10), machine=KEY)
    assert (caught.value.status, caught.value.code) == ("Mismatch", "UnknownInstance")
    assert total(met) == 0


def test_a_log_reports_to_one_resource(met: Any, book: MeterRepository) -> None:
    log = origin_of(met.machine)
    accept(met, book, report(log, 0, 10))
    other = met.authority.create_resource("other", customer="Acme Ltd").resource
    with pytest.raises(AuthorityError) as caught:
        met.authority.grant_lease(other, met.request())
    assert (caught.value.status, caught.value.code) == ("Mismatch", "OtherResource")
    with pytest.raises(AuthorityError):
        accept(met, book, report(log, 10, 20), "other")
    assert total(met) == 10


def test_who_reaches_further_is_right_only_if_it_has_at_least_as_much() -> None:
    def said(size: int, quantity: int) -> LogUsage:
        days = {("2026-06-01", METER): Tally(quantity, quantity, quantity)}
        return LogUsage(origin="o", source="connected", size=size, at=0, days=days)

    assert disagreement(said(10, 5), said(10, 5).days, 10) == ""
    assert disagreement(said(10, 5), said(20, 9).days, 20) == ""
    assert disagreement(said(20, 9), said(10, 5).days, 10) == ""
    assert "shows 9 " in disagreement(said(10, 5), said(10, 9).days, 10)
    assert "shows 4 " in disagreement(said(10, 5), said(20, 4).days, 20)
    assert " 4 units" in disagreement(said(20, 4), said(10, 5).days, 10)


def test_a_lease_is_a_licence_of_a_week_that_older_readers_refuse(met: Any) -> None:
    resource = met.authority.store.get("acme-ner")
    granted = met.authority.grant_lease(resource, met.request())
    opened = open_license(granted.note, granted.issuer_note, roots=met.roots, instance_vkey=met.vkey)
    lease = opened.license
    assert (lease.issued, lease.expires, lease.terminates) == (NOW, NOW + 7 * DAY, NOW + 7 * DAY)
    assert lease.connected is not None
    assert lease.connected.attempts == 10
    assert state_at(lease, NOW + 7 * DAY - 1) is State.VALID  # its end is no news: it is renewed
    text = open_note(granted.note, [opened.delegation.key]).text
    with pytest.raises(NeedsNewerVersion):
        parse_statement(text, "license", understood={"clock", "plan"})


def test_a_lease_takes_no_serial_so_that_a_licence_fetched_meanwhile_is_never_older(met: Any) -> None:
    resource = met.authority.store.get("acme-ner")
    first = met.authority.grant_lease(resource, met.request()).license
    fetched = met.issue().license
    met.authority.issue(met.authority.create_resource("x", customer="X").resource, met.request())
    later = met.authority.grant_lease(resource, met.request(serial=first.serial)).license
    assert first.serial <= later.serial <= fetched.serial
    in_force = met.authority.grant_lease(resource, met.request(serial=fetched.serial)).license
    assert in_force.serial == fetched.serial
    assert met.authority.store.highest_serial() == 2


def test_a_machine_whose_time_runs_ahead_gets_a_new_serial(met: Any) -> None:
    resource = met.authority.store.get("acme-ner")
    fetched = met.issue().license
    lease = met.authority.grant_lease(resource, met.request(created=NOW + 9 * DAY, serial=fetched.serial))
    assert lease.license.serial > fetched.serial


def test_a_free_plan_that_is_used_up_grants_nothing_until_the_next_month(met: Any) -> None:
    free = met.authority.create_resource("free", customer="F", tier="F0").resource
    machine = SigningKey.generate("offline-appliance/instance")
    request = met.request(machine=machine)
    met.authority.grant_lease(free, request)
    book = MeterRepository(met.authority.store.engine)
    accept(met, book, report(origin_of(machine), 0, 9, 5_000), "free", machine)
    with pytest.raises(AuthorityError) as caught:
        met.authority.grant_lease(free, request)
    assert caught.value.status == "OutOfQuota"
    met.clock.now += 31 * DAY
    assert met.authority.grant_lease(free, met.request(machine=machine))


def test_the_endpoint_counts_and_answers_over_http(met: Any, serve: Callable[..., Any]) -> None:
    found = report(origin_of(met.machine), 0, 10)
    body = signed(met.machine, found).note
    with serve(make_app(met.authority)) as url:
        headers = key(met.key) | {"Idempotency-Key": found.idempotency_key}
        for _ in range(2):
            status, reply, _ = ask(url, "POST", "/v1/usage", headers, body)
            assert (status, reply["status"], reply["next"]) == (200, "Valid", 10)
        wrong = key(met.key) | {"Idempotency-Key": "another"}
        status, reply, _ = ask(url, "POST", "/v1/usage", wrong, body)
        assert (status, check_error(reply, "Unknown")) == (400, "Malformed")
        status, reply, _ = ask(url, "POST", "/v1/usage", {}, body)
        assert (status, check_error(reply, "Invalid")) == (401, "Invalid")
        status, reply, _ = ask(url, "POST", "/v1/usage", headers, b"x" * 300_000)
        assert (status, check_error(reply, "Unknown")) == (413, "TooLarge")
    assert total(met) == 10


def test_beyond_the_free_units_a_report_is_counted_and_answered_out_of_quota(
    met: Any, serve: Callable[..., Any]
) -> None:
    free = met.authority.create_resource("free", customer="F", tier="F0")
    machine = SigningKey.generate("offline-appliance/instance")
    log = origin_of(machine)
    with serve(make_app(met.authority)) as url:
        assert ask(url, "POST", "/v1/connected", key(free.key1), met.request(machine=machine))[0] == 200
        words = []
        for first, quantity in ((0, 4_999), (10, 1), (20, 7)):
            sent = report(log, first, first + 10, quantity)
            words.append(
                ask(url, "POST", "/v1/usage", key(free.key1), signed(machine, sent).note)[1]["status"]
            )
        assert words == ["Valid", "OutOfQuota", "OutOfQuota"]
        assert ask(url, "GET", "/v1/status", key(free.key1))[1]["status"] == "OutOfQuota"
        status, reply, _ = ask(url, "POST", "/v1/connected", key(free.key1), met.request(machine=machine))
        assert (status, check_error(reply, "OutOfQuota")) == (403, "UsedUp")
    assert total(met, "free") == 5_007


def test_a_lease_in_the_licence_directory_serves_nobody(met: Any, tmp_path: Any) -> None:
    from license.licenses.directory import load_all, save_license

    resource = met.authority.store.get("acme-ner")
    granted = met.authority.grant_lease(resource, met.request())
    opened = open_license(granted.note, granted.issuer_note, roots=met.roots)
    save_license(tmp_path, opened)
    with pytest.raises(WrongMode):
        load_all(tmp_path, roots=met.roots)
    assert load_all(tmp_path, roots=met.roots, lease=True)[0].sha256 == opened.sha256
    save_license(tmp_path, met.opened())
    with pytest.raises(WrongMode):
        load_all(tmp_path, roots=met.roots, lease=True)


def test_instances_are_remembered_with_their_last_lease(met: Any, book: MeterRepository) -> None:
    resource = met.authority.store.get("acme-ner")
    met.clock.now += 60
    met.authority.grant_lease(resource, met.request())
    (found,) = book.instances("acme-ner")
    assert (found.vkey, found.since, found.at) == (met.vkey, NOW, NOW + 60)


def test_records_of_one_day_and_meter_stand_once_in_a_report() -> None:
    good = report("offline-appliance/customner/0f3a9c2b7d11/1", 0, 4)
    one = replace(good.records[0], entries=2)
    with pytest.raises(Malformed, match="same day"):
        replace(good, records=(one, one))


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=9), inner)),
    max_leaves=6,
)
PLACES = [
    ("log",),
    ("first",),
    ("next",),
    ("records",),
    ("records", 0),
    ("records", 0, "entries"),
    ("records", 0, "usageRequestBody"),
    ("records", 0, "usageRequestBody", "meter"),
    ("records", 0, "usageRequestBody", "meter", "name"),
    ("records", 0, "usageRequestBody", "meter", "quantity"),
    ("records", 0, "usageRequestBody", "requestTime"),
]


@given(st.sampled_from(PLACES), JSON)
def test_whatever_stands_in_a_report_it_is_read_or_refused(place: tuple[Any, ...], value: Any) -> None:
    said = report(OWN, 3, 5).to_claims()
    at: Any = said
    for step in place[:-1]:
        at = at[step]
    at[place[-1]] = value
    try:
        found = open_report(sealed(said))
    except Malformed:
        return
    assert open_report(sealed(found.report.to_claims())).report == found.report


@given(st.binary(max_size=200))
def test_bytes_that_are_no_report_are_refused(body: bytes) -> None:
    with pytest.raises((Malformed, UnsignedReport)):
        open_report(body)
