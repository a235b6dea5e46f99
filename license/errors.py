"""Every refusal of the licensing side: a stable code, one sentence, and the next step.

    LicenseError
    ├── Malformed                 the bytes do not follow the format
    │   ├── NeedsNewerVersion     they follow a later format than this software reads
    │   └── UnreadableArchive     a zip that is damaged, none, or larger inside than its length allows
    ├── Forged                    a known key's signature does not fit the text
    ├── UnknownSigner             no signature by a key that is trusted for this
    │   └── UnknownIssuer         … and the file is a licence: its issuer has no delegation here
    ├── WrongType                 a genuine file of another kind
    ├── LicenseNotFound           no licence where one was expected
    ├── Unreadable                a file cannot be read (missing, permission, not a file)
    ├── Unwritable                a file cannot be written
    │   └── NoRoom                … since the disk has too little free space for it
    ├── WrongProduct              a genuine licence for another product
    ├── WrongMachine              a genuine licence, or a key in it, for another installation
    ├── WrongMode                 a lease without its endpoint, a licence in the place of a lease, a site's
    ├── BeyondSite                a desk's lease grants what its site licence does not
    ├── NoModelKey                the licence does not open this model line or package
    ├── PackageDamaged            a model package's bytes are not those its manifest names
    ├── WrongPassphrase           the passphrase does not open the vendor's locked key
    ├── ExcessiveWork             a key was locked with more work than this machine does
    ├── NotYetValid               its first day has not come
    ├── Expired                   its last day, grace included, has passed
    ├── Superseded                a newer one was already in force
    │   ├── SerialTooLow          … licence
    │   └── EpochTooLow           … delegation
    ├── DelegationExpired         the issuer signed outside the time its delegation covers
    ├── UnsignedReport            a usage report without the installation's signature
    ├── UntrustedRoots            there is no trust root, or not one that may be trusted
    ├── AuthorityError            the vendor's side refuses: no such resource, not approved, …
    └── DownloadError             the authority could not be asked, or said no (carries `status`)
        ├── BillingInvalid        `Billing` is not a usable address
        ├── CouldNotConnect       nobody answers there
        │   ├── TimedOut          … in time
        │   │   └── ModelDownloadTimedOut  … to the end of a model package
        │   └── TLSFailed         … with a certificate this host trusts
        ├── KeyInvalid            status word `Invalid`
        ├── Mismatch              status word `Mismatch`
        ├── OutOfQuota            status word `OutOfQuota`
        ├── BillingEndpointBusy   status word `BillingEndpointBusy`
        ├── ContainerUseUnauthorized  status word `ContainerUseUnauthorized`
        ├── UnknownStatus         status word `Unknown`, and every 5xx
        └── BadReply              something answered, but not the authority's protocol

"Not for this machine", "expired" and "forged" stay three things: each has its own remedy.
Exit codes live in `license.authority.cli.main`, HTTP statuses in `license.authority.http.app`.
"""

from __future__ import annotations

from typing import Final

NOT_FOUND_SENTENCE = (
    "The provided license path was not found. Please ensure a volume is mounted and a directory exists "
    "at the location specified by Mounts:License"
)
"""The sentence operators of disconnected containers know; scripts search logs for it."""

SERVICES: Final = {"ner": "customner", "speech": "speechtotext"}
"""What `Service=` has to say for each product."""


class LicenseError(Exception):
    """Base of every refusal in `license`.

    Args:
        message: One sentence for a person.
        hint: The next step; without one, the class's own.
    """

    code = "LicenseError"
    default_hint = ""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = self.default_hint if hint is None else hint

    def __str__(self) -> str:
        return self.message


class Malformed(LicenseError):
    """The bytes do not follow the format: cut short, edited, or never such a file.

    Args:
        message: One sentence for a person.
        hint: The next step; without one, the advice for damaged files.
        rule: How the value has to look, for a person who types it (`license.encoding.fields.typed`).
    """

    code = "Malformed"
    default_hint = "copy the file again from where it came; compare sizes or SHA-256 sums on both sides"

    def __init__(self, message: str, *, hint: str | None = None, rule: str = "") -> None:
        super().__init__(message, hint=hint)
        self.rule = rule


class NeedsNewerVersion(Malformed):
    """The file says that this software is too old to understand it."""

    code = "NeedsNewerVersion"
    default_hint = "install a newer version of this software, then use the file again"


class UnreadableArchive(Malformed):
    """A zip archive that cannot be unpacked, or not within bounds: nothing in it was looked at."""

    code = "UnreadableArchive"


