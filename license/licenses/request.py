"""What a machine asks the authority for: a statement signed by the machine's own key.

The signature proves that whoever asks holds the key the licence will be bound to. It proves nothing about who
that is: over HTTP the resource's key does, by hand the person who carries the file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from license.crypto.ed25519 import SigningKey, VerifyingKey
from license.encoding.fields import TOKEN, Fields, check_range, check_text
from license.encoding.strict import MAX_INT, MAX_TIME, encode_base64, format_time
from license.errors import Malformed
from license.trust.signed_note import open_note, read_unverified, sign_note
from license.trust.statement import parse_statement, render_statement

REQUEST_KIND: Final = "request"
MAX_REQUEST_BYTES: Final = 16_384


@dataclass(frozen=True, slots=True, kw_only=True)
class LicenseRequest:
    """A request for a licence.

    Attributes:
        instance: Text form of the machine's verifying key.
        product: Such as `ner`.
        software: Name and version of the software that asks, for support.
        created: When it was made, in Unix seconds by that machine's clock.
        models: Model lines wanted.
        hpke: The machine's X25519 public key for wrapped model keys (32 bytes), if it has one.
        serial: Highest licence serial that was in force there, for a lease; 0 without one.
    """

    instance: str
    product: str
    software: str
    created: int
    models: tuple[str, ...] = ()
    hpke: bytes | None = None
    serial: int = 0

    def __post_init__(self) -> None:
        VerifyingKey.from_vkey(self.instance)
        check_text("product", self.product, pattern=TOKEN)
        check_text("software", self.software)
        check_range("created", self.created, 0, MAX_TIME)
        for model in self.models:
            check_text("models", model, pattern=TOKEN)
        check_range("serial", self.serial, 0, MAX_INT)
        if self.hpke is not None:
            check_range("the length of hpke", len(self.hpke), 32, 32)

    @property
    def key(self) -> VerifyingKey:
        """The machine's verifying key."""
        return VerifyingKey.from_vkey(self.instance)

    @classmethod
    def from_claims(cls, claims: Mapping[str, Any]) -> LicenseRequest:
        """Read the claims of a request statement; raises `Malformed` naming the first wrong field."""
        top = Fields(claims)
        return cls(
            instance=top.text("instance"),
            product=top.text("product"),
            software=top.text("software"),
            created=top.time("created"),
            models=top.texts("models") if top.has("models") else (),
            hpke=top.base64("hpke") if top.has("hpke") else None,
            serial=top.number("serial") if top.has("serial") else 0,
        )

    def to_claims(self) -> dict[str, Any]:
        """Return the claims in the order in which people read them."""
        return {
            "instance": self.instance,
            **({} if self.hpke is None else {"hpke": encode_base64(self.hpke)}),
            "product": self.product,
            "models": list(self.models),
            "software": self.software,
            "created": format_time(self.created),
            **({"serial": self.serial} if self.serial else {}),
        }


def sign_request(request: LicenseRequest, key: SigningKey) -> bytes:
    """Return the request note; `key` must be the one the request names.

    Raises:
        Malformed: it is another key.
    """
    if key.verifying.vkey != request.instance:
        raise Malformed("a request is signed by the key it names")
    return sign_note(render_statement(REQUEST_KIND, request.to_claims()), key)


def open_request(data: bytes) -> LicenseRequest:
    """Return the request in a note that the key it names has signed.

    The key is taken from the unverified text and then has to verify that same text; nothing else of the text
    is used before it did.

    Raises:
        LicenseError: not a request, or not signed by the key it names.
    """
    claimed = LicenseRequest.from_claims(
        parse_statement(read_unverified(data, max_bytes=MAX_REQUEST_BYTES), REQUEST_KIND)
    )
    note = open_note(data, [claimed.key], max_bytes=MAX_REQUEST_BYTES)
    return LicenseRequest.from_claims(parse_statement(note.text, REQUEST_KIND))
