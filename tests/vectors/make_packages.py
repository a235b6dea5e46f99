"""Rebuild `packages/`: a licence, a manifest and a package in each file, good and refused; and locked root keys.

Run: python tests/vectors/make_packages.py

age (C2SP age v1) and HPKE (RFC 9180) draw random numbers, so files made with them differ every time. Here both
are written out once more, from their specifications, with fixed numbers in the place of random ones: every run
writes the same bytes, and that our readers accept them shows that they read the formats and not just our own
writer. All keys are public and prove nothing.
"""
# ruff: noqa: E501 (the table of cases has one line for each)

from __future__ import annotations

import base64
import hashlib
import hmac
import importlib.util
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF, HKDFExpand

from license.encoding.strict import encode_base64, parse_time
from license.licenses.license import License
from license.licenses.terms import InstanceBinding, ModelKey
from license.models.archive import header
from license.models.manifest import Manifest, PackedFile, sign_manifest
from license.trust.signed_note import sign_note
from license.trust.statement import render_statement

HERE = Path(__file__).parent


def _licences() -> Any:
    spec = importlib.util.spec_from_file_location("make_licences", HERE / "make_licences.py")
    if spec is None or spec.loader is None:
        raise ImportError("make_licences.py is not beside this file")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


L = _licences()


def secret(name: str, size: int = 32) -> bytes:
    """Return the number everybody can make from its name."""
    return hashlib.sha256(b"offline-appliance test secret " + name.encode()).digest()[:size]


def public(private: bytes) -> bytes:
    return X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()


def exchange(private: bytes, other: bytes) -> bytes:
    return X25519PrivateKey.from_private_bytes(private).exchange(X25519PublicKey.from_public_bytes(other))


def hkdf(key: bytes, salt: bytes, info: bytes) -> bytes:
    return HKDF(SHA256(), 32, salt or None, info).derive(key)


def identity(private: bytes) -> str:
    """Return the text of an age identity: Bech32 (BIP 173) of the 32 bytes, in capitals."""
    letters, prefix = "qpzry9x8gf2tvdw0s3jn54khce6mua7l", "age-secret-key-"
    number = int.from_bytes(private, "big") << 4  # 256 bits in 52 groups of five
    data = [number >> 5 * (51 - n) & 31 for n in range(52)]

    def polymod(values: list[int]) -> int:
        check = 1
        for value in values:
            top, check = check >> 25, (check & 0x1FFFFFF) << 5 ^ value
            for bit, generator in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
                check ^= generator if top >> bit & 1 else 0
        return check

    spread = [ord(char) >> 5 for char in prefix] + [0] + [ord(char) & 31 for char in prefix]
    check = polymod([*spread, *data, 0, 0, 0, 0, 0, 0]) ^ 1
    return (
        prefix + "1" + "".join(letters[v] for v in data + [check >> 5 * (5 - n) & 31 for n in range(6)])
    ).upper()


def unpadded(data: bytes) -> str:
    return base64.b64encode(data).decode().rstrip("=")


def age_file(plain: bytes, stanza: Callable[[bytes], str], *, number: str) -> bytes:
    """Return an age file: header with one stanza, then the payload in chunks of 64 KiB."""
    file_key = secret(f"file key {number}", 16)
    head = f"age-encryption.org/v1\n{stanza(file_key)}---"
    mac = hmac.digest(hkdf(file_key, b"", b"header"), head.encode(), "sha256")
    nonce = secret(f"nonce {number}", 16)
    cipher = ChaCha20Poly1305(hkdf(file_key, nonce, b"payload"))
    chunks = [plain[start : start + 65_536] for start in range(0, len(plain), 65_536)] or [b""]
    body = b"".join(
        cipher.encrypt(count.to_bytes(11, "big") + bytes([count == len(chunks) - 1]), chunk, None)
        for count, chunk in enumerate(chunks)
    )
    return f"{head} {unpadded(mac)}\n".encode() + nonce + body


def to_recipient(recipient: bytes) -> Callable[[bytes], str]:
    def stanza(file_key: bytes) -> str:
        ephemeral = secret("age ephemeral")
        share = public(ephemeral)
        key = hkdf(exchange(ephemeral, recipient), share + recipient, b"age-encryption.org/v1/X25519")
        body = ChaCha20Poly1305(key).encrypt(bytes(12), file_key, None)
        return f"-> X25519 {unpadded(share)}\n{unpadded(body)}\n"

    return stanza


def to_passphrase(phrase: str) -> Callable[[bytes], str]:
    def stanza(file_key: bytes) -> str:
        salt, log = secret("salt", 16), 10
        key = hashlib.scrypt(
            phrase.encode(), salt=b"age-encryption.org/v1/scrypt" + salt, n=2**log, r=8, p=1, dklen=32
        )
        return f"-> scrypt {unpadded(salt)} {log}\n{unpadded(ChaCha20Poly1305(key).encrypt(bytes(12), file_key, None))}\n"

    return stanza


