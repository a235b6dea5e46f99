"""Prodigy's JSONL: `{"text", "tokens", "spans": [{"start", "end", "label"}], "answer"}`.

Offsets are code points. Only accepted answers are labels; a line counts the others.
"""

from collections.abc import Sequence
from typing import Any, Final

from appliance.datasets.document import LabelledDocument
from appliance.datasets.formats.format import Contents, Format, RawDocument, ReadOptions, SourceFile
from appliance.datasets.formats.json_values import Record, dump, each, fits, items, named, string
from appliance.datasets.formats.spans.span_values import other_labels, relations_of, require_records, spans_of
from appliance.datasets.formats.tokens.token_rows import sentences_of
from appliance.datasets.label_errors import Mistake

_EXAMPLE: Final = '{"text": …, "spans": [{"start", "end", "label"}], "answer": "accept"}'


def sniff(file: SourceFile) -> bool:
    """Whether most records have a text and spans, or an answer."""
    return fits(file.records, _fits)


def _fits(value: Any) -> bool:
    spans = value.get("spans")
    marked = "answer" in value or "_task_hash" in value
    return isinstance(value["text"], str) and (isinstance(spans, list) or (spans is None and marked))


def read(file: SourceFile, _options: ReadOptions) -> Contents:
    """Read the accepted examples of a file."""
    untold: list[Mistake] = []
    refused = []

    def document(record: Record, called: str) -> RawDocument | None:
        value = record.value
        if value.get("answer", "accept") != "accept":
            refused.append(record.number)
            return None
        untold.extend([*relations_of(value, called), *other_labels(value, "spans", called)])
        return RawDocument(
            name=named(called, (value.get("meta") or {}).get("id")),
            text=string(value["text"], "text"),
            spans=spans_of(items(value.get("spans"), "spans")),
        )

    documents, mistakes = each(require_records(file, "Prodigy's JSONL"), file.name, document, _EXAMPLE)
    notes = [f"{len(refused)} examples with another answer than accept are left out"] if refused else []
    return Contents(documents=documents, mistakes=[*mistakes, *untold], notes=notes)


def write(documents: Sequence[LabelledDocument], stem: str) -> dict[str, bytes]:
    """Write an example a line, with its tokens."""
    lines = []
    for document in documents:
        words = [word for sentence in sentences_of(document) for word in sentence.words]
        starts = {start: number for number, (start, _) in enumerate(words)}
        ends = {end: number for number, (_, end) in enumerate(words)}
        tokens = [
            {
                "text": document.text[start:end],
                "start": start,
                "end": end,
                "id": number,
                "ws": document.text[end : end + 1] == " ",
            }
            for number, (start, end) in enumerate(words)
        ]
        spans = []
        for label in document.labels:
            span = {"start": label.start, "end": label.end, "label": label.category}
            if label.start in starts and label.end in ends:
                span |= {"token_start": starts[label.start], "token_end": ends[label.end]}
            spans.append(span)
        lines.append(dump({"text": document.text, "tokens": tokens, "spans": spans, "answer": "accept"}))
    return {f"{stem}.jsonl": b"".join(lines)}


PRODIGY: Final = Format(
    name="prodigy",
    title="Prodigy",
    sniff=sniff,
    read=read,
    write=write,
    note="JSONL of `prodigy db-out`; only accepted answers count",
)
