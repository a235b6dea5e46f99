"""The command line as .NET reads it."""

from collections.abc import Iterator, Sequence
from typing import Final

from appliance.errors import SettingsError


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
