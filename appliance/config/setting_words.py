"""From the words of a command line and an environment to raw values by key, and from those to their kinds."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from appliance.config.access import NAMED_KEYS
from appliance.config.command_line import command_line_pairs
from appliance.errors import SettingsError

# Accepted because published commands carry them; off line they mean nothing and open no socket.
INERT_KEYS: Final = ("fluentd", "http_proxy", "https_proxy", "http_proxy_creds", "applicationinsights")
_SECRET_KEYS: Final = frozenset({"ApiKey", "Jobs:Database", "HTTP_PROXY", "HTTPS_PROXY", "HTTP_PROXY_CREDS"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """What was typed: values by lower-case key, keys of callers and operators, and the rest."""

    values: Mapping[str, str]
    access: Mapping[str, str]
    inert: tuple[str, ...]
    unknown: tuple[str, ...]


def read_words(args: Sequence[str], environ: Mapping[str, str], *, known: frozenset[str]) -> Words:
    """Sort the words of a command line, which win, and the variables of an environment.

    Args:
        args: Words after the program's name.
        environ: Environment variables; only known keys are looked at.
        known: Keys of settings, in lower case.

    Raises:
        SettingsError: A word cannot be read.
    """
    values: dict[str, str] = {}
    access: dict[str, str] = {}
    inert: list[str] = []
    unknown: list[str] = []
    for name, value in environ.items():
        key = name.replace("__", ":").lower()
        if key in known and value:
            values[key] = value
        elif key.startswith(NAMED_KEYS):
            access[key] = value
    for key, value in command_line_pairs(args):
        if key.lower() in known:
            values[key.lower()] = value
            if key.lower() in INERT_KEYS:
                inert.append(key)
        elif key.lower().startswith(NAMED_KEYS):
            access[key.lower()] = value
        elif key.lower().split(":")[0] in INERT_KEYS:
            inert.append(key)
        else:
            unknown.append(key)
    return Words(
        values=values,
        access=access,
        inert=tuple(dict.fromkeys(inert)),
        unknown=tuple(dict.fromkeys(unknown)),
    )


def read_value(entry: "dataclasses.Field[Any]", text: str) -> Any:
    """Read the value of a setting.

    Args:
        entry: The setting's field, with `key`, `parse` and `help` in its metadata.
        text: What was typed.

    Raises:
        SettingsError: The text is not of the setting's kind. The message never holds a secret.
    """
    if text == "" and entry.default in (None, "", ()):
        return entry.default
    key = entry.metadata["key"]
    try:
        return entry.metadata["parse"](text)
    except ValueError as error:
        shown = "that value" if key in _SECRET_KEYS else repr(text[:80])
        raise SettingsError(
            f"{key} cannot be {shown}: {error}", hint=f"{key}: {entry.metadata['help']}"
        ) from None
