import os
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from license.authority.authority import Authority
from license.crypto.ed25519 import SigningKey, save_signing_key
from license.encoding.strict import DAY, parse_time
from license.errors import AuthorityError, LicenseError, Malformed, Unwritable
from license.licenses.identifiers import new_ulid
from license.licenses.validity import State, state_at
from license.licenses.verify import open_license
from license.trust.delegation import open_delegation
from license.trust.roots import load_roots


def test_a_new_authority_keeps_its_keys_private_and_its_roots_public(vendor: Any) -> None:
    home = vendor.authority.home
    assert (home / "keys").stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in (home / "keys").iterdir()} == {0o600}
    assert (home / "authority.db").stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in vendor.authority.roots_dir.iterdir()) == [
        "root.vkey",
        "spare-root.vkey",
    ]
    assert all("PRIVATE" not in path.read_text() for path in vendor.authority.roots_dir.iterdir())


def test_keys_are_never_overwritten(vendor: Any) -> None:
    with pytest.raises(AuthorityError, match="already holds the keys") as caught:
        Authority.create(vendor.authority.home)
    assert caught.value.code == "AlreadyExists"


def test_a_name_no_note_can_carry_makes_nothing(tmp_path: Path) -> None:
    with pytest.raises(Malformed):
        Authority.create(tmp_path / "home", name="two words")
    assert not (tmp_path / "home").exists()


def test_a_directory_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Unwritable, match="cannot make the authority"):
        Authority.create(tmp_path / "file" / "home")


def test_an_authority_works_on_without_its_root_keys(vendor: Any) -> None:
    for name in ("root.key", "spare-root.key"):
        (vendor.authority.home / "keys" / name).unlink()
    with Authority.open(vendor.authority.home, clock=vendor.clock) as again:
        resource = again.store.get("acme-ner")
        issued = again.issue(resource, vendor.request())
        assert open_license(issued.note, issued.issuer_note, roots=load_roots(again.roots_dir))


def test_opening_where_there_is_none_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(AuthorityError, match="no authority") as caught:
        Authority.open(tmp_path)
    assert "license init" in caught.value.hint


def test_a_delegation_for_another_key_is_noticed_at_once(vendor: Any) -> None:
    save_signing_key(
        vendor.authority.home / "keys/issuer-1.key", SigningKey.generate("license.example.com/issuer")
    )
    with pytest.raises(AuthorityError, match="does not delegate"):
        Authority.open(vendor.authority.home)


def test_the_witness_is_delegated_too(vendor: Any) -> None:
    ring = vendor.authority.keyring
    found, root = open_delegation(ring.witness_note, roots=ring.roots, role="witness")
    assert found.key == ring.witness.verifying
    assert root.name == "license.example.com/root"


def test_both_keys_of_a_resource_find_it_and_nothing_else_does(vendor: Any) -> None:
    created = vendor.authority.create_resource("second", customer="B")
    store = vendor.authority.store
    assert store.find_by_key(created.key1) == store.find_by_key(created.key2) == created.resource
    assert created.key1 != created.key2
    for key in (
        "",
        "x",
        created.key1[:-1],
        created.key1 + "0",
        created.key1[:8] + "0" * 24,
        created.key1.upper(),
        "\ud800",
    ):
        assert store.find_by_key(key) is None


def test_keys_are_not_stored(vendor: Any) -> None:
    created = vendor.authority.create_resource("second", customer="B")
    vendor.authority.close()
    stored = b"".join(path.read_bytes() for path in vendor.authority.home.glob("authority.db*"))
    assert b"second" in stored
    for key in (created.key1, created.key2, vendor.key):
        assert key[8:].encode() not in stored


def test_a_regenerated_key_replaces_one_and_leaves_the_other(vendor: Any) -> None:
    store = vendor.authority.store
    created = vendor.authority.create_resource("second", customer="B")
    fresh = store.regenerate_key("second", 1)
    assert store.find_by_key(created.key1) is None
    assert store.find_by_key(created.key2) == store.find_by_key(fresh) == created.resource


def test_resources_have_names_of_their_own(vendor: Any) -> None:
    with pytest.raises(AuthorityError, match="already is a resource") as caught:
        vendor.authority.create_resource("acme-ner", customer="B")
    assert caught.value.code == "AlreadyExists"
    assert [one.name for one in vendor.authority.store.resources()] == ["acme-ner"]
    for act in (vendor.authority.store.get, vendor.authority.store.approve):
        with pytest.raises(AuthorityError, match="no resource nobody"):
            act("nobody")
    assert vendor.authority.create_resource(customer="B").resource.name.startswith("ner-")


