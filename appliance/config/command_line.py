"""The command line as .NET reads it, and the settings whose names the operator chooses."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Final

from appliance.errors import SettingsError

ACCESS_PREFIX: Final = "apikeys:"
"""`ApiKeys:NAME=key`, any number of them."""
OPERATOR_PREFIX: Final = "operatorkeys:"
"""`OperatorKeys:NAME=key`, any number of them."""
NAMED_KEYS: Final = (ACCESS_PREFIX, OPERATOR_PREFIX)
_LEAST_OPERATOR_KEY: Final = 16
_MAKE_KEY: Final = "make one with: openssl rand -hex 16"


def command_line_pairs(args: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield `(key, value)` from command-line words, by .NET's rules.

    Raises:
        SettingsError: A word with a single dash and an `=` (.NET has no aliases to resolve it by).
    """
    words = iter(args)
    for word in words:
        for prefix in ("--", "/"):
            if word.startswith(prefix) and len(word) > len(prefix):
                key, equals, value = word[len(prefix) :].partition("=")
                yield key, value if equals else next(words, "")
                break
        else:
            if word.startswith("-") and "=" in word:
                raise SettingsError(
                    f"{word.partition('=')[0]} is not a setting: one dash is not enough",
                    hint="write Key=Value, --Key=Value, --Key Value or /Key=Value",
                )
            key, equals, value = word.partition("=")
            if equals and key and not word.startswith("-"):
                yield key, value


DISPLAY_TYPES: Final = ("Punct", "Rescore", "Resegment", "Wfstitn")
"""Types of display models, in the order in which a text passes through their settings."""
FULL_DISPLAY: Final = "FullDisplay"


def is_display_word(word: str) -> bool:
    """Tell a bare word that chooses display models."""
    return word.lower() in {name.lower() for name in (*DISPLAY_TYPES, FULL_DISPLAY)}


def display_types(args: Sequence[str]) -> tuple[str, ...]:
    """Return the types of display models that bare words of a command line choose; `FullDisplay` is all."""
    names = {word.lower() for word in args}
    if FULL_DISPLAY.lower() in names:
        return DISPLAY_TYPES
    return tuple(name for name in DISPLAY_TYPES if name.lower() in names)


def access_keys(named: Mapping[str, str]) -> tuple[str, ...]:
    """Return the keys that callers may use; an empty one would let in whoever sends an empty header.

    Args:
        named: Keys by the lower-case name of their setting.

    Raises:
        SettingsError: One is empty, or cannot stand in a header.
    """
    for name, key in named.items():
        _check_key(f"ApiKeys:{name.removeprefix(ACCESS_PREFIX)}", key)
    return tuple(named.values())


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
