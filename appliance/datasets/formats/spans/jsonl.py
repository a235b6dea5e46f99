"""Own JSON Lines: a document a line, `{"id", "text", "entities": [{"start", "end", "label"}]}`.

Offsets are code points, ends exclusive. An array of such objects reads alike, and so do labels under `labels`
and labels as `[start, end, label]`.
"""

from collections.abc import Sequence
from typing import Any, Final

from appliance.datasets.document import LabelledDocument
from appliance.datasets.formats.format import Contents, Format, RawDocument, ReadOptions, SourceFile
from appliance.datasets.formats.json_values import Record, dump, each, fits, items, named, string
from appliance.datasets.formats.spans.span_values import is_span, relations_of, require_records, spans_of
from appliance.datasets.label_errors import Mistake

EXAMPLE: Final = '{"text": …, "entities": [{"start", "end", "label"}]}'


def sniff(file: SourceFile) -> bool:
    """Whether most records have a text, and what they have of labels are places in it."""
    return fits(file.records, _fits)


def _fits(value: Any) -> bool:
    found = value.get("entities", value.get("labels", []))
    return (
        isinstance(value["text"], str) and isinstance(found, list | None) and all(map(is_span, found or []))
    )


def read(file: SourceFile, _options: ReadOptions) -> Contents:
    """Read the documents of a file."""

    untold: list[Mistake] = []

    def document(record: Record, called: str) -> RawDocument:
        value = record.value
        found = items(value.get("entities", value.get("labels")), "entities")
        untold.extend(relations_of(value, called))
        language = value.get("language")
        return RawDocument(
            name=named(called, value.get("id")),
            text=string(value["text"], "text"),
            spans=spans_of(found),
            language=language if isinstance(language, str) else "",
        )

    documents, mistakes = each(require_records(file, "JSONL"), file.name, document, EXAMPLE)
    return Contents(documents=documents, mistakes=[*mistakes, *untold])


def write(documents: Sequence[LabelledDocument], stem: str) -> dict[str, bytes]:
    """Write a document a line."""
    lines = []
    for document in documents:
        entities = [{"start": one.start, "end": one.end, "label": one.category} for one in document.labels]
        lines.append(dump({"id": document.name, "text": document.text, "entities": entities}))
    return {f"{stem}.jsonl": b"".join(lines)}


JSONL: Final = Format(
    name="jsonl",
    title="JSONL",
    sniff=sniff,
    read=read,
    write=write,
    note='`{"text", "entities": [{"start", "end", "label"}]}` a line or in an array',
)
