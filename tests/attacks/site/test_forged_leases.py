"""Somebody who holds the desk's keys, or copies it: what replicas and vendor make of it."""

import dataclasses
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from appliance.config.products import CUSTOM_NER
from appliance.ledger.transfer.export_file import export_usage
from appliance.licensing.request import request_note
from appliance.site.events import Counted, Sliced
from appliance.site.lease import make_lease
from license.authority.ingest import ingest_bundle
from license.crypto.ed25519 import SigningKey
from license.errors import AuthorityError, BeyondSite, LicenseError, UnknownIssuer, UnknownSigner, WrongMode
from license.evidence.log.checkpoint import Checkpoint
from license.licenses.directory import load_all, save_license
from license.licenses.license import LICENSE_KIND, License
from license.licenses.request import open_request
from license.licenses.terms import ConnectedTerms, InstanceBinding, ModelKey, Plan
from license.licenses.verify import open_license
from license.slices.protocol import Slice, Standing, sign_slice, sign_standing
from license.trust.roots import load_roots
from license.trust.signed_note import sign_note
from license.trust.statement import render_statement
from tests.support.replicas import METER, RULES, InProcessSite

DAY = 86_400


@pytest.fixture
def site(tmp_path: Path) -> Iterator[InProcessSite]:
    made = InProcessSite(tmp_path)
    made.license(100)
    yield made
    made.close()


def lease_of(site: InProcessSite) -> License:
    """A lease as the desk signs it, for a replica that has a directory of its own."""
    assert site.desk is not None
    member = site.member()
    from appliance.config.identity import load_identity

    request = open_request(
        request_note(load_identity(member.home / "state"), CUSTOM_NER, created=site.time.now)
    )
    identity = site.place.identity()
    lease, _ = make_lease(
        site.desk.licenses.current, request, identity, now=site.desk.clock.now(), rules=RULES
    )
    return lease


def signed(lease: License, key: SigningKey) -> bytes:
    return sign_note(render_statement(LICENSE_KIND, lease.to_claims()), key)


MORE: list[dict[str, Any]] = [
    {"product": "speech"},
    {"subscription": "another"},
    {"customer": "Somebody else"},
    {"serial": 99},
    {"features": ("disposable-records",)},
    {"models": (ModelKey(train="ner-en/3", enc="hpke", key=b"x"),)},
    {"terminates": 1_790_000_000 + 30 * DAY},
    {"issued": 1_000, "not_before": 1_000},
    {
        "plan": Plan(
            tier="DC0", period=(1_789_948_800, 1_821_484_800), meters=((METER, 10**9),), overage="record"
        )
    },
    {"connected": None},
]


@pytest.mark.parametrize("change", MORE, ids=lambda change: next(iter(change)))
def test_a_lease_that_grants_more_than_the_site_licence_is_refused_offline(
    site: InProcessSite, change: dict[str, Any]
) -> None:
    with site.open() as desk:
        lease, issuer = lease_of(site), desk.licenses.current.issuer_note
        key = site.place.identity().signing
    roots = load_roots(site.authority.roots_dir)
    good = open_license(signed(lease, key), issuer, roots=roots, product="ner")
    assert good.site is not None
    forged = dataclasses.replace(lease, **change)
    with pytest.raises(BeyondSite):
        open_license(signed(forged, key), issuer, roots=roots)


def test_a_lease_for_two_machines_or_signed_by_somebody_else_is_refused(site: InProcessSite) -> None:
    with site.open() as desk:
        lease, issuer = lease_of(site), desk.licenses.current.issuer_note
        key = site.place.identity().signing
    roots = load_roots(site.authority.roots_dir)
    other = SigningKey.generate("offline-appliance/instance")
    two = InstanceBinding(binding="instance", vkeys=(*lease.instance.vkeys, other.verifying.vkey), max_logs=4)
    with pytest.raises(BeyondSite, match="one replica"):
        open_license(signed(dataclasses.replace(lease, instance=two), key), issuer, roots=roots)
    with pytest.raises(UnknownIssuer):
        open_license(signed(lease, other), issuer, roots=roots)


def test_a_lease_under_an_ordinary_licence_is_refused(site: InProcessSite) -> None:
    """Whoever has an ordinary licence for a machine cannot make leases of it."""
    with site.open() as desk:
        lease, issuer = lease_of(site), desk.licenses.current.issuer_note
    roots = load_roots(site.authority.roots_dir)
    key = SigningKey.generate("offline-appliance/instance")
    from license.licenses.request import LicenseRequest, sign_request

    request = LicenseRequest(instance=key.verifying.vkey, product="ner", software="x", created=site.time.now)
    issued = site.authority.issue(site.authority.store.get("acme"), sign_request(request, key))
    assert lease.desk is not None
    forged = dataclasses.replace(
        lease, serial=issued.license.serial, desk=dataclasses.replace(lease.desk, note=issued.note)
    )
    with pytest.raises(BeyondSite, match="licence of a site"):
        open_license(signed(forged, key), issuer, roots=roots)


def test_the_licence_of_a_site_opens_nothing_without_its_desk(site: InProcessSite) -> None:
    roots = load_roots(site.authority.roots_dir)
    for lease in (False, True):
        with pytest.raises(WrongMode):
            load_all(site.place.license, roots=roots, product="ner", lease=lease)
    assert load_all(site.place.license, roots=roots, product="ner", site=True)


