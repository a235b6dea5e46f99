"""Strict reading of the files of a model folder, for every task: JSON, digests, and what a graph needs."""

import re
from collections.abc import Mapping
from typing import Any, Final

from appliance.errors import ModelError
from appliance.models.files import LOOK, Files
from appliance.onnx_tools.inspect import GraphFacts, MalformedGraphError, read_graph
from license.encoding.strict import load_json

MAX_MODEL_BYTES: Final = 2**31 - 1  # the most one protobuf message can be
MAX_CONFIG_BYTES: Final = 4 * 2**20
MAX_MANIFEST_BYTES: Final = 64 * 2**10

MANIFEST: Final = "model.json"

_SHA256: Final = re.compile(r"[0-9a-f]{64}")


def check_digests(named: Mapping[str, Any], digests: Mapping[str, str]) -> None:
    """Compare the checksums that `model.json` names with those of the files.

    Raises:
        ModelError: One is missing or differs.
    """
    for name, digest in digests.items():
        expected = named.get(name)
        if not isinstance(expected, str) or not _SHA256.fullmatch(expected):
            raise ModelError(f"{MANIFEST} names no SHA-256 for {name}", hint=LOOK)
        if expected != digest:
            raise ModelError(
                f"{name} is not the file that {MANIFEST} names: its SHA-256 differs",
                hint="copy the folder again from where it came",
            )


def read_facts(files: Files, name: str) -> GraphFacts:
    """Read a graph's facts and refuse what would reach beyond the folder.

    Raises:
        ModelError: It is not an ONNX model, keeps weights elsewhere, or needs foreign operators.
    """
    with files.mapped(name) as data:
        view = memoryview(data)
        try:
            facts = read_graph(view)
        except MalformedGraphError as error:
            reason = str(error)  # the traceback would keep views of the file alive
            facts = None
        finally:
            view.release()
    if facts is None:
        raise ModelError(f"{name} is not an ONNX model: {reason}", hint=LOOK)
    if facts.external_data:
        raise ModelError(
            f"{name} keeps weights in other files (external data), which is refused",
            hint="import the folder, which puts them inside: appliance models add FOLDER",
        )
    if facts.unknown_domains:
        raise ModelError(
            f"{name} needs operators of {', '.join(facts.unknown_domains)}, which foreign code provides",
            hint="export the model with standard operators",
        )
    return facts


def read_json(files: Files, name: str, limit: int = MAX_CONFIG_BYTES) -> dict[str, Any]:
    """Read one JSON object; no key twice, no NaN.

    Raises:
        ModelError: The file is missing, too large, or something else.
    """
    files.check(name, limit)
    try:
        value = load_json(files.text(name))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{name} in {files.path} is not readable JSON: {error}") from error
    if not isinstance(value, dict):
        raise ModelError(f"{name} in {files.path} is not a JSON object")
    return value


class Fields:
    """Typed reading of one JSON object; every refusal names the file and the field."""

    def __init__(self, table: Mapping[str, Any], where: str) -> None:
        self._table = table
        self._where = where

    def text(self, key: str, default: str | None = None) -> str:
        """A text; not empty unless a default is given."""
        value = self._table.get(key, default)
        if not isinstance(value, str) or (default is None and not value):
            raise self._wrong(key, "a text")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of texts."""
        value = self._table.get(key, [])
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self._wrong(key, "a list of texts")
        return tuple(value)

    def choice(self, key: str, choices: tuple[str, ...], default: str) -> str:
        """One of some words."""
        value = self._table.get(key, default)
        if value not in choices:
            raise self._wrong(key, f"one of {', '.join(choices)}")
        return str(value)

    def integer(self, key: str, low: int, high: int, default: int | None = None) -> int:
        """A whole number within bounds."""
        value = self._table.get(key, default)
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise self._wrong(key, f"a whole number from {low} to {high}")
        return value

    def flag(self, key: str, *, default: bool) -> bool:
        """True or false."""
        value = self._table.get(key, default)
        if not isinstance(value, bool):
            raise self._wrong(key, "true or false")
        return value

    def table(self, key: str, default: Mapping[str, Any] | None = None) -> Mapping[str, Any]:
        """An object."""
        value = self._table.get(key, default)
        if not isinstance(value, Mapping):
            raise self._wrong(key, "an object")
        return value

    def number(self, key: str, low: float, high: float, default: float) -> float:
        """A number within bounds."""
        value = self._table.get(key, default)
        if not isinstance(value, int | float) or isinstance(value, bool) or not low <= value <= high:
            raise self._wrong(key, f"a number from {low:g} to {high:g}")
        return float(value)

    def _wrong(self, key: str, wanted: str) -> ModelError:
        return ModelError(f"{self._where}: {key} must be {wanted}", hint=LOOK)
