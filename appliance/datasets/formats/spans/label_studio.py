"""Label Studio: JSON, JSON-MIN, CSV and TSV. Its CONLL2003 export is CoNLL.

Each label has its text, so what its offsets count is found by agreement. Where several people annotated a
task, a ground truth counts alone, else all their labels are put together.
"""

import csv
import io
import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

from appliance.datasets.document import LabelledDocument
from appliance.datasets.formats.format import Contents, Format, RawDocument, ReadOptions, SourceFile, Span
from appliance.datasets.formats.json_values import Record, Records, each, fits, items, named, string
from appliance.datasets.formats.spans.span_values import make_span
from appliance.datasets.label_errors import RELATIONS, DatasetError, Mistake
from license.encoding.strict import load_json

_EXAMPLE: Final = '{"data": {"text": …}, "annotations": [{"result": […]}]}'
_MAX_CELL: Final = 2**24
_LABELS: Final = ("labels", "hypertextlabels", "paragraphlabels")
_OWN: Final = frozenset(
    ("id", "annotator", "annotation_id", "created_at", "updated_at", "lead_time", "file_upload")
)
"""Columns of Label Studio's own, which never hold the text."""


def sniff(file: SourceFile) -> bool:
    """Whether most records are tasks, in one of the three shapes."""
    if file.records is not None:
        return fits(file.records, lambda value: _is_task(value) or _is_short(value))
    return file.readable and _table(file) is not None


def _is_task(value: dict[str, Any]) -> bool:
    return isinstance(value.get("data"), dict) and isinstance(
        value.get("annotations", value.get("completions", value.get("predictions"))), list
    )


def _is_short(value: dict[str, Any]) -> bool:
    return "annotation_id" in value or any(_are_marks(found) for found in value.values())


def _are_marks(found: Any) -> bool:
    """Whether a list holds regions of a text; one that a person gave no label has none."""
    if not isinstance(found, list) or not all(isinstance(one, dict) and "start" in one for one in found):
        return False
    return any(_labels(one) is not None for one in found)


def _labels(mark: dict[str, Any]) -> list[Any] | None:
    return next((mark[key] for key in _LABELS if isinstance(mark.get(key), list)), None)


def _table(file: SourceFile) -> Records | None:
    """Return the rows of a CSV export as records of the short shape; None if it is none."""
    head = file.lines[0].replace('"', "")
    delimiter = next((one for one in (",", "\t") if {"annotation_id", "id"} & set(head.split(one))), "")
    if not delimiter or "[" not in file.text:
        return None
    try:
        rows = list(_rows(file.text, delimiter))
    except csv.Error:
        return None
    marked = any(_are_marks(cell) for row in rows for cell in row.value.values())
    return Records(rows, []) if marked else None


def _rows(text: str, delimiter: str) -> Iterator[Record]:
    csv.field_size_limit(_MAX_CELL)
    file = io.StringIO(text.lstrip("\ufeff"), newline="")
    reader = csv.DictReader(file, delimiter=delimiter, strict=True)
    for number, row in enumerate(reader, 1):
        yield Record(number, reader.line_num, {str(key): _cell(cell) for key, cell in row.items()})


def _cell(cell: Any) -> Any:
    """Return the list of labels that a cell holds, or its text."""
    if isinstance(cell, str) and cell.startswith('[{"'):
        try:
            return load_json(cell)
        except (ValueError, RecursionError):
            return cell
    return cell


