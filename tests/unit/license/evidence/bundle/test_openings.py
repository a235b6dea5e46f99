"""What the vendor asks to see of a summary: the note, within bounds, and where stretches begin and end."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest

from license.crypto.ed25519 import SigningKey, load_verifying_key
from license.errors import DelegationExpired, Forged, LicenseError, Malformed, UnknownIssuer, WrongType
from license.evidence.bundle.openings import (
    MAX_STRETCHES,
    LogOpenings,
    Openings,
    Stretch,
    hidden_stretches,
    open_openings,
    sign_openings,
)
from license.evidence.bundle.receipt import open_receipt
from license.evidence.log.checkpoint import Checkpoint, sign_checkpoint
from license.evidence.log.source import LogSource, Row
from license.trust.delegation import Delegation
from license.trust.delegations import DelegationSet
from license.trust.roots import TrustRoots
from license.trust.signed_note import sign_note
from license.trust.statement import render_statement
from tests.support.paths import VECTORS

ROOT, ISSUER = SigningKey.generate("vendor/root"), SigningKey.generate("vendor/issuer")
DAY = SigningKey.generate("offline-appliance/customner/ec63c3690139/1")
HEAD = Checkpoint(origin=DAY.name, size=1000, root=bytes(32))
NOW = 1_790_000_000


def delegations(*, not_after: int = NOW) -> DelegationSet:
    said = Delegation(role="issuer", vkey=ISSUER.verifying.vkey, not_before=0, not_after=not_after, epoch=1)
    note = sign_note(render_statement("delegation", said.to_claims()), ROOT)
    return DelegationSet([note], roots=TrustRoots(keys=(ROOT.verifying,), sources=(Path("root.vkey"),)))


def asked(*stretches: tuple[int, int]) -> Openings:
    log = LogOpenings(
        checkpoint=sign_checkpoint(HEAD, DAY),
        head=HEAD,
        stretches=tuple(Stretch(first=first, stop=stop) for first, stop in stretches),
    )
    return Openings(bundle="ab" * 32, subscription="sub-1", issued=NOW, logs=(log,))


def test_what_is_asked_for_survives_its_note() -> None:
    openings = asked((3, 700), (700, 1000))
    assert open_openings(sign_openings(openings, ISSUER), delegations()) == openings


def test_the_vector_opens() -> None:
    root = load_verifying_key(VECTORS / "openings-root.vkey")
    roots = TrustRoots(keys=(root,), sources=(VECTORS / "openings-root.vkey",))
    issuers = DelegationSet([(VECTORS / "openings-issuer.note").read_bytes()], roots=roots)
    (log,) = open_openings((VECTORS / "openings.note").read_bytes(), issuers).logs
    assert (log.head.size, log.stretches) == (8, (Stretch(first=0, stop=5),))


def test_only_an_issuer_may_ask_within_its_time() -> None:
    note = sign_openings(asked((3, 9)), ISSUER)
    with pytest.raises(UnknownIssuer):
        open_openings(sign_openings(asked((3, 9)), ROOT), delegations())
    with pytest.raises(Forged):
        open_openings(note.replace(b'"count": 6', b'"count": 7'), delegations())
    with pytest.raises(DelegationExpired):
        open_openings(note, delegations(not_after=NOW - 1))
    with pytest.raises(WrongType):
        open_receipt(note, delegations())


def broken(path: str, value: object) -> dict[str, Any]:
    claims = asked((3, 700), (800, 1000)).to_claims()
    *way, name = path.split(".")
    part: Any = claims
    for step in way:
        part = part[int(step)] if step.isdecimal() else part[step]
    part[name] = value
    return claims


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("bundle", "x"),
        ("subscription", ""),
        ("issued", "yesterday"),
        ("logs", []),
        ("logs.0.checkpoint", "x"),
        ("logs.0.stretches", []),
        ("logs.0.stretches.0.first", -1),
        ("logs.0.stretches.0.count", 0),
        ("logs.0.stretches.0.count", 798),  # into the next one
        ("logs.0.stretches.1.count", 201),  # behind the checkpoint
        ("logs.0.stretches.1.first", 2**63 - 1),
        ("logs.0.stretches", [{"first": n, "count": 1} for n in range(MAX_STRETCHES + 1)]),
        ("logs", 2 * asked((3, 9)).to_claims()["logs"]),
    ],
)
def test_what_makes_no_sense_is_malformed(path: str, value: object) -> None:
    with pytest.raises(Malformed):
        Openings.from_claims(broken(path, value))


@pytest.mark.parametrize("name", sorted(asked((3, 9)).to_claims()))
def test_a_missing_field_is_named(name: str) -> None:
    claims = asked((3, 9)).to_claims()
    del claims[name]
    with pytest.raises(Malformed, match=name):
        Openings.from_claims(claims)


def test_the_largest_question_can_be_signed() -> None:
    openings = asked(*((n, n + 1) for n in range(MAX_STRETCHES)))
    assert open_openings(sign_openings(openings, ISSUER), delegations()) == openings
    with pytest.raises(LicenseError):
        asked(*((n, n + 1) for n in range(MAX_STRETCHES + 1)))


@dataclass
class Shown:
    """A log of which only some entries are shown."""

    shown: dict[int, str]
    size: int

    def rows(self) -> list[Row]:
        return [(n, f'{{"k":"{kind}","n":{n},', b"") for n, kind in sorted(self.shown.items())]


@pytest.mark.parametrize(
    ("shown", "size", "expected"),
    [
        ({0: "open", 1: "boot"}, 5, [(0, 5, 3)]),
        ({0: "open", 4: "key", 5: "boot"}, 6, [(0, 4, 3)]),
        (
            {0: "open", 4: "sum", 8: "tick", 9: "sum", 10: "key", 11: "tick"},
            14,
            [(0, 4, 3), (5, 9, 3), (11, 14, 2)],
        ),
        ({0: "open", 1: "use", 2: "use", 3: "key"}, 4, []),
        ({0: "open", 1: "use", 3: "key"}, 4, [(0, 3, 1)]),
    ],
)
def test_a_stretch_lies_between_two_sums(
    shown: dict[int, str], size: int, expected: list[tuple[int, int, int]]
) -> None:
    found = hidden_stretches(cast("LogSource", Shown(shown, size)))
    assert [(stretch.first, stretch.stop, stretch.hidden) for stretch in found] == expected
