"""What a signed text says: one line that names its kind, then one JSON object, indented for human readers.

The kind is inside the signed text, so that a licence can never pass for a usage export although one file
(`license.trust.signed_note`) signs and opens both. Unknown fields are ignored, except those the statement
itself lists in `crit`: they change its meaning, and who does not know them must not act on it.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any, Final

from license.encoding.strict import parse_json, shown
from license.errors import Malformed, NeedsNewerVersion, WrongType

PREFIX: Final = "offline-appliance/"
_VERSION: Final = "v1"


def render_statement(kind: str, claims: Mapping[str, Any]) -> str:
    """Return the text of a statement: its first line and the claims in the order given.

    Raises:
        Malformed: the claims hold something the strict reader would refuse, such as a float.
    """
    try:
        body = json.dumps(claims, ensure_ascii=False, allow_nan=False, indent=2)
    except (TypeError, ValueError, RecursionError) as error:
        raise Malformed(f"the claims of a {kind} cannot be written: {error}") from error
    parse_json(body)  # never sign what the other side will refuse
    return f"{PREFIX}{kind}/{_VERSION}\n{body}\n"


def parse_statement(text: str, kind: str, *, understood: Collection[str] = ()) -> dict[str, Any]:
    """Return the claims of a statement of the given kind.

    Args:
        text: The text of a verified note.
        kind: Such as `license` or `delegation`.
        understood: Names of fields the caller acts on; the only ones `crit` may list.

    Raises:
        WrongType: a statement of another kind, or not a statement.
        NeedsNewerVersion: a later version of this kind, or one that insists on a field not understood.
        Malformed: no strict JSON object after the first line.
    """
    first, _, body = text.partition("\n")
    if first != f"{PREFIX}{kind}/{_VERSION}":
        if first.startswith(f"{PREFIX}{kind}/v"):
            raise NeedsNewerVersion(f"the file is of a later format ({shown(first)})")
        raise WrongType(f"the file is not a {kind}; its first line says '{shown(first)}'")
    claims = parse_json(body)
    _check_crit(claims, understood)
    return claims


def kind_of(text: str) -> str | None:
    """Return the kind a text claims to be (`license`, `delegation`, …), or None if it is not a statement."""
    kind, slash, _ = text.partition("\n")[0].removeprefix(PREFIX).partition("/")
    return kind if text.startswith(PREFIX) and slash and kind else None


def _check_crit(claims: Mapping[str, Any], understood: Collection[str]) -> None:
    if "crit" not in claims:
        return
    crit = claims["crit"]
    if (
        not isinstance(crit, list)
        or not crit
        or not all(isinstance(name, str) and name in claims for name in crit)
    ):
        raise Malformed("`crit` must list names of fields that are present")
    unknown = [name for name in crit if name not in understood]
    if unknown:
        raise NeedsNewerVersion(
            f"the file needs {shown(', '.join(unknown))}, which this version does not know"
        )