def read(file: SourceFile, _options: ReadOptions) -> Contents:
    """Read the annotated tasks of a file.

    Raises:
        DatasetError: It is neither JSON nor CSV of Label Studio.
    """
    records = file.records or _table(file)
    if records is None:
        raise DatasetError(f"{file.name} is not an export of Label Studio", hint="export JSON or JSON-MIN")
    untold: list[Mistake] = []
    bare: list[int] = []
    unnamed: list[Any] = []
    differing: list[int] = []

    def document(record: Record, called: str) -> RawDocument | None:
        value = record.value
        name = named(called, value.get("id"))
        if "data" not in value:
            marks = [one for found in value.values() if _are_marks(found) for one in found]
            spans = [span for one in marks for span in _spans(one, _labels(one))]
            unnamed.extend(one for one in marks if not _labels(one))
            return _document(name, value, spans)
        answers = _answers(value)
        if not answers:
            bare.append(record.number)
            return None
        spans = []
        each_set = set()
        for results in answers:
            found = [span for one in results for span in _result(one, name, untold, unnamed)]
            each_set.add(frozenset(found))
            spans += found
        if len(each_set) == 1:
            spans = list(dict.fromkeys(spans))
        else:
            differing.append(record.number)
        return _document(name, value["data"], spans)

    documents, mistakes = each(records, file.name, document, _EXAMPLE)
    notes = []
    if bare:
        notes.append(f"{len(bare)} tasks without an annotation are left out (predictions are none)")
    if unnamed:
        notes.append(f"{len(unnamed)} marked places have no label and are left out")
    if differing:
        notes.append(f"annotations of {len(differing)} tasks differ; their labels are put together")
    return Contents(documents=documents, mistakes=[*mistakes, *untold], notes=notes)


def _answers(value: dict[str, Any]) -> list[list[Any]]:
    found = items(value.get("annotations", value.get("completions")), "annotations")
    kept = [one for one in found if not one.get("was_cancelled")]
    kept = [one for one in kept if one.get("ground_truth")] or kept
    return [items(one["result"], "result") for one in kept]


def _result(one: dict[str, Any], name: str, untold: list[Mistake], unnamed: list[Any]) -> list[Span]:
    """Return the labels of one result; what is no label of words is told."""
    kind = one.get("type")
    value = one.get("value")
    if isinstance(value, dict) and isinstance(kind, str) and "start" in value:
        labels = value.get(kind, value.get("labels"))
        if not labels:
            unnamed.append(one)
        return _spans(value, labels)
    untold.append(
        Mistake(
            document=name,
            line=0,
            reason=f"a result of the type {str(kind)[:40]} is no label of words",
            remedy="take it out",
            kind=RELATIONS,
        )
    )
    return []


def _spans(value: dict[str, Any], labels: Any) -> list[Span]:
    whole = value.get("globalOffsets")
    place = whole if isinstance(whole, dict) else value
    said = value.get("text")
    said = said if isinstance(said, str) else None
    return [make_span(place["start"], place["end"], label, said) for label in items(labels, "labels")]


def _document(name: str, data: dict[str, Any], spans: Sequence[Span]) -> RawDocument:
    """Return a task; its text is the one that the labels agree with."""
    texts = [value for key, value in data.items() if isinstance(value, str) and key not in _OWN]
    if "text" in data and isinstance(data["text"], str):
        texts.insert(0, data["text"])
    if not texts:
        raise ValueError("its data holds no text")

    def agreed(text: str) -> int:
        return sum(one.said is not None and text[one.start : one.end] == one.said for one in spans)

    return RawDocument(name=name, text=string(max(texts, key=agreed), "text"), spans=tuple(spans))


def write(documents: Sequence[LabelledDocument], stem: str) -> dict[str, bytes]:
    """Write tasks with one annotation each, for a control `label` of type Labels over the object `text`."""
    tasks = []
    for number, document in enumerate(documents, 1):
        result = [
            {
                "id": f"{number}-{place}",
                "from_name": "label",
                "to_name": "text",
                "type": "labels",
                "value": {
                    "start": one.start,
                    "end": one.end,
                    "text": document.text[one.start : one.end],
                    "labels": [one.category],
                },
            }
            for place, one in enumerate(document.labels, 1)
        ]
        annotation = {"id": number, "was_cancelled": False, "ground_truth": False, "result": result}
        tasks.append({"id": number, "data": {"text": document.text}, "annotations": [annotation]})
    written = json.dumps(tasks, ensure_ascii=False, indent=1)
    return {f"{stem}.json": written.encode("utf-8") + b"\n"}


LABEL_STUDIO: Final = Format(
    name="label-studio",
    title="Label Studio",
    sniff=sniff,
    read=read,
    write=write,
    note="JSON, JSON-MIN, CSV and TSV; its CONLL2003 export is CoNLL; JSON is written",
)
