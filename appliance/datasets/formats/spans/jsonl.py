"""Own JSON Lines: a document a line, `{"id", "text", "entities": [{"start", "end", "label"}]}`.

Offsets are code points, ends exclusive. An array of such objects reads alike, and so do labels under `labels`
and labels as `[start, end, label]`.
"""

from collections.abc import Sequence
from typing import Any, Final

from appliance.datasets.document import LabelledDocument
from appliance.datasets.formats.format import Contents, Format, RawDocument, ReadOptions, SourceFile
from appliance.datasets.formats.json_values import Record, dump, each, fits, items, named, string
from appliance.datasets.formats.spans.span_values import (
    is_span,
    labels_below,
    other_labels,
    relations_of,
    require_records,
    spans_of,
)
from appliance.datasets.label_errors import Mistake

_LISTS: Final = ("entities", "labels")
EXAMPLE: Final = '{"text": …, "entities": [{"start", "end", "label"}]}'


def sniff(file: SourceFile) -> bool:
    """Whether most records have a text, and what they have of labels are places in it."""
    return fits(file.records, _fits)


def _fits(value: Any) -> bool:
    found = value.get(labels_below(value, _LISTS))
    return (
        isinstance(value["text"], str) and isinstance(found, list | None) and all(map(is_span, found or []))
    )


def read(file: SourceFile, _options: ReadOptions) -> Contents:
    """Read the documents of a file."""

    untold: list[Mistake] = []

    def document(record: Record, called: str) -> RawDocument:
        value = record.value
        key = labels_below(value, _LISTS)
        untold.extend([*relations_of(value, called), *other_labels(value, key, called)])
        language = value.get("language")
        return RawDocument(
            name=named(called, value.get("id")),
            text=string(value["text"], "text"),
            spans=spans_of(items(value.get(key), "entities")),
            language=language if isinstance(language, str) else "",
        )

    documents, mistakes = each(require_records(file, "JSONL"), file.name, document, EXAMPLE)
    return Contents(documents=documents, mistakes=[*mistakes, *untold])


def write(documents: Sequence[LabelledDocument], stem: str) -> dict[str, bytes]:
    """Write a document a line."""
    lines = []
    for document in documents:
        entities = [{"start": one.start, "end": one.end, "label": one.category} for one in document.labels]
        spoken = {"language": document.language} if document.language else {}
        row = {"id": document.name, "text": document.text, **spoken, "entities": entities}
        lines.append(dump(row))
    return {f"{stem}.jsonl": b"".join(lines)}


JSONL: Final = Format(
    name="jsonl",
    title="JSONL",
    sniff=sniff,
    read=read,
    write=write,
    note='`{"text", "entities": [{"start", "end", "label"}]}` a line or in an array',
)
