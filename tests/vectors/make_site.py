"""Rebuild `site/`: what replica and desk of a site say to each other, and what a desk writes; good and refused.

Run: python tests/vectors/make_site.py

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
from license.evidence.log.checkpoint import Checkpoint
from license.slices.protocol import Slice, Standing, sign_slice, sign_standing
from license.trust.signed_note import sign_note

HERE = Path(__file__).parent
METER = "CognitiveServices.Ner.Container.TextRecords"


def public_key_pair(name: str, seed: str) -> SigningKey:
    """Return the key everybody can make from its seed."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    secret = hashlib.sha256(b"offline-appliance test key " + seed.encode()).digest()
    public = Ed25519PrivateKey.from_private_bytes(secret).public_key().public_bytes_raw()
    key_id = hashlib.sha256(name.encode() + b"\n\x01" + public).hexdigest()[:8]
    return SigningKey.from_text(f"PRIVATE+KEY+{name}+{key_id}+{encode_base64(bytes([1]) + secret)}")


DESK = public_key_pair("offline-appliance/instance", "desk")
REPLICA = public_key_pair("offline-appliance/instance", "replica")
OTHER = public_key_pair("offline-appliance/instance", "other replica")
NOW = parse_time("2026-10-01T12:00:00Z")
TERM = parse_date("2026-01-01")
OF = REPLICA.verifying.fingerprint
LOG = f"offline-appliance/customner/{OF}/1"
ROOT = hashlib.sha256(b"the first nine entries").digest()


def granted(**changes: Any) -> Slice:
    values: dict[str, Any] = {
        "instance": REPLICA.verifying.vkey,
        "subscription": "7a1f6a4e-5d0a-4c0e-9f5b-0c9b1f0f2d11",
        "term": TERM,
        "units": ((METER, 250),),
        "sequence": 17,
        "issued": NOW,
    }
    return Slice(**values | changes)


def standing(**changes: Any) -> Standing:
    values: dict[str, Any] = {
        "instance": REPLICA.verifying.vkey,
        "head": Checkpoint(origin=LOG, size=9, root=ROOT),
        "since": 4,
        "growth": (hashlib.sha256(b"0").digest(), hashlib.sha256(b"1").digest()),
        "term": TERM,
        "used": ((METER, 120),),
        "need": ((METER, 5),),
        "wants": ((METER, 300),),
        "held": sign_slice(granted(), DESK).note,
        "keeps": ((METER, 200),),
        "created": NOW,
    }
    return Standing(**values | changes)


