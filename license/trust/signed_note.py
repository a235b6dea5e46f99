"""Signed notes (C2SP signed-note v1, Ed25519): the one envelope of everything that crosses the gap.

    offline-appliance/license/v1
    {
      "id": "…"
    }

    — vendor.example/issuer bYkHR2…=

The text ends in a newline; a blank line; then signature lines: em dash, space, key name, space,
base64(key ID || signature). The text is split from the signatures at the *last* blank line. What the text
says is for `license.trust.statement` to read, once `open_note` has returned it: bytes verified are bytes
parsed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from license.crypto.ed25519 import SigningKey, VerifyingKey, check_name
from license.encoding.strict import clean_text, decode_base64, encode_base64, shown
from license.errors import Forged, LicenseError, Malformed, UnknownSigner

MAX_SIGNATURES: Final = 100
# C2SP wants 16 signatures accepted and warns that one may take 5 kB: more room than the text alone needs.
MAX_NOTE_BYTES: Final = 262_144
_DASH: Final = "\u2014 "


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A verified text.

    Attributes:
        text: The signed text, ending in a newline.
        signers: The known keys whose signatures were verified, in the order of their lines; at least one.
    """

    text: str
    signers: tuple[VerifyingKey, ...]


def sign_note(text: str, *keys: SigningKey) -> bytes:
    """Return the note that `keys` sign over `text`.

    Raises:
        Malformed: the text does not end in a newline or holds a control character; no key, or one key twice.
    """
    if not text.endswith("\n"):
        raise Malformed("the text of a note must end in a newline")
    try:
        message = text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise Malformed("the text of a note holds half of a surrogate pair") from error
    if clean_text(message, max_bytes=MAX_NOTE_BYTES) != text:
        raise Malformed("the text of a note may not hold carriage returns or start with a byte order mark")
    if not keys or len({key.verifying for key in keys}) != len(keys) or len(keys) > MAX_SIGNATURES:
        raise Malformed("a note is signed by 1 to 100 different keys")
    lines = (f"{_DASH}{key.name} {encode_base64(key.key_id + key.sign(message))}\n" for key in keys)
    return message + b"\n" + "".join(lines).encode("utf-8")


def open_note(data: bytes, known: Iterable[VerifyingKey], *, max_bytes: int = MAX_NOTE_BYTES) -> Note:
    """Return the text of a note that a known key has signed.

    Lines by other keys are ignored, so that a note may carry signatures this reader has not learnt. One line
    by a known key that does not verify condemns the note, whatever the others say.

    Raises:
        Malformed: not a note; or two different known keys share name and key ID.
        Forged: a known key's signature does not fit.
        UnknownSigner: no line is by a known key.
    """
    text, lines = _split(clean_text(data, max_bytes=max_bytes))
    keys: dict[tuple[str, bytes], VerifyingKey] = {}
    for key in known:
        if keys.setdefault((key.name, key.key_id), key) != key:
            raise Malformed(
                f"two different trusted keys are both called {shown(key.name)}+{key.key_id.hex()}"
            )
    message = text.encode("utf-8")
    signers: dict[VerifyingKey, None] = {}
    names: list[str] = []
    # A line that stands there twice is verified once.
    for name, key_id, signature in [_parse_line(line) for line in dict.fromkeys(lines)]:
        names.append(f"{shown(name)}+{key_id.hex()}")
        signer = keys.get((name, key_id))
        if signer is None:
            continue
        if len(signature) != 64:
            raise Forged(f"the signature of {name} has the wrong length")
        signer.verify(message, signature)
        signers[signer] = None
    if not signers:
        raise UnknownSigner(f"the file is signed by {', '.join(names[:3])}, which is not trusted here")
    return Note(text=text, signers=tuple(signers))


def read_unverified(data: bytes, *, max_bytes: int = MAX_NOTE_BYTES) -> str:
    """Return a note's text WITHOUT verifying it: to name a file's kind, or to show it as a stranger's claim.

    Raises:
        Malformed: not a note.
    """
    text, lines = _split(clean_text(data, max_bytes=max_bytes))
    for line in lines:
        _parse_line(line)
    return text


def read_signers(data: bytes, *, max_bytes: int = MAX_NOTE_BYTES) -> set[tuple[str, bytes]]:
    """Return name and ID of the keys that a note says it is signed by, WITHOUT verifying any of it.

    Raises:
        Malformed: not a note.
    """
    _, lines = _split(clean_text(data, max_bytes=max_bytes))
    return {_parse_line(line)[:2] for line in lines}


def _split(whole: str) -> tuple[str, list[str]]:
    text, blank, tail = whole.rpartition("\n\n")
    if not blank or not tail.endswith("\n"):
        raise Malformed("the file is not a signed note: no signature lines after a blank line, or cut short")
    lines = tail[:-1].split("\n")
    if len(lines) > MAX_SIGNATURES:
        raise Malformed(f"the file has more than {MAX_SIGNATURES} signatures")
    return text + "\n", lines


def _parse_line(line: str) -> tuple[str, bytes, bytes]:
    if not line.startswith(_DASH):
        raise Malformed("a signature line does not begin with a dash")
    name, space, encoded = line[len(_DASH) :].partition(" ")
    if not space:
        raise Malformed("a signature line has no signature")
    try:
        check_name(name)
        data = decode_base64(encoded)
    except LicenseError as error:
        raise Malformed(f"a signature line is damaged: {error.message}") from error
    if len(data) <= 4:
        raise Malformed("a signature line is too short")
    return name, data[:4], data[4:]
