"""Log entries: one line of compact JSON each, and exactly one spelling for every entry.

The text is what is stored, hashed, summed and exported, so two readers must never see two things in it. Each
kind therefore has one pattern with a fixed order of keys; whatever does not match it to the last byte is no
entry. A side effect of that: duplicate keys, floats, escapes and spaces cannot be said.

Kinds and keys: `docs/formats.md`, part Evidence. No key holds customer content.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from types import MappingProxyType
from typing import Final, NamedTuple

from license.encoding.strict import format_time, parse_date, parse_time
from license.errors import Malformed

MAX_ENTRY_BYTES: Final = 8_192

_WORD: Final = r"[A-Za-z0-9._:/+=@-]{1,200}"
_INT: Final = r"(?:0|[1-9][0-9]{0,17})"
_TIME: Final = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z"
_PATTERNS: Final = {
    "token": f'"({_WORD})"',
    "name": r'"([^"\\\x00-\x1f\x7f]{1,400})"',
    "int": f"({_INT})",
    "flag": "(1)",
    "time": f'"({_TIME})"',
    "day": r'"([0-9]{4}-[0-9]{2}-[0-9]{2})"',
    "month": r'"([0-9]{4}-[0-9]{2})"',
    "hash": r'"([0-9a-f]{64})"',
    "root": r'"([A-Za-z0-9+/]{43}=)"',
    "sums": rf'\{{((?:"{_WORD}":\[{_INT},{_INT},{_INT}\](?:,(?="))?)*)\}}',
}
_SUM: Final = re.compile(rf'"({_WORD})":\[({_INT}),({_INT}),({_INT})\]')

_OPENING: Final = (
    ("o", "token"),
    ("i", "name"),
    ("d", "day"),
    ("vk", "name"),
    ("r", "name"),
    ("v", "name"),
    ("s", "token"),
)
# After "k", "n" and "t". A key with a question mark may be left out.
_FIELDS: Final[dict[str, tuple[tuple[str, str], ...]]] = {
    "open": _OPENING,
    "recover": (*_OPENING, ("w", "token"), ("po", "token"), ("pn", "int"), ("pr", "root")),
    "boot": (("x", "token"), ("c", "time"), ("r", "name"), ("v", "name")),
    "lic": (("l", "token"), ("s", "int"), ("e", "int"), ("h", "hash"), ("i", "hash")),
    "use": (("id", "token"), ("m", "token"), ("q", "int"), ("b", "int"), ("l", "token"), ("g?", "flag")),
    "key": (("of", "day"), ("d", "day"), ("vk", "name"), ("s", "sums")),
    "sum": (("s", "sums"),),
    "tick": (("w", "token"),),
    "close": (("mo", "month"), ("lo", "int"), ("hi", "int"), ("s", "sums")),
    "clock": (("w", "token"), ("from", "time"), ("to", "time")),
    "disk": (("w", "token"), ("since", "time"), ("lost", "int")),
    "ack": (("o", "token"), ("x", "int")),
    "carry": (("of", "day"), ("s", "sums")),
    # Of the desk of a site; `of` is the twelve digits of a replica.
    "lease": (("i", "name"), ("l", "token"), ("x", "time"), ("v", "name")),
    "slice": (("of", "token"), ("m", "token"), ("d", "day"), ("a", "int")),
    "left": (("of", "token"),),
    "lost": (("of", "token"), ("w", "token"), ("d", "day"), ("s", "sums")),
    "found": (("of", "token"), ("d", "day"), ("s", "sums")),
    "seen": (
        *(("of", "token"), ("o", "token"), ("x", "int"), ("r", "root"), ("c", "time")),
        *(("d", "day"), ("s", "sums")),
    ),
    "fork": (("of", "token"), ("o", "token"), ("x", "int")),
    "again": (("of", "token"), ("x", "int"), ("till", "time")),
}
KINDS: Final = tuple(_FIELDS)
_USE: Final = '{"k":"use","n":%d,"t":"%s","id":"%s","m":"%s","q":%d,"b":%d,"l":"%s"}'
_WORD_ONLY: Final = re.compile(_WORD)
_HEAD: Final = re.compile(r'\{"k":"([a-z]+)",')


class Tally(NamedTuple):
    """What was used of one meter: number of entries, quantity, and the units that count against the plan."""

    entries: int
    quantity: int
    billed: int

    def plus(self, other: "Tally") -> "Tally":
        """Return the sum of both."""
        return Tally(self.entries + other.entries, self.quantity + other.quantity, self.billed + other.billed)


NOTHING: Final = Tally(0, 0, 0)
Sums = Mapping[str, Tally]
Value = str | int | Sums


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry of a usage log.

    Attributes:
        kind: One of `KINDS`.
        n: Its index in the log.
        at: Effective time in Unix seconds.
        values: The remaining keys of the kind: texts, integers, or sums by meter.
    """

    kind: str
    n: int
    at: int
    values: Mapping[str, Value]

    def text(self, key: str) -> str:
        """Return a value that the kind declares as text."""
        value = self.values[key]
        if not isinstance(value, str):
            raise TypeError(f"{key} of {self.kind} is not a text")
        return value

    def number(self, key: str) -> int:
        """Return a value that the kind declares as an integer; 0 for a flag left out."""
        value = self.values.get(key, 0)
        if not isinstance(value, int):
            raise TypeError(f"{key} of {self.kind} is not a number")
        return value

    def sums(self) -> Sums:
        """Return the sums by meter of a `sum`, `key`, `close` or `carry` entry."""
        value = self.values["s"]
        if not isinstance(value, Mapping):
            raise TypeError(f"{self.kind} has no sums")
        return value


