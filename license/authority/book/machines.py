"""Which machines a resource has, and how many it may have: with licences by file or download, and leases."""

from sqlmodel import Session, col, select, update

from license.authority.book.tables import ConnectedInstanceRow, LicenseRow, MachineLimitRow, ResourceRow
from license.crypto.ed25519 import VerifyingKey
from license.errors import AuthorityError


def lock_resource(session: Session, name: str) -> None:
    """Keep other writers from the resource until the transaction ends.

    A write that changes nothing does so everywhere: in PostgreSQL it locks the row, in SQLite the file, and
    there it has to come before the first read, or two that have read would wait for each other.
    """
    session.exec(update(ResourceRow).where(col(ResourceRow.name) == name).values(name=name))


def machine_limit(session: Session, resource: str) -> int | None:
    """Return how many machines a resource may have; None for any number."""
    row = session.get(MachineLimitRow, resource)
    return None if row is None else row.machines


def set_machine_limit(session: Session, resource: str, machines: int | None) -> None:
    """Let a resource have so many machines, or any number."""
    row = session.get(MachineLimitRow, resource)
    if machines is not None:
        session.merge(MachineLimitRow(resource=resource, machines=machines))
    elif row is not None:
        session.delete(row)


def machines_of(session: Session, resource: str) -> list[str]:
    """Return the text forms of the keys of every machine that ever had a licence or lease, in that order."""
    licensed = session.exec(
        select(LicenseRow.instance).where(LicenseRow.resource == resource).order_by(col(LicenseRow.serial))
    )
    leased = session.exec(
        select(ConnectedInstanceRow.vkey)
        .where(ConnectedInstanceRow.resource == resource)
        .order_by(col(ConnectedInstanceRow.since))
    )
    return [vkey for vkey in dict.fromkeys([*licensed, *leased]) if vkey]


def check_machines(session: Session, resource: str, vkey: str, *, limit: int | None = None) -> None:
    """Refuse one machine more than a resource may have; one that is known is never refused.

    The resource is locked until the transaction of the session ends, so that two new machines cannot pass
    at once.

    Args:
        session: A transaction that has read nothing yet.
        resource: Name of the resource.
        vkey: The machine's key; empty for a bearer licence.
        limit: A further limit for this time alone.

    Raises:
        AuthorityError: `TooManyMachines`; `BearerWithLimit`: a bearer licence runs on any number of them.
    """
    lock_resource(session, resource)
    limits = [number for number in (limit, machine_limit(session, resource)) if number is not None]
    if not limits:
        return
    if not vkey:
        raise AuthorityError(
            f"{resource} is limited to {_machines(min(limits))}, and a bearer licence runs on any number",
            status="ContainerUseUnauthorized",
            code="BearerWithLimit",
            hint=f"bind it: --binding instance; or lift the limit: `license resource limit {resource} none`",
        )
    known = machines_of(session, resource)
    if vkey not in known and len(known) >= min(limits):
        names = ", ".join(VerifyingKey.from_vkey(key).fingerprint for key in known[:20])
        raise AuthorityError(
            f"{resource} is limited to {_machines(min(limits))}, and these have licences: {names}"
            f"{f' and {len(known) - 20} more' if len(known) > 20 else ''}",
            status="ContainerUseUnauthorized",
            code="TooManyMachines",
            hint="use one of them: with its state directory it gets a licence again; for one more, the "
            f"vendor types `license resource limit {resource} {len(known) + 1}`",
        )


def _machines(number: int) -> str:
    return "one machine" if number == 1 else f"{number} machines"