class Forged(LicenseError):
    """A signature in the name of a known key does not fit the text."""

    code = "Forged"
    default_hint = "the file was changed after it was signed; never edit it, ask for a fresh copy"


class UnknownSigner(LicenseError):
    """No signature is by a key that is trusted here for this kind of file."""

    code = "UnknownSigner"
    default_hint = "check that the file comes from the vendor whose root key this software was installed with"


class UnknownIssuer(UnknownSigner):
    """A licence whose issuer the delegation beside it does not name."""

    code = "UnknownIssuer"
    default_hint = "carry license.note and issuer.note together, both from the same delivery"


class WrongType(LicenseError):
    """A well-formed file of another kind than the one asked for."""

    code = "WrongType"
    default_hint = "`license inspect FILE` says what the file is"


class LicenseNotFound(LicenseError):
    """No licence where one was expected. The default message is the documented sentence."""

    code = "LicenseNotFound"
    default_hint = "put license.note and issuer.note into the directory that Mounts:License names"

    def __init__(self, message: str = NOT_FOUND_SENTENCE, *, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)


class Unreadable(LicenseError):
    """The operating system would not let us read a file."""

    code = "Unreadable"
    default_hint = "check the path, and owner and mode of the file and its directories (`namei -l PATH`)"


class Unwritable(LicenseError):
    """The operating system would not let us write a file."""

    code = "Unwritable"
    default_hint = "check owner, mode and free space of the directory, and that it is not mounted read-only"


class NoRoom(Unwritable):
    """The disk has less free space than what is to be written needs."""

    code = "NoRoom"
    default_hint = "make room on that disk, or name a place on another one"


class WrongProduct(LicenseError):
    """A genuine licence, but for another product."""

    code = "WrongProduct"
    default_hint = "mount the directory with this service's licence, or start the service that it is for"

    def __init__(
        self, message: str, *, hint: str | None = None, licensed: str | None = None, wanted: str | None = None
    ) -> None:
        service = SERVICES.get(licensed or "")
        if hint is None and service is not None:
            hint = f"this is a licence for {licensed}: add Service={service}, or use one for {wanted}"
        super().__init__(message, hint=hint)


class WrongMode(LicenseError):
    """A lease where a licence is needed, or the other way round."""

    code = "WrongMode"
    default_hint = (
        "a lease serves beside its endpoint only (Billing, ApiKey); to serve without network, download a "
        "licence with DownloadLicense=True or request one by file"
    )


class BeyondSite(LicenseError):
    """A lease of a site's desk that grants more than the desk was given."""

    code = "BeyondSite"
    default_hint = "the desk can only divide what its site licence grants: look at the desk, and who runs it"


class WrongMachine(LicenseError):
    """A genuine licence, but bound to another installation."""

    code = "WrongMachine"
    default_hint = "make a request on this machine and have a licence issued for it"


class NoModelKey(LicenseError):
    """The licence holds no key for this model line, or not the one this package needs."""

    code = "NoModelKey"
    default_hint = (
        "ask the vendor to add the model line to the resource, then request and install a new licence; "
        "until then the release in use goes on"
    )


class PackageDamaged(LicenseError):
    """The bytes of a model package are not those that its signed manifest names."""

    code = "PackageDamaged"
    default_hint = "copy or download the package again; `sha256sum FILE` must show the sum in its .model.note"


class WrongPassphrase(LicenseError):
    """The passphrase does not open a locked key."""

    code = "WrongPassphrase"
    default_hint = "type it again; without it the key is lost, and the spare root takes its place"


class ExcessiveWork(LicenseError):
    """A key was locked with more work than this machine does for a passphrase."""

    code = "ExcessiveWork"
    default_hint = "try again when the machine is less busy, or on a faster one; the passphrase was not tried"


class NotYetValid(LicenseError):
    """The licence's first day has not come."""

    code = "NotYetValid"
    default_hint = "check this machine's clock; otherwise wait for the first day, or ask for an earlier one"


class Expired(LicenseError):
    """The licence's last day, grace included, has passed."""

    code = "Expired"
    default_hint = "export the usage records, send them to the vendor and install the renewed licence"


class Superseded(LicenseError):
    """Genuine, but a newer one was already in force here."""

    code = "Superseded"
    default_hint = "use the newest files the vendor sent"


class SerialTooLow(Superseded):
    """A licence with a lower serial than one already used here."""

    code = "SerialTooLow"


class EpochTooLow(Superseded):
    """A delegation with a lower epoch than one already used here: its issuer was replaced."""

    code = "EpochTooLow"


