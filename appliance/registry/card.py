"""`appliance models card`: what is written of an installed model, and comparisons that are kept with it."""

import time
from pathlib import Path
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from appliance.errors import ModelError
from appliance.models.folder_facts import CARD
from appliance.models.packages import find_packages
from appliance.registry.registry import RegistryEntry
from license.errors import LicenseError
from license.files import read_limited, write_atomic

MOST_BYTES: Final = 4 * 1024 * 1024
"""Of a card; a longer one would not be shown."""
MOST_COMPARISON_BYTES: Final = 16 * 1024 * 1024
_MODE: Final = 0o644
"""The service reads it, whoever wrote it; it holds no text of any document."""
_Share = Annotated[float, Field(ge=0, le=1)]
_Difference = Annotated[float, Field(ge=-1, le=1)]


class _Figures(BaseModel):
    model_config = ConfigDict(extra="ignore")
    first: Annotated[_Share, Field(alias="f1A")]
    second: Annotated[_Share, Field(alias="f1B")]
    difference: _Difference
    low: _Difference
    high: _Difference
    support: Annotated[int, Field(ge=0)]


class _Compared(BaseModel):
    model_config = ConfigDict(extra="ignore")
    a: Annotated[str, Field(min_length=1)]
    b: Annotated[str, Field(min_length=1)]
    documents: Annotated[int, Field(ge=1)]
    every: Annotated[_Figures, Field(alias="all")]
    categories: dict[str, _Figures]


def read_installed_card(entry: RegistryEntry) -> str:
    """Return the card of an installed model; empty without one.

    Raises:
        ModelError: It cannot be read, or is longer than `MOST_BYTES`.
    """
    path = entry.path / CARD
    try:
        data = path.read_bytes() if path.exists() else b""
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror}", hint="see who may read it") from None
    if len(data) > MOST_BYTES:
        raise ModelError(f"{path} is longer than {MOST_BYTES} bytes", hint="cut it shorter")
    return data.decode("utf-8", "replace")


def add_comparison(entry: RegistryEntry, comparison: Path, now: float) -> str:
    """Put the figures of a comparison into the card of one of its models; return the card.

    Args:
        entry: The model.
        comparison: What `models compare --json` printed or the label page saved. Its sentences are left out.
        now: Unix seconds, for the day.

    Raises:
        ModelError: The file is no comparison or one of other models, the model is an encrypted package, or
            the card cannot be written or would be too long. Nothing was changed.
    """
    if find_packages(entry.path):
        raise ModelError(
            "an encrypted package cannot be changed", hint="keep the comparison beside it, as a file"
        )
    found = _read(comparison)
    card = _with(read_installed_card(entry), f"{entry.project}/{entry.name}", found, now, str(comparison))
    try:
        write_atomic(entry.path / CARD, card.encode("utf-8", "replace"), mode=_MODE)
    except OSError as error:
        raise ModelError(
            f"{entry.path / CARD} cannot be written: {error.strerror}", hint="see who may write there"
        ) from None
    return card


def read_card(folder: Path) -> str:
    """Return the card in a model folder of this service; empty without one.

    Raises:
        ModelError: It cannot be read, without naming the folder.
    """
    try:
        return (folder / CARD).read_bytes()[:MOST_BYTES].decode("utf-8", "replace")
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise ModelError(f"the card cannot be read: {error.strerror}") from None


def keep_comparison(folder: Path, name: str, comparison: bytes, now: float) -> str:
    """Put the figures of a comparison that a page sent into the card in a model folder; return the card.

    Args:
        folder: Of the model.
        name: `PROJECT/NAME` of the model, one of the two that are compared.
        comparison: As of `add_comparison`.
        now: Unix seconds, for the day.

    Raises:
        ModelError: As of `add_comparison`, without naming the folder. Nothing was changed.
    """
    card = _with(read_card(folder), name, _parsed(comparison, "the comparison", _AGAIN), now, "it")
    try:
        write_atomic(folder / CARD, card.encode("utf-8", "replace"), mode=_MODE)
    except OSError as error:
        raise ModelError(f"the card cannot be written: {error.strerror}", hint="see the free space") from None
    return card


def _with(before: str, name: str, found: _Compared, now: float, called: str) -> str:
    if name not in (found.a, found.b):
        raise ModelError(
            f"{called} compares {found.a[:100]} with {found.b[:100]}, and not {name}",
            hint="name one of these two models",
        )
    card = f"{before.rstrip() or f'# {name}'}\n\n{_section(found, name, now)}"
    if len(card.encode("utf-8", "replace")) > MOST_BYTES:
        raise ModelError(f"the card would be longer than {MOST_BYTES} bytes", hint="cut it shorter")
    return card


_HINT: Final = "save it on the label page, or with `appliance models compare … --json > FILE`"
_AGAIN: Final = "compare the models again"


def _read(path: Path) -> _Compared:
    try:
        data = read_limited(path, MOST_COMPARISON_BYTES)
    except LicenseError as error:
        raise ModelError(error.message, hint=_HINT) from None
    return _parsed(data, str(path), _HINT)


def _parsed(data: bytes, called: str, hint: str) -> _Compared:
    try:
        return _Compared.model_validate_json(data)
    except ValidationError as error:
        where = ".".join(map(str, error.errors()[0]["loc"]))
        raise ModelError(f"{called} is no comparison, at {where or 'its beginning'}", hint=hint) from None


def _section(found: _Compared, name: str, now: float) -> str:
    day = time.strftime("%Y-%m-%d", time.gmtime(now))
    rows = [*((_cell(category), one) for category, one in found.categories.items()), ("all", found.every)]
    texts = f"{found.documents} labelled text{'' if found.documents == 1 else 's'}"
    if found.a == found.b:
        lines = [f"On {texts}.", "", "| category | F1 | support |", "|---|---|---|"]
        lines += [f"| {label} | {100 * one.first:.1f} | {one.support} |" for label, one in rows]
    else:
        other = _cell(found.b if name == found.a else found.a)
        lines = [
            f"On {texts}, beside {other}; 95 % of the differences lie between the ends.",
            "",
            f"| category | F1 | F1 of {other} | difference | 95 % between | support |",
            "|---|---|---|---|---|---|",
            *(_row(label, one, first=name == found.a) for label, one in rows),
        ]
    return "\n".join([f"## Compared on {day}", "", *lines, ""])


def _row(label: str, one: _Figures, *, first: bool) -> str:
    # The file has the second less the first; the card has this model less the other.
    ours, theirs = (one.first, one.second) if first else (one.second, one.first)
    low, high = (-one.high, -one.low) if first else (one.low, one.high)
    ends = f"{100 * low:+.1f} … {100 * high:+.1f}"
    figures = f"{100 * ours:.1f} | {100 * theirs:.1f} | {100 * (ours - theirs):+.1f} | {ends}"
    return f"| {label} | {figures} | {one.support} |"


def _cell(text: str) -> str:
    plain = "".join(one for one in " ".join(text.split()) if one.isprintable())
    return plain[:100].replace("|", "\\|")
