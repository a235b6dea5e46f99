"""The one strict reader: bytes to text, text to JSON, base64 and times.

Everything signed passes through here, on both sides of the gap, so that two readers can never see two
things in one file. What lenient parsers let pass is refused: duplicate keys (SQLite takes the first, Python
the last), floats and NaN, integers beyond 64 bits, lone surrogates, NUL, base64 with two spellings.

What a signature covers is not decided here; see `license.trust.signed_note`. Formats: `docs/formats.md`.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from datetime import UTC, datetime
from typing import Any, Final, NoReturn

from license.errors import Malformed

MAX_TEXT_BYTES: Final = 65_536
MAX_DEPTH: Final = 32
MAX_INT: Final = 2**63 - 1
MIN_INT: Final = -(2**63)
DAY: Final = 86_400  # seconds of a UTC day: Unix time knows no leap seconds
MAX_TIME: Final = 253_402_300_799  # 9999-12-31T23:59:59Z, the last second the text form can say

_BOM = "\ufeff"
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")
_JSON_STRING_OR_BRACKET = re.compile(r'"(?:[^"\\]|\\.)*"?|[\[\]{}]')
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")


def clean_text(data: bytes, *, max_bytes: int = MAX_TEXT_BYTES) -> str:
    """Return the text in `data`, without a leading byte order mark and without carriage returns.

    Dropping these two is safe because notes may hold neither (C2SP signed-note): it undoes what editors and
    transfers on Windows add, and can turn no other file into a valid one.

    Raises:
        Malformed: too large, not UTF-8, or with a control character other than newline.
    """
    if len(data) > max_bytes:
        raise Malformed(f"the file is larger than {max_bytes} bytes")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Malformed(f"the file is not UTF-8 text (byte {error.start})") from error
    text = text.removeprefix(_BOM).replace("\r", "")
    control = _CONTROL.search(text)
    if control is not None:
        raise Malformed(f"the file holds a control character (U+{ord(control.group()):04X})")
    return text


def parse_json(text: str, *, max_bytes: int = MAX_TEXT_BYTES, whole_floats: bool = False) -> dict[str, Any]:
    """Return the JSON object in `text`: objects, arrays, strings, integers, booleans and null, nothing else.

    Args:
        text: The text.
        max_bytes: Its greatest length in UTF-8.
        whole_floats: Whether `3.0` is read as the integer 3, for a format that writes quantities so.

    Raises:
        Malformed: anything else, with the rule that was broken.
    """
    try:
        size = len(text.encode("utf-8"))
    except UnicodeEncodeError as error:
        raise Malformed("the text holds half of a surrogate pair") from error
    if size > max_bytes:
        raise Malformed(f"the JSON text is larger than {max_bytes} bytes")
    _check_depth(text)
    try:
        value = json.loads(
            text,
            object_pairs_hook=_unique_keys,
            parse_int=_parse_int,
            parse_float=_whole if whole_floats else _refuse_float,
            parse_constant=_refuse_float,
        )
    except _DuplicateKeyError as error:
        raise Malformed("the JSON text names a field twice") from error
    except ValueError as error:
        raise Malformed(f"the text is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise Malformed("the JSON text is not an object")
    if "\\u" in text:  # only an escape can smuggle these in: the text itself is clean
        _check_escaped(value)
    return value


def load_json(text: str) -> Any:
    """Return the JSON value in `text`, floats included: for files that are not signed.

    Raises:
        ValueError: it is not JSON, names a key twice, or holds NaN or an infinity.
        RecursionError: it is nested too deeply.
    """
    return json.loads(text, object_pairs_hook=_unique_keys, parse_constant=_refuse_constant)


def encode_base64(data: bytes) -> str:
    """Return `data` in standard base64 with padding (RFC 4648 section 4)."""
    return base64.b64encode(data).decode("ascii")


def decode_base64(text: str) -> bytes:
    """Return the bytes of `text`; only the one spelling that `encode_base64` writes is accepted.

    Python's own decoder takes `AB==` for `AA==` even with `validate=True`; two spellings of one signature are
    one too many.

    Raises:
        Malformed: not base64, or not canonical.
    """
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True)
    except (UnicodeEncodeError, binascii.Error) as error:
        raise Malformed("a base64 value is damaged") from error
    if encode_base64(data) != text:
        raise Malformed("a base64 value is not in its canonical spelling")
    return data


def parse_time(text: str) -> int:
    """Return the Unix second that `YYYY-MM-DDTHH:MM:SSZ` names; years 1970 to 9999.

    Raises:
        Malformed: any other form, or a date that does not exist.
    """
    if _TIME.fullmatch(text) is None:
        raise Malformed(f"a time must look like 2026-01-31T23:59:59Z, not {text[:40]!r}")
    try:
        seconds = int(datetime.fromisoformat(text).timestamp())
    except ValueError as error:
        raise Malformed(f"there is no such time as {text}") from error
    if format_time(seconds) != text:  # newer Pythons read 24:00:00 as the next day's first second
        raise Malformed(f"there is no such time as {text}")
    return seconds


def format_time(seconds: int) -> str:
    """Return the Unix second as `YYYY-MM-DDTHH:MM:SSZ`.

    Raises:
        Malformed: before 1970 or after 9999, which the text form cannot say.
    """
    if not 0 <= seconds <= MAX_TIME:
        raise Malformed(f"the time {seconds} lies outside the years 1970 to 9999")
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_date(text: str) -> int:
    """Return the Unix second at which the UTC day `YYYY-MM-DD` begins; raises `Malformed` as `parse_time`."""
    return parse_time(f"{text}T00:00:00Z")


def format_date(seconds: int) -> str:
    """Return the UTC day of a Unix second as `YYYY-MM-DD`; raises `Malformed` as `format_time`."""
    return format_time(seconds)[:10]


def shown(text: str, limit: int = 80) -> str:
    """Return a stranger's text for a message: at most `limit` characters, and `?` for what does not print.

    Notes may hold characters that steer a terminal or reverse the reading direction (C2SP forbids the ASCII
    controls only), and a refusal is read before anything is known about who wrote them.
    """
    return "".join(char if char.isprintable() else "?" for char in text[:limit])


def _check_depth(text: str) -> None:
    """Refuse nesting beyond `MAX_DEPTH` before a recursive parser sees it."""
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return
    depth = 0
    for match in _JSON_STRING_OR_BRACKET.finditer(text):
        token = match.group()
        if token in ("[", "{"):
            depth += 1
        elif token in ("]", "}"):
            depth -= 1
        if depth > MAX_DEPTH:
            raise Malformed(f"the JSON text is nested deeper than {MAX_DEPTH} levels")


class _DuplicateKeyError(ValueError):
    """A JSON object has a key twice."""


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) != len(pairs):
        raise _DuplicateKeyError("a key appears twice")
    return table


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _parse_int(digits: str) -> int:
    # Length first: turning a million digits into a number takes quadratic time.
    if len(digits) > 20 or not MIN_INT <= int(digits) <= MAX_INT:
        raise Malformed("the JSON text holds an integer beyond 64 bits")
    return int(digits)


def _whole(text: str) -> int:
    digits, point, rest = text.partition(".")
    if not point or rest != "0":
        _refuse_float(text)
    return _parse_int(digits)


def _refuse_float(text: str) -> NoReturn:
    raise Malformed(f"the JSON text holds a number that is not an integer ({text[:20]})")


def _check_escaped(value: Any) -> None:
    if isinstance(value, str):
        if "\0" in value:
            raise Malformed("the JSON text holds a NUL, where readers in C would stop")
        try:
            value.encode("utf-8")
        except UnicodeEncodeError as error:
            raise Malformed("the JSON text holds half of a surrogate pair") from error
    elif isinstance(value, dict):
        for key, item in value.items():
            _check_escaped(key)
            _check_escaped(item)
    elif isinstance(value, list):
        for item in value:
            _check_escaped(item)
