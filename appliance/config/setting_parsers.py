"""Parsers of setting values: each reads a text, or raises `ValueError` with what it expected."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

from appliance.config.products import SERVICES, Product

_TRUE: Final = frozenset({"true", "1", "yes", "on"})
_FALSE: Final = frozenset({"false", "0", "no", "off", ""})
_LEVELS: Final = ("trace", "debug", "information", "warning", "error", "critical", "none")


def parse_boolean(text: str) -> bool:
    """Read `True` or `False`, or what else people write for them."""
    if text.strip().lower() in _TRUE:
        return True
    if text.strip().lower() in _FALSE:
        return False
    raise ValueError("expected True or False")


def parse_directory(text: str) -> Path:
    """Read the path of a directory."""
    if not text.strip() or "\0" in text:
        raise ValueError("expected a directory")
    return Path(text)


def number_within(low: int, high: int) -> Callable[[str], int]:
    """Return a reader of whole numbers within bounds, both included."""

    def parse(text: str) -> int:
        if not text.strip().lstrip("-").isdecimal() or not low <= int(text) <= high:
            raise ValueError(f"expected a whole number from {low} to {high}")
        return int(text)

    return parse


def is_name(text: str) -> bool:
    """Whether this may name a project, a deployment or a model."""
    return 0 < len(text) <= 50 and all(c.isascii() and (c.isalnum() or c in "_.-") for c in text)


def parse_name(text: str) -> str:
    """Read the name of a project, a deployment or a model."""
    if not is_name(text):
        raise ValueError("expected 1 to 50 letters, digits, '_', '.' or '-'")
    return text


def parse_log_level(text: str) -> str:
    """Read a log level as .NET names them; lower case."""
    if text.strip().lower() not in _LEVELS:
        raise ValueError("expected one of Trace, Debug, Information, Warning, Error, Critical, None")
    return text.strip().lower()


def parse_file(text: str) -> Path:
    """Read the path of a file."""
    if not text.strip() or "\0" in text:
        raise ValueError("expected a file")
    return Path(text)


def parse_files(text: str) -> tuple[Path, ...]:
    """Read several absolute paths with commas between."""
    paths = tuple(parse_file(part.strip()) for part in text.split(","))
    if not all(path.is_absolute() for path in paths):
        raise ValueError("expected files with their whole paths, comma-separated")
    return paths


def parse_locale(text: str) -> str:
    """Read a locale such as `en-US`."""
    if not text.isascii() or not all(part.isalnum() for part in text.split("-")) or len(text) > 35:
        raise ValueError("expected a locale such as en-US")
    return text


def choice_of(*words: str) -> Callable[[str], str]:
    """Return a reader of one of some words; lower case."""

    def parse(text: str) -> str:
        if text.strip().lower() not in words:
            raise ValueError(f"expected {' or '.join(words)}")
        return text.strip().lower()

    return parse


def parse_product(text: str) -> Product:
    """Read the name of a service."""
    return SERVICES[choice_of(*SERVICES)(text)]


def parse_mib(text: str) -> int:
    """Read a number of MiB, or -1 for no limit."""
    return -1 if text.strip() == "-1" else number_within(1, 1 << 20)(text)
