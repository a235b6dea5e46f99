"""What a replica's standing says, in the terms of the book. Pure."""

from __future__ import annotations

from appliance.site.book import Ask
from appliance.site.events import Seen
from license.slices.protocol import Slice, Standing


def units_of(held: Slice | None, term: int) -> dict[str, int]:
    """Return what a slice allows in a term."""
    return dict(held.units) if held is not None and held.term == term else {}


def kept_of(held: Slice | None, standing: Standing, term: int) -> dict[str, int]:
    """Return what a replica still holds in a term of the slice that it shows."""
    keeps = dict(standing.keeps)
    return {meter: min(units, keeps.get(meter, units)) for meter, units in units_of(held, term).items()}


def seen_in(standing: Standing) -> Seen:
    """Return what a desk remembers of a standing."""
    return Seen(
        of=standing.fingerprint,
        log=standing.head.origin,
        size=standing.head.size,
        root=standing.head.root,
        created=standing.created,
        term=standing.term,
        used=dict(standing.used),
    )


def ask_in(standing: Standing, term: int, is_newest: bool) -> Ask:
    """Return what a standing asks; nothing for a term that has ended, or has not begun here.

    Args:
        standing: What it says.
        term: First second of the present term.
        is_newest: Whether the slice that it shows is the newest one. What it gives back is of that slice:
            with an older one, the word was overtaken by a grant.
    """
    if standing.term != term:
        return Ask(of=standing.fingerprint, term=term)
    return Ask(
        of=standing.fingerprint,
        term=term,
        used=dict(standing.used),
        need=dict(standing.need),
        wants=dict(standing.wants),
        keeps=dict(standing.keeps) if is_newest else {},
    )