class DelegationExpired(LicenseError):
    """The issuer signed before or after the time its delegation covers."""

    code = "DelegationExpired"
    default_hint = "ask the vendor for a licence signed by the present issuer"


class UntrustedRoots(LicenseError):
    """No trust root is installed, or one lies where the service itself could change it."""

    code = "UntrustedRoots"
    default_hint = (
        "copy the vendor's NAME.vkey to /etc/appliance/roots.d/, owned by root, mode 0644; commands also take"
        " --roots DIR"
    )


class UnsignedReport(LicenseError):
    """A usage report is of software that did not sign its reports yet."""

    code = "UnsignedReport"
    default_hint = (
        "update the appliance: its usage log is kept, and what was used meanwhile is reported then; "
        "an export of it can also be brought by hand"
    )


class AuthorityError(LicenseError):
    """The vendor's side refuses.

    Args:
        message: One sentence for a person.
        status: The status word a caller over HTTP sees (`docs/formats.md`, "Asking the authority").
        code: A stable code of its own, such as `NoSuchResource`.
        hint: The next step.
        retry_after_s: Seconds after which asking again makes sense.
    """

    code = "AuthorityError"

    def __init__(
        self,
        message: str,
        *,
        status: str = "Unknown",
        code: str | None = None,
        hint: str | None = None,
        retry_after_s: int | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.code = code or type(self).code
        self.retry_after_s = retry_after_s


class DownloadError(LicenseError):
    """The authority could not be asked, or refused.

    Args:
        message: One sentence for a person.
        hint: The next step.
        retry_after_s: Seconds the authority asked us to wait, if it did.
    """

    code = "DownloadError"
    status = "Unknown"

    def __init__(self, message: str, *, hint: str | None = None, retry_after_s: int | None = None) -> None:
        super().__init__(message, hint=hint)
        self.retry_after_s = retry_after_s


class BillingInvalid(DownloadError):
    """`Billing` is not an address that can be asked."""

    code = "BillingInvalid"
    status = "Invalid"
    default_hint = "give the endpoint as shown for the resource, such as Billing=https://license.example.com"


class CouldNotConnect(DownloadError):
    """Nobody answers at the address."""

    code = "CouldNotConnect"
    status = "CouldNotConnect"
    default_hint = (
        "this step needs the network: check address, route and firewall, or request a licence by file"
    )


class TimedOut(CouldNotConnect):
    """The authority did not answer in time."""

    code = "TimedOut"
    default_hint = "try again; if it stays so, a firewall may be dropping the connection silently"


class ModelDownloadTimedOut(TimedOut):
    """A model package did not arrive within its limit. What arrived is kept."""

    code = "ModelDownloadTimedOut"
    default_hint = "run the same command again: it goes on where it stopped"


class TLSFailed(CouldNotConnect):
    """The authority's certificate is not trusted by this host, or does not fit the address."""

    code = "TLSFailed"
    default_hint = (
        "check the clock and the host's CA certificates; an inspecting proxy needs its CA installed"
    )


class KeyInvalid(DownloadError):
    """The authority does not know the key."""

    code = "Invalid"
    status = "Invalid"
    default_hint = "copy ApiKey again from the resource; either of its two keys will do"


class Mismatch(DownloadError):
    """The key belongs to another kind of resource than the request."""

    code = "Mismatch"
    status = "Mismatch"
    default_hint = "use the key of the resource that was made for this product"


class OutOfQuota(DownloadError):
    """The plan has no units left, or has ended."""

    code = "OutOfQuota"
    status = "OutOfQuota"
    default_hint = "buy more units or renew the plan, then ask again"


class BillingEndpointBusy(DownloadError):
    """The authority is busy."""

    code = "BillingEndpointBusy"
    status = "BillingEndpointBusy"
    default_hint = "wait the time given and ask again"


class ContainerUseUnauthorized(DownloadError):
    """The resource is not approved for disconnected use."""

    code = "ContainerUseUnauthorized"
    status = "ContainerUseUnauthorized"
    default_hint = "ask the vendor to approve the resource for disconnected use"


class UnknownStatus(DownloadError):
    """The authority cannot work on requests at present."""

    code = "Unknown"
    default_hint = "try again later; if it stays so, tell the vendor the time and this message"


class BadReply(DownloadError):
    """Something answered at the address, but not with the authority's protocol."""

    code = "BadReply"
    default_hint = (
        "check the address in Billing: it must be the vendor's licence server, not a proxy or portal"
    )
