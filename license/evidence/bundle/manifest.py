"""What the note of an export says of it: the statement `bundle`, signed by the installation that it names."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from license.crypto.ed25519 import VerifyingKey
from license.encoding.fields import IDENTIFIER, SHA256, Fields, check_choice, check_range, check_text
from license.encoding.strict import format_time
from license.errors import Malformed
from license.evidence.log.entry import Sums, Tally
from license.trust.signed_note import open_note, read_unverified
from license.trust.statement import parse_statement

BUNDLE_KIND: Final = "bundle"
FORMS: Final = ("summary", "full")
MAX_MEMBERS: Final = 400
MAX_MEMBER_BYTES: Final = 1 << 40
_MEMBER: Final = re.compile(r"[a-z0-9]+(?:/[a-z0-9]+){0,2}\.[a-z.]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One file of a bundle: its name, length in bytes and SHA-256 in hex."""

    name: str
    size: int
    sha256: str

    def __post_init__(self) -> None:
        check_text("members", self.name, pattern=_MEMBER)
        check_range("members.bytes", self.size, 0, MAX_MEMBER_BYTES)
        check_text("members.sha256", self.sha256, pattern=SHA256)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogClaim:
    """What a bundle says of one log.

    Attributes:
        origin: Its name.
        number: The k of its name; its members lie in `logs/<k>/`.
        size: Number of entries.
        open: Sums of the usage after the last day that ended, which no entry says yet.
    """

    origin: str
    number: int
    size: int
    open: Sums

    @property
    def folder(self) -> str:
        """Where its members lie."""
        return f"logs/{self.number}"


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleManifest:
    """What `bundle.note` says.

    Attributes:
        instance: Text form of the installation's key, which signs it.
        license: ID of the licence in force; empty if none was.
        serial: Its serial; 0 if none was in force.
        form: `summary` or `full`.
        through: Effective time of the last entry, in Unix seconds.
        logs: The logs.
        unreadable: Files of logs that cannot be read, and why.
        withheld: SHA-256 of notes that were left out, since they would open models anywhere.
        members: Every other file of the bundle.
    """

    instance: str
    license: str
    serial: int
    form: str
    through: int
    logs: tuple[LogClaim, ...]
    members: tuple[Member, ...]
    unreadable: tuple[tuple[str, str], ...] = ()
    withheld: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        VerifyingKey.from_vkey(self.instance)
        check_choice("form", self.form, FORMS)
        if self.license:
            check_text("license", self.license, pattern=IDENTIFIER)
        for sha256 in self.withheld:
            check_text("withheld", sha256, pattern=SHA256)
        check_range("the number of members", len(self.members), 1, MAX_MEMBERS)
        if len({log.number for log in self.logs}) != len(self.logs):
            raise Malformed("logs names a log twice")

    @classmethod
    def from_claims(cls, claims: Mapping[str, Any]) -> "BundleManifest":
        """Read the claims of a bundle; raises `Malformed` naming the first field that is wrong."""
        top = Fields(claims)
        members = top.object("members")
        return cls(
            instance=top.text("instance"),
            license=top.line("license"),
            serial=top.number("serial"),
            form=top.text("form"),
            through=top.time("through"),
            logs=tuple(_read_log(item) for item in top.objects("logs")),
            unreadable=tuple((item.text("file"), item.text("reason")) for item in top.objects("unreadable")),
            withheld=top.texts("withheld"),
            members=tuple(
                Member(
                    name=name,
                    size=members.object(name).number("bytes"),
                    sha256=members.object(name).text("sha256"),
                )
                for name in members.claims
            ),
        )

    def to_claims(self) -> dict[str, Any]:
        """Return the claims in the order in which people read them."""
        return {
            "instance": self.instance,
            "license": self.license,
            "serial": self.serial,
            "form": self.form,
            "through": format_time(self.through),
            "logs": [
                {
                    "origin": log.origin,
                    "number": log.number,
                    "size": log.size,
                    "open": {meter: list(tally) for meter, tally in sorted(log.open.items())},
                }
                for log in self.logs
            ],
            "unreadable": [{"file": file, "reason": reason} for file, reason in self.unreadable],
            "withheld": list(self.withheld),
            "members": {
                member.name: {"bytes": member.size, "sha256": member.sha256} for member in self.members
            },
        }


BUNDLE_FIELDS: Final = frozenset(BundleManifest.__slots__)
"""Names that `crit` may list."""


def open_manifest(note: bytes) -> BundleManifest:
    """Return what a bundle's note says, once it is signed by the installation that it names.

    Raises:
        LicenseError: Of the class that names what is wrong.
    """
    # The key stands in the text itself, as in a request: whose it is, the log and the licence say.
    claimed = BundleManifest.from_claims(
        parse_statement(read_unverified(note), BUNDLE_KIND, understood=BUNDLE_FIELDS)
    )
    opened = open_note(note, [VerifyingKey.from_vkey(claimed.instance)])
    return BundleManifest.from_claims(parse_statement(opened.text, BUNDLE_KIND, understood=BUNDLE_FIELDS))


def _read_log(item: Fields) -> LogClaim:
    tails = item.object("open")
    sums = {}
    for meter, numbers in tails.claims.items():
        if not isinstance(numbers, list) or len(numbers) != 3 or any(type(n) is not int for n in numbers):
            raise Malformed("logs.open must hold three numbers for each meter")
        sums[meter] = Tally(*numbers)
    number = item.number("number")
    check_range("logs.number", number, 1, 10**9)
    check_range("logs.size", item.number("size"), 1, 10**18)
    return LogClaim(origin=item.text("origin"), number=number, size=item.number("size"), open=sums)
