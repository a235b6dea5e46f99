from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from license.crypto.ed25519 import SigningKey
from license.errors import Forged, LicenseError, Malformed, UnknownSigner, WrongType
from license.licenses.request import MAX_REQUEST_BYTES, LicenseRequest, open_request, sign_request
from license.trust.signed_note import sign_note
from license.trust.statement import render_statement

MACHINE = SigningKey.generate("offline-appliance/instance")


def wanted(**changes: Any) -> LicenseRequest:
    values: dict[str, Any] = {
        "instance": MACHINE.verifying.vkey,
        "product": "ner",
        "software": "offline-appliance 0.1.0",
        "created": 1_780_000_000,
    }
    return LicenseRequest(**values | changes)


@pytest.mark.parametrize("changes", [{}, {"hpke": bytes(range(32))}, {"models": ("ner-en/3", "pii-de/1")}])
def test_a_request_survives_its_note(changes: dict[str, Any]) -> None:
    assert open_request(sign_request(wanted(**changes), MACHINE)) == wanted(**changes)


def test_a_request_proves_that_the_machine_holds_the_key_it_names(alice: SigningKey) -> None:
    with pytest.raises(Malformed):
        sign_request(wanted(), alice)
    with pytest.raises(UnknownSigner):
        open_request(sign_note(render_statement("request", wanted().to_claims()), alice))


def test_a_changed_request_is_forged() -> None:
    note = sign_request(wanted(), MACHINE)
    with pytest.raises(Forged):
        open_request(note.replace(b'"ner"', b'"pii"'))


def test_another_statement_is_not_a_request() -> None:
    with pytest.raises(WrongType):
        open_request(sign_note(render_statement("license", wanted().to_claims()), MACHINE))


@pytest.mark.parametrize(
    "changes",
    [
        {"instance": "x"},
        {"product": "N E R"},
        {"software": ""},
        {"created": -1},
        {"hpke": b"short"},
        {"models": ("",)},
    ],
)
def test_a_request_that_makes_no_sense_cannot_be_made(changes: dict[str, Any]) -> None:
    with pytest.raises(Malformed):
        wanted(**changes)


def test_a_large_request_is_refused_before_it_is_read() -> None:
    with pytest.raises(Malformed, match="larger"):
        open_request(b"x" * (MAX_REQUEST_BYTES + 1))


@given(st.data())
def test_no_mutation_of_a_request_is_accepted(data: st.DataObject) -> None:
    note = sign_request(wanted(), MACHINE)
    start = data.draw(st.integers(0, len(note)))
    end = data.draw(st.integers(start, min(len(note), start + 30)))
    changed = note[:start] + data.draw(st.binary(max_size=30)) + note[end:]
    try:
        assert open_request(changed) == wanted()
    except LicenseError:
        return
    assert changed.replace(b"\r", b"").removeprefix(b"\xef\xbb\xbf") == note
