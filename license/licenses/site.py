"""A site: one licence whose units and machines a desk divides among replicas, without the vendor.

    root → issuer → site licence (claim `site`, bound to the desk's key) → lease (claim `desk`, signed by it)

The desk can only divide what it was given: `check_lease` says where a lease goes beyond the licence that it
carries. No cryptography here: signatures are `license.licenses.verify`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from license.encoding.fields import Fields, check_range
from license.encoding.strict import DAY, encode_base64, format_time
from license.errors import BeyondSite

if TYPE_CHECKING:
    from license.licenses.license import License

MAX_INSTANCES: Final = 100_000
MAX_LEASE_SECONDS: Final = 7 * DAY
MAX_SITE_NOTE_BYTES: Final = 32_768
"""A lease carries the site licence, and a statement has at most 65,536 bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteTerms:
    """What a site licence grants its desk.

    Attributes:
        max_instances: How many replicas may hold a lease at once.
        lease_s: Longest time a lease may last, in seconds: as long a replica serves without its desk.
    """

    max_instances: int
    lease_s: int = DAY

    def __post_init__(self) -> None:
        check_range("site.max_instances", self.max_instances, 1, MAX_INSTANCES)
        check_range("site.lease_s", self.lease_s, 1, MAX_LEASE_SECONDS)

    @classmethod
    def from_fields(cls, item: Fields) -> SiteTerms:
        """Read `site`."""
        return cls(max_instances=item.number("max_instances"), lease_s=item.number("lease_s"))

    def to_claims(self) -> dict[str, Any]:
        """Return `site`."""
        return {"max_instances": self.max_instances, "lease_s": self.lease_s}


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskTerms:
    """What a lease says of the desk that signed it.

    Attributes:
        note: Note of the site licence, which names the desk's key.
        heartbeat_s: Longest time between two words of the replica to its desk, in seconds.
    """

    note: bytes
    heartbeat_s: int = 60

    def __post_init__(self) -> None:
        check_range("the length of desk.note", len(self.note), 1, MAX_SITE_NOTE_BYTES)
        check_range("desk.heartbeat_s", self.heartbeat_s, 1, DAY)

    @classmethod
    def from_fields(cls, item: Fields) -> DeskTerms:
        """Read `desk`."""
        return cls(note=item.base64("note"), heartbeat_s=item.number("heartbeat_s"))

    def to_claims(self) -> dict[str, Any]:
        """Return `desk`."""
        return {"note": encode_base64(self.note), "heartbeat_s": self.heartbeat_s}


def desk_key(site: License) -> str:
    """Return the text form of the key that may sign leases under a site licence.

    Raises:
        BeyondSite: It is no site licence, or bound to no one key.
    """
    if site.site is None or len(site.instance.vkeys) != 1:
        raise BeyondSite("what it carries is not the licence of a site that is bound to one desk")
    return site.instance.vkeys[0]


def check_lease(lease: License, site: License) -> None:
    """Refuse a lease that grants anything that its site licence does not.

    Raises:
        BeyondSite: Naming the first thing.
    """
    terms = site.site
    if terms is None or lease.site is not None or lease.connected is None:
        raise BeyondSite("only a lease may be signed by the desk of a site")
    for name in ("product", "subscription", "customer", "serial", "plan", "clock"):
        if getattr(lease, name) != getattr(site, name):
            raise BeyondSite(f"its {name} is not that of the site licence")
    known = {model.train for model in site.models}
    if any(model.train not in known for model in lease.models) or set(lease.features) - set(site.features):
        raise BeyondSite("it names a model line or a feature that the site licence has not")
    if len(lease.instance.vkeys) != 1:
        raise BeyondSite("it is not bound to one replica")
    _check_dates(lease, site, terms)


def _check_dates(lease: License, site: License, terms: SiteTerms) -> None:
    if lease.issued < site.issued or lease.not_before < site.not_before:
        raise BeyondSite(f"it begins before the site licence, on {format_time(lease.not_before)}")
    end = min(site.terminates, lease.issued + terms.lease_s)
    if lease.terminates > end:
        raise BeyondSite(f"it ends on {format_time(lease.terminates)}, later than {format_time(end)}")
    if lease.expires > max(site.expires, lease.not_before + 1):
        raise BeyondSite("it hides that the site licence is in its grace")
