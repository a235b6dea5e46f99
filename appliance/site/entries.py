"""Events of a desk as entries of its usage log, and back.

What a report says becomes `use` entries, whose request ID names the log, the entries that were covered and
the root over them: so the sums of the desk's log are the usage of the site, and it tells every position.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from appliance.ledger.log.usage_record import UsageRecord
from appliance.site.events import (
    Again,
    Counted,
    Event,
    Forked,
    Found,
    Leased,
    Left,
    Seen,
    Sliced,
    WrittenOff,
)
from license.crypto.ed25519 import VerifyingKey
from license.encoding.strict import (
    decode_base64,
    encode_base64,
    format_date,
    format_time,
    parse_date,
    parse_time,
)
from license.evidence.log.counted_run import LOST, CountedRun, parse_run
from license.evidence.log.entry import Entry, Tally, Value

Drafts = list[tuple[str, Mapping[str, Value]]]


def to_entries(events: Sequence[Event], *, grace: bool = False) -> tuple[Drafts, list[UsageRecord]]:
    """Return the entries of events: those of other kinds than `use`, and the uses.

    Args:
        events: What happened.
        grace: Whether the site licence is in its grace.
    """
    drafts: Drafts = []
    uses: list[UsageRecord] = []
    for event in events:
        if isinstance(event, Counted):
            uses.append(_use(_request_id(event), event.meter, event.quantity, event.billed, grace))
            continue
        drafts.append(_draft(event))
        if isinstance(event, WrittenOff):
            # Billed and not used: nobody knows how much of it was.
            uses += [
                _use(f"{LOST}{event.of}", meter, 0, units, grace) for meter, units in event.units.items()
            ]
    return drafts, uses


def from_entry(entry: Entry) -> Iterator[Event]:
    """Return what an entry tells of; nothing for those that every usage log has.

    Raises:
        Malformed: It is not an entry of a desk.
    """
    match entry.kind:
        case "use":
            if not entry.text("id").startswith(LOST):
                yield _counted(entry)
        case "lease":
            yield Leased(
                of=VerifyingKey.from_vkey(entry.text("i")).fingerprint,
                vkey=entry.text("i"),
                lease=entry.text("l"),
                until=parse_time(entry.text("x")),
                software=entry.text("v"),
            )
        case "slice":
            yield Sliced(
                of=entry.text("of"), meter=entry.text("m"), term=_term(entry), allowed=entry.number("a")
            )
        case "left":
            yield Left(of=entry.text("of"))
        case "lost":
            yield WrittenOff(of=entry.text("of"), why=entry.text("w"), term=_term(entry), units=_units(entry))
        case "found":
            yield Found(of=entry.text("of"), term=_term(entry), units=_units(entry))
        case "seen" | "fork":
            yield _shown(entry)
        case "again":
            yield Again(of=entry.text("of"), sequence=entry.number("x"), until=parse_time(entry.text("till")))


def _shown(entry: Entry) -> Seen | Forked:
    of, log, size = entry.text("of"), entry.text("o"), entry.number("x")
    if entry.kind == "fork":
        return Forked(of=of, log=log, size=size)
    return Seen(
        of=of,
        log=log,
        size=size,
        root=decode_base64(entry.text("r")),
        created=parse_time(entry.text("c")),
        term=_term(entry),
        used=_units(entry),
    )


def _draft(event: Event) -> tuple[str, Mapping[str, Value]]:
    kind, values = _values(event)
    return (kind, values if isinstance(event, Leased) else {"of": event.of, **values})


def _values(event: Event) -> tuple[str, dict[str, Value]]:
    values: dict[str, Value] = {}
    match event:
        case Leased():
            kind, values = "lease", {"i": event.vkey, "l": event.lease, "x": format_time(event.until)}
            values["v"] = event.software
        case Sliced():
            kind, values = "slice", {"m": event.meter, "d": format_date(event.term), "a": event.allowed}
        case Left():
            kind = "left"
        case WrittenOff():
            kind, values = "lost", {"w": event.why, "d": format_date(event.term), "s": _sums(event.units)}
        case Found():
            kind, values = "found", {"d": format_date(event.term), "s": _sums(event.units)}
        case Seen():
            kind, values = "seen", {"o": event.log, "x": event.size, "r": encode_base64(event.root)}
            values |= {"c": format_time(event.created), "d": format_date(event.term), "s": _sums(event.used)}
        case Forked():
            kind, values = "fork", {"o": event.log, "x": event.size}
        case Again():
            kind, values = "again", {"x": event.sequence, "till": format_time(event.until)}
        case Counted():
            raise TypeError("a counted record becomes a use entry")
    return kind, values


def _use(request_id: str, meter: str, quantity: int, billed: int, grace: bool) -> UsageRecord:
    return UsageRecord(meter=meter, quantity=quantity, billed=billed, request_id=request_id, grace=grace)


def _request_id(event: Counted) -> str:
    run = CountedRun(log=event.log, first=event.first, next=event.next, root=event.root, late=event.late)
    return run.to_text()


def _counted(entry: Entry) -> Counted:
    run = parse_run(entry.text("id"))
    return Counted(
        of=run.instance,
        log=run.log,
        first=run.first,
        next=run.next,
        root=run.root,
        meter=entry.text("m"),
        quantity=entry.number("q"),
        billed=entry.number("b"),
        late=run.late,
    )


def _sums(units: Mapping[str, int]) -> Mapping[str, Tally]:
    return {meter: Tally(0, 0, count) for meter, count in sorted(units.items())}


def _units(entry: Entry) -> dict[str, int]:
    return {meter: tally.billed for meter, tally in entry.sums().items()}


def _term(entry: Entry) -> int:
    return parse_date(entry.text("d"))