def test_a_forged_slice_does_not_make_a_desk_believe_that_it_was_put_back(site: InProcessSite) -> None:
    with site.open() as desk:
        member = site.member().start()
        key = member.identity.signing
        known = desk.position(member.ledger.origin)[1]
        forged = sign_slice(
            Slice(
                instance=key.verifying.vkey,
                subscription=member.manager.current.license.subscription,
                term=member.manager.current.license.plan.period[0],
                units=((METER, 10**6),),
                sequence=10**6,
                issued=site.time.now,
            ),
            key,
        )
        standing = Standing(
            instance=key.verifying.vkey,
            head=Checkpoint(origin=member.ledger.origin, size=known, root=bytes(32)),
            since=known,
            growth=(),
            term=member.manager.current.license.plan.period[0],
            held=forged.note,
            created=site.time.now,
        )
        with pytest.raises(UnknownSigner):
            desk.slices(sign_standing(standing, key))
        assert desk.book.paused_until == 0


def test_nobody_speaks_for_another_replica_and_a_replay_grants_nothing(site: InProcessSite) -> None:
    with site.open() as desk:
        member, other = site.member().start(), site.member().start()
        stranger = SigningKey.generate("offline-appliance/instance")
        standing = Standing(
            instance=stranger.verifying.vkey,
            head=Checkpoint(
                origin=f"offline-appliance/customner/{stranger.verifying.fingerprint}/1",
                size=1,
                root=bytes(32),
            ),
            since=0,
            growth=(),
            term=0,
            created=site.time.now,
        )
        with pytest.raises(AuthorityError, match="no lease of this desk"):
            desk.slices(sign_standing(standing, stranger))
        member.use_all(most=5)
        allowed = {of: dict(replica.allowed) for of, replica in desk.book.replicas.items()}
        other.speak()
        before = desk.book.replicas[member.of].allowed.copy()
        assert before == allowed[member.of]


def test_a_slice_beyond_the_plan_is_no_right_beyond_the_plan_of_the_lease(site: InProcessSite) -> None:
    with site.open():
        member = site.member().start()
        assert member.reporter is not None
        keeper = member.reporter.slices
        license = member.manager.current.license
        keeper._granted = Slice(
            instance=member.identity.vkey,
            subscription=license.subscription,
            term=license.plan.period[0],
            units=((METER, 10**6),),
            sequence=1,
            issued=site.time.now,
        )
        assert keeper.limit(METER, license.plan.period[0], 100, 50) == 100


def test_a_changed_desk_that_lets_more_be_used_than_the_plan_allows_is_found(
    site: InProcessSite, tmp_path: Path
) -> None:
    with site.open() as desk:
        member = site.member().start()
        member.stop()
        term = desk.licenses.current.license.plan.period[0]
        log = f"offline-appliance/customner/{member.of}/1"
        position = desk.position(log)[0]
        more = Counted(
            of=member.of,
            log=log,
            first=position,
            next=position + 1,
            root=bytes(32),
            meter=METER,
            quantity=150,
            billed=150,
        )
        desk._commit([more, Sliced(of=member.of, meter=METER, term=term, allowed=500)])
    out = tmp_path / "site.zip"
    with export_usage(site.place.output, site.place.state, out=out, full=True, note=None):
        pass
    taken = ingest_bundle(site.authority, out)
    assert {finding.code for finding in taken.report.findings} >= {"plan-exceeded", "slices-exceed"}
    assert taken.report.exit_code == 1


def test_two_copies_of_a_desk_are_found_when_the_second_export_comes(
    site: InProcessSite, tmp_path: Path
) -> None:
    with site.open():
        site.member().start().use_all(most=3)
    site.copy("copy")
    for number in range(2):
        with site.open():
            member = site.member(f"of-{number}").start()
            member.use_all(most=60)
            member.stop()
        out = tmp_path / f"{number}.zip"
        with export_usage(site.place.output, site.place.state, out=out, full=True, note=None):
            pass
        if not number:
            taken = ingest_bundle(site.authority, out)
            assert taken.report.exit_code == 0, taken.report.findings
            site.put_back("copy")
            site.time.pass_time(DAY)
    found: set[str] = set()
    try:
        taken = ingest_bundle(site.authority, out)
        found = {finding.code for finding in taken.report.findings}
        assert not taken.accepted
    except AuthorityError as error:
        found = {error.code}
    assert found & {"fork", "OldExport", "tree"}


def test_a_desk_whose_log_was_deleted_begins_with_what_was_counted(site: InProcessSite) -> None:
    with site.open():
        member = site.member().start()
        member.use_all(most=60)
        member.stop()
    shutil.rmtree(site.place.output)
    site.place.output.mkdir(mode=0o700)
    with site.open() as desk:
        (charged,) = desk.book.charged.values()
        assert charged == 60
        other = site.member().start()
        assert other.use_all() == 40


def test_a_lease_is_no_licence_for_a_disconnected_run(site: InProcessSite, tmp_path: Path) -> None:
    roots = load_roots(site.authority.roots_dir)
    with site.open() as desk:
        lease = lease_of(site)
        opened = open_license(
            signed(lease, site.place.identity().signing), desk.licenses.current.issuer_note, roots=roots
        )
    directory = tmp_path / "license"
    directory.mkdir()
    save_license(directory, opened)
    with pytest.raises(WrongMode):
        load_all(directory, roots=roots, product="ner")
    with pytest.raises(LicenseError):
        load_all(directory, roots=roots, product="ner", site=True)
    assert isinstance(opened.license.connected, ConnectedTerms)
