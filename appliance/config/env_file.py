"""The environment file of the systemd units, read as systemd reads it (`EnvironmentFile=`, systemd.exec(5)).

Commands on the same host read the settings of the service from it. If they read something else than systemd
does, they would talk about another service than the one that runs. So this follows systemd's own parser, also
where the manual is silent: a quote inside a word is a plain character, for one.
"""

import re
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from typing import Final

from appliance.errors import SettingsError
from license.errors import LicenseError
from license.files import read_limited

ENVIRONMENT_FILE: Final = Path("/etc/appliance/appliance.env")

_MAX_BYTES: Final = 1 << 22
_BLANK: Final = " \t\n\r"
_NEWLINE: Final = "\n\r"
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ESCAPED_IN_QUOTES: Final = '"\\`$'


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentFile:
    """What an environment file says.

    Attributes:
        values: The variables, in the order in which they were first set.
        ignored: What systemd ignores in it, each as `line N: …`.
    """

    values: dict[str, str]
    ignored: tuple[str, ...] = ()


class _State(Enum):
    BEFORE_KEY = auto()
    KEY = auto()
    BEFORE_VALUE = auto()
    VALUE = auto()
    ESCAPE = auto()
    SINGLE = auto()
    DOUBLE = auto()
    DOUBLE_ESCAPE = auto()
    COMMENT = auto()
    COMMENT_ESCAPE = auto()


def read_env_file(path: Path = ENVIRONMENT_FILE) -> dict[str, str]:
    """Return the variables of an environment file; none where there is no such file.

    Raises:
        SettingsError: It is there and cannot be read, or systemd would refuse it.
    """
    return load_env_file(path).values


def load_env_file(path: Path) -> EnvironmentFile:
    """Return the variables of an environment file, and what systemd ignores in it; nothing without a file.

    Raises:
        SettingsError: It is there and cannot be read, or systemd would refuse it.
    """
    try:
        path.lstat()
    except FileNotFoundError:
        return EnvironmentFile(values={})
    except OSError as error:
        raise _unreadable(path, f"cannot read {path}: {error.strerror}") from error
    try:
        data = read_limited(path, _MAX_BYTES)
    except LicenseError as error:
        raise _unreadable(path, error.message) from error
    return parse_env_file(data, path)


def _unreadable(path: Path, message: str) -> SettingsError:
    return SettingsError(message, hint=f"the settings of the service stand in {path}: run this with sudo")


def parse_env_file(data: bytes, path: Path) -> EnvironmentFile:
    """Return what the bytes of an environment file say.

    Args:
        data: Its content.
        path: Its name, for messages.

    Raises:
        SettingsError: It is not UTF-8, or holds a zero byte: systemd reads nothing of such a file.
    """
    if b"\0" in data:
        line = data[: data.index(b"\0")].count(b"\n") + 1
        raise _refused(path, line, "a zero byte")
    # Of comments systemd does not mind the encoding: so a stray byte is looked for in keys and values only.
    parser = _Parser(path)
    for character in data.decode("utf-8", "surrogateescape"):
        parser.take(character)
    return parser.end()


def _refused(path: Path, line: int, what: str) -> SettingsError:
    return SettingsError(
        f"{path}, line {line}: {what}; systemd refuses the whole file",
        hint=f"save the file as UTF-8 text; this shows the line: sed -n {line}p {path} | od -c",
    )


