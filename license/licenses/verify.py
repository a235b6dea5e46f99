"""From bytes to a licence that may be believed: the only way to get one.

`open_license` takes these steps in this order, and nothing is looked at before the step that makes it safe:

 1. Both files are text of bounded size; byte order mark and carriage returns are dropped.
 2. The issuer note carries a good signature by a trust root, and no bad one.
 3. It is a delegation, well formed, and the role is `issuer`.
 4. Its epoch is not below the highest this installation has seen.
 5. The licence note carries a good signature by the delegated key, and no bad one.
 6. It is a licence, well formed, and insists on nothing unknown (`crit`).
 7. It was issued within the time the delegation covers.
 8. Its serial is not below the highest this installation has seen.
 9. It is for the product asked for.
10. It is for this machine.

The licence's own dates are left to `license.licenses.validity`: they are asked at every request, and an
expired licence is still an authentic one. Files: `license.licenses.directory`. No file, socket or clock is
touched here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from license.crypto.ed25519 import VerifyingKey
from license.encoding.fields import Fields
from license.encoding.strict import clean_text, format_time
from license.errors import (
    DelegationExpired,
    LicenseError,
    SerialTooLow,
    UnknownIssuer,
    UnknownSigner,
    WrongMachine,
    WrongProduct,
)
from license.licenses.license import LICENSE_FIELDS, LICENSE_KIND, License
from license.licenses.site import DeskTerms, check_lease, desk_key
from license.trust.delegation import Delegation, open_delegation
from license.trust.roots import TrustRoots
from license.trust.signed_note import MAX_NOTE_BYTES, open_note, read_unverified
from license.trust.statement import parse_statement


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthenticLicense:
    """A licence that passed every step, with what proves it.

    Attributes:
        license: What it says.
        delegation: What the root says of its issuer.
        root: The trust root that vouches for both.
        note: The licence note as signed (without byte order mark and carriage returns).
        issuer_note: The issuer note as signed.
        sha256: Hex SHA-256 of `note`; the same on every machine, however the file travelled.
        roots: The roots it was verified under: who else may vouch for what it carries.
        site: The site licence that entitles the desk which signed it; None for every other licence.
    """

    license: License
    delegation: Delegation
    root: VerifyingKey
    note: bytes
    issuer_note: bytes
    sha256: str
    roots: TrustRoots
    site: License | None = None


def open_license(
    note: bytes,
    issuer_note: bytes,
    *,
    roots: TrustRoots,
    product: str | None = None,
    instance_vkey: str | None = None,
    min_serial: int = 0,
    min_epoch: int = 0,
) -> AuthenticLicense:
    """Return the licence in `note` once all ten steps have passed.

    Args:
        note: Content of `license.note`.
        issuer_note: Content of `issuer.note`.
        roots: Keys that may delegate.
        product: The product that asks; None leaves step 9 out, for people who only look.
        instance_vkey: Text form of this machine's key; None leaves step 10 out.
        min_serial: Highest licence serial this installation has had in force.
        min_epoch: Highest delegation epoch it has seen.

    Raises:
        LicenseError: of the class that names the step that failed; nothing else.
    """
    with _naming("licence"):  # step 1
        note = _clean(note)
    with _naming("issuer note"):
        issuer_note = _clean(issuer_note)
    with _naming("issuer note"):  # steps 2 to 4
        delegation, root = open_delegation(issuer_note, roots=roots, role="issuer", min_epoch=min_epoch)
    with _naming("licence"):  # steps 5 and 6
        site = _open_site(note, delegation)
        licensed = _open_license_note(note, delegation.key) if site is None else _open_lease(note, site)
    _check_issued(licensed if site is None else site, delegation)  # step 7
    if licensed.serial < min_serial:  # step 8
        raise SerialTooLow(
            f"the licence has serial {licensed.serial}, but serial {min_serial} was already in force here"
        )
    if product is not None and licensed.product != product:  # step 9
        raise WrongProduct(
            f"the licence is for {licensed.product}, not for {product}",
            licensed=licensed.product,
            wanted=product,
        )
    if instance_vkey is not None and not licensed.instance.allows(instance_vkey):  # step 10
        raise WrongMachine(f"the licence of {licensed.customer} is bound to another machine")
    return AuthenticLicense(
        license=licensed,
        delegation=delegation,
        root=root,
        note=note,
        issuer_note=issuer_note,
        sha256=hashlib.sha256(note).hexdigest(),
        roots=roots,
        site=site,
    )


def _check_issued(licensed: License, delegation: Delegation) -> None:
    if not delegation.not_before <= licensed.issued <= delegation.not_after:
        raise DelegationExpired(
            f"the licence was issued at {format_time(licensed.issued)}, when its issuer was not entitled "
            f"({format_time(delegation.not_before)} to {format_time(delegation.not_after)})"
        )


def _open_license_note(note: bytes, key: VerifyingKey) -> License:
    try:
        opened = open_note(note, [key])
    except UnknownSigner as error:
        raise UnknownIssuer(
            f"not signed by {key.name}, whom the issuer note names; {error.message}"
        ) from error
    return License.from_claims(parse_statement(opened.text, LICENSE_KIND, understood=LICENSE_FIELDS))


def is_lease_of_desk(note: bytes) -> bool:
    """Tell whether a note claims to be a lease of a site's desk; nothing of it is verified."""
    try:
        return "desk" in _claims(note)
    except LicenseError:
        return False


def _open_site(note: bytes, delegation: Delegation) -> License | None:
    """Return the verified site licence that a lease carries; None for a note that claims to be no such."""
    if not is_lease_of_desk(note):
        return None
    carried = DeskTerms.from_fields(Fields(_claims(note)).object("desk")).note
    return _open_license_note(_clean(carried), delegation.key)


def _claims(note: bytes) -> dict[str, Any]:
    return parse_statement(read_unverified(note), LICENSE_KIND, understood=LICENSE_FIELDS)


def _open_lease(note: bytes, site: License) -> License:
    """Return the lease that a desk has signed, once it grants no more than its site licence."""
    key = VerifyingKey.from_vkey(desk_key(site))
    try:
        opened = open_note(note, [key])
    except UnknownSigner as error:
        raise UnknownIssuer(f"not signed by the desk that its site licence names; {error.message}") from error
    lease = License.from_claims(parse_statement(opened.text, LICENSE_KIND, understood=LICENSE_FIELDS))
    check_lease(lease, site)
    return lease


@contextmanager
def _naming(file: str) -> Iterator[None]:
    """Say in every refusal which of the two files it is about."""
    try:
        yield
    except LicenseError as error:
        error.message = f"{file}: {error.message}"
        raise


def _clean(data: bytes) -> bytes:
    return clean_text(data, max_bytes=MAX_NOTE_BYTES).encode("utf-8")