def hpke_wrap(text: bytes, to: bytes, info: bytes) -> bytes:
    """Return RFC 9180 base mode, DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM."""
    kem, suite, ephemeral = b"KEM\x00\x20", b"HPKE\x00\x20\x00\x01\x00\x02", secret("hpke ephemeral")

    def extract(salt: bytes, of: bytes, label: bytes, data: bytes) -> bytes:
        return hmac.digest(salt or bytes(32), b"HPKE-v1" + of + label + data, "sha256")

    def expand(key: bytes, of: bytes, label: bytes, data: bytes, size: int) -> bytes:
        return HKDFExpand(SHA256(), size, size.to_bytes(2, "big") + b"HPKE-v1" + of + label + data).derive(
            key
        )

    enc = public(ephemeral)
    shared = expand(
        extract(b"", kem, b"eae_prk", exchange(ephemeral, to)), kem, b"shared_secret", enc + to, 32
    )
    schedule = b"\0" + extract(b"", suite, b"psk_id_hash", b"") + extract(b"", suite, b"info_hash", info)
    key = extract(shared, suite, b"secret", b"")
    nonce = expand(key, suite, b"base_nonce", schedule, 12)
    return enc + AESGCM(expand(key, suite, b"key", schedule, 32)).encrypt(nonce, text, b"")


LINE, OTHER_LINE = secret("model line"), secret("other model line")
MACHINE, OTHER_MACHINE = secret("machine"), secret("other machine")
FILES = {"config.json": b"{}", "model.onnx": b"weights" * 200}
LARGE = {"model.onnx": b"weights" * 10_000}


def packed(files: dict[str, bytes]) -> tuple[PackedFile, ...]:
    return tuple(
        PackedFile(name=name, bytes=len(data), sha256=hashlib.sha256(data).hexdigest())
        for name, data in sorted(files.items())
    )


def tar(files: dict[str, bytes]) -> bytes:
    pieces = [
        header(name, len(data)) + data + bytes(-len(data) % 512) for name, data in sorted(files.items())
    ]
    return b"".join(pieces) + bytes(1024)


def package(plain: bytes, recipient: bytes = LINE) -> bytes:
    return age_file(plain, to_recipient(public(recipient)), number="package")


GOOD = package(tar(FILES))


