"""The project file of custom NER, 2021-11-01-preview to 2023-04-01, with the texts that it names.

Offsets are UTF-16 code units. In a folder or an archive the texts lie beside it or in `documents/`.
"""

import json
from collections.abc import Sequence
from typing import Any, Final

from appliance.datasets.document import Labelled, LabelledDocument, categories_of
from appliance.datasets.formats.format import Contents, Format, RawDocument, ReadOptions, SourceFile, Span
from appliance.datasets.label_errors import DatasetError, Mistake
from appliance.datasets.offset_units import UTF16
from appliance.datasets.project import DATASETS, bytes_of, declared_categories, project_object, text_of
from appliance.datasets.project_file import FileDocument, parse_project


def sniff(file: SourceFile) -> bool:
    """Whether the file is an object with assets."""
    whole = file.records.whole if file.records is not None else None
    return isinstance(whole, dict) and isinstance(_assets(whole), dict)


def _assets(whole: dict[str, Any]) -> Any:
    return next((value for key, value in whole.items() if key.casefold() == "assets"), None)


def read(file: SourceFile, _options: ReadOptions) -> Contents:
    """Read a project file and its texts.

    Raises:
        DatasetError: It is none, or names no document.
        LabellingMistakes: Fields are missing or of the wrong type.
    """
    project = parse_project(file.text.encode("utf-8"), file.name)
    categories, mistakes = declared_categories(project)
    if not project.assets.documents:
        raise DatasetError(f"{file.name} names no document", hint="export the project with its labels")
    documents: list[RawDocument] = []
    seen: set[str] = set()
    for item in project.assets.documents:
        document, found = _document(item, file, frozenset(categories))
        mistakes += found
        if item.location in seen:
            mistakes.append(_wrong(item, "the document is listed twice", "remove one of the two entries"))
        elif document is not None:
            documents.append(document)
        seen.add(item.location)
    components = len(project.components.entities)
    notes = [f"lists and expressions of {components} categories are no labels: they stay in this file"]
    return Contents(documents=documents, mistakes=mistakes, unit=UTF16, notes=notes if components else ())


def _document(
    item: FileDocument, file: SourceFile, known: frozenset[str]
) -> tuple[RawDocument | None, list[Mistake]]:
    found = []
    dataset = DATASETS.get((item.dataset or "").casefold())
    if dataset is None:
        found.append(_wrong(item, "its dataset is neither Train nor Test", "write one, or leave it out"))
    for category in dict.fromkeys(label.category for label in item.all_labels):
        if category not in known:
            reason = f"the category {category} of a label is not declared"
            found.append(_wrong(item, reason, "declare the category or correct the label"))
    data = file.beside(item.location)
    text = data if isinstance(data, Mistake) else text_of(data, item.location)
    if isinstance(text, Mistake):
        return None, [*found, text]
    document = RawDocument(
        name=item.location,
        text=text,
        spans=tuple(
            Span(label.offset, label.offset + label.length, label.category) for label in item.all_labels
        ),
        dataset=dataset or "",
        language=item.language or "",
    )
    return document, found


def _wrong(item: FileDocument, reason: str, remedy: str) -> Mistake:
    return Mistake(document=item.location[:100], line=0, reason=reason, remedy=remedy)


def write(documents: Sequence[LabelledDocument], stem: str) -> dict[str, bytes]:
    """Write the project file and its texts."""
    locations = [f"{stem}-{number}.txt" for number in range(1, len(documents) + 1)]
    labelled = Labelled(name=stem, categories=categories_of(documents), documents=tuple(documents))
    described = json.dumps(project_object(labelled, locations, "documents"), indent=2, ensure_ascii=False)
    texts = zip(locations, documents, strict=True)
    return {
        f"{stem}.json": described.encode("utf-8") + b"\n",
        **{location: bytes_of(document.text) for location, document in texts},
    }


PROJECT: Final = Format(
    name="project",
    title="project file",
    sniff=sniff,
    read=read,
    write=write,
    gathers=True,
    note="of custom NER, 2021-11-01-preview to 2023-04-01; the texts lie beside it or in `documents/`",
)
