"""Bytes to text to JSON, one value a line or one of an array, and what readers take out of the values."""

import codecs
import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any, Final, NamedTuple, TypeVar

from appliance.datasets.label_errors import DatasetError, Mistake
from license.encoding.strict import load_json

_BOMS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
MAX_RECORDS: Final = 1_000_000
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
Made = TypeVar("Made")
_DAMAGED: Final = (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError)
"""What taking a stranger's value apart may raise."""


class Record(NamedTuple):
    """A JSON value, its number from 1, and its line (0 in an array)."""

    number: int
    line: int
    value: Any


class Records(NamedTuple):
    """The values of a file, and the lines that are not JSON."""

    found: list[Record]
    damaged: list[Mistake]
    whole: Any = None
    """The one JSON value that the file is; None where each line is one."""


def decode(data: bytes, name: str) -> str:
    """Return the text of a file: UTF-8, or UTF-16 and UTF-32 that say so at their beginning.

    Raises:
        DatasetError: It is neither.
    """
    encoding, skipped = "utf-8", 0
    for mark, other in _BOMS:
        if data.startswith(mark):
            encoding, skipped = other, len(mark)
            break
    else:
        # JSON and tables begin with ASCII, so a zero beside the first byte tells UTF-16 without a mark.
        if data[1:2] == b"\0" and data[:1] not in (b"", b"\0"):
            encoding = "utf-16-le"
        elif data[:1] == b"\0" and data[1:2] not in (b"", b"\0"):
            encoding = "utf-16-be"
    try:
        return data[skipped:].decode(encoding)
    except UnicodeDecodeError as error:
        raise DatasetError(
            f"{name} is not {encoding.upper()} (byte {error.start + skipped})",
            hint="save it as UTF-8; at a terminal: iconv -f WINDOWS-1252 -t UTF-8 FILE > NEW",
        ) from None


def parse_records(text: str) -> Records | None:
    """Return the JSON values of a text, or None if it is not JSON.

    An array is taken as its items, so that an array of documents and a document a line read alike.
    """
    text = text.lstrip("\ufeff")
    stripped = text.lstrip()
    if not stripped.startswith(("{", "[")):
        return None
    filled = [(number, line) for number, line in enumerate(lines_of(text), 1) if line.strip()]
    first = _load(filled[0][1])
    if first is _NO_JSON or len(filled) == 1:
        whole = _load(text)
        if whole is not _NO_JSON:
            return _items(whole, filled[0][0])
        # Of a damaged first line there is still something to say where another line is sound.
        if len(filled) == 1 or _load(filled[1][1]) is _NO_JSON:
            return None
    return _by_line(filled)


def lines_of(text: str) -> list[str]:
    """Return the lines of a text without their ends: of Unix, of Windows, or of old Macs."""
    if "\n" not in text:
        return text.split("\r")
    return text.replace("\r\n", "\n").split("\n")


def why_no_json(text: str) -> str:
    """Return what is wrong with a text that begins as JSON does and is none; else the empty string."""
    text = text.lstrip("\ufeff").strip()
    if not text.startswith(("{", "[")):
        return ""
    try:
        load_json(text)
    except RecursionError:
        return "nested too deep"
    except ValueError as error:
        return str(error)[:200]
    return ""


class _Nothing:
    pass


_NO_JSON: Final = _Nothing()


def _load(text: str) -> Any:
    try:
        return load_json(text)
    except (ValueError, RecursionError):
        return _NO_JSON


def _items(whole: Any, line: int) -> Records:
    if isinstance(whole, list) and not _is_pair(whole):
        found = [Record(number, 0, value) for number, value in enumerate(whole, 1)]
        return Records(found, [], whole)
    return Records([Record(1, line, whole)], [], whole)


def _is_pair(value: Sequence[Any]) -> bool:
    """Whether a list is one of spaCy's tuples rather than a list of documents."""
    return len(value) == 2 and isinstance(value[0], str) and isinstance(value[1], dict)


def _by_line(filled: Iterable[tuple[int, str]]) -> Records:
    found: list[Record] = []
    damaged: list[Mistake] = []
    for number, line in filled:
        try:
            found.append(Record(len(found) + 1, number, load_json(line)))
        except (ValueError, RecursionError) as error:
            damaged.append(unreadable("", number, error, ""))
    return Records(found, damaged)


def unreadable(name: str, line: int, error: Exception, remedy: str) -> Mistake:
    """Return the mistake of a record that holds no labelled document."""
    said = f"{type(error).__name__}: {error}" if not isinstance(error, RecursionError) else "nested too deep"
    return Mistake(
        document=name,
        line=line,
        reason=f"it holds no labelled document ({said[:200]})",
        remedy=remedy,
    )


def each(
    records: Records, name: str, read: Callable[[Record, str], Made | None], example: str
) -> tuple[list[Made], list[Mistake]]:
    """Read every record; what cannot be read becomes a mistake with its place.

    Args:
        records: Of a file.
        name: What the file is called.
        read: Takes a record and its name; None for one that is passed over.
        example: How a record should look.

    Raises:
        DatasetError: There are too many.
    """
    if len(records.found) > MAX_RECORDS:
        raise DatasetError(f"{name} holds more than {MAX_RECORDS} records", hint="cut it into several files")
    made: list[Made] = []
    mistakes = [replace(one, document=name, remedy=f"write {example}") for one in records.damaged]
    for record in records.found:
        called = f"{name}:{record.line}" if record.line else f"{name}#{record.number}"
        try:
            value = read(record, called)
        except _DAMAGED as error:
            place = (name, record.line) if record.line else (called, 0)
            mistakes.append(unreadable(*place, error, f"write {example}"))
            continue
        if value is not None:
            made.append(value)
    return made, mistakes


def fits(records: Records | None, test: Callable[[Any], bool], sample: int = 200) -> bool:
    """Whether most of the first records pass a test, and at least one does."""
    if records is None or not records.found:
        return False
    looked = records.found[:sample]
    passed = 0
    for record in looked:
        try:
            passed += bool(test(record.value))
        except _DAMAGED:
            continue
    return 2 * passed > len(looked)


def string(value: Any, what: str) -> str:
    """Return a string; TypeError for anything else."""
    if not isinstance(value, str):
        raise TypeError(f"{what} is not a string")
    if _SURROGATE.search(value):
        raise ValueError(f"{what} holds half of a surrogate pair")
    return value


def whole_number(value: Any, what: str) -> int:
    """Return a whole number, also where it is written 3.0; TypeError for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value // 1:
        raise TypeError(f"{what} is not a whole number")
    return int(value)


def items(value: Any, what: str) -> list[Any]:
    """Return a list, an empty one for null; TypeError for anything else."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise TypeError(f"{what} is not a list")
    return value


def named(called: str, identity: Any) -> str:
    """Return a document's name: its place in the file, and what it calls itself."""
    said = str(identity) if isinstance(identity, str | int) and not isinstance(identity, bool) else ""
    said = "".join(character if character.isprintable() else "?" for character in said[:60])
    return f"{called} ({said})" if said else called


def dump(value: Any) -> bytes:
    """Return a value as one line of JSON."""
    return json.dumps(value, ensure_ascii=False).encode("utf-8") + b"\n"