class UsedFields(NamedTuple):
    """A `use` entry as its pattern reads it; all but the numbers in their text form."""

    n: int
    time: str
    request_id: str
    meter: str
    quantity: int
    billed: int
    license_id: str
    grace: bool


def _pattern(kind: str) -> str:
    parts = [f'"k":"{kind}"', f'"n":({_INT})', f'"t":"({_TIME})"']
    pattern = ",".join(parts)
    for key, form in _FIELDS[kind]:
        field = f',"{key.rstrip("?")}":{_PATTERNS[form]}'
        pattern += f"(?:{field})?" if key.endswith("?") else field
    return rf"\{{{pattern}\}}"


@cache
def _compiled(kind: str) -> re.Pattern[str]:
    """Return the pattern of a kind; a log has few of them, and all together take some 10 ms to compile."""
    return re.compile(_pattern(kind))


# The same pattern in two parts: what differs from entry to entry, and the rest.
_match_use = re.compile(rf'\{{"k":"use","n":({_INT}),"t":"({_TIME})","id":"({_WORD})"(,.*)').fullmatch
_match_tail = re.compile(_pattern("use").partition(f',"id":{_PATTERNS["token"]}')[2]).fullmatch


def is_token(text: str) -> bool:
    """Say whether a text may stand in an entry: 1 to 200 of the letters, digits and `._:/+=@-` of ASCII."""
    return _WORD_ONLY.fullmatch(text) is not None


def render(entry: Entry) -> str:
    """Return the one text of an entry.

    Raises:
        Malformed: A value is missing, unknown or cannot be said in an entry.
    """
    fields = _FIELDS.get(entry.kind)
    if fields is None:
        raise Malformed(f"there is no entry kind {entry.kind!r}")
    parts = [f'"k":"{entry.kind}","n":{entry.n},"t":"{format_time(entry.at)}"']
    known = set()
    for declared, _form in fields:
        key = declared.rstrip("?")
        known.add(key)
        if key in entry.values:
            parts.append(f'"{key}":{_render_value(entry.values[key])}')
    text = "{" + ",".join(parts) + "}"
    if entry.values.keys() - known or _compiled(entry.kind).fullmatch(text) is None:
        raise Malformed(f"these values cannot be said in a {entry.kind} entry")
    return text


def render_use(values: tuple[int, str, str, str, int, int, str], *, grace: bool) -> str:
    """Return the text of a `use` entry: index, time in text form, request, meter, quantity, billed, licence.

    Cheaper than `render`; the values must have been checked.
    """
    text = _USE % values
    return text[:-1] + ',"g":1}' if grace else text


def parse(text: str) -> Entry:
    """Read the text of an entry; only the text that `render` writes is accepted.

    Raises:
        Malformed: Anything else, naming what is wrong with it.
    """
    head = _HEAD.match(text)
    kind = head[1] if head else ""
    if kind not in _FIELDS or len(text) > MAX_ENTRY_BYTES:
        raise Malformed("not an entry: unknown kind, or too long")
    match = _compiled(kind).fullmatch(text)
    if match is None:
        raise Malformed(f"not a well-formed {kind} entry")
    n, time, *texts = match.groups()
    values: dict[str, Value] = {}
    for (declared, form), value in zip(_FIELDS[kind], texts, strict=True):
        if value is not None:
            values[declared.rstrip("?")] = _parse_value(form, value)
    return Entry(kind=kind, n=int(n), at=parse_second(time), values=MappingProxyType(values))


def parse_use(text: str) -> UsedFields | None:
    """Read a `use` entry quickly; None if the text is not one. Its time stays text (see `parse_second`)."""
    match = _match_use(text)
    if match is None:
        return None
    n, time, request_id, tail = match.groups()
    rest = _parse_tail(tail)
    return None if rest is None else tuple.__new__(UsedFields, (int(n), time, request_id, *rest))


@lru_cache(maxsize=4096)
def _parse_tail(tail: str) -> tuple[str, int, int, str, bool] | None:
    """Read a `use` entry from its meter on; remembered, since few meters and quantities make many entries."""
    match = _match_tail(tail)
    if match is None:
        return None
    meter, quantity, billed, license_id, grace = match.groups()
    return meter, int(quantity), int(billed), license_id, grace is not None


@lru_cache(maxsize=1024)
def parse_second(time: str) -> int:
    """Return `parse_time(time)`; remembered, since thousands of entries share a second."""
    return parse_time(time)


def _render_value(value: Value) -> str:
    if isinstance(value, int):
        return str(int(value))
    if isinstance(value, str):
        return f'"{value}"'
    sums = (f'"{meter}":[{t.entries},{t.quantity},{t.billed}]' for meter, t in sorted(value.items()))
    return "{" + ",".join(sums) + "}"


def _parse_value(form: str, value: str) -> Value:
    if form in ("int", "flag"):
        return int(value)
    if form == "sums":
        return _parse_sums(value)
    if form == "time":
        parse_second(value)
    elif form == "day":
        parse_date(value)
    elif form == "month":
        parse_date(f"{value}-01")
    return value


def _parse_sums(text: str) -> Sums:
    sums = _SUM.findall(text)
    meters = [meter for meter, *_ in sums]
    if meters != sorted(set(meters)):
        raise Malformed("the meters of an entry are not in order")
    return MappingProxyType({meter: Tally(int(c), int(q), int(b)) for meter, c, q, b in sums})
