"""Output manifests of SageMaker Ground Truth for named entities: a text a line, labels below the job's name.

`{"source", "JOB": {"annotations": {"entities": [{"label", "startOffset", "endOffset"}]}}, "JOB-metadata"}`.
Offsets are code points. A `source-ref` names a text: it is looked for beside the manifest by its last part.
"""

import posixpath
from collections.abc import Sequence
from typing import Any, Final

from appliance.datasets.document import LabelledDocument, categories_of
from appliance.datasets.formats.format import Contents, Format, RawDocument, ReadOptions, SourceFile
from appliance.datasets.formats.json_values import Record, dump, each, fits, items, string
from appliance.datasets.formats.spans.span_values import require_records, spans_of
from appliance.datasets.label_errors import Mistake
from appliance.datasets.project import text_of

_EXAMPLE: Final = (
    '{"source": …, "job": {"annotations": {"entities": [{"label", "startOffset", "endOffset"}]}}}'
)
_JOB: Final = "labels"
_MADE: Final = "2000-01-01T00:00:00.000000"
"""The date that the format demands; a fixed one, so that the same labels give the same file."""


def sniff(file: SourceFile) -> bool:
    """Whether most records have a source and entities of a job."""
    found = file.records
    return fits(found, lambda value: _source(value) is not None) and any(
        isinstance(one.value, dict) and _job(one.value) is not None for one in (found.found if found else ())
    )


def _source(value: dict[str, Any]) -> str | None:
    found = value.get("source", value.get("source-ref"))
    return found if isinstance(found, str) else None


def _job(value: dict[str, Any]) -> dict[str, Any] | None:
    return next(iter(_jobs(value).values()), None)


def _jobs(value: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return what each job labelled, by the names of the jobs."""
    found = {}
    for name, made in value.items():
        marks = made.get("annotations") if isinstance(made, dict) else None
        if isinstance(marks, dict) and "entities" in marks:
            found[name] = marks
    return found


def _differing(value: dict[str, Any], called: str) -> list[Mistake]:
    """Return a mistake where several jobs labelled a text, and not alike."""
    jobs = _jobs(value)
    if len({frozenset(spans_of(items(marks["entities"], "entities"))) for marks in jobs.values()}) < 2:
        return []
    names = ", ".join(name[:40] for name in jobs)
    reason, remedy = f"it has other labels of each of the jobs {names}", "leave those of one job"
    return [Mistake(document=called, line=0, reason=reason, remedy=remedy)]


def read(file: SourceFile, _options: ReadOptions) -> Contents:
    """Read the texts of a manifest; those that no worker labelled are passed over with a line."""
    missing: list[Mistake] = []
    bare = []

    def document(record: Record, called: str) -> RawDocument | None:
        marks = _job(record.value)
        if marks is None:
            bare.append(record.number)
            return None
        missing.extend(_differing(record.value, called))
        text: str | Mistake = string(record.value.get("source", ""), "source")
        if "source-ref" in record.value:
            location = posixpath.basename(string(record.value["source-ref"], "source-ref"))
            data = file.beside(location)
            text = data if isinstance(data, Mistake) else text_of(data, location)
        if isinstance(text, Mistake):
            missing.append(text)
            return None
        return RawDocument(name=called, text=text, spans=spans_of(items(marks["entities"], "entities")))

    documents, mistakes = each(require_records(file, "a manifest"), file.name, document, _EXAMPLE)
    notes = [f"{len(bare)} texts without labels of a job are left out"] if bare else []
    return Contents(documents=documents, mistakes=[*mistakes, *missing], notes=notes)


def write(documents: Sequence[LabelledDocument], stem: str) -> dict[str, bytes]:
    """Write an output manifest, as a job of the name `labels` would."""
    lines = []
    declared = [{"label": name, "shortDisplayName": name} for name in categories_of(documents)]
    for document in documents:
        entities = [
            {"label": one.category, "startOffset": one.start, "endOffset": one.end} for one in document.labels
        ]
        metadata = {
            "entities": [{"confidence": 0} for _ in entities],
            "job-name": f"labeling-job/{_JOB}",
            "type": "groundtruth/text-span",
            "creation-date": _MADE,
            "human-annotated": "yes",
        }
        marks = {"annotations": {"entities": entities, "labels": declared}}
        lines.append(dump({"source": document.text, _JOB: marks, f"{_JOB}-metadata": metadata}))
    return {f"{stem}.manifest": b"".join(lines)}


SAGEMAKER: Final = Format(
    name="sagemaker",
    title="SageMaker manifest",
    sniff=sniff,
    read=read,
    write=write,
    gathers=True,
    note="output of Ground Truth for named entities; texts of `source-ref` lie beside it",
)
