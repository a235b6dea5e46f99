import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from hypothesis import given, settings
from hypothesis import strategies as st

from license.crypto.hpke import HpkeKey, wrap
from license.errors import Malformed, WrongMachine

MACHINE = HpkeKey.generate()


def hmac(key: bytes, data: bytes) -> bytes:
    import hmac

    return hmac.digest(key, data, "sha256")


def open_by_the_rfc(private: bytes, wrapped: bytes, info: bytes) -> bytes:
    """RFC 9180 base mode written out: sections 4, 4.1, 5.1 and 5.2, with suite 0x0020, 0x0001, 0x0002."""
    kem, suite = b"KEM\x00\x20", b"HPKE\x00\x20\x00\x01\x00\x02"

    def extract(salt: bytes, of: bytes, label: bytes, data: bytes) -> bytes:
        return hmac(salt or bytes(32), b"HPKE-v1" + of + label + data)

    def expand(key: bytes, of: bytes, label: bytes, data: bytes, size: int) -> bytes:
        info = size.to_bytes(2, "big") + b"HPKE-v1" + of + label + data
        return HKDFExpand(SHA256(), size, info).derive(key)

    enc, sealed = wrapped[:32], wrapped[32:]
    key = X25519PrivateKey.from_private_bytes(private)
    shared = key.exchange(X25519PublicKey.from_public_bytes(enc))
    context = enc + key.public_key().public_bytes_raw()
    secret = expand(extract(b"", kem, b"eae_prk", shared), kem, b"shared_secret", context, 32)
    schedule = b"\0" + extract(b"", suite, b"psk_id_hash", b"") + extract(b"", suite, b"info_hash", info)
    psk = extract(secret, suite, b"secret", b"")
    nonce = expand(psk, suite, b"base_nonce", schedule, 12)
    return AESGCM(expand(psk, suite, b"key", schedule, 32)).decrypt(nonce, sealed, b"")


@settings(max_examples=30)
@given(st.binary(max_size=200), st.binary(max_size=200))
def test_what_was_wrapped_is_unwrapped_as_the_rfc_says(secret: bytes, info: bytes) -> None:
    wrapped = wrap(secret, to=MACHINE.public, info=info)
    assert len(wrapped) == len(secret) + 32 + 16, "the encapsulated key and the tag"
    assert MACHINE.unwrap(wrapped, info=info) == secret
    assert open_by_the_rfc(MACHINE.to_bytes(), wrapped, info) == secret


def test_two_wrappings_of_one_secret_differ() -> None:
    assert wrap(b"s", to=MACHINE.public, info=b"") != wrap(b"s", to=MACHINE.public, info=b"")


def test_a_key_survives_its_bytes_and_hides_them() -> None:
    again = HpkeKey.from_bytes(MACHINE.to_bytes())
    assert again.public == MACHINE.public
    assert repr(again) == "HpkeKey()"


@pytest.mark.parametrize("size", [0, 31, 33])
def test_keys_have_32_bytes(size: int) -> None:
    with pytest.raises(Malformed):
        HpkeKey.from_bytes(bytes(size))
    with pytest.raises(Malformed):
        wrap(b"s", to=bytes(size), info=b"")


@pytest.mark.parametrize("point", [bytes(32), b"\x01" + bytes(31)])
def test_a_key_of_small_order_is_refused(point: bytes) -> None:
    with pytest.raises(Malformed, match="small order"):
        wrap(b"s", to=point, info=b"")


def test_another_machine_another_purpose_or_a_changed_byte_opens_nothing() -> None:
    wrapped = wrap(b"secret", to=MACHINE.public, info=b"licence\nline")
    with pytest.raises(WrongMachine):
        HpkeKey.generate().unwrap(wrapped, info=b"licence\nline")
    with pytest.raises(WrongMachine):
        MACHINE.unwrap(wrapped, info=b"licence\nother line")
    for place in range(len(wrapped)):
        changed = wrapped[:place] + bytes([wrapped[place] ^ 1]) + wrapped[place + 1 :]
        with pytest.raises(WrongMachine):
            MACHINE.unwrap(changed, info=b"licence\nline")
    for size in (0, 31, 32, 47, len(wrapped) - 1):
        with pytest.raises(WrongMachine):
            MACHINE.unwrap(wrapped[:size], info=b"licence\nline")