class _Parser:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._state = _State.BEFORE_KEY
        self._line = self._first = 1
        self._key = ""
        self._value = ""
        self._kept = 0  # length up to which blanks at the end of the value are meant
        self._values: dict[str, str] = {}
        self._ignored: list[str] = []
        self._steps = {
            _State.BEFORE_KEY: self._before_key,
            _State.KEY: self._in_key,
            _State.BEFORE_VALUE: self._before_value,
            _State.VALUE: self._in_value,
            _State.ESCAPE: self._after_backslash,
            _State.SINGLE: self._in_single_quotes,
            _State.DOUBLE: self._in_double_quotes,
            _State.DOUBLE_ESCAPE: self._after_backslash_in_quotes,
            _State.COMMENT: self._in_comment,
            _State.COMMENT_ESCAPE: self._after_backslash_in_comment,
        }

    def take(self, character: str) -> None:
        """Read on."""
        self._steps[self._state](character)
        self._line += character == "\n"

    def end(self) -> EnvironmentFile:
        """Return what was read."""
        if self._state not in {_State.BEFORE_KEY, _State.KEY, _State.COMMENT, _State.COMMENT_ESCAPE}:
            if self._state is not _State.VALUE:
                self._kept = len(self._value)
            self._push()
        elif self._state is _State.KEY:
            self._ignore(f"{self._key.strip()[:40]!r} has no =")
        return EnvironmentFile(values=self._values, ignored=tuple(self._ignored))

    def _ignore(self, why: str) -> None:
        self._ignored.append(f"line {self._first}: {why}")

    def _add(self, text: str, *, kept: bool) -> None:
        self._value += text
        if kept:
            self._kept = len(self._value)

    def _push(self) -> None:
        key, value = self._key.rstrip(_BLANK), self._value[: self._kept]
        self._state, self._key, self._value, self._kept = _State.BEFORE_KEY, "", "", 0
        try:
            (key + value).encode()
        except UnicodeEncodeError:
            raise _refused(self._path, self._first, "not UTF-8") from None
        if not _NAME.fullmatch(key):
            self._ignore(f"{key[:40]!r} is not the name of a variable (Section__Key)")
        else:
            self._values[key] = value

    def _before_key(self, character: str) -> None:
        if character in "#;":
            self._state = _State.COMMENT
        elif character not in _BLANK:
            self._state, self._key, self._first = _State.KEY, character, self._line

    def _in_key(self, character: str) -> None:
        if character in _NEWLINE:
            self._ignore(f"{self._key.strip()[:40]!r} has no =")
            self._state, self._key = _State.BEFORE_KEY, ""
        elif character == "=":
            self._state = _State.BEFORE_VALUE
        else:
            self._key += character

    def _before_value(self, character: str) -> None:
        if character in _NEWLINE:
            self._kept = len(self._value)
            self._push()
        elif character == "'":
            self._state = _State.SINGLE
        elif character == '"':
            self._state = _State.DOUBLE
        elif character == "\\":
            self._state = _State.ESCAPE
        elif character not in _BLANK:
            self._state = _State.VALUE
            self._add(character, kept=True)

    def _in_value(self, character: str) -> None:
        if character in _NEWLINE:
            self._push()
        elif character == "\\":
            self._state = _State.ESCAPE
            self._kept = len(self._value)
        else:
            self._add(character, kept=character not in _BLANK)

    def _after_backslash(self, character: str) -> None:
        self._state = _State.VALUE
        self._add("" if character in _NEWLINE else character, kept=True)

    def _in_single_quotes(self, character: str) -> None:
        if character == "'":
            self._state = _State.BEFORE_VALUE
        else:
            self._add(character, kept=True)

    def _in_double_quotes(self, character: str) -> None:
        if character == '"':
            self._state = _State.BEFORE_VALUE
        elif character == "\\":
            self._state = _State.DOUBLE_ESCAPE
        else:
            self._add(character, kept=True)

    def _after_backslash_in_quotes(self, character: str) -> None:
        self._state = _State.DOUBLE
        if character in _ESCAPED_IN_QUOTES:
            self._add(character, kept=True)
        elif character != "\n":
            self._add(f"\\{character}", kept=True)

    def _in_comment(self, character: str) -> None:
        if character == "\\":
            self._state = _State.COMMENT_ESCAPE
        elif character in _NEWLINE:
            self._state = _State.BEFORE_KEY

    def _after_backslash_in_comment(self, character: str) -> None:
        # From systemd 254 on the comment ends here. Debian 12 has 252, where it goes on in the next line.
        self._state = _State.COMMENT
        if character in _NEWLINE:
            self._ignored.append(
                f"line {self._line}: before systemd 254, the comment goes on in the next line (it ends in \\)"
            )
