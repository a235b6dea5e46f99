"""Keys of callers and operators: settings whose names the operator chooses, and files of keys."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Final

from appliance.errors import SettingsError
from license.errors import LicenseError
from license.files import read_limited

ACCESS_PREFIX: Final = "apikeys:"
"""`ApiKeys:NAME=key`, any number of them."""
OPERATOR_PREFIX: Final = "operatorkeys:"
"""`OperatorKeys:NAME=key`, any number of them."""
NAMED_KEYS: Final = (ACCESS_PREFIX, OPERATOR_PREFIX)
KEY_FILE: Final = "ApiKeys:File"
OPERATOR_FILE: Final = "OperatorKeys:File"
_LEAST_OPERATOR_KEY: Final = 16
_MAX_FILE_BYTES: Final = 65_536
_MAKE_KEY: Final = "make one with: openssl rand -hex 16"

Callers = tuple[tuple[str, str], ...]
"""Names of callers with their keys."""
Operators = tuple[tuple[str, str], ...]
"""Names of operators with their keys."""


def keys_and_operators(
    named: Mapping[str, str], *, key_file: Path | None, operator_file: Path | None
) -> tuple[Callers, Operators]:
    """Return the keys of callers and of operators with their names, those in files too.

    Args:
        named: Keys by the lower-case name of their setting.
        key_file: What `ApiKeys:File` names.
        operator_file: What `OperatorKeys:File` names.

    Raises:
        SettingsError: As of `access_keys`, `operator_keys` and `read_key_file`.
    """
    found = dict(named)
    for prefix, path, setting in (
        (ACCESS_PREFIX, key_file, KEY_FILE),
        (OPERATOR_PREFIX, operator_file, OPERATOR_FILE),
    ):
        if path is not None:
            listed = enumerate(read_key_file(path, setting), start=1)
            found |= {f"{prefix}file, key {number}": key for number, key in listed}
    callers = access_keys({name: key for name, key in found.items() if name.startswith(ACCESS_PREFIX)})
    operators = {name: key for name, key in found.items() if name.startswith(OPERATOR_PREFIX)}
    return callers, operator_keys(operators, [key for _, key in callers])


def read_key_file(path: Path, setting: str = KEY_FILE) -> tuple[str, ...]:
    """Return the keys in a file: one a line, `#` begins a comment, empty lines do not count.

    Args:
        path: The file.
        setting: What named it, for messages.

    Raises:
        SettingsError: It cannot be read, or holds none.
    """
    try:
        text = read_limited(path, _MAX_FILE_BYTES).decode("utf-8")
    except LicenseError as error:
        raise SettingsError(f"{setting}: {error.message}", hint=error.hint) from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"{setting}: {path} is not text", hint="write one key per line") from error
    lines = (line.strip() for line in text.splitlines())
    keys = tuple(line for line in lines if line and not line.startswith("#"))
    if not keys:
        raise SettingsError(
            f"{setting}: {path} holds no key", hint=f"make one with: openssl rand -hex 16 >> {path}"
        )
    return keys


def access_keys(named: Mapping[str, str]) -> Callers:
    """Return the names and keys that callers may use.

    An empty key would let in whoever sends an empty header.

    Args:
        named: Keys by the lower-case name of their setting.

    Raises:
        SettingsError: One is empty, or cannot stand in a header.
    """
    for name, key in named.items():
        _check_key(f"ApiKeys:{name.removeprefix(ACCESS_PREFIX)}", key)
    return tuple((name.removeprefix(ACCESS_PREFIX), key) for name, key in named.items())


def operator_keys(named: Mapping[str, str], callers: Collection[str]) -> tuple[tuple[str, str], ...]:
    """Return the operators' names with their keys, which open `/admin`.

    Args:
        named: Keys by the lower-case name of their setting.
        callers: The keys of callers: none of them may be an operator's as well.

    Raises:
        SettingsError: One is empty, short or a caller's, or cannot stand in a header.
    """
    operators = []
    for name, key in named.items():
        setting = f"OperatorKeys:{name.removeprefix(OPERATOR_PREFIX)}"
        _check_key(setting, key)
        if len(key) < _LEAST_OPERATOR_KEY:
            raise SettingsError(
                f"{setting} has {len(key)} characters, and a key of an operator at least "
                f"{_LEAST_OPERATOR_KEY}",
                hint=_MAKE_KEY,
            )
        if key in callers:
            raise SettingsError(
                f"{setting} is the key of a caller as well: whoever asks for texts could change the licence",
                hint=f"give operators a key of their own; {_MAKE_KEY}",
            )
        operators.append((name.removeprefix(OPERATOR_PREFIX), key))
    return tuple(operators)


def _check_key(setting: str, key: str) -> None:
    if not key.strip() or key != key.strip() or not key.isascii() or not key.isprintable():
        raise SettingsError(
            f"{setting} cannot be a key: expected printable ASCII without spaces around it", hint=_MAKE_KEY
        )
