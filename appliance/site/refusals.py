"""What a desk refuses, in words: each with the status word a replica shows, and the next step."""

from __future__ import annotations

from appliance.site.book import Book
from license.errors import AuthorityError
from license.licenses.license import License


def refuse_copies(book: Book, of: str) -> None:
    """Refuse a replica of whose log two histories were shown.

    Raises:
        AuthorityError: `ClonedInstance`.
    """
    replica = book.replicas.get(of)
    if replica is not None and replica.forked:
        raise AuthorityError(
            f"two histories of {replica.forked} were shown to this desk: the replica {of} was copied, put "
            "back to an older state, or lost its usage log and kept its keys. What it held counts as used",
            status="Mismatch",
            code="ClonedInstance",
            hint="give each replica a state directory and an output directory of its own; with empty ones it "
            "is a new replica",
        )


def require_known(book: Book, of: str, vkey: str, *, live_at: int | None = None) -> None:
    """Refuse who has no lease of this desk, and who was copied.

    Args:
        book: The desk's.
        of: Twelve digits of the replica.
        vkey: The key that signed.
        live_at: The second at which it has to hold a lease; None where an old one will do.

    Raises:
        AuthorityError: `UnknownInstance`, `ClonedInstance`.
    """
    refuse_copies(book, of)
    replica = book.replicas.get(of)
    if (
        replica is None
        or replica.vkey != vkey
        or (live_at is not None and (replica.lost or replica.left or live_at >= replica.until))
    ):
        raise AuthorityError(
            f"the replica {of} has no lease of this desk",
            status="Mismatch",
            code="UnknownInstance",
            hint="POST its request note to /v1/connected first",
        )


def require_place(book: Book, of: str, site: License, now: int) -> None:
    """Refuse one replica more than the site licence allows at once.

    Raises:
        AuthorityError: `TooManyMachines`.
    """
    terms, known = site.site, book.replicas.get(of)
    if terms is None or (known is not None and known.is_live(now)) or book.live(now) < terms.max_instances:
        return
    raise AuthorityError(
        f"the site licence is for {terms.max_instances:,} replicas at once, and as many hold a lease",
        status="ContainerUseUnauthorized",
        code="TooManyMachines",
        hint="stop one, write off one that is gone (`appliance site status`, `appliance site write-off`), or "
        "have the vendor issue a licence for more",
    )


def other_head(log: str, known: int, shown: int) -> AuthorityError:
    """Return the refusal of a proof that begins at another head than the desk knows; not a fault."""
    return AuthorityError(
        f"the head of {log} that this desk knows has {known:,} entries, and the proof begins at {shown:,}",
        code="OtherHead",
        hint="the replica asks how far it is known, and speaks again",
        retry_after_s=1,
    )


def late_word(of: str) -> AuthorityError:
    """Return the refusal of a standing that is older than the newest one; not a fault."""
    return AuthorityError(
        f"the replica {of} has sent a newer word than this one",
        code="LateWord",
        hint="a word that was held up on its way changes nothing: the replica speaks again",
        retry_after_s=1,
    )
