from collections.abc import Callable
from dataclasses import FrozenInstanceError, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from license.crypto.ed25519 import SigningKey
from license.encoding.strict import MAX_INT, parse_date
from license.errors import LicenseError, Malformed
from license.licenses.license import License
from license.licenses.terms import ClockPolicy, InstanceBinding, LedgerPolicy, LogHead, ModelKey, Plan
from license.trust.statement import parse_statement, render_statement

VKEY = SigningKey.generate("machine").verifying.vkey
DAY = 86_400
START = parse_date("2026-01-01")


def licence(**changes: Any) -> License:
    values: dict[str, Any] = {
        "id": "01KDVYAAYHBA6CS5PEC4B9YYXN",
        "serial": 1,
        "issued": START,
        "not_before": START,
        "expires": START + 365 * DAY,
        "terminates": START + 395 * DAY,
        "report_by": START + 90 * DAY,
        "customer": "Acme",
        "subscription": "s-1",
        "product": "ner",
        "plan": Plan(tier="DC0", period=(START, START + 365 * DAY), meters=(("A.B", 5),)),
        "instance": InstanceBinding(binding="instance", vkeys=(VKEY,)),
    }
    return License(**values | changes)


tokens = st.from_regex(r"[a-z0-9][a-z0-9._/-]{0,20}", fullmatch=True)
names = st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1, max_size=200)
bytes_ = st.binary(min_size=1, max_size=64)

plans = st.builds(
    Plan,
    tier=st.sampled_from(["S0", "DC0"]),
    period=st.just((START, START + DAY)),
    meters=st.dictionaries(
        st.from_regex(r"[A-Z][A-Za-z0-9.]{0,20}", fullmatch=True), st.integers(0, MAX_INT)
    ).map(lambda meters: tuple(meters.items())),
    overage=st.sampled_from(["record", "block"]),
)
free = Plan(tier="F0", period=(START, START + DAY), meters=(("A.B", 5_000),), overage="block")


def models(enc: str) -> st.SearchStrategy[tuple[ModelKey, ...]]:
    lines = st.from_regex(r"[a-z0-9][a-z0-9._-]{0,20}/[1-9]", fullmatch=True)
    keys = st.builds(ModelKey, train=lines, enc=st.just(enc), key=bytes_)
    return st.lists(keys, max_size=3, unique_by=lambda key: key.train).map(tuple)


BOUND = InstanceBinding(binding="instance", vkeys=(VKEY,), max_logs=9)
BEARER = InstanceBinding(binding="any")
where = st.tuples(st.just(BOUND), models("hpke")) | st.tuples(st.just(BEARER), models("plain"))

licences = st.builds(
    lambda where, **values: licence(instance=where[0], models=where[1], **values),
    where=where,
    id=st.from_regex(r"[0-9A-Z]{26}", fullmatch=True),
    serial=st.integers(1, MAX_INT),
    replaces=st.none() | st.just("01JGFJJZ00ZF47NW1QDTV9VBQ5"),
    issued=st.integers(0, START),
    terminates=st.integers(START + 365 * DAY, START + 4_000 * DAY),
    customer=names,
    product=tokens,
    plan=plans | st.just(free),
    features=st.lists(tokens, max_size=3).map(tuple),
    ledger=st.builds(
        LedgerPolicy,
        logs=st.lists(
            st.builds(
                LogHead,
                origin=names,
                size=st.integers(0, MAX_INT),
                root=st.binary(min_size=32, max_size=32),
                cosig=names,
            ),
            max_size=2,
            unique_by=lambda log: log.origin,
        ).map(tuple),
        on_fork=st.sampled_from(["flag", "refuse"]),
    ),
    clock=st.builds(ClockPolicy, tolerance_s=st.integers(0, 86_400), max_gap_d=st.integers(1, 3_660)),
)


@settings(max_examples=40)  # generating a licence is what takes the time
@given(licences)
def test_a_licence_survives_its_text(original: License) -> None:
    text = render_statement("license", original.to_claims())
    again = License.from_claims(parse_statement(text, "license"))
    assert again == original
    assert hash(again) == hash(original)


def test_reading_leaves_the_claims_alone() -> None:
    claims = licence().to_claims()
    License.from_claims(claims)
    assert claims == licence().to_claims()


def test_a_licence_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        licence().serial = 2  # type: ignore[misc]


