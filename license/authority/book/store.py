"""The vendor's book: resources with plans and keys, and every licence ever issued.

SQLModel, on SQLite unless another SQLAlchemy address is given. Rows never leave this file; callers get frozen
values. Of the resources' keys only SHA-256 sums are kept: they are random, 96 bits beyond the part used for
looking them up, so a plain hash cannot be run backwards.
"""

import hashlib
import hmac
import json
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

from sqlalchemy import func
from sqlalchemy.engine import Engine
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, or_, select

from license.authority.book.database import open_book
from license.authority.book.machines import (
    check_machines,
    lock_resource,
    machine_limit,
    machines_of,
    set_machine_limit,
)
from license.authority.book.plans import change_units, earlier_plans, enter_renewal
from license.authority.book.resource import Change, Resource, check_limit
from license.authority.book.tables import ChangeRow, LicenseRow, ResourceRow
from license.errors import AuthorityError, Malformed
from license.licenses.license import License
from license.licenses.terms import Plan

__all__ = ["Change", "Resource", "Store", "new_key"]

KEY_CHARS: Final = 32
_LOOKUP_CHARS: Final = 8


class Store:
    """The book in one database; safe to use from several threads and processes.

    Args:
        where: A file for SQLite, made if missing, or any SQLAlchemy address such as
            `postgresql+psycopg://vendor@db.example.com/licences`.

    Raises:
        AuthorityError: the database cannot be used, or its tables are of another version.
    """

    def __init__(self, where: Path | str) -> None:
        self._engine = open_book(where)

    @property
    def engine(self) -> Engine:
        """The SQLAlchemy engine, for backups and tests."""
        return self._engine

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()

    def add(self, resource: Resource) -> tuple[str, str]:
        """Enter a resource and return its two keys, which are shown once and stored nowhere.

        Raises:
            AuthorityError: a resource of that name exists.
        """
        key1, key2 = new_key(), new_key()
        row = ResourceRow(
            name=resource.name,
            subscription=resource.subscription,
            customer=resource.customer,
            product=resource.product,
            tier=resource.plan.tier,
            period_start=resource.plan.period[0],
            period_end=resource.plan.period[1],
            meters=json.dumps(dict(resource.plan.meters)),
            overage=resource.plan.overage,
            binding=resource.binding,
            approved=resource.approved,
            models=json.dumps(resource.models),
            created=resource.created,
            key1_lookup=key1[:_LOOKUP_CHARS],
            key1_sha256=_hash(key1),
            key2_lookup=key2[:_LOOKUP_CHARS],
            key2_sha256=_hash(key2),
        )
        try:
            with Session(self._engine) as session:
                session.add(row)
                session.flush()
                set_machine_limit(session, resource.name, resource.max_instances)
                words = f"created, tier {resource.plan.tier}{', approved' if resource.approved else ''}"
                session.add(ChangeRow(resource=resource.name, at=resource.created, what=words))
                session.commit()
        except IntegrityError as error:
            raise AuthorityError(
                f"there already is a resource {resource.name}",
                code="AlreadyExists",
                hint="choose another name, or give this one its next period: "
                f"`license resource renew {resource.name}`",
            ) from error
        return key1, key2

    def get(self, name: str) -> Resource:
        """Return the resource; raises `AuthorityError` if there is none of that name."""
        with Session(self._engine) as session:
            return _resource(session, _existing(session, name))

    def resources(self) -> list[Resource]:
        """Return all resources by name."""
        with Session(self._engine) as session:
            rows = session.exec(select(ResourceRow).order_by(col(ResourceRow.name))).all()
            return [_resource(session, row) for row in rows]

    def history(self, name: str) -> list[Change]:
        """Return what happened to the resource, oldest first; raises `AuthorityError` if there is none."""
        with Session(self._engine) as session:
            _existing(session, name)
            query = select(ChangeRow).where(ChangeRow.resource == name).order_by(col(ChangeRow.id))
            return [Change(at=row.at, what=row.what) for row in session.exec(query)]

    def approve(self, name: str, *, now: int = 0) -> Resource:
        """Grant the resource disconnected use; raises `AuthorityError` if there is none of that name."""
        with self._changing(name, now, "approved for disconnected use") as (session, row):
            row.approved = True
            return _resource(session, row)

    def add_units(self, name: str, meter: str, units: int, *, now: int) -> Resource:
        """Add units to those the plan includes of a meter; the next licence carries them.

        Raises:
            AuthorityError: there is no such resource.
            Malformed: the plan does not count that meter, or the sum is beyond what a licence can say.
        """
        with self._changing(name, now, f"{units:,} more units of {meter}") as (session, row):
            plan = _resource(session, row).plan_at(now)
            included = plan.units(meter)
            if included is None:
                known = ", ".join(name for name, _ in plan.meters) or "none"
                raise Malformed(
                    f"the plan of {name} does not limit {meter}, so there is nothing to add to",
                    hint=f"its meters: {known}",
                )
            meters = ((key, value + units if key == meter else value) for key, value in plan.meters)
            change_units(session, row, replace(plan, meters=tuple(meters)))
            session.flush()
            return _resource(session, row)

    def renew(self, name: str, make: Callable[[Resource], Plan], *, now: int) -> Resource:
        """Enter the plan of a resource's next period; keys, models and history stay.

        Args:
            name: Name of the resource.
            make: Gets the resource as it is and returns the plan
                (`license.authority.book.plans.next_plan`); where the last one has not begun, it replaces it.
            now: Unix second.

        Raises:
            AuthorityError: there is no such resource, or what `make` raises.
        """
        with Session(self._engine) as session:
            lock_resource(session, name)
            row = _existing(session, name)
            plan = make(_resource(session, row))
            what = enter_renewal(session, row, plan, now=now)
            session.add(row)
            session.add(ChangeRow(resource=name, at=now, what=what))
            session.flush()
            renewed = _resource(session, row)
            session.commit()
            return renewed

    def licensed_until(self, resource: str, instance: str) -> int:
        """Return when the last licence of a machine, or bearer licence, expires; 0 without one.

        Args:
            resource: Name of the resource.
            instance: Text form of the machine's key, or empty for bearer licences.
        """
        with Session(self._engine) as session:
            query = select(func.max(LicenseRow.expires)).where(
                LicenseRow.resource == resource, LicenseRow.instance == instance
            )
            return session.exec(query).one() or 0

    def grant(self, name: str, line: str, *, now: int) -> Resource:
        """Let the resource's licences open one more model line; granting it again changes nothing.

        Raises:
            AuthorityError: there is no such resource.
            Malformed: not the name of a line.
        """
        with self._changing(name, now, f"model line {line} granted") as (session, row):
            before = _resource(session, row)
            after = replace(before, models=(*before.models, *(() if line in before.models else (line,))))
            row.models = json.dumps(after.models)
            return after

    def limit(self, name: str, machines: int | None, *, now: int) -> Resource:
        """Let so many machines have licences or leases of the resource, or any number.

        Machines that have one keep it, and get the next: the limit is on new ones.

        Raises:
            AuthorityError: there is no such resource.
            Malformed: it is no such number, or the resource gives bearer licences.
        """
        most = "one machine" if machines == 1 else f"{machines or 0:,} machines"
        what = "any number of machines" if machines is None else f"limited to {most}"
        with self._changing(name, now, what) as (session, row):
            if machines is not None:
                check_limit(machines, row.binding)
            set_machine_limit(session, name, machines)
            session.flush()
            return _resource(session, row)

    def machines(self, name: str) -> list[str]:
        """Return the keys of the machines that had licences or leases of a resource, first ones first."""
        with Session(self._engine) as session:
            return machines_of(session, name)

    def regenerate_key(self, name: str, which: int, *, now: int = 0) -> str:
        """Replace key 1 or 2 of the resource and return the new one; the other stays good meanwhile.

        Raises:
            AuthorityError: there is no such resource.
        """
        key = new_key()
        with self._changing(name, now, f"key {which} replaced") as (_, row):
            setattr(row, f"key{which}_lookup", key[:_LOOKUP_CHARS])
            setattr(row, f"key{which}_sha256", _hash(key))
        return key

    def find_by_key(self, key: str) -> Resource | None:
        """Return the resource one of whose keys this is, or None.

        The first characters find the row; the whole is compared by its hash in constant time, and one
        comparison is made even where no row was found.
        """
        if not key.isascii() or "\0" in key:
            return None
        lookup, given = key[:_LOOKUP_CHARS], _hash(key)
        resource = None
        with Session(self._engine) as session:
            query = select(ResourceRow).where(
                or_(col(ResourceRow.key1_lookup) == lookup, col(ResourceRow.key2_lookup) == lookup)
            )
            for row in session.exec(query):
                first = hmac.compare_digest(row.key1_sha256, given)
                second = hmac.compare_digest(row.key2_sha256, given)
                if first | second:
                    resource = _resource(session, row)
        hmac.compare_digest(_hash(""), given)
        return resource

    def record(
        self,
        resource: str,
        instance: str,
        make: Callable[[int, str | None], tuple[License, bytes]],
        *,
        max_instances: int | None = None,
    ) -> tuple[License, bytes]:
        """Issue one licence: reserve the next serial, let `make` sign under it, and enter the result.

        All of it is one transaction: a serial is never given twice, and a licence that left is in the book.
        Serials grow in the order of issuing for each resource. On PostgreSQL a licence that could not be made
        leaves a gap.

        Args:
            resource: Name of the resource.
            instance: Text form of the machine's key, or empty for a bearer licence.
            make: Gets the serial and the `id` of this machine's licence before; returns licence and note.
            max_instances: A limit on machines beside the resource's own, for this licence alone.

        Raises:
            AuthorityError: `TooManyMachines`, `BearerWithLimit`; as
                `license.authority.book.machines.check_machines`.
        """
        with Session(self._engine) as session:
            check_machines(session, resource, instance, limit=max_instances)
            row = LicenseRow(resource=resource, instance=instance)
            session.add(row)
            session.flush()
            serial = row.serial or 0
            before = session.exec(
                select(LicenseRow.id)
                .where(LicenseRow.resource == resource, LicenseRow.instance == instance)
                .where(col(LicenseRow.serial) < serial)
                .order_by(col(LicenseRow.serial).desc())
            ).first()
            license, note = make(serial, before)
            row.id, row.replaces, row.issued, row.expires = (
                license.id,
                license.replaces,
                license.issued,
                license.expires,
            )
            row.note = note
            session.add(row)
            session.commit()
        return license, note

    def highest_serial(self) -> int:
        """Return the highest serial that was ever given; 0 without one."""
        with Session(self._engine) as session:
            return session.exec(select(func.max(LicenseRow.serial))).one() or 0

    def first_issued(self, resource: str, instance: str) -> int | None:
        """Return when a machine, by the text form of its key, got its first licence; None if it has none."""
        with Session(self._engine) as session:
            query = select(func.min(LicenseRow.issued)).where(
                LicenseRow.resource == resource, LicenseRow.instance == instance
            )
            return session.exec(query).one()

    def notes(self, resource: str) -> list[bytes]:
        """Return every licence note issued to the resource, oldest first."""
        with Session(self._engine) as session:
            query = select(LicenseRow.note).where(LicenseRow.resource == resource)
            return list(session.exec(query.order_by(col(LicenseRow.serial))))

    @contextmanager
    def _changing(self, name: str, now: int, what: str) -> Iterator[tuple[Session, ResourceRow]]:
        """Give out a resource's row to be changed, and enter the change and its line of history together."""
        with Session(self._engine) as session:
            lock_resource(session, name)
            row = _existing(session, name)
            yield session, row
            session.add(row)
            session.add(ChangeRow(resource=name, at=now, what=what))
            session.commit()


def new_key() -> str:
    """Return a new resource key: 32 hex digits."""
    return secrets.token_hex(KEY_CHARS // 2)


def _existing(session: Session, name: str) -> ResourceRow:
    row = session.get(ResourceRow, name)
    if row is None:
        raise AuthorityError(
            f"there is no resource {name}",
            code="NoSuchResource",
            hint="`license resource list` shows those there are",
        )
    return row


def _resource(session: Session, row: ResourceRow) -> Resource:
    plan = Plan(
        tier=row.tier,
        period=(row.period_start, row.period_end),
        meters=tuple(json.loads(row.meters).items()),
        overage=row.overage,
    )
    return Resource(
        name=row.name,
        subscription=row.subscription,
        customer=row.customer,
        product=row.product,
        plan=plan,
        binding=row.binding,
        approved=row.approved,
        models=tuple(json.loads(row.models)),
        created=row.created,
        max_instances=machine_limit(session, row.name),
        earlier=earlier_plans(session, row.name),
    )


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode("ascii")).hexdigest()
