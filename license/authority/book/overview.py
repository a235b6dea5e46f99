"""The machines of a resource side by side: when each was licensed, and from when on it has reported usage."""

from dataclasses import dataclass

from license.authority.book.metering import usage_of
from license.authority.book.store import Store
from license.crypto.ed25519 import VerifyingKey
from license.encoding.strict import DAY, format_date, parse_date


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineSeen:
    """One machine, as the book knows it.

    Attributes:
        instance: Its twelve hex digits.
        licensed: When its first licence, or else the resource's first bearer licence, was issued, in Unix
            seconds; None where it only had leases.
        begins: First UTC day of which it reported usage; None without any.
        logs: How many logs it has reported.
    """

    instance: str
    licensed: int | None
    begins: int | None
    logs: int

    def __str__(self) -> str:
        words = ["leases only" if self.licensed is None else f"licence of {format_date(self.licensed)}"]
        if self.begins is None:
            words.append("no usage reported")
        else:
            late = 0 if self.licensed is None else self.begins // DAY - self.licensed // DAY
            words.append(
                f"usage from {format_date(self.begins)}" + (f", {late} days after" if late > 1 else "")
            )
        if self.logs > 1:
            words.append(f"{self.logs} logs")
        return f"{self.instance}: {', '.join(words)}"


def machines_seen(store: Store, resource: str) -> list[MachineSeen]:
    """Return every machine that had a licence or lease of a resource, or reports to it, first ones first."""
    keys = {VerifyingKey.from_vkey(vkey).fingerprint: vkey for vkey in store.machines(resource)}
    days: dict[str, list[str]] = {}
    logs: dict[str, int] = {}
    for log in usage_of(store.engine, resource):
        instance = log.origin.split("/")[2]
        days.setdefault(instance, []).extend(date for date, _ in log.days)
        logs[instance] = logs.get(instance, 0) + 1
    seen = []
    for instance in dict.fromkeys([*keys, *logs]):
        own = store.first_issued(resource, keys.get(instance, ""))
        dates = days.get(instance)
        seen.append(
            MachineSeen(
                instance=instance,
                licensed=own,
                begins=parse_date(min(dates)) if dates else None,
                logs=logs.get(instance, 0),
            )
        )
    return seen
