"""Secrets among the settings: where they may come from, and where they must not show."""

import re
from collections.abc import Sequence
from typing import Final

from appliance.config.access import KEY_FILE, NAMED_KEYS, OPERATOR_FILE
from appliance.config.command_line import command_line_pairs

_KEY_FILES: Final = frozenset({KEY_FILE.lower(), OPERATOR_FILE.lower()})
_SECRET: Final = frozenset({"apikey", "http_proxy_creds"})
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


def shown_in_process_list(args: Sequence[str]) -> tuple[str, ...]:
    """Return the settings on a command line that hold secrets: every user of the machine can read it."""
    return tuple(
        dict.fromkeys(key for key, value in command_line_pairs(args) if value and _is_secret(key, value))
    )


def _is_secret(key: str, value: str) -> bool:
    name = key.lower()
    access = name.startswith(NAMED_KEYS) and name not in _KEY_FILES
    return access or name in _SECRET or (":" in value and without_userinfo(value) != value)
