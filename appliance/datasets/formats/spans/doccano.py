"""doccano's JSONL: `{"text", "label": [[start, end, label]]}`, or with `entities` and `relations`.

Offsets are code points, ends exclusive; a project that counts graphemes is told by its cut words.
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

_EXAMPLE: Final = '{"text": …, "label": [[0, 4, "Person"]]}'
_LISTS: Final = ("label", "labels", "entities")


def sniff(file: SourceFile) -> bool:
    """Whether most records have a text and labels as triples, or entities with `start_offset`."""
    return fits(file.records, _fits)


def _fits(value: Any) -> bool:
    if not isinstance(value.get("text", value.get("data")), str):
        return False
    for key in ("label", "labels"):
        found = value.get(key)
        if isinstance(found, list):
            return all(isinstance(one, list) and is_span(one) for one in found)
    found = value["entities"]
    return isinstance(found, list) and (
        "relations" in value or any("start_offset" in one for one in found if isinstance(one, dict))
    )


def read(file: SourceFile, _options: ReadOptions) -> Contents:
    """Read the documents of a file."""
    untold: list[Mistake] = []

    def document(record: Record, called: str) -> RawDocument:
        value = record.value
        key = labels_below(value, _LISTS)
        untold.extend([*relations_of(value, called), *other_labels(value, key, called)])
        return RawDocument(
            name=named(called, value.get("id")),
            text=string(value.get("text", value.get("data")), "text"),
            spans=spans_of(items(value.get(key), "label")),
        )

    documents, mistakes = each(require_records(file, "doccano's JSONL"), file.name, document, _EXAMPLE)
    return Contents(documents=documents, mistakes=[*mistakes, *untold])


def write(documents: Sequence[LabelledDocument], stem: str) -> dict[str, bytes]:
    """Write a document a line, labels as triples."""
    lines = []
    for number, document in enumerate(documents, 1):
        triples = [[one.start, one.end, one.category] for one in document.labels]
        lines.append(dump({"id": number, "text": document.text, "label": triples, "Comments": []}))
    return {f"{stem}.jsonl": b"".join(lines)}


DOCCANO: Final = Format(
    name="doccano",
    title="doccano",
    sniff=sniff,
    read=read,
    write=write,
    note='JSONL with `"label": [[start, end, label]]` or with `entities` and `relations`',
)
