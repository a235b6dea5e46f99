"""What we sign, read and verified by a program that is not ours: the signed-note parser of sigstore.

It knows Ed25519 log keys and finds a signature by its key ID. The verification below is that parser's view
of a note (text, name, key ID, signature) and the primitive, without a line of `license.note`.
"""

import base64
import hashlib
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from license.crypto.ed25519 import SigningKey
from license.errors import LicenseError
from license.trust.signed_note import open_note, sign_note
from tests.support.paths import VECTORS

checkpoint = pytest.importorskip("sigstore._internal.rekor.checkpoint", reason="sigstore is not installed")


def verify_elsewhere(note: bytes, vkey: str) -> str:
    """Return the text, once the other program has found and verified the signature of `vkey`."""
    name, key_id, encoded = vkey.split("+", 2)
    raw = base64.b64decode(encoded)
    assert raw[0] == 1
    assert hashlib.sha256(name.encode() + b"\n" + raw).hexdigest()[:8] == key_id

    class Keyring:
        def verify(self, *, key_id: bytes, signature: bytes, data: bytes) -> None:
            Ed25519PublicKey.from_public_bytes(raw[1:]).verify(signature, data)

    parsed = checkpoint.SignedNote.from_text(note.decode())
    assert name in {signature.name for signature in parsed.signatures}
    parsed.verify(Keyring(), bytes.fromhex(key_id))
    return str(parsed.note)


def test_it_reads_every_kind_of_note_we_sign(issued: Any, shared: Any) -> None:
    licence, _ = issued
    ring = shared.authority.keyring
    root = ring.roots.keys[0]
    signed = [
        (licence.note, ring.issuer.verifying.vkey),
        (licence.issuer_note, root.vkey),
        (ring.witness_note, root.vkey),
        (shared.request(), shared.vkey),
        (sign_note("two\nsigners\n", shared.machine, ring.issuer), ring.issuer.verifying.vkey),
        (sign_note("Müller — ≠ ascii\n", shared.machine), shared.vkey),
    ]
    for note, vkey in signed:
        assert open_note(note, [type(root).from_vkey(vkey)]).text == verify_elsewhere(note, vkey)


def test_both_accept_the_published_examples() -> None:
    for name in ("peter-neumann", "two-signers"):
        note = (VECTORS / f"note-{name}.note").read_bytes()
        vkey = (VECTORS / "note-peter-neumann.vkey").read_text().strip()
        from license.crypto.ed25519 import VerifyingKey

        assert verify_elsewhere(note, vkey) == open_note(note, [VerifyingKey.from_vkey(vkey)]).text


@pytest.mark.parametrize(
    "change",
    [
        lambda note: note.replace(b"text", b"test"),
        lambda note: note[:-9] + b"AAAAAAA=\n",
        lambda note: note.rpartition(b"\n\n")[0],
        lambda note: note[:-1],
    ],
)
def test_both_refuse_what_is_damaged(change: Any) -> None:
    from sigstore.errors import VerificationError

    key = SigningKey.generate("example.com/key")
    damaged = change(sign_note("some text\n", key))
    with pytest.raises(LicenseError):
        open_note(damaged, [key.verifying])
    with pytest.raises((VerificationError, InvalidSignature, ValueError)):
        verify_elsewhere(damaged, key.verifying.vkey)
