"""A project file and the texts beside it to labelled documents, and back."""

import json
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any, Final

from appliance.datasets.document import (
    TEST,
    TRAIN,
    Label,
    Labelled,
    LabelledDocument,
    code_points,
    utf16_length,
)
from appliance.datasets.label_errors import Claim, DatasetError, LabellingMistakes, Mistake, check_claims
from appliance.datasets.project_file import KIND, FileDocument, ProjectFile, parse_project
from license.errors import LicenseError
from license.files import read_limited

MAX_PROJECT_BYTES: Final = 256 * 2**20
MAX_DOCUMENT_BYTES: Final = 8 * 2**20
DATASETS: Final = {"train": TRAIN, "test": TEST, "": ""}


def read_project(path: Path, documents: Path) -> Labelled:
    """Read a project file and the texts it names.

    Args:
        path: The project file, as the service exports it.
        documents: The folder that holds the texts.

    Raises:
        DatasetError: The file cannot be read, or names nothing to learn.
        LabellingMistakes: Everything that is wrong with its labels.
    """
    try:
        data = read_limited(path, MAX_PROJECT_BYTES)
    except LicenseError as error:
        raise DatasetError(error.message, hint=error.hint) from error
    return with_texts(parse_project(data, path.name), documents)


def with_texts(project: ProjectFile, folder: Path) -> Labelled:
    """Read the texts that a project names, and check every label.

    Raises:
        DatasetError: There is nothing to learn.
        LabellingMistakes: Everything that is wrong.
    """
    if not folder.is_dir():
        raise DatasetError(f"{folder} is not a folder", hint="--documents names the folder with the texts")
    categories, mistakes = declared_categories(project)
    known = frozenset(categories)
    documents: list[LabelledDocument] = []
    seen: set[str] = set()
    for item in project.assets.documents:
        if item.location in seen:
            mistakes.append(_of(item, "the document is listed twice", "remove one of the two entries"))
            continue
        seen.add(item.location)
        document, found = _document(item, folder, known)
        mistakes += found
        if document is not None:
            documents.append(document)
    if mistakes:
        raise LabellingMistakes(mistakes)
    if not any(document.labels for document in documents):
        raise DatasetError("the project has no labelled document", hint="label some documents first")
    return described(project, documents)


def described(project: ProjectFile, documents: Sequence[LabelledDocument]) -> Labelled:
    """Return documents with what their project says of itself."""
    return Labelled(
        name=project.metadata.projectName or "project",
        categories=declared_categories(project)[0],
        documents=tuple(documents),
        language=project.metadata.language or "",
        description=project.metadata.description or "",
        components=project.components,
        multilingual=bool(project.metadata.multilingual),
    )


def declared_categories(project: ProjectFile) -> tuple[tuple[str, ...], list[Mistake]]:
    """Return the categories that a project declares, and those it declares twice."""
    names = [entity.category for entity in project.assets.entities]
    doubled = sorted({name for name in names if names.count(name) > 1})
    return tuple(dict.fromkeys(names)), [
        Mistake(
            document="assets.entities",
            line=0,
            reason=f"the category {name} is declared twice",
            remedy="declare it once",
        )
        for name in doubled
    ]


def _document(
    item: FileDocument, folder: Path, known: frozenset[str]
) -> tuple[LabelledDocument | None, list[Mistake]]:
    dataset = DATASETS.get((item.dataset or "").casefold())
    found: list[Mistake] = []
    if dataset is None:
        found.append(
            _of(item, "its dataset is neither Train nor Test", "write one of the two, or leave it out")
        )
    text = read_text(folder, item.location)
    if isinstance(text, Mistake):
        return None, [*found, text]
    claims = [
        Claim(category=label.category, offset=label.offset, length=label.length) for label in item.all_labels
    ]
    labels, wrong = check_claims(item.location, text, claims, known, code_points(text))
    document = LabelledDocument(
        name=item.location, text=text, labels=labels, dataset=dataset or "", language=item.language or ""
    )
    return document, [*found, *wrong]


def read_text(folder: Path, location: str) -> str | Mistake:
    """Return the text of a document, or why there is none. A location never leads out of the folder."""
    data = read_bytes(folder, location)
    return data if isinstance(data, Mistake) else text_of(data, location)


