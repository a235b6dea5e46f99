"""Entries before they have their place in the log: kind, effective time, and what they say.

The format of each kind: `docs/formats.md`, part Evidence.
"""

from collections.abc import Mapping
from hashlib import sha256

from appliance.host.effective_clock import EffectiveClock
from appliance.ledger.log.state import LogState
from appliance.ledger.read.totals import Days
from license.crypto.ed25519 import VerifyingKey
from license.encoding.strict import format_date, format_time
from license.evidence.log.entry import Value
from license.licenses.verify import AuthenticLicense

Draft = tuple[str, int, Mapping[str, Value]]
"""Kind, effective time in Unix seconds, values."""


def boot_draft(clock: EffectiveClock, license: AuthenticLicense, *, software: str, at: int) -> Draft:
    """Return the entry that says that the service starts."""
    reading = clock.reading()
    values: dict[str, Value] = {
        "x": reading.boot,
        "c": format_time(max(0, reading.wall)),
        "r": license.root.vkey,
        "v": software,
    }
    return ("boot", at, values)


def license_draft(license: AuthenticLicense, at: int) -> Draft:
    """Return the entry that says which licence is in force from here on."""
    values: dict[str, Value] = {
        "l": license.license.id,
        "s": license.license.serial,
        "e": license.delegation.epoch,
        "h": license.sha256,
        "i": sha256(license.issuer_note).hexdigest(),
    }
    return ("lic", at, values)


def license_notes(license: AuthenticLicense) -> list[tuple[str, bytes]]:
    """Return the notes that a licence entry names by their SHA-256, each with it."""
    return [(sha256(note).hexdigest(), note) for note in (license.note, license.issuer_note)]


def clock_drafts(clock: EffectiveClock, at: int) -> list[Draft]:
    """Return an entry for each event of the clock that no entry tells of yet."""
    drafts: list[Draft] = []
    for event in clock.events():
        times = {"from": format_time(event.expected), "to": format_time(max(0, event.wall))}
        drafts.append(("clock", at, {"w": str(event.kind), **times}))
    return drafts


def day_draft(state: LogState, key: VerifyingKey, at: int) -> Draft:
    """Return the entry that ends the day in progress with its sums, and names the next day's key."""
    values: dict[str, Value] = {
        "of": format_date(state.day),
        "d": format_date(at),
        "vk": key.vkey,
        "s": state.totals.day,
    }
    return ("key", at, values)


def month_draft(state: LogState, at: int) -> Draft:
    """Return the entry that closes the month in progress with its sums."""
    values: dict[str, Value] = {
        "mo": state.month,
        "lo": state.month_first,
        "hi": state.frontier.size - 1,
        "s": state.totals.month,
    }
    return ("close", at, values)


def sum_draft(state: LogState, at: int) -> Draft:
    """Return the entry that holds the sums of the day so far."""
    return ("sum", at, {"s": dict(state.totals.day)})


def carry_drafts(days: Days, at: int) -> list[Draft]:
    """Return an entry for each day of which the plan counts units that no entry of the log tells of."""
    return [("carry", at, {"of": format_date(day), "s": dict(sums)}) for day, sums in sorted(days.items())]


def disk_draft(fault: str, *, since: int, lost: int, at: int) -> Draft:
    """Return the entry on a store that failed or is back: the error, since when, the requests it cost."""
    return ("disk", at, {"w": fault, "since": format_time(min(since, at)), "lost": lost})


def tick_draft(occasion: str, at: int) -> Draft:
    """Return a sign of life: `idle` or `stop`."""
    return ("tick", at, {"w": occasion})
