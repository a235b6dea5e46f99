from typing import Any

import pytest

from license.crypto.ed25519 import SigningKey
from license.errors import Malformed
from license.trust.delegation import Delegation

VKEY = SigningKey.generate("issuer").verifying.vkey


def delegation(**changes: Any) -> Delegation:
    values: dict[str, Any] = {"role": "issuer", "vkey": VKEY, "not_before": 10, "not_after": 20, "epoch": 1}
    return Delegation(**values | changes)


def test_a_delegation_survives_its_claims() -> None:
    assert Delegation.from_claims(delegation().to_claims()) == delegation()
    assert delegation().key.vkey == VKEY


@pytest.mark.parametrize(
    "changes", [{"role": "root"}, {"vkey": "x"}, {"not_after": 9}, {"epoch": 0}, {"not_before": -1}]
)
def test_a_delegation_that_makes_no_sense_cannot_be_made(changes: dict[str, Any]) -> None:
    with pytest.raises(Malformed):
        delegation(**changes)


@pytest.mark.parametrize("name", sorted(delegation().to_claims()))
def test_a_missing_field_is_named(name: str) -> None:
    claims = delegation().to_claims()
    del claims[name]
    with pytest.raises(Malformed, match=name):
        Delegation.from_claims(claims)