@pytest.mark.parametrize(
    "changes",
    [
        {"serial": 0},
        {"expires": START},
        {"terminates": START + 364 * DAY},
        {"issued": START + 366 * DAY},
        {"report_by": START - 1},
        {"report_by": START + 396 * DAY},
        {"not_before": -1},
        {"customer": ""},
        {"customer": "x" * 201},
        {"customer": "evil\u202etxt"},
        {"customer": "two\nlines"},
        {"id": "a b"},
        {"product": "NER"},
        {"features": ("a b",)},
        {"replaces": ""},
        {"models": (ModelKey(train="a/1", enc="plain", key=b"k"),)},
        {"models": (ModelKey(train="a/1", enc="hpke", key=b"k"),), "instance": BEARER},
        {"models": (ModelKey(train="a/1", enc="hpke", key=b"k"),) * 2},
    ],
)
def test_a_licence_that_makes_no_sense_cannot_be_made(changes: dict[str, Any]) -> None:
    with pytest.raises(Malformed):
        licence(**changes)


@pytest.mark.parametrize(
    "make",
    [
        lambda: InstanceBinding(binding="instance"),
        lambda: InstanceBinding(binding="any", vkeys=(VKEY,)),
        lambda: InstanceBinding(binding="instance", vkeys=("nonsense",)),
        lambda: InstanceBinding(binding="all"),
        lambda: InstanceBinding(binding="any", max_logs=0),
        lambda: Plan(tier="DC1", period=(0, 1), meters=()),
        lambda: Plan(tier="DC0", period=(1, 1), meters=()),
        lambda: Plan(tier="DC0", period=(0, 1), meters=(("A", 1), ("A", 2))),
        lambda: Plan(tier="DC0", period=(0, 1), meters=(("A", -1),)),
        lambda: Plan(tier="DC0", period=(0, 1), meters=(), overage="ignore"),
        lambda: Plan(tier="F0", period=(0, 1), meters=(("A", 1),), overage="record"),
        lambda: Plan(tier="F0", period=(0, 1), meters=(), overage="block"),
        lambda: ModelKey(train="x", enc="hpke", key=b"k"),
        lambda: ModelKey(train="x/0", enc="hpke", key=b"k"),
        lambda: ModelKey(train="../x/1", enc="hpke", key=b"k"),
        lambda: ModelKey(train="x/1", enc="rot13", key=b"k"),
        lambda: ModelKey(train="x/1", enc="hpke", key=b""),
        lambda: LogHead(origin="o", size=-1, root=bytes(32), cosig=""),
        lambda: LogHead(origin="o", size=1, root=bytes(31), cosig=""),
        lambda: LedgerPolicy(on_fork="panic"),
        lambda: LedgerPolicy(logs=(LogHead(origin="o", size=1, root=bytes(32), cosig=""),) * 2),
        lambda: ClockPolicy(tolerance_s=-1),
        lambda: ClockPolicy(max_gap_d=0),
    ],
)
def test_a_part_that_makes_no_sense_cannot_be_made(make: Callable[[], object]) -> None:
    with pytest.raises(Malformed):
        make()


OPTIONAL = {"replaces", "models", "features", "ledger", "clock"}


@pytest.mark.parametrize("name", sorted(licence().to_claims()))
def test_a_missing_field_is_named_unless_it_may_be_absent(name: str) -> None:
    claims = licence().to_claims()
    del claims[name]
    if name in OPTIONAL:
        assert License.from_claims(claims).id
        return
    with pytest.raises(Malformed, match=f"the field {name} is missing"):
        License.from_claims(claims)


@pytest.mark.parametrize(
    "value", [None, True, 1, "", "x", [], {}, [1], {"a": 1}, [[]], [None], -1, MAX_INT, "2026-01-01"]
)
@pytest.mark.parametrize("name", sorted(licence(replaces="x").to_claims()))
def test_a_value_of_the_wrong_kind_is_malformed_and_nothing_else(name: str, value: object) -> None:
    claims = licence(replaces="x").to_claims()
    if type(claims[name]) is type(value) and isinstance(value, str | int | list):
        return
    try:
        License.from_claims({**claims, name: value})
    except LicenseError as error:
        assert error.code == "Malformed"
        assert name in error.message
    else:
        assert value is None
        assert name in OPTIONAL


@pytest.mark.parametrize("part", ["plan", "instance", "ledger", "clock"])
def test_a_nested_field_is_named_by_its_path(part: str) -> None:
    claims = licence().to_claims()
    for name in claims[part]:
        broken = {**claims, part: {**claims[part], name: {"x": None}}}
        with pytest.raises(Malformed, match=rf"{part}\.{name}"):
            License.from_claims(broken)


def test_plan_units_are_found_by_meter() -> None:
    assert licence().plan.units("A.B") == 5
    assert licence().plan.units("other") is None


def test_binding_names_machines() -> None:
    bound = licence().instance
    assert bound.allows(VKEY)
    assert not bound.allows("another")
    assert replace(bound, binding="any", vkeys=()).allows("another")
