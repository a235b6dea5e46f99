"""Rebuild `licences/` and `roots/`: one case a file, good and refused.

Run: python tests/vectors/make_licences.py

Keys come from fixed seeds, so every run writes the same bytes. They are public and prove nothing.
"""
# ruff: noqa: E501 (the table of cases has one line for each)

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from license.crypto.ed25519 import SigningKey
from license.encoding.strict import encode_base64, parse_date, parse_time
from license.licenses.license import License
from license.licenses.request import LicenseRequest, sign_request
from license.licenses.terms import InstanceBinding, Plan
from license.trust.delegation import Delegation
from license.trust.signed_note import sign_note
from license.trust.statement import render_statement

HERE = Path(__file__).parent
METER = "CognitiveServices.Ner.Container.TextRecords"


def public_key_pair(name: str) -> SigningKey:
    """Return the key everybody can make from its name."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    seed = hashlib.sha256(b"offline-appliance test key " + name.encode()).digest()
    public = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
    key_id = hashlib.sha256(name.encode() + b"\n\x01" + public).hexdigest()[:8]
    return SigningKey.from_text(f"PRIVATE+KEY+{name}+{key_id}+{encode_base64(bytes([1]) + seed)}")


ROOT = public_key_pair("license.example.com/root")
SPARE = public_key_pair("license.example.com/spare-root")
ISSUER = public_key_pair("license.example.com/issuer")
STRANGER = public_key_pair("license.example.net/issuer")
INSTANCE = public_key_pair("offline-appliance/instance")
OTHER = public_key_pair("offline-appliance/other")


def delegation(**changes: Any) -> Delegation:
    values: dict[str, Any] = {
        "role": "issuer",
        "vkey": ISSUER.verifying.vkey,
        "not_before": parse_time("2026-01-01T00:00:00Z"),
        "not_after": parse_time("2027-12-31T23:59:59Z"),
        "epoch": 2,
    }
    return Delegation(**values | changes)


def licence(**changes: Any) -> License:
    values: dict[str, Any] = {
        "id": "01KDVYAAYHBA6CS5PEC4B9YYXN",
        "serial": 7,
        "replaces": "01JGFJJZ00ZF47NW1QDTV9VBQ5",
        "issued": parse_time("2026-01-01T09:30:00Z"),
        "not_before": parse_time("2026-01-01T09:30:00Z"),
        "expires": parse_time("2027-01-01T00:00:00Z"),
        "terminates": parse_time("2027-01-31T00:00:00Z"),
        "report_by": parse_time("2026-04-01T00:00:00Z"),
        "customer": "Müller & Söhne GmbH",
        "subscription": "7a1f6a4e-5d0a-4c0e-9f5b-0c9b1f0f2d11",
        "product": "ner",
        "plan": Plan(
            tier="DC0",
            period=(parse_date("2026-01-01"), parse_date("2027-01-01")),
            meters=((METER, 12_000_000),),
        ),
        "features": ("ner",),
        "instance": InstanceBinding(binding="instance", vkeys=(INSTANCE.verifying.vkey,)),
    }
    return License(**values | changes)


def issuer_note(*keys: SigningKey, **changes: Any) -> bytes:
    return sign_note(render_statement("delegation", delegation(**changes).to_claims()), *(keys or (ROOT,)))


def license_note(*keys: SigningKey, **changes: Any) -> bytes:
    return sign_note(render_statement("license", licence(**changes).to_claims()), *(keys or (ISSUER,)))


def signed(body: str) -> bytes:
    return sign_note(f"offline-appliance/license/v1\n{body}\n", ISSUER)


def request_note() -> bytes:
    wanted = LicenseRequest(
        instance=INSTANCE.verifying.vkey,
        product="ner",
        software="offline-appliance 0.1.0",
        created=parse_time("2026-01-01T09:00:00Z"),
    )
    return sign_request(wanted, INSTANCE)


def cases() -> dict[str, dict[str, Any]]:
    """Return every case: what to feed to `open_license`, and the code of the refusal or `ok`."""
    good, issuer = license_note(), issuer_note()
    text = good.decode()
    body = json.dumps(licence().to_claims(), ensure_ascii=False, indent=2)

    def case(
        expect: str, note: bytes | str = good, issued_by: bytes | str = issuer, **options: Any
    ) -> dict[str, Any]:
        def say(data: bytes | str) -> str:
            return data if isinstance(data, str) else data.decode()

        return {"expect": expect, **options, "issuer": say(issued_by), "license": say(note)}

    return {
        "good": case("ok", product="ner", instance=INSTANCE.verifying.vkey),
        "good-by-spare-root": case("ok", issued_by=issuer_note(SPARE)),
        "good-with-unknown-second-signature": case("ok", license_note(ISSUER, STRANGER)),
        "good-after-windows": case("ok", "\ufeff" + text.replace("\n", "\r\n")),
        "good-any-machine": case("ok", license_note(instance=InstanceBinding(binding="any")), instance=OTHER.verifying.vkey),
        "good-with-unknown-field": case("ok", signed(body[:-2] + ',\n  "later": {"version": 2}\n}')),
        "good-same-serial": case("ok", min_serial=7, min_epoch=2),
        "good-in-grace": case("ok", at="2027-01-30T23:59:59Z"),
        "not-yet-valid": case("NotYetValid", at="2026-01-01T09:24:59Z"),
        "expired": case("Expired", at="2027-01-31T00:00:00Z"),
        "one-digit-changed": case("Forged", text.replace("12000000", "92000000")),
        "signature-of-another-licence": case("Forged", text.rpartition("\n\n")[0] + "\n\n" + license_note(serial=8).decode().rpartition("\n\n")[2]),
        "issuer-note-changed": case("Forged", issued_by=issuer.decode().replace('"epoch": 2', '"epoch": 3')),
        "bad-second-signature-by-known-root": case("Forged", issued_by=issuer + issuer_note(SPARE, epoch=9).rpartition(b"\n\n")[2]),
        "by-an-issuer-nobody-named": case("UnknownIssuer", license_note(STRANGER)),
        "issuer-named-by-a-strange-root": case("UnknownSigner", license_note(STRANGER), issuer_note(STRANGER, vkey=STRANGER.verifying.vkey)),
        "signed-by-the-root-itself": case("UnknownIssuer", license_note(ROOT)),
        "notes-exchanged": case("UnknownSigner", issuer, good),
        "witness-in-the-issuers-place": case("WrongType", issued_by=issuer_note(role="witness")),
        "another-statement-by-the-issuer": case("WrongType", sign_note(text.partition("\n\n")[0].replace("license/v1", "bundle/v1") + "\n", ISSUER)),
        "another-product": case("WrongProduct", license_note(product="pii"), product="ner"),
        "another-machine": case("WrongMachine", instance=OTHER.verifying.vkey),
        "old-serial": case("SerialTooLow", min_serial=8),
        "old-epoch": case("EpochTooLow", min_epoch=3),
        "issued-after-the-delegation": case("DelegationExpired", issued_by=issuer_note(not_after=parse_time("2026-01-01T09:29:59Z"))),
        "issued-before-the-delegation": case("DelegationExpired", issued_by=issuer_note(not_before=parse_time("2026-01-01T09:30:01Z"))),
        "cut-short": case("Malformed", text[:-20]),
        "empty": case("Malformed", ""),
        "tab-in-the-text": case("Malformed", text.replace("  ", "\t")),
        "signed-duplicate-field": case("Malformed", signed(body.replace('"serial": 7', '"serial": 7, "serial": 8'))),
        "signed-float": case("Malformed", signed(body.replace('"serial": 7', '"serial": 7.0'))),
        "signed-nan": case("Malformed", signed(body.replace('"serial": 7', '"serial": NaN'))),
        "signed-huge-number": case("Malformed", signed(body.replace('"serial": 7', '"serial": 18446744073709551623'))),
        "signed-true-for-a-number": case("Malformed", signed(body.replace('"serial": 7', '"serial": true'))),
        "signed-lone-surrogate": case("Malformed", signed(body.replace("Müller", "\\ud83d"))),
        "signed-invisible-character": case("Malformed", signed(body.replace("Müller", "M\u202eüller"))),
        "signed-missing-field": case("Malformed", signed(body.replace('"terminates"', '"ends"'))),
        "signed-without-machine": case("Malformed", signed(body.replace(f'"{INSTANCE.verifying.vkey}"', ""))),
        "signed-expires-before-it-begins": case("Malformed", signed(body.replace('"expires": "2027', '"expires": "2025'))),
        "signed-deep-nesting": case("Malformed", signed(body[:-2] + ',\n  "x": ' + "[" * 10_000 + "]" * 10_000 + "\n}")),
        "signed-critical-field": case("NeedsNewerVersion", signed(body[:-2] + ',\n  "dongle": 1,\n  "crit": ["dongle"]\n}')),
        "signed-later-format": case("NeedsNewerVersion", sign_note("offline-appliance/license/v2\n{}\n", ISSUER)),
    }  # fmt: skip


def files() -> dict[str, bytes]:
    """Return every generated file by its path below this directory."""
    made = {
        "roots/root.vkey": f"{ROOT.verifying.vkey}\n".encode(),
        "roots/spare-root.vkey": f"{SPARE.verifying.vkey}\n".encode(),
        "request.note": request_note(),
    }
    for name, case in cases().items():
        made[f"licences/{name}.json"] = (json.dumps(case, ensure_ascii=True, indent=1) + "\n").encode()
    return made


if __name__ == "__main__":
    for name, data in files().items():
        path = HERE / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
