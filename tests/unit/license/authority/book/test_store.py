"""The book on every database there is at hand: the same tests for SQLite and for a private PostgreSQL."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from license.authority.book.resource import Resource, make_plan
from license.authority.book.store import Store
from license.authority.book.tables import Table
from license.encoding.strict import MAX_INT, parse_date
from license.errors import AuthorityError, Malformed
from license.licenses.license import License

METER = "CognitiveServices.Ner.Container.TextRecords"
PERIOD = (parse_date("2026-01-01"), parse_date("2099-01-01"))


def resource(name: str = "acme-ner", **changes: Any) -> Resource:
    values: dict[str, Any] = {
        "subscription": f"s-{name}",
        "customer": "Müller & Söhne",
        "product": "ner",
        "plan": make_plan(tier="DC0", product="ner", period=PERIOD, meters={METER: 100, "Other": 5}),
        "binding": "instance",
        "approved": False,
        "created": PERIOD[0],
    }
    return Resource(name=name, **values | changes)


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    if request.param == "sqlite":
        where: Path | str = tmp_path / "book.db"
    else:
        where = request.getfixturevalue("postgres")
    store = Store(where)
    yield store
    if request.param == "postgresql":
        Table.metadata.drop_all(store.engine)
    store.close()


def signed(licence: License) -> Callable[[int, str | None], tuple[License, bytes]]:
    def make(serial: int, before: str | None) -> tuple[License, bytes]:
        made = replace(licence, serial=serial, id=f"L{serial}", replaces=before)
        return made, f"note {serial}\n".encode()

    return make


def test_a_renewed_resource_keeps_its_former_plans_and_its_keys(store: Store) -> None:
    key, _ = store.add(resource())
    first = store.get("acme-ner").plan
    plan = replace(first, period=(PERIOD[1], PERIOD[1] + 10), meters=((METER, 7),))
    renewed = store.renew("acme-ner", lambda _: plan, now=PERIOD[0])
    assert (renewed.plan, renewed.earlier) == (plan, (first,))
    assert store.find_by_key(key) == store.get("acme-ner") == renewed
    store.add_units("acme-ner", METER, 5, now=PERIOD[0])
    assert [one.units(METER) for one in store.get("acme-ner").plans] == [105, 7]
    changed = replace(plan, meters=((METER, 8),))
    assert store.renew("acme-ner", lambda _: changed, now=PERIOD[0]).plans[1:] == (changed,)
    third = replace(plan, period=(PERIOD[1] + 10, PERIOD[1] + 20))
    assert len(store.renew("acme-ner", lambda _: third, now=PERIOD[1]).plans) == 3


def test_a_book_from_before_renewals_is_opened(tmp_path: Path) -> None:
    before = Store(tmp_path / "book.db")
    before.add(resource())
    with before.engine.begin() as connection:
        connection.execute(text("DROP TABLE former_plan"))
    before.close()
    store = Store(tmp_path / "book.db")
    assert store.get("acme-ner").earlier == ()
    store.close()


def test_what_was_entered_comes_back(store: Store) -> None:
    store.add(resource())
    store.add(resource("b-ner", models=("ner-en/3", "ner-de/1"), binding="any"))
    assert store.get("acme-ner") == resource()
    assert [one.name for one in store.resources()] == ["acme-ner", "b-ner"]
    assert store.get("b-ner").models == ("ner-en/3", "ner-de/1")


def test_names_are_taken_once(store: Store) -> None:
    store.add(resource())
    with pytest.raises(AuthorityError, match="already is a resource"):
        store.add(resource())


def test_each_key_finds_its_resource_and_a_new_one_takes_its_place(store: Store) -> None:
    key1, key2 = store.add(resource())
    other, _ = store.add(resource("b-ner"))
    assert store.find_by_key(key1) == store.find_by_key(key2) == resource()
    fresh = store.regenerate_key("acme-ner", 1, now=PERIOD[0])
    assert store.find_by_key(key1) is None
    assert [store.find_by_key(key) is not None for key in (fresh, key2, other, "x" * 32, "\0" * 32)] == [
        *(True, True, True, False, False)
    ]


def test_more_units_are_added_to_the_plan(store: Store) -> None:
    store.add(resource())
    after = store.add_units("acme-ner", METER, 50, now=PERIOD[0] + 1)
    assert after == store.get("acme-ner")
    assert after.plan.meters == ((METER, 150), ("Other", 5))
    with pytest.raises(Malformed, match="does not limit Nothing") as caught:
        store.add_units("acme-ner", "Nothing", 1, now=0)
    assert METER in caught.value.hint
    with pytest.raises(Malformed, match="must lie between"):
        store.add_units("acme-ner", METER, MAX_INT, now=0)
    assert store.get("acme-ner") == after


def test_units_bought_at_once_all_count(store: Store) -> None:
    store.add(resource())
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: store.add_units("acme-ner", METER, n, now=0), range(1, 21)))
    assert store.get("acme-ner").plan.units(METER) == 100 + sum(range(1, 21))


def test_a_line_is_granted_once(store: Store) -> None:
    store.add(resource())
    for line in ("ner-en/3", "ner-de/1", "ner-en/3"):
        store.grant("acme-ner", line, now=0)
    assert store.get("acme-ner").models == ("ner-en/3", "ner-de/1")
    with pytest.raises(Malformed):
        store.grant("acme-ner", "ner en", now=0)


def test_the_history_says_what_happened_and_only_what_did(store: Store) -> None:
    store.add(resource())
    store.approve("acme-ner", now=PERIOD[0] + 1)
    store.add_units("acme-ner", METER, 1_000, now=PERIOD[0] + 2)
    with pytest.raises(Malformed):
        store.add_units("acme-ner", "Nothing", 1, now=0)
    store.grant("acme-ner", "ner-en/3", now=PERIOD[0] + 3)
    store.regenerate_key("acme-ner", 2, now=PERIOD[0] + 4)
    assert [(one.at - PERIOD[0], one.what) for one in store.history("acme-ner")] == [
        (0, "created, tier DC0"),
        (1, "approved for disconnected use"),
        (2, f"1,000 more units of {METER}"),
        (3, "model line ner-en/3 granted"),
        (4, "key 2 replaced"),
    ]


def test_acts_on_nobody_are_refused(store: Store) -> None:
    acts: list[Callable[[], object]] = [
        lambda: store.get("nobody"),
        lambda: store.history("nobody"),
        lambda: store.approve("nobody"),
        lambda: store.add_units("nobody", METER, 1, now=0),
        lambda: store.grant("nobody", "a/1", now=0),
        lambda: store.regenerate_key("nobody", 1),
    ]
    for act in acts:
        with pytest.raises(AuthorityError, match="no resource nobody"):
            act()


def test_serials_grow_and_licences_name_what_they_replace(store: Store, issued: Any) -> None:
    licence = issued[0].license
    store.add(resource())
    store.add(resource("b-ner"))
    first, _ = store.record("acme-ner", "m1", signed(licence))
    other, _ = store.record("b-ner", "m1", signed(licence))
    again, note = store.record("acme-ner", "m1", signed(licence))
    assert first.serial < other.serial < again.serial
    assert (first.replaces, other.replaces, again.replaces) == (None, None, first.id)
    assert store.notes("acme-ner") == [f"note {first.serial}\n".encode(), note]


def test_serials_are_unique_when_many_ask_at_once(store: Store, issued: Any) -> None:
    licence = issued[0].license
    store.add(resource())
    with ThreadPoolExecutor(4) as pool:
        made = [
            one for one, _ in pool.map(lambda _: store.record("acme-ner", "m", signed(licence)), range(24))
        ]
    chain = sorted(made, key=lambda one: one.serial)
    assert len({one.serial for one in made}) == 24
    assert [one.replaces for one in chain] == [None, *(one.id for one in chain[:-1])]


def test_a_licence_that_could_not_be_made_is_not_in_the_book(store: Store) -> None:
    store.add(resource())

    def fail(serial: int, before: str | None) -> tuple[License, bytes]:
        raise Malformed("no")

    with pytest.raises(Malformed):
        store.record("acme-ner", "m", fail)
    assert store.notes("acme-ner") == []


def test_a_database_of_postgresql_without_an_encoding_keeps_every_letter(
    postgres_without_encoding: str,
) -> None:
    store = Store(postgres_without_encoding)
    store.add(resource(customer="Müller & Söhne 東京"))
    assert store.get("acme-ner").customer == "Müller & Söhne 東京"
    store.close()


def test_a_server_that_vanishes_is_given_up_soon_unless_the_address_says_otherwise(postgres: str) -> None:
    for address, seconds in ((postgres, "5"), (f"{postgres}&connect_timeout=9", "9")):
        store = Store(address)
        assert store.engine.url.query["connect_timeout"] == seconds
        assert store.engine.url.query["tcp_user_timeout"] == "5000"
        Table.metadata.drop_all(store.engine)
        store.close()


def test_a_book_of_another_version_is_refused(store: Store) -> None:
    with store.engine.begin() as connection:
        connection.execute(text("UPDATE book SET version = 9"))
    with pytest.raises(AuthorityError, match="version 9") as caught:
        Store(store.engine.url.render_as_string(hide_password=False))
    assert caught.value.code == "WrongBookVersion"


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("nonsense", "not understood"),
        ("nosuch://host/name", "no driver"),
        ("postgresql+nosuch://host/name", "no driver"),
        ("postgresql+psycopg://vendor:SeCrEt@127.0.0.1:1/name", r"cannot be used: .*(refused|failed)"),
        ("sqlite:////nowhere/at/all.db", "unable to open"),
    ],
)
def test_a_database_that_cannot_be_used_is_named_without_its_password(address: str, words: str) -> None:
    with pytest.raises(AuthorityError, match=words) as caught:
        Store(address)
    assert caught.value.code == "BadDatabase"
    assert caught.value.hint
    assert "SeCrEt" not in str(caught.value) + caught.value.hint


@pytest.mark.parametrize(
    ("tier", "meters", "overage", "expected"),
    [
        ("F0", None, None, ({METER: 5_000}, "block", True)),
        ("F0", {METER: 10}, None, ({METER: 10}, "block", True)),
        ("S0", None, None, ({}, "record", False)),
        ("DC0", {METER: 10}, None, ({METER: 10}, "record", False)),
        ("DC0", {METER: 10}, "block", ({METER: 10}, "block", False)),
    ],
)
def test_each_tier_has_its_plan(tier: str, meters: Any, overage: str | None, expected: Any) -> None:
    plan = make_plan(tier=tier, product="ner", period=PERIOD, meters=meters, overage=overage)
    assert (dict(plan.meters), plan.overage, plan.monthly) == expected


def test_a_free_plan_does_not_count_on() -> None:
    with pytest.raises(Malformed, match="F0"):
        make_plan(tier="F0", product="ner", period=PERIOD, overage="record")
    with pytest.raises(Malformed, match="units named"):
        make_plan(tier="F0", product="speech", period=PERIOD)
