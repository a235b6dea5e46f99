"""Bodies of the paths that the label page calls, and what they answer."""

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final

from pydantic import Field

from appliance.api.authoring.requests import invalid
from appliance.authoring.comparing import Answered
from appliance.authoring.documents import MAX_CATEGORIES, MAX_DOCUMENTS, MAX_LABELS, Differing, Opened
from appliance.authoring.labelling import Marks, checked
from appliance.datasets.document import LabelledDocument, utf16_length
from appliance.datasets.label_errors import DatasetError
from appliance.datasets.project_file import FileLabel
from appliance.datasets.wire import Name, Wire
from appliance.training.evaluation.agreement import Agreement
from appliance.training.evaluation.scoring import Counts

MAX_TEXT: Final = 1_000_000
"""Characters of one text; models take 125,000."""
_DATASETS: Final = r"^(Train|Test|)$"


class SentFile(Wire):
    """One file: its name, and its bytes in base64, or its text."""

    name: Annotated[str, Field(min_length=1, max_length=255)]
    data: str | None = None
    text: str | None = None

    def content(self) -> bytes:
        """Return its bytes.

        Raises:
            Problem: The bytes are not base64, or there are none.
        """
        if self.text is not None:
            return self.text.encode("utf-8", "surrogatepass")
        try:
            return base64.b64decode(self.data or "", validate=True)
        except (binascii.Error, ValueError):
            raise invalid(DatasetError(f"{self.name[:100]}: data is not base64")) from None


class SentFiles(Wire):
    """Body of `…/documents/:take`."""

    files: Annotated[tuple[SentFile, ...], Field(min_length=1, max_length=5_000)]


class SentLabels(Wire):
    """Body of `PUT …/document`."""

    labels: Annotated[tuple[FileLabel, ...], Field(max_length=MAX_LABELS)]
    labelled: bool = False
    dataset: Annotated[str, Field(pattern=_DATASETS)] | None = None

    def marks(self) -> Marks:
        """Return what it says of the document."""
        labels = sorted(self.labels, key=lambda one: (one.offset, one.length, one.category))
        return Marks(labels=tuple(one.model_dump() for one in labels), seen=self.labelled or bool(labels))


class SentAnswers(Wire):
    """What one model answered: its name, and the entities of each text by location."""

    name: Annotated[str, Field(min_length=1, max_length=200)]
    entities: Annotated[
        dict[str, Annotated[tuple[FileLabel, ...], Field(max_length=MAX_LABELS)]],
        Field(max_length=MAX_DOCUMENTS),
    ]

    def answered(self) -> Answered:
        """Return it as values."""
        entities = {name: [one.model_dump() for one in found] for name, found in self.entities.items()}
        return Answered(name=self.name, entities=entities)


class SentComparison(Wire):
    """Body of `POST …/comparison`; without `second`, one model alone is looked at."""

    first: SentAnswers
    second: SentAnswers | None = None


class SentText(Wire):
    """One labelled text that belongs to no project."""

    location: Annotated[str, Field(min_length=1, max_length=1_024)]
    text: Annotated[str, Field(max_length=MAX_TEXT)]
    language: Annotated[str, Field(max_length=50)] = ""
    labels: Annotated[tuple[FileLabel, ...], Field(max_length=MAX_LABELS)] = ()

    def document(self) -> LabelledDocument:
        """Return it as a value.

        Raises:
            LabellingMistakes: Its labels are not of its text.
        """
        labels = [one.model_dump() for one in self.labels]
        found = checked(self.location, self.text, labels, sorted({one["category"] for one in labels}))
        return LabelledDocument(
            name=self.location, text=self.text, labels=tuple(found), language=self.language
        )


class SentTexts(SentComparison):
    """Body of `POST …/labelled-texts/:compare`."""

    documents: Annotated[tuple[SentText, ...], Field(min_length=1, max_length=MAX_DOCUMENTS)]


class SentCategories(Wire):
    """Body of `PUT …/categories`: those that are wanted, and those that they replace."""

    categories: Annotated[tuple[Annotated[Name, Field(min_length=1)], ...], Field(max_length=MAX_CATEGORIES)]
    before: Annotated[tuple[str, ...], Field(max_length=MAX_CATEGORIES)] | None = None


def listed_object(entry: Mapping[str, Any], marks: Marks) -> dict[str, Any]:
    """Return one line of the list of documents."""
    return {
        "location": entry["location"],
        "language": entry.get("language") or "",
        "dataset": entry.get("dataset") or "",
        "labelled": marks.seen,
        "labelCount": len(marks.labels),
        "labels": list(marks.labels),
    }


def opened_object(opened: Opened) -> dict[str, Any]:
    """Return one document with its text."""
    return {
        **listed_object(opened.entry, opened.marks),
        "stringIndexType": "Utf16CodeUnit",
        "text": opened.text,
        "revision": opened.marks.revision,
    }


def text_object(document: LabelledDocument) -> dict[str, Any]:
    """Return one labelled text as the page gives it back to be compared."""
    text = document.text
    return {
        "location": document.name,
        "language": document.language,
        "text": text,
        "labels": [
            {
                "category": one.category,
                "offset": utf16_length(text[: one.start]),
                "length": utf16_length(text[one.start : one.end]),
            }
            for one in document.labels
        ],
    }


def agreement_object(found: Agreement, differing: Sequence[Differing]) -> dict[str, Any]:
    """Return how far two people agree."""
    return {
        "documentCount": found.documents,
        "wordCount": found.words,
        "kappa": found.kappa,
        **_counts(found.scores.micro),
        "categories": {name: _counts(counts) for name, counts in found.scores.categories.items()},
        "documents": [{"location": one.location, "same": one.same} for one in differing],
    }


def _counts(counts: Counts) -> dict[str, Any]:
    return {"f1": counts.f1, "first": counts.labelled, "second": counts.found, "same": counts.right}
