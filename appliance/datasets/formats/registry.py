"""All formats, in the order in which they are tried: by content, never by a file's name alone."""

from collections.abc import Mapping
from typing import Final

from appliance.datasets.formats.format import Format, SourceFile
from appliance.datasets.formats.spans.azure_project import PROJECT
from appliance.datasets.formats.spans.jsonl import JSONL
from appliance.datasets.formats.tokens.conll import BILOU, BIOES, CONLL
from appliance.datasets.formats.unsupported import refusal
from appliance.datasets.label_errors import DatasetError

FORMATS: Final[tuple[Format, ...]] = (PROJECT, JSONL, CONLL, BIOES, BILOU)
BY_NAME: Final[Mapping[str, Format]] = {one.name: one for one in FORMATS}
READABLE: Final = tuple(one.name for one in FORMATS)
WRITABLE: Final = tuple(one.name for one in FORMATS if one.write is not None)


__all__ = ["BY_NAME", "FORMATS", "PROJECT", "READABLE", "WRITABLE", "recognise", "require"]


def recognise(file: SourceFile) -> Format | None:
    """Return the first format that a file's content fits."""
    return next((one for one in FORMATS if one.sniff(file)), None)


def require(file: SourceFile) -> Format:
    """Return the format of a file.

    Raises:
        DatasetError: None fits; where it is a known one that is not read here, with what would work.
    """
    found = recognise(file)
    if found is not None:
        return found
    raise refusal(file) or DatasetError(
        f"{file.name}: no format of labelled text fits its content",
        hint=f"name it with --from, one of: {', '.join(READABLE)}",
    )