def manifest(data: bytes = GOOD, **changes: Any) -> Manifest:
    values: dict[str, Any] = {"line": "ner-en/3", "release": "1.0.2", "name": "ner-en", "task": "ner"}
    values |= {"issued": parse_time("2026-03-01T00:00:00Z"), "files": packed(FILES)}
    values |= {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
    return Manifest(**values | changes)


def licence(line: str = "ner-en/3", private: bytes = LINE, **changes: Any) -> License:
    base: License = L.licence()
    wrapped = hpke_wrap(identity(private).encode(), public(MACHINE), f"{base.id}\n{line}".encode())
    return replace(base, models=(ModelKey(train=line, enc="hpke", key=wrapped),), **changes)


def bearer(key: bytes) -> License:
    base: License = L.licence()
    return replace(
        base,
        models=(ModelKey(train="ner-en/3", enc="plain", key=key),),
        instance=InstanceBinding(binding="any"),
    )


def cases() -> dict[str, dict[str, Any]]:
    """Return every case: what to open with what, and the code of the refusal or `ok`."""
    note = sign_manifest(manifest(), L.ISSUER)
    text, issuer = note.decode(), L.issuer_note()
    body = json.dumps(manifest().to_claims(), indent=2)

    def signed(body: str) -> bytes:
        return sign_note(f"offline-appliance/model/v1\n{body}\n", L.ISSUER)

    def case(
        expect: str,
        *,
        manifest: bytes | str = note,
        issuer: bytes = issuer,
        data: bytes = GOOD,
        license: License | None = None,
        machine: bytes | None = MACHINE,
    ) -> dict[str, Any]:
        return {
            "expect": expect,
            "license": sign_note(
                render_statement("license", (license or licence()).to_claims()), L.ISSUER
            ).decode(),
            "machine": machine.hex() if machine else None,
            "issuer": issuer.decode(),
            "manifest": manifest if isinstance(manifest, str) else manifest.decode(),
            "package": encode_base64(data),
        }

    def vouched(expect: str, data: bytes, **changes: Any) -> dict[str, Any]:
        """A package that is not right, with a manifest that is right about it: what only the last steps see."""
        return case(expect, data=data, manifest=sign_manifest(manifest(data, **changes), L.ISSUER))

    large = package(tar(LARGE))
    start = large.index(b"\n--- ") + 49 + 16  # where the first chunk begins
    link = tar(FILES)[:156] + b"2" + tar(FILES)[157:]
    evil = {"../model.onnx": FILES["model.onnx"], "config.json": FILES["config.json"]}
    return {
        "good": case("ok"),
        "good-any-machine": case("ok", license=bearer(identity(LINE).encode()), machine=None),
        "good-after-windows": case("ok", manifest="\ufeff" + text.replace("\n", "\r\n")),
        "good-by-spare-root": case("ok", issuer=L.issuer_note(L.SPARE)),
        "good-with-unknown-field": case("ok", manifest=signed(body[:-2] + ',\n  "later": 1\n}')),
        "good-by-the-next-issuer": case("ok", issuer=L.issuer_note(epoch=3)),
        "licence-without-the-line": case("NoModelKey", license=licence("ner-en/4")),
        "licence-without-lines": case("NoModelKey", license=L.licence()),
        "machine-without-a-key": case("NoModelKey", machine=None),
        "line-with-another-key": case("NoModelKey", license=licence(private=OTHER_LINE)),
        "package-of-another-line": vouched("NoModelKey", package(tar(FILES), OTHER_LINE)),
        "key-for-another-machine": case("WrongMachine", machine=OTHER_MACHINE),
        "key-of-another-licence": case("WrongMachine", license=licence(id="01KDVYAAYHBA6CS5PEC4B9YYXX")),
        "key-moved-to-another-line": case("WrongMachine", manifest=sign_manifest(manifest(line="ner-de/1"), L.ISSUER), license=replace(L.licence(), models=(replace(licence().models[0], train="ner-de/1"),))),
        "key-that-is-none": case("Malformed", license=bearer(b"AGE-SECRET-KEY-1XYZ"), machine=None),
        "manifest-changed": case("Forged", manifest=text.replace("1.0.2", "1.0.3")),
        "manifest-by-nobody-named": case("UnknownIssuer", manifest=sign_manifest(manifest(), L.STRANGER)),
        "manifest-by-the-root-itself": case("UnknownIssuer", manifest=sign_manifest(manifest(), L.ROOT)),
        "issuer-named-by-a-strange-root": case("UnknownSigner", issuer=L.issuer_note(L.STRANGER, vkey=L.STRANGER.verifying.vkey), manifest=sign_manifest(manifest(), L.STRANGER)),
        "witness-in-the-issuers-place": case("WrongType", issuer=L.issuer_note(role="witness")),
        "licence-in-the-manifests-place": case("WrongType", manifest=L.license_note()),
        "signed-after-the-delegation": case("DelegationExpired", manifest=sign_manifest(manifest(issued=parse_time("2028-01-01T00:00:00Z")), L.ISSUER)),
        "manifest-of-a-later-format": case("NeedsNewerVersion", manifest=sign_note("offline-appliance/model/v2\n{}\n", L.ISSUER)),
        "manifest-insists-on-something-new": case("NeedsNewerVersion", manifest=signed(body[:-2] + ',\n  "zip": 1,\n  "crit": ["zip"]\n}')),
        "manifest-cut-short": case("Malformed", manifest=text[:-20]),
        "manifest-names-a-file-twice": case("Malformed", manifest=signed(body.replace('"config.json"', '"model.onnx"'))),
        "manifest-names-a-path": case("Malformed", manifest=signed(body.replace('"config.json"', '"../config.json"'))),
        "manifest-names-too-much": case("Malformed", manifest=signed(body.replace('"bytes": 1400', '"bytes": 17179869184'))),
        "manifest-without-a-sum": case("Malformed", manifest=signed(body.replace('"sha256"', '"sha265"', 1))),
        "package-cut-short": case("PackageDamaged", data=GOOD[:-1]),
        "package-longer": case("PackageDamaged", data=GOOD + b"\0"),
        "package-changed": case("PackageDamaged", data=GOOD[:-1] + bytes([GOOD[-1] ^ 1])),
        "package-of-another-release": case("PackageDamaged", data=package(tar(FILES | {"config.json": b"[]"}))),
        "vouched-not-age": vouched("PackageDamaged", tar(FILES)),
        "vouched-cut-at-a-chunk": vouched("PackageDamaged", large[: start + 65_536 + 16], files=packed(LARGE)),
        "vouched-changed-header": vouched("PackageDamaged", GOOD.replace(b"---", b"-> grease\n\n---", 1)),
        "vouched-path": vouched("PackageDamaged", package(tar(evil))),
        "vouched-link": vouched("PackageDamaged", package(link)),
        "vouched-other-content": vouched("PackageDamaged", package(tar(FILES | {"config.json": b"[]"}))),
        "vouched-one-file-more": vouched("PackageDamaged", package(tar(FILES | {"zzz": b""}))),
        "vouched-one-file-less": vouched("PackageDamaged", package(tar({"config.json": b"{}"}))),
        "vouched-no-end": vouched("PackageDamaged", package(tar(FILES)[:-1024])),
    }  # fmt: skip


def files() -> dict[str, bytes]:
    """Return every generated file by its path below this directory."""
    made = {
        "locked/root.key.age": age_file(
            f"{L.ROOT.to_text()}\n".encode(), to_passphrase("correct horse battery"), number="root"
        ),
        "locked/no-key.age": age_file(b"nothing\n", to_passphrase("correct horse battery"), number="no key"),
    }
    for name, case in cases().items():
        made[f"packages/{name}.json"] = (json.dumps(case, indent=1) + "\n").encode()
    return made


if __name__ == "__main__":
    for name, data in files().items():
        path = HERE / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
