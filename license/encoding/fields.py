"""Typed reading of claims: each refusal names the field and what it should be.

`license.encoding.strict` has made sure that the JSON is strict; this makes sure that it says what it must.
Unknown fields are left alone. Used by licence, delegation and request alike.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from license.encoding.strict import decode_base64, parse_date, parse_time
from license.errors import Malformed

_T = TypeVar("_T")
MAX_TEXT_CHARS: Final = 200
MAX_LIST: Final = 256

TOKEN: Final = re.compile(r"[a-z0-9][a-z0-9._/-]{0,63}")
"""Names people type and files carry: products, features, model lines."""
LINE: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,47}/[1-9][0-9]{0,5}")
"""Model lines: a name and the number of the line, such as `ner-en/3`."""
RELEASE: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,31}")
"""Releases of a model line, such as `1.0.2`."""
LANGUAGE: Final = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,4}")
"""Language tags (BCP 47), such as `en-US`."""
FILE: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,98}")
"""Names of files in a model package: no directories, nothing hidden."""
SHA256: Final = re.compile(r"[0-9a-f]{64}")
"""A SHA-256 sum in hex."""
IDENTIFIER: Final = re.compile(r"[0-9A-Za-z-]{1,64}")
"""Identifiers of licences and subscriptions."""
METER: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9.]{0,127}")
"""Dotted meter names."""
_RULES: Final = {
    TOKEN: "use lower-case letters, digits, `.` `_` `-`, without spaces",
    LINE: "a model line is a name, a slash and a number, such as ner-en/3",
    RELEASE: "use lower-case letters, digits, `.` `_` `-`, such as 1.0.2",
    METER: "use letters, digits and dots, without spaces",
    LANGUAGE: "use a language tag such as en-US",
}
"""How a name has to look, for people who type it."""
_CORRECT: Final = "correct the value that is named, then run the command again"


@dataclass(frozen=True, slots=True)
class Fields:
    """One JSON object of a statement, read field by field.

    Args:
        claims: The object.
        path: Where it stands, for messages; empty at the top.
    """

    claims: Mapping[str, Any]
    path: str = ""

    def text(self, name: str) -> str:
        """Return a string a person may be shown: `check_text` holds for it."""
        value = self._get(name, str, "a text")
        check_text(self._label(name), value)
        return value

    def line(self, name: str) -> str:
        """Return a string whose rules its owner checks, such as a signature line."""
        return self._get(name, str, "a text")

    def number(self, name: str) -> int:
        """Return an integer; `true` is not one."""
        return self._get(name, int, "an integer")

    def time(self, name: str) -> int:
        """Return the Unix second of a `YYYY-MM-DDTHH:MM:SSZ` text."""
        return self._convert(name, parse_time)

    def day(self, name: str) -> int:
        """Return the Unix second at which a `YYYY-MM-DD` day begins."""
        return self._convert(name, parse_date)

    def base64(self, name: str) -> bytes:
        """Return the bytes of a canonical base64 text."""
        return self._convert(name, decode_base64)

    def texts(self, name: str) -> tuple[str, ...]:
        """Return a list of strings a person may be shown."""
        items = self._get(name, list, "a list")
        self._check_length(name, items)
        for item in items:
            if not isinstance(item, str):
                raise Malformed(f"{self._label(name)} must be a list of texts")
            check_text(self._label(name), item)
        return tuple(items)

    def dates(self, name: str) -> tuple[int, ...]:
        """Return a list of `YYYY-MM-DD` days as the Unix seconds at which they begin."""
        texts = self.texts(name)
        try:
            return tuple(map(parse_date, texts))
        except Malformed as error:
            raise Malformed(f"{self._label(name)}: {error.message}") from error

    def quantities(self, name: str) -> tuple[tuple[str, int], ...]:
        """Return an object of whole numbers as pairs, in the order given."""
        inner = self.object(name)
        self._check_length(name, inner.claims)
        return tuple((key, inner.number(key)) for key in inner.claims)

    def object(self, name: str) -> Fields:
        """Return an object."""
        return Fields(self._get(name, dict, "an object"), self._label(name))

    def objects(self, name: str) -> tuple[Fields, ...]:
        """Return a list of objects."""
        items = self._get(name, list, "a list")
        self._check_length(name, items)
        if not all(isinstance(item, dict) for item in items):
            raise Malformed(f"{self._label(name)} must be a list of objects")
        return tuple(Fields(item, f"{self._label(name)}[{n}]") for n, item in enumerate(items))

    def has(self, name: str) -> bool:
        """Tell whether the field is present and not null."""
        return self.claims.get(name) is not None

    def _get(self, name: str, kind: type[_T], described: str) -> _T:
        if name not in self.claims:
            raise Malformed(f"the field {self._label(name)} is missing")
        value = self.claims[name]
        if not isinstance(value, kind) or isinstance(value, bool):
            raise Malformed(f"the field {self._label(name)} must be {described}")
        return value

    def _convert(self, name: str, convert: Callable[[str], _T]) -> _T:
        value = self._get(name, str, "a text")
        try:
            return convert(value)
        except Malformed as error:
            raise Malformed(f"{self._label(name)}: {error.message}") from error

    def _check_length(self, name: str, items: Any) -> None:
        if len(items) > MAX_LIST:
            raise Malformed(f"{self._label(name)} has more than {MAX_LIST} entries")

    def _label(self, name: str) -> str:
        shown = name if name.isprintable() and len(name) <= 100 else "?"
        return f"{self.path}.{shown}" if self.path else shown


def check_text(label: str, value: str, *, pattern: re.Pattern[str] | None = None) -> None:
    """Refuse a text that is empty, long, or would show a reader something else than it says.

    Control characters, bidirectional overrides and other invisible characters are what `str.isprintable`
    refuses: a security officer must be able to trust `cat`.

    Raises:
        Malformed: naming `label`.
    """
    if not 0 < len(value) <= MAX_TEXT_CHARS:
        raise Malformed(f"{label} must have 1 to {MAX_TEXT_CHARS} characters")
    if not value.isprintable():
        raise Malformed(f"{label} holds characters that do not show")
    if pattern is not None and pattern.fullmatch(value) is None:
        raise Malformed(f"{label} is not well formed: {value!r}", rule=_RULES.get(pattern, ""))


@contextmanager
def typed(hint: str = "") -> Iterator[None]:
    """Give a refusal of a value that a person typed the rule for such values, and not the advice for files.

    Args:
        hint: The rule; without one, that of the pattern which the value does not match.
    """
    try:
        yield
    except Malformed as error:
        if type(error) is not Malformed or error.hint != Malformed.default_hint:
            raise
        raise Malformed(error.message, hint=hint or error.rule or _CORRECT) from error


def check_range(label: str, value: int, low: int, high: int) -> None:
    """Refuse a number outside `low` to `high`, both included.

    Raises:
        Malformed: naming `label`.
    """
    if not low <= value <= high:
        raise Malformed(f"{label} must lie between {low} and {high}, not {value}")


def check_choice(label: str, value: str, choices: tuple[str, ...]) -> None:
    """Refuse a word that is not among `choices`.

    Raises:
        Malformed: naming `label` and the choices.
    """
    if value not in choices:
        raise Malformed(f"{label} must be {' or '.join(choices)}, not {value!r}")
