"""Secrets among the settings: where they may come from, and where they must not show."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from appliance.config.command_line import NAMED_KEYS, command_line_pairs
from appliance.errors import SettingsError
from license.errors import LicenseError
from license.files import read_limited

KEY_FILE: Final = "ApiKeys:File"
OPERATOR_FILE: Final = "OperatorKeys:File"
_KEY_FILES: Final = frozenset({KEY_FILE.lower(), OPERATOR_FILE.lower()})
_SECRET: Final = frozenset({"apikey", "http_proxy_creds"})
_MAX_FILE_BYTES: Final = 65_536
_USERINFO: Final = re.compile(r"(?<=://)[^\s/?#]*@")
_HIDDEN: Final = "…@"


def without_userinfo(text: str) -> str:
    """Return a text with name and password cut out of every address in it (`https://user:password@host`)."""
    return _USERINFO.sub(_HIDDEN, text)


def shown_address(value: str) -> str:
    """Return one setting's value without name and password, with or without `https://` before them."""
    scheme, found, rest = value.rpartition("://")
    _, at, host = rest.rpartition("@")
    return f"{scheme}{found}{_HIDDEN}{host}" if at else value


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


def shown_in_process_list(args: Sequence[str]) -> tuple[str, ...]:
    """Return the settings on a command line that hold secrets: every user of the machine can read it."""
    return tuple(
        dict.fromkeys(key for key, value in command_line_pairs(args) if value and _is_secret(key, value))
    )


def _is_secret(key: str, value: str) -> bool:
    name = key.lower()
    access = name.startswith(NAMED_KEYS) and name not in _KEY_FILES
    return access or name in _SECRET or (":" in value and without_userinfo(value) != value)