def cases() -> dict[str, dict[str, str]]:
    """Return every case: a note, what it is read as, by whose key, and the code of the refusal or `ok`."""
    slice_note = sign_slice(granted(), DESK).note.decode()
    word = sign_standing(standing(), REPLICA).decode()

    def said(text: str, changed: str, into: str, key: SigningKey) -> str:
        assert changed in text
        return sign_note(text.partition("\n\n")[0].replace(changed, into, 1) + "\n", key).decode()

    def of_slice(expect: str, note: str = slice_note) -> dict[str, str]:
        return {"expect": expect, "kind": "slice", "desk": DESK.verifying.vkey, "note": note}

    def of_standing(expect: str, note: str = word) -> dict[str, str]:
        return {"expect": expect, "kind": "standing", "note": note}

    return {
        "slice-good": of_slice("ok"),
        "slice-good-of-no-meter": of_slice("ok", sign_slice(granted(units=()), DESK).note.decode()),
        "slice-good-with-unknown-field": of_slice("ok", said(slice_note, '"sequence": 17', '"sequence": 17,\n  "later": 1', DESK)),
        "slice-one-digit-changed": of_slice("Forged", slice_note.replace(": 250", ": 950")),
        "slice-signed-by-the-replica": of_slice("UnknownSigner", sign_slice(granted(), REPLICA).note.decode()),
        "slice-that-is-a-standing": of_slice("WrongType", said(word, "{", "{", DESK)),
        "slice-of-negative-units": of_slice("Malformed", said(slice_note, ": 250", ": -1", DESK)),
        "slice-of-half-units": of_slice("Malformed", said(slice_note, ": 250", ": 0.5", DESK)),
        "slice-of-a-meter-twice": of_slice("Malformed", said(slice_note, f'"{METER}": 250', f'"{METER}": 250,\n    "{METER}": 251', DESK)),
        "slice-without-term": of_slice("Malformed", said(slice_note, '"term"', '"time"', DESK)),
        "standing-good": of_standing("ok"),
        "standing-good-of-before-keeps": of_standing("ok", said(word, '"keeps"', '"kept"', REPLICA)),
        "standing-good-that-returns": of_standing("ok", sign_standing(standing(returns=True, need=(), wants=(), keeps=()), REPLICA).decode()),
        "standing-one-digit-changed": of_standing("Forged", word.replace(": 120", ": 121")),
        "standing-for-another-replica": of_standing("UnknownSigner", said(word, "{", "{", OTHER)),
        "standing-of-anothers-log": of_standing("Malformed", sign_standing(standing(head=Checkpoint(origin=LOG.replace(OF, OTHER.verifying.fingerprint), size=9, root=ROOT)), REPLICA).decode()),
        "standing-of-a-log-without-number": of_standing("Malformed", sign_standing(standing(head=Checkpoint(origin=LOG[:-1] + "x", size=9, root=ROOT)), REPLICA).decode()),
        "standing-that-is-a-slice": of_standing("WrongType", sign_note(slice_note.partition("\n\n")[0] + "\n", REPLICA).decode()),
        "standing-with-a-short-hash": of_standing("Malformed", sign_standing(standing(growth=(bytes(31),)), REPLICA).decode()),
        "standing-of-negative-use": of_standing("Malformed", said(word, ": 120", ": -120", REPLICA)),
    }  # fmt: skip


def entries() -> tuple[list[str], list[str]]:
    """Return entries of a desk's log, good ones and such that are none."""
    head = '{"k":"%s","n":%d,"t":"2026-10-01T12:00:00Z",'
    root = encode_base64(ROOT)
    lines = [
        ("lease", f'"i":"{REPLICA.verifying.vkey}","l":"01KDVYAAYHBA6CS5PEC4B9YYXN","x":"2026-10-02T12:00:00Z","v":"offline-appliance 0.1.0"}}'),
        ("seen", f'"of":"{OF}","o":"{LOG}","x":9,"r":"{root}","c":"2026-10-01T12:00:00Z","d":"2026-01-01","s":{{"{METER}":[0,0,120]}}}}'),
        ("slice", f'"of":"{OF}","m":"{METER}","d":"2026-01-01","a":250}}'),
        ("found", f'"of":"{OF}","d":"2026-01-01","s":{{"{METER}":[0,0,7]}}}}'),
        ("left", f'"of":"{OF}"}}'),
        ("fork", f'"of":"{OF}","o":"{LOG}","x":8}}'),
        ("lost", f'"of":"{OF}","w":"cloned","d":"2026-01-01","s":{{"{METER}":[0,0,130]}}}}'),
        ("again", f'"of":"{OF}","x":17,"till":"2026-10-02T12:00:00Z"}}'),
    ]  # fmt: skip
    good = [head % (kind, n) + rest for n, (kind, rest) in enumerate(lines)]
    bad = [
        good[1].replace('"x":9', '"x":09'),
        good[1].replace(root, root[:-1]),
        good[1].replace(',"c":"2026-10-01T12:00:00Z"', ""),
        good[2].replace('"a":250', '"a":-1'),
        good[2].replace('"a":250', '"a":2.5'),
        good[2].replace('"m"', '"n"'),
        good[2].replace(",", ", "),
        good[2] + " ",
    ]
    return good, bad


def files() -> dict[str, bytes]:
    """Return every generated file by its path below this directory."""
    good, bad = entries()
    made = {
        "site/entries.jsonl": ("\n".join(good) + "\n").encode(),
        "site/no-entries.jsonl": ("\n".join(bad) + "\n").encode(),
    }
    for name, case in cases().items():
        made[f"site/{name}.json"] = (json.dumps(case, ensure_ascii=True, indent=1) + "\n").encode()
    return made


if __name__ == "__main__":
    for name, data in files().items():
        path = HERE / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
