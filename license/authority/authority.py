"""The authority as one object: what the commands, the web service and the demo share."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, NamedTuple

from starlette.applications import Starlette

from license.authority.issue import IssuedLicense, Terms, issue, system_clock
from license.authority.keyring import Keyring, create_keyring, load_keyring
from license.authority.store import Resource, Store
from license.claims import Plan
from license.request import open_request
from license.validity import DAY
from license.wire import parse_date

DATABASE: Final = "authority.db"
DEFAULT_NAME: Final = "license-authority"


class CreatedResource(NamedTuple):
    """A new resource and its two keys, which are shown only once."""

    resource: Resource
    key1: str
    key2: str


class Authority:
    """A vendor's keys and book in one directory.

    Use `create` or `open`; close it, or use it as a context manager, when done.
    """

    def __init__(self, home: Path, keyring: Keyring, store: Store, clock: Callable[[], int]) -> None:
        self.home = home
        self.keyring = keyring
        self.store = store
        self.clock = clock

    @classmethod
    def create(
        cls, home: Path, *, name: str = DEFAULT_NAME, clock: Callable[[], int] = system_clock
    ) -> Authority:
        """Make a new authority under `home`.

        Args:
            home: A directory; made if missing.
            name: The vendor's name in key names, best a domain.
            clock: Source of the Unix second.

        Raises:
            LicenseError: there is one already, or the directory cannot be written.
        """
        keyring = create_keyring(home, name=name, now=clock())
        return cls(home, keyring, Store(home / DATABASE), clock)

    @classmethod
    def open(cls, home: Path, *, clock: Callable[[], int] = system_clock) -> Authority:
        """Open the authority under `home`; raises `LicenseError` if there is none or its files disagree."""
        return cls(home, load_keyring(home), Store(home / DATABASE), clock)

    @property
    def roots_dir(self) -> Path:
        """The directory of public root keys, for `--roots` and for installing."""
        return self.home / "roots"

    def create_resource(  # noqa: PLR0913 (one keyword for each thing a customer chooses)
        self,
        name: str | None = None,
        *,
        customer: str,
        product: str = "ner",
        meters: Mapping[str, int] | None = None,
        tier: str = "DC0",
        overage: str = "record",
        binding: str = "instance",
        approved: bool = True,
        period: tuple[str, str] | None = None,
    ) -> CreatedResource:
        """Enter what a customer bought and return the resource and its two keys, which are shown only now.

        Args:
            name: Short name, unique; made from the product without one.
            customer: Name, for people.
            product: Such as `ner`.
            meters: Included units by meter name; an unnamed meter is not limited.
            tier: `F0`, `S0` or `DC0`.
            overage: `record` or `block`.
            binding: `instance` or `any`.
            approved: Whether disconnected use is granted at once.
            period: First day and the day after the last, `YYYY-MM-DD`; a year from today without it.

        Raises:
            LicenseError: a value is wrong, or the name is taken.
        """
        now = self.clock()
        today = now - now % DAY
        days = (parse_date(period[0]), parse_date(period[1])) if period else (today, today + 365 * DAY)
        resource = Resource(
            name=name or f"{product}-{secrets.token_hex(3)}",
            subscription=str(uuid.uuid4()),
            customer=customer,
            product=product,
            plan=Plan(tier=tier, period=days, meters=tuple((meters or {}).items()), overage=overage),
            binding=binding,
            approved=approved,
            created=now,
        )
        key1, key2 = self.store.add(resource)
        return CreatedResource(resource, key1, key2)

    def issue(self, resource: Resource, request_note: bytes, *, terms: Terms | None = None) -> IssuedLicense:
        """Return the licence for a request note after verifying it; raises `LicenseError` with the reason."""
        request = open_request(request_note)
        return issue(self.store, self.keyring, resource, request, now=self.clock(), terms=terms)

    def app(self) -> Starlette:
        """Return the web service (`license.authority.service`)."""
        from license.authority.service import make_app  # noqa: PLC0415 (the service imports this class)

        return make_app(self)

    def close(self) -> None:
        """Close the book."""
        self.store.close()

    def __enter__(self) -> Authority:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
