"""Lists of recordings and what is said in them, as text. Three forms, told by their content:

    {"path": "a.wav", "text": "hello", "speaker": "ann"}     JSON lines; `speaker` may be left out
    path,text,speaker                                        a table with a header: commas, tabs or semicolons
    a.wav<TAB>hello                                          `trans.txt`, as the cloud takes it

Pure: nothing is opened here.
"""

import codecs
import csv
import io
import json
import posixpath
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from appliance.datasets.label_errors import DatasetError

MAX_RECORDINGS: Final = 100_000
MAX_TEXT: Final = 100_000
"""Characters of one transcript."""
MAX_SPEAKER: Final = 200
SHOWN: Final = 5
"""Lines that a refusal names."""
_MARKS: Final = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
HINT: Final = (
    'write one recording a line: {"path": "a.wav", "text": "hello"}, a table with the columns path and text,'
    " or the name of the file, a tab and what is said"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """A recording that a list names.

    Attributes:
        path: Where it is, from the folder of the recordings; parts divided by `/`.
        text: What is said in it; empty where nothing is.
        speaker: Who speaks; empty where the list does not say.
        line: Line of the list, from 1.
    """

    path: str
    text: str
    speaker: str = ""
    line: int


class _Wrong(ValueError):
    """Why a line names no recording."""


def parse_transcripts(data: bytes, name: str) -> list[Recording]:
    """Read a list of recordings.

    Args:
        data: Its bytes: UTF-8, or UTF-16 with a byte order mark.
        name: What it is called in messages.

    Raises:
        DatasetError: It is none, names no recording, or some lines are wrong; the first of them are named.
    """
    lines = _text(data, name).replace("\r\n", "\n").split("\n")
    found: list[Recording] = []
    wrong: list[str] = []
    first: dict[str, int] = {}
    for number, fields in _rows(lines, name):
        try:
            one = _recording(number, fields)
            if one.path in first:
                raise _Wrong(f"{_short(one.path)} is in line {first[one.path]} already")
        except _Wrong as error:
            wrong.append(f"line {number}: {error}")
            continue
        first[one.path] = number
        found.append(one)
        if len(found) > MAX_RECORDINGS:
            raise DatasetError(
                f"{name} names more than {MAX_RECORDINGS} recordings", hint="cut it into several lists"
            )
    refuse_lines(wrong, name)
    if not found:
        raise DatasetError(f"{name} names no recording", hint=HINT)
    return found


def refuse_lines(wrong: Sequence[str], name: str, hint: str = HINT) -> None:
    """Refuse a list with lines that are wrong, each as `line N: reason`.

    Raises:
        DatasetError: There are any.
    """
    if wrong:
        more = f"; {len(wrong) - SHOWN} more lines are wrong" if len(wrong) > SHOWN else ""
        raise DatasetError(f"{name}, {'; '.join(wrong[:SHOWN])}{more}", hint=hint)


def _text(data: bytes, name: str) -> str:
    encoding = next((found for mark, found in _MARKS.items() if data.startswith(mark)), "utf-8")
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise DatasetError(f"{name}, line {line}: it is not UTF-8", hint="save the list as UTF-8") from error


def _rows(lines: Sequence[str], name: str) -> Iterator[tuple[int, object]]:
    """Each line that is not empty, with what it says: a table of fields, a reason against it, or a pair."""
    full = [(number, line) for number, line in enumerate(lines, 1) if line.strip()]
    if not full:
        return
    head = full[0][1]
    if head.lstrip().startswith("{"):
        yield from ((number, _json(line)) for number, line in full)
        return
    for delimiter in (",", "\t", ";"):
        names = [cell.strip().casefold() for cell in next(csv.reader([head], delimiter=delimiter))]
        if {"path", "text"} <= set(names):
            yield from _table(lines, names, delimiter, name)
            return
    yield from ((number, line.partition("\t")) for number, line in full)


def _json(line: str) -> object:
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:
        return _Wrong(
            f"it is not JSON ({error})" if isinstance(error, ValueError) else "it is nested too deep"
        )


def _table(
    lines: Sequence[str], names: Sequence[str], delimiter: str, name: str
) -> Iterator[tuple[int, object]]:
    reader = csv.reader(io.StringIO("\n".join(lines)), delimiter=delimiter, strict=True)
    number = 0
    try:
        for cells in reader:
            begun, number = number + 1, reader.line_num
            plain = [cell.strip().casefold() for cell in cells]
            if not any(plain) or plain == list(names):
                continue
            if len(cells) > len(names):
                yield begun, _Wrong(f"it has {len(cells)} cells, and the header has {len(names)}")
            else:
                yield begun, dict(zip(names, cells, strict=False))
    except csv.Error as error:
        raise DatasetError(f"{name}, line {number + 1}: {error}", hint=HINT) from error


def _recording(number: int, fields: object) -> Recording:
    if isinstance(fields, _Wrong):
        raise fields
    if isinstance(fields, tuple):
        path, tab, text = fields
        if not tab:
            raise _Wrong("it has no tab between the name of the file and what is said")
        fields = {"path": path, "text": text}
    if not isinstance(fields, dict):
        raise _Wrong("it is not a JSON object")
    path, text = (_string(fields, field, most) for field, most in (("path", 1000), ("text", MAX_TEXT)))
    speaker = _string(fields, "speaker", MAX_SPEAKER) if fields.get("speaker") is not None else ""
    return Recording(path=_place(path), text=text.strip(), speaker=speaker.strip(), line=number)


def _string(fields: dict[str, object], field: str, most: int) -> str:
    value = fields.get(field)
    if not isinstance(value, str):
        raise _Wrong(f"{field} is missing" if value is None else f"{field} is not a string")
    if len(value) > most:
        raise _Wrong(f"{field} has more than {most} characters")
    return value


def _place(path: str) -> str:
    """Return a path inside the folder of the recordings, without `.` and with `/`."""
    plain = posixpath.normpath(path.strip().replace("\\", "/"))
    if not path.strip() or plain == ".":
        raise _Wrong("path is empty")
    if plain.startswith(("/", "../")) or plain == ".." or plain[1:3] == ":/" or not plain.isprintable():
        raise _Wrong("its path leads out of the folder of the recordings")
    return plain


def _short(path: str) -> str:
    return path if len(path) <= 80 else f"{path[:77]}..."
