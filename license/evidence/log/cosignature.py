"""Cosignatures: the vendor says when it saw a log's head, and that the log only grew (C2SP tlog-cosignature).

    — license.example.com/witness 5yCy7QAAAABqtPIA…=

A line for a checkpoint's note, of type 0x04 (Ed25519, with a time). The key is one that a root delegates to
the role `witness`; it signs nothing else.
"""

import hashlib
from typing import Final

from license.crypto.ed25519 import SigningKey, VerifyingKey
from license.encoding.strict import MAX_TIME, decode_base64, encode_base64, format_time
from license.errors import Forged, Malformed, UnknownSigner
from license.evidence.log.checkpoint import Checkpoint

_TYPE: Final = b"\x04"
_DASH: Final = "\u2014 "
_ID_BYTES: Final = 4
_TIME_BYTES: Final = 8


def cosign(head: Checkpoint, witness: SigningKey, *, at: int) -> str:
    """Return the cosignature line, without a newline, that `witness` gives for a head.

    Args:
        head: What it saw: the largest consistent head of this log.
        witness: Its key.
        at: Unix second.
    """
    format_time(at)  # refuses what no reader could show
    signature = at.to_bytes(_TIME_BYTES, "big") + witness.sign(_message(head, at))
    return f"{_DASH}{witness.name} {encode_base64(_key_id(witness.verifying) + signature)}"


def check_cosignature(line: str, head: Checkpoint, witness: VerifyingKey) -> int:
    """Return the Unix second at which `witness` cosigned a head, as its line says.

    Raises:
        Malformed: Not a cosignature line.
        UnknownSigner: It is by another key.
        Forged: It does not fit the head.
    """
    name, _, encoded = line.removeprefix(_DASH).partition(" ")
    if not line.startswith(_DASH) or not encoded:
        raise Malformed("a cosignature line has a dash, a name and a signature")
    data = decode_base64(encoded)
    if name != witness.name or data[:_ID_BYTES] != _key_id(witness):
        raise UnknownSigner(f"the cosignature is not by {witness.name}")
    stamp, signature = data[_ID_BYTES : _ID_BYTES + _TIME_BYTES], data[_ID_BYTES + _TIME_BYTES :]
    at = int.from_bytes(stamp, "big")
    if len(stamp) != _TIME_BYTES or at > MAX_TIME:
        raise Malformed("a cosignature has a time of eight bytes")
    witness.verify(_message(head, at), signature)
    return at


def add_line(checkpoint: bytes, line: str) -> bytes:
    """Return a checkpoint's note with a cosignature line added; raises `Forged` if there is one already."""
    if f"\n{line}\n".encode() in checkpoint:
        raise Forged("the checkpoint carries this cosignature already")
    return checkpoint + line.encode() + b"\n"


def _message(head: Checkpoint, at: int) -> bytes:
    return f"cosignature/v1\ntime {at}\n{head.to_text()}".encode()


def _key_id(key: VerifyingKey) -> bytes:
    return hashlib.sha256(key.name.encode() + b"\n" + _TYPE + key.public).digest()[:_ID_BYTES]
