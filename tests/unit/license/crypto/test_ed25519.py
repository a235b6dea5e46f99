import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from license.crypto.ed25519 import (
    _SMALL_ORDER,
    SigningKey,
    VerifyingKey,
    load_signing_key,
    load_verifying_key,
    save_signing_key,
)
from license.errors import Forged, LicenseError, Malformed, Unreadable


def test_published_keys_of_sumdb_note_are_read_and_written_alike(vectors: Path) -> None:
    key = load_verifying_key(vectors / "note-peter-neumann.vkey")
    secret = SigningKey.from_text((vectors / "note-peter-neumann.skey").read_text().strip())
    assert key.name == "PeterNeumann"
    assert key.key_id.hex() == "c74f20a3"
    assert secret.verifying == key
    assert key.vkey == (vectors / "note-peter-neumann.vkey").read_text().strip()
    assert secret.to_text() == (vectors / "note-peter-neumann.skey").read_text().strip()


def test_every_part_and_every_changed_byte_of_a_vkey_is_refused(vectors: Path) -> None:
    vkey = (vectors / "note-peter-neumann.vkey").read_text().strip()
    parts = {vkey[i:j] for i in range(len(vkey)) for j in range(i, len(vkey) + 1)} - {vkey}
    changed = {
        vkey[:i] + chr(ord(vkey[i]) ^ bit) + vkey[i + 1 :]
        for i in range(len(vkey))
        for bit in (1, 2, 32, 128)
    }
    for text in parts | changed:
        with pytest.raises(Malformed):
            VerifyingKey.from_vkey(text)


def test_every_changed_byte_of_a_private_key_is_refused_without_quoting_it(vectors: Path) -> None:
    text = (vectors / "note-peter-neumann.skey").read_text().strip()
    for i in range(len(text)):
        with pytest.raises(Malformed) as caught:
            SigningKey.from_text(text[:i] + chr(ord(text[i]) + 1) + text[i + 1 :])
        assert "AYEKFALVFGyNhPJEMzD1" not in caught.value.message


@pytest.mark.parametrize(
    "vkey",
    [
        "PeterNeumann+cc469956+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWBADKEY==",  # wrong length
        "PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",  # unknown algorithm
        "PeterNeumann+C74F20A3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",  # second spelling
        "",
        "a+b",
    ],
)
def test_odd_vkeys_are_refused(vkey: str) -> None:
    with pytest.raises(Malformed):
        VerifyingKey.from_vkey(vkey)


def test_a_private_key_in_the_place_of_a_public_one_is_named_as_such(alice: SigningKey) -> None:
    with pytest.raises(Malformed, match="private key where a public one belongs"):
        VerifyingKey.from_vkey(alice.to_text())


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\u00a0b", "a\u2028b", "a\nb", "a\x00b", "\ud800"])
def test_names_that_may_not_stand_in_a_note_are_refused(name: str) -> None:
    with pytest.raises(Malformed):
        SigningKey.generate(name)


def test_secrets_do_not_show(alice: SigningKey) -> None:
    secret = alice.to_text().split("+", 4)[4]  # base64 has plus signs too
    assert secret not in repr(alice)
    assert secret not in str(alice)


def test_public_keys_are_values(alice: SigningKey) -> None:
    again = VerifyingKey.from_vkey(alice.verifying.vkey)
    assert again == alice.verifying
    assert len({again, alice.verifying}) == 1
    assert VerifyingKey(name="other", public=again.public) != again


@given(st.binary(max_size=50), st.binary(max_size=80))
def test_nothing_but_the_signature_verifies(message: bytes, other: bytes) -> None:
    key = SigningKey.generate("k")
    key.verifying.verify(message, key.sign(message))
    for text, signature in ((message, other), (message + b"x", key.sign(message))):
        with pytest.raises(Forged):
            key.verifying.verify(text, signature)


def test_the_refused_points_are_those_of_small_order() -> None:
    # Affine addition on edwards25519 (RFC 8032 section 5.1.4), in whole numbers.
    p = 2**255 - 19
    d = -121665 * pow(121666, -1, p) % p

    def recover_x(y: int) -> int:
        square = (y * y - 1) * pow(d * y * y + 1, -1, p) % p
        root = pow(square, (p + 3) // 8, p)
        if (root * root - square) % p:
            root = root * pow(2, (p - 1) // 4, p) % p
        assert (root * root - square) % p == 0
        return root

    def double(x: int, y: int) -> tuple[int, int]:
        product = d * x * x * y * y
        return 2 * x * y * pow(1 + product, -1, p) % p, (y * y + x * x) * pow(1 - product, -1, p) % p

    found = set()
    for encoded in _SMALL_ORDER:
        y = int.from_bytes(encoded, "little") % p
        x, y8 = recover_x(y), y
        for _ in range(3):
            x, y8 = double(x, y8)
        assert (x, y8) == (0, 1), encoded.hex()
        found.add(y)
    assert len(found) == 5  # orders 1, 2, 4, 8 and 8 by y coordinate: all there are
    for encoded in _SMALL_ORDER:
        for sign in (0, 0x80):
            with pytest.raises(Malformed):
                VerifyingKey(name="k", public=encoded[:31] + bytes([encoded[31] | sign]))


def test_a_saved_key_is_private_and_comes_back(tmp_path: Path, alice: SigningKey) -> None:
    path = tmp_path / "key"
    save_signing_key(path, alice)
    assert path.stat().st_mode & 0o777 == 0o600
    assert load_signing_key(path).verifying == alice.verifying


@pytest.mark.parametrize("mode", [0o644, 0o620, 0o602, 0o666])
def test_a_key_others_can_read_or_change_is_refused_with_the_command_that_helps(
    tmp_path: Path, alice: SigningKey, mode: int
) -> None:
    path = tmp_path / "key"
    save_signing_key(path, alice)
    path.chmod(mode)
    with pytest.raises(Unreadable, match=f"{mode:04o}") as caught:
        load_signing_key(path)
    assert caught.value.hint == f"chmod 600 {path}"


def test_a_missing_or_broken_key_file_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "key"
    with pytest.raises(Unreadable, match="there is no file"):
        load_signing_key(path)
    path.write_text("hello")
    path.chmod(0o600)
    with pytest.raises(Malformed, match=str(path)):
        load_signing_key(path)
    with pytest.raises(Malformed, match=str(path)):
        load_verifying_key(path)


@given(st.text(max_size=80))
def test_any_text_is_a_key_or_malformed(text: str) -> None:
    for read in (VerifyingKey.from_vkey, SigningKey.from_text):
        with pytest.raises(LicenseError):
            read(text)


def test_key_id_is_the_hash_the_specification_names(alice: SigningKey) -> None:
    key = alice.verifying
    assert key.key_id == hashlib.sha256(b"example.com/alice\n\x01" + key.public).digest()[:4]