def test_a_licence_says_what_was_bought(vendor: Any) -> None:
    licence = vendor.issue(features=("ner",)).license
    assert licence.issued == licence.not_before == vendor.clock.now
    assert licence.expires == vendor.clock.now + 365 * DAY
    assert licence.terminates == licence.expires + 30 * DAY
    assert licence.report_by == vendor.clock.now + 90 * DAY
    assert licence.customer == "Acme Ltd"
    assert licence.plan == vendor.authority.store.get("acme-ner").plan
    assert licence.instance.vkeys == (vendor.vkey,)
    assert licence.replaces is None
    assert state_at(licence, vendor.clock.now) is State.VALID


def test_a_licence_ends_with_its_plan(new_vendor: Callable[..., Any]) -> None:
    vendor = new_vendor(period=("2026-01-01", "2026-07-01"))
    assert vendor.issue().license.expires == parse_time("2026-07-01T00:00:00Z")
    assert vendor.issue(days=10).license.expires == vendor.clock.now + 10 * DAY


def test_a_plan_that_has_not_begun_gives_a_licence_for_later(new_vendor: Callable[..., Any]) -> None:
    licence = new_vendor(period=("2026-09-01", "2027-09-01")).issue().license
    assert licence.not_before == parse_time("2026-09-01T00:00:00Z")
    assert licence.expires == parse_time("2027-09-01T00:00:00Z")


def test_serials_grow_over_all_resources_and_licences_name_what_they_replace(vendor: Any) -> None:
    first = vendor.issue().license
    other = SigningKey.generate("offline-appliance/instance")
    second = vendor.issue(vendor.request(machine=other)).license
    third = vendor.issue().license
    assert (first.serial, second.serial, third.serial) == (1, 2, 3)
    assert (first.replaces, second.replaces, third.replaces) == (None, None, first.id)
    assert len(vendor.authority.store.notes("acme-ner")) == 3


def test_a_bearer_licence_names_no_machine(new_vendor: Callable[..., Any], vendor: Any) -> None:
    bearer = new_vendor(binding="any")
    assert bearer.issue().license.instance.vkeys == ()
    assert vendor.issue(binding="any").license.instance.binding == "any"


def test_serials_are_unique_when_many_ask_at_once(vendor: Any) -> None:
    machines = [SigningKey.generate("offline-appliance/instance") for _ in range(4)]
    requests = [vendor.request(machine=machine) for machine in machines] * 4
    with ThreadPoolExecutor(4) as pool:
        issued = list(pool.map(vendor.issue, requests))
    assert sorted(one.license.serial for one in issued) == list(range(1, 17))
    assert len({one.license.id for one in issued}) == 16


def test_a_licence_that_could_not_be_made_takes_no_serial(vendor: Any) -> None:
    with pytest.raises(LicenseError):
        vendor.issue(features=("NOT A TOKEN",))
    assert vendor.authority.store.notes("acme-ner") == []
    assert vendor.issue().license.serial == 1


@pytest.mark.parametrize(
    ("resource", "product", "status", "code"),
    [
        ({"approved": False}, "ner", "ContainerUseUnauthorized", "NotApproved"),
        ({"product": "speech", "meters": {}}, "ner", "Mismatch", "Mismatch"),
        ({"period": ("2025-01-01", "2026-01-01")}, "ner", "OutOfQuota", "PlanEnded"),
    ],
)
def test_who_is_not_entitled_is_told_why(
    new_vendor: Callable[..., Any], resource: dict[str, Any], product: str, status: str, code: str
) -> None:
    vendor = new_vendor(**resource)
    with pytest.raises(AuthorityError) as caught:
        vendor.issue(vendor.request(product))
    assert (caught.value.status, caught.value.code) == (status, code)
    assert caught.value.hint


def test_an_issuer_does_not_sign_outside_its_delegation(vendor: Any) -> None:
    vendor.clock.now += 731 * DAY
    vendor.authority.create_resource("later", customer="B")
    with pytest.raises(AuthorityError, match="issuer may sign") as caught:
        vendor.authority.issue(vendor.authority.store.get("later"), vendor.request())
    assert caught.value.code == "IssuerExpired"


def test_the_book_lies_in_sqlite_with_its_safety_on(vendor: Any) -> None:
    with vendor.authority.store.engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
    book = sqlite3.connect(os.fspath(vendor.authority.home / "authority.db"))
    try:
        tables = {row[0] for row in book.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    finally:
        book.close()
    assert tables >= {"book", "change", "resource", "license", "sqlite_sequence"}


def test_identifiers_sort_by_time() -> None:
    assert new_ulid(0, lambda bits: 0) == "0" * 26
    assert new_ulid(1_780_000_000) < new_ulid(1_780_000_001)
    assert len(new_ulid(1_780_000_000, lambda bits: 2**bits - 1)) == 26
