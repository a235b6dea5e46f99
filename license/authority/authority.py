"""The authority as one object: what the commands, the web service and the demo share."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

from license.authority.book.heads import HeadRepository
from license.authority.book.plans import next_plan, parse_period
from license.authority.book.products import check_meters, check_product
from license.authority.book.resource import Resource, make_plan
from license.authority.book.store import Store
from license.authority.issuing.issue import IssuedLicense, Terms, issue, system_clock
from license.authority.issuing.lease import grant_lease
from license.authority.keys.keyring import Keyring, create_keyring, load_keyring
from license.authority.keys.model_lines import create_line, load_line
from license.authority.keys.root_keys import RootPlace
from license.authority.keys.rotate import rotate
from license.crypto import age
from license.crypto.ed25519 import SigningKey
from license.encoding.fields import typed
from license.encoding.strict import DAY, clean_text
from license.errors import Unwritable
from license.files import read_limited, write_atomic
from license.licenses.request import open_request
from license.licenses.terms import ConnectedTerms
from license.models.catalogue import read_catalogue, save_manifest
from license.models.manifest import Manifest
from license.models.package import PackageFiles, pack
from license.trust.delegation import ROLES, Delegation

DATABASE: Final = "authority.db"
DATABASE_ADDRESS: Final = "database.url"
PACKAGES: Final = "packages"
_MAX_ADDRESS_BYTES: Final = 4_096
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
        self.store = store
        self.clock = clock
        self.root_keys: tuple[Path, ...] = ()
        """Where a new authority's root keys lie; empty for one that was opened."""
        self._keyring = keyring
        self._seen = self._stamp()

    @classmethod
    def create(
        cls,
        home: Path,
        *,
        name: str = DEFAULT_NAME,
        clock: Callable[[], int] = system_clock,
        places: Mapping[str, RootPlace] | None = None,
        database: str | None = None,
    ) -> Authority:
        """Make a new authority under `home`.

        Args:
            home: A directory; made if missing.
            name: The vendor's name in key names, best a domain.
            clock: Source of the Unix second.
            places: Where the keys `root` and `spare-root` go; in clear beside the others without it.
            database: SQLAlchemy address of the book; a SQLite file in `home` without it.

        Raises:
            LicenseError: there is one already, or the directory or the database cannot be used.
        """
        if database is not None:
            Store(database).close()  # before any key is made
        keyring, root_keys = create_keyring(home, name=name, now=clock(), places=places)
        if database is not None:  # it may hold a password
            write_atomic(home / DATABASE_ADDRESS, f"{database}\n".encode())
        authority = cls(home, keyring, cls._open_store(home), clock)
        authority.root_keys = root_keys
        return authority

    @classmethod
    def open(cls, home: Path, *, clock: Callable[[], int] = system_clock) -> Authority:
        """Open the authority under `home`; raises `LicenseError` if there is none or its files disagree."""
        return cls(home, load_keyring(home), cls._open_store(home), clock)

    @staticmethod
    def _open_store(home: Path) -> Store:
        address = home / DATABASE_ADDRESS
        if address.exists():
            return Store(clean_text(read_limited(address, _MAX_ADDRESS_BYTES)).strip())
        return Store(home / DATABASE)

    @property
    def keyring(self) -> Keyring:
        """The keys in force: read again when another process has put a new issuer or witness in force."""
        seen = self._stamp()
        if seen != self._seen:
            self._keyring, self._seen = load_keyring(self.home), seen
        return self._keyring

    def _stamp(self) -> tuple[tuple[int, int], ...]:
        notes = (self.home / f"{role}.note" for role in ROLES)
        return tuple((status.st_ino, status.st_mtime_ns) for status in map(Path.stat, notes))

    @property
    def roots_dir(self) -> Path:
        """The directory of public root keys, for `--roots` and for installing."""
        return self.home / "roots"

    @property
    def packages_dir(self) -> Path:
        """The directory of the model packages that the service hands out; made if missing."""
        path = self.home / PACKAGES
        try:
            path.mkdir(exist_ok=True)
        except OSError as error:
            raise Unwritable(f"cannot make {path}: {error.strerror}") from error
        return path

    def rotate(self, role: str, root: SigningKey) -> Delegation:
        """Put the next issuer or witness in force (`license.authority.keys.rotate`).

        Manifests of the packages on offer are signed again by a new issuer; the packages stay as they are.

        Raises:
            LicenseError: `root` is not a root of this authority, or the directory cannot be written.
        """
        delegation = rotate(self.home, role, root, now=self.clock())
        if role == "issuer":
            keyring = self.keyring
            for manifest in read_catalogue(self.packages_dir, roots=keyring.roots):
                save_manifest(self.packages_dir, manifest, keyring.issuer, keyring.issuer_note, self.clock())
        return delegation

    def create_line(self, line: str) -> str:
        """Begin a model line and return the recipient of its packages; raises `LicenseError`."""
        return create_line(self.home, line)

    def pack(
        self,
        model_dir: Path,
        *,
        line: str,
        release: str,
        name: str,
        task: str,
        out: Path | None = None,
        language: str = "",
    ) -> tuple[Manifest, PackageFiles]:
        """Encrypt a model folder as a release of a line; raises `LicenseError` with the reason.

        Args:
            model_dir: The folder.
            line: A model line that exists.
            release: The release, new in its line.
            name: Name of the model, for people.
            task: What it does.
            out: Directory for the package; the catalogue that the service hands out without it.
            language: BCP 47 tag of the language it is for, or the empty string.
        """
        keyring = self.keyring
        return pack(
            model_dir,
            out or self.packages_dir,
            recipient=age.recipient_of(load_line(self.home, line)),
            signer=keyring.issuer,
            issuer_note=keyring.issuer_note,
            line=line,
            release=release,
            name=name,
            task=task,
            now=self.clock(),
            language=language,
        )

    def create_resource(  # noqa: PLR0913 (one keyword for each thing a customer chooses)
        self,
        name: str | None = None,
        *,
        customer: str,
        product: str = "ner",
        meters: Mapping[str, int] | None = None,
        tier: str = "DC0",
        overage: str | None = None,
        binding: str = "instance",
        approved: bool = True,
        period: tuple[str, str] | None = None,
        models: Sequence[str] = (),
        max_instances: int | None = None,
    ) -> CreatedResource:
        """Enter what a customer bought and return the resource and its two keys, which are shown only now.

        Args:
            name: Short name, unique; made from the product without one.
            customer: Name, for people.
            product: Such as `ner`.
            meters: Included units by meter name; an unnamed meter is not limited. Without any, those of the
                tier.
            tier: `F0`, `S0` or `DC0` (`license.authority.book.resource.make_plan`).
            overage: `record` or `block`; the tier's own without it.
            binding: `instance` or `any`.
            approved: Whether disconnected use is granted at once.
            period: First day and the day after the last, `YYYY-MM-DD`; a year from today without it.
            models: Model lines its licences shall open.
            max_instances: How many machines may have licences or leases of it; None for any number.

        Raises:
            LicenseError: a value is wrong, the name is taken, or there is no such line.
        """
        check_product(product)
        check_meters(product, meters or ())
        for line in models:
            load_line(self.home, line)
        now = self.clock()
        today = now - now % DAY
        days = parse_period(period) if period else (today, today + 365 * DAY)
        with typed():
            resource = Resource(
                name=name or f"{product}-{secrets.token_hex(3)}",
                subscription=str(uuid.uuid4()),
                customer=customer,
                product=product,
                plan=make_plan(tier=tier, product=product, period=days, meters=meters, overage=overage),
                binding=binding,
                approved=approved,
                created=now,
                models=tuple(models),
                max_instances=max_instances,
            )
        key1, key2 = self.store.add(resource)
        return CreatedResource(resource, key1, key2)

    def approve(self, name: str) -> Resource:
        """Grant a resource disconnected use; raises `AuthorityError` if there is none of that name."""
        return self.store.approve(name, now=self.clock())

    def renew_resource(
        self,
        name: str,
        *,
        period: tuple[str, str] | None = None,
        meters: Mapping[str, int] | None = None,
        overage: str | None = None,
        again: bool = False,
    ) -> Resource:
        """Enter a resource's next period; keys, models, machines and history stay.

        Args:
            name: Name of the resource.
            period: First day and the day after the last, `YYYY-MM-DD`; without it, as long as the present
                one, from its end on.
            meters: Included units by meter name, where they shall be others than before.
            overage: `record` or `block`; as before without it.
            again: Change a next period that was entered and has not begun.

        Raises:
            LicenseError: there is no such resource, or a value is wrong
                (`license.authority.book.plans.next_plan`).
        """
        check_meters(self.store.get(name).product, meters or ())
        days, now = parse_period(period) if period else None, self.clock()
        make = partial(next_plan, now=now, period=days, meters=meters, overage=overage, again=again)
        return self.store.renew(name, make, now=now)

    def add_units(self, name: str, meter: str, units: int) -> Resource:
        """Enter units bought during the term; raises `LicenseError` if the plan does not count that meter."""
        return self.store.add_units(name, meter, units, now=self.clock())

    def grant(self, name: str, line: str) -> Resource:
        """Let a resource's licences open one more model line; raises `LicenseError` if there is no such."""
        load_line(self.home, line)
        return self.store.grant(name, line, now=self.clock())

    def limit(self, name: str, machines: int | None) -> Resource:
        """Limit a resource to a number of machines, or to none; raises `LicenseError` where it cannot be."""
        return self.store.limit(name, machines, now=self.clock())

    def regenerate_key(self, name: str, which: int) -> str:
        """Replace one of a resource's keys and return the new one; raises `AuthorityError` without such."""
        return self.store.regenerate_key(name, which, now=self.clock())

    def issue(self, resource: Resource, request_note: bytes, *, terms: Terms | None = None) -> IssuedLicense:
        """Return the licence for a request note after verifying it; raises `LicenseError` with the reason."""
        request = open_request(request_note)
        identities = {line: load_line(self.home, line) for line in resource.models}
        return issue(
            self.store,
            self.keyring,
            resource,
            request,
            now=self.clock(),
            terms=terms,
            identities=identities,
            heads=[log.head for log in HeadRepository(self.store.engine).logs(resource.name)],
        )

    def waiting_until(self, resource: Resource, request_note: bytes, binding: str | None = None) -> int:
        """Return when the next period begins, for which a machine has a licence already; 0 without one.

        Args:
            resource: What pays.
            request_note: The request of the machine.
            binding: Of the licences; the resource's without it.

        Raises:
            LicenseError: It is no request.
        """
        bound = (binding or resource.binding) == "instance"
        instance = open_request(request_note).instance if bound else ""
        begins = resource.plan_at(self.clock()).period[1]
        has = self.store.licensed_until(resource.name, instance) > begins
        return begins if has and resource.earlier else 0

    def grant_lease(
        self, resource: Resource, request_note: bytes, *, terms: ConnectedTerms | None = None
    ) -> IssuedLicense:
        """Return the lease for a request note after verifying it; raises `LicenseError` with the reason."""
        return grant_lease(
            self.store,
            self.keyring,
            resource,
            request_note,
            now=self.clock(),
            load_identity=partial(load_line, self.home),
            terms=terms,
        )

    def close(self) -> None:
        """Close the book."""
        self.store.close()

    def __enter__(self) -> Authority:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