def text_of(data: bytes, location: str) -> str | Mistake:
    """Return the text that bytes are, or the mistake that they are none."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        reason = f"it is not UTF-8 (byte {error.start})"
        return Mistake(document=location[:100], line=0, reason=reason, remedy="save it as UTF-8")


def bytes_of(text: str) -> bytes:
    """Return the bytes that `text_of` reads as this text: a first mark of byte order is taken for no text."""
    return (b"\xef\xbb\xbf" if text.startswith("\ufeff") else b"") + text.encode("utf-8")


def read_bytes(folder: Path, location: str) -> bytes | Mistake:
    """Return the bytes of a document, or why there are none. A location never leads out of the folder."""

    def wrong(reason: str, remedy: str) -> Mistake:
        return Mistake(document=location[:100], line=0, reason=reason, remedy=remedy)

    parts = PurePosixPath(location).parts
    if not parts or "\0" in location or ".." in parts or parts[0] == "/":
        return wrong("its location leaves the folder of the documents", "name a file below that folder")
    path = folder.joinpath(*parts)
    try:
        if not path.resolve().is_relative_to(folder.resolve()):
            return wrong("its location leads out of the folder", "put the file itself there, not a link")
        if not path.is_file():
            return wrong(
                f"there is no such file in the folder {folder.resolve().name}",
                "copy the text there, under this name",
            )
        if path.stat().st_size > MAX_DOCUMENT_BYTES:
            return wrong(f"it is larger than {MAX_DOCUMENT_BYTES} bytes", "cut it into several documents")
        return path.read_bytes()
    except OSError as error:
        return wrong(f"it cannot be read: {error.strerror}", "check the file and its permissions")


def _of(item: FileDocument, reason: str, remedy: str) -> Mistake:
    return Mistake(document=item.location[:100], line=0, reason=reason, remedy=remedy)


def project_object(labelled: Labelled, locations: Sequence[str], container: str) -> dict[str, Any]:
    """Return the project file for documents whose texts lie at `locations`."""
    return {
        "projectFileVersion": "2022-05-01",
        "stringIndexType": "Utf16CodeUnit",
        "metadata": {
            "projectKind": KIND,
            "storageInputContainerName": container,
            "settings": {},
            "projectName": labelled.name,
            "multilingual": labelled.multilingual,
            "description": labelled.description,
            "language": labelled.language or "en",
        },
        "assets": {
            "projectKind": KIND,
            "entities": [{"category": category} for category in labelled.categories],
            "documents": [
                _file_document(document, location, labelled.language or "en")
                for document, location in zip(labelled.documents, locations, strict=True)
            ],
        },
    }


def _file_document(document: LabelledDocument, location: str, language: str) -> dict[str, Any]:
    text = document.text
    entry: dict[str, Any] = {"location": location, "language": document.language or language}
    if document.dataset:
        entry["dataset"] = document.dataset
    labels = [
        {
            "category": label.category,
            "offset": utf16_length(text[: label.start]),
            "length": utf16_length(text[label.start : label.end]),
        }
        for label in document.labels
    ]
    entry["entities"] = [{"regionOffset": 0, "regionLength": utf16_length(text), "labels": labels}]
    return entry


def write_project(labelled: Labelled, out: Path) -> Path:
    """Write `project.json` and the texts in `documents/` below a new or empty folder; return the file.

    Raises:
        DatasetError: The folder holds something already, or cannot be written.
    """
    folder = out / "documents"
    width = len(str(len(labelled.documents)))
    locations = [f"{number:0{width}}.txt" for number in range(1, len(labelled.documents) + 1)]
    target = out / "project.json"
    try:
        if out.exists() and any(out.iterdir()):
            raise DatasetError(f"{out} is not empty", hint="name a new folder")
        folder.mkdir(parents=True)
        for document, location in zip(labelled.documents, locations, strict=True):
            (folder / location).write_bytes(bytes_of(document.text))
        described = project_object(labelled, locations, "documents")
        target.write_text(json.dumps(described, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    except OSError as error:
        raise DatasetError(f"cannot write {out}: {error.strerror}") from error
    return target


__all__ = ["Label", "described", "project_object", "read_project", "read_text", "with_texts", "write_project"]
