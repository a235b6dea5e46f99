"""Documents of a project: texts in its folder, labels in its assets, a second person's beside."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, TypeVar

from sqlmodel import Session, col, select

from appliance.authoring.incoming import Incoming, free_location, keep_text, read_files
from appliance.authoring.labelling import UNSEEN, Entry, Marks, checked, marked, marks_of
from appliance.authoring.store import AuthoringStore
from appliance.authoring.tables import AnnotationRow, ProjectRow
from appliance.datasets.document import LabelledDocument, utf16_length
from appliance.datasets.label_errors import DatasetError, LabellingMistakes, Mistake
from appliance.datasets.project import bytes_of, read_text
from appliance.datasets.project_file import KIND
from appliance.errors import ApplianceError, JobStoreUnavailable
from appliance.training.evaluation.agreement import Agreement, Twice, agreement

MAX_DOCUMENTS: Final = 20_000
"""Documents of one project that the page and this API take."""
MAX_CATEGORIES: Final = 200
MAX_LABELS: Final = 10_000
"""Labels of one document."""
_T = TypeVar("_T")


class LabelsChanged(ApplianceError):
    """Somebody else changed the labels of a document meanwhile."""

    code = "LabelsChanged"


class CategoriesChanged(ApplianceError):
    """Somebody else changed the categories of a project meanwhile."""

    code = "CategoriesChanged"


class NoSuchDocument(ApplianceError):
    """The project has no document of that name."""

    code = "DocumentNotFound"


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """One document.

    Attributes:
        entry: As the assets have it.
        text: Its text.
        marks: Its labels, of the project or of one person.
    """

    entry: Mapping[str, Any]
    text: str
    marks: Marks


@dataclass(frozen=True, slots=True, kw_only=True)
class Differing:
    """A document that two people labelled differently, or alike."""

    location: str
    same: bool


class ProjectDocuments:
    """Reads and changes the documents of projects.

    Args:
        store: Where projects are.
        root: Folder with one folder for each storage container.
        clock: Unix seconds.
    """

    def __init__(self, store: AuthoringStore, root: Path, clock: Callable[[], float]) -> None:
        self._store = store
        self._root = root
        self._clock = clock

    async def listed(self, project: str, person: str = "") -> tuple[list[tuple[Entry, Marks]], list[str]]:
        """Return every document with its labels, and the people who labelled apart.

        Args:
            project: Its name.
            person: Whose labels; empty for the project's own.
        """

        def work(session: Session) -> tuple[list[tuple[Entry, Marks]], list[str]]:
            row = _project(session, project)
            rows = _annotations(session, project)
            people = sorted({one.person for one in rows})
            own = {one.location: _marks(one) for one in rows if one.person == person}
            documents = _documents(row)
            if not person:
                return [(entry, marks_of(entry)) for entry in documents], people
            return [(entry, own.get(entry["location"], UNSEEN)) for entry in documents], people

        return await self._store.do(work)

    async def opened(self, project: str, location: str, person: str = "") -> Opened:
        """Return one document with its text.

        Raises:
            NoSuchDocument: There is none of that name.
            LabellingMistakes: Its text cannot be read.
        """

        def work(session: Session) -> Opened:
            row = _project(session, project)
            entry = _entry(row, location)
            return Opened(entry=entry, text=self._text(row, location), marks=_of(session, row, entry, person))

        return await self._store.do(work)

    async def save(
        self, project: str, location: str, person: str, marks: Marks, *, before: str, dataset: str | None
    ) -> Opened:
        """Replace the labels of one document.

        Args:
            project: Its name.
            location: The document.
            person: Whose labels; empty for the project's own.
            marks: The labels.
            before: Revision of the labels that these replace; empty to replace any. Labels that are these
                already are saved again: who had no answer to the first time may ask twice.
            dataset: `Train`, `Test`, or empty to let the split decide; None to leave it.

        Raises:
            NoSuchDocument: There is none of that name.
            LabelsChanged: The labels are not those of `before`.
            LabellingMistakes: A label is wrong.
        """
        marks = replace(marks, seen=marks.seen or bool(marks.labels))

        def work(session: Session) -> Opened:
            row = _project(session, project)
            entry = _entry(row, location)
            kept = _of(session, row, entry, person).revision
            if before and kept not in (before, marks.revision):
                raise LabelsChanged("The labels of this document were changed by somebody else meanwhile.")
            text = self._text(row, location)
            checked(location, text, marks.labels, _categories(row))
            if person:
                session.merge(
                    AnnotationRow(
                        project=project,
                        person=person,
                        location=location,
                        labels=list(marks.labels),
                        seen=marks.seen,
                        updated=self._clock(),
                    )
                )
            else:
                entry = marked(entry, marks, utf16_length(text))
            if dataset is not None:
                entry = {**entry, "dataset": dataset}
            documents = [entry if one["location"] == location else one for one in _documents(row)]
            self._change(session, row, documents=documents)
            return Opened(entry=entry, text=text, marks=marks)

        return await self._store.do(work)

    async def remove(self, project: str, location: str) -> None:
        """Take a document out of the project; its text stays in the folder.

        Raises:
            NoSuchDocument: There is none of that name.
        """

        def work(session: Session) -> None:
            row = _project(session, project)
            _entry(row, location)
            documents = [one for one in _documents(row) if one["location"] != location]
            for one in _annotations(session, project):
                if one.location == location:
                    session.delete(one)
            self._change(session, row, documents=documents)

        await self._store.do(work)

    async def categories(
        self, project: str, wanted: Sequence[str], *, before: Sequence[str] | None = None
    ) -> list[str]:
        """Give the project these categories in this order; what finds one besides labels stays with it.

        Args:
            project: Its name.
            wanted: The categories.
            before: Those that they replace; None to replace any.

        Raises:
            CategoriesChanged: The project has others than `before`.
            DatasetError: One is left out that labels use, or there are too many.
        """

        def work(session: Session) -> list[str]:
            row = _project(session, project)
            if len(wanted) > MAX_CATEGORIES:
                raise DatasetError(f"a project has at most {MAX_CATEGORIES} categories")
            if before is not None and list(before) != _categories(row):
                raise CategoriesChanged("The categories were changed by somebody else meanwhile.")
            used = {label["category"] for entry in _documents(row) for label in marks_of(entry).labels}
            used |= {label["category"] for one in _annotations(session, project) for label in one.labels}
            missing = sorted(used - set(wanted))
            if missing:
                raise DatasetError(
                    f"labels use the category {missing[0]}", hint="change or remove these labels first"
                )
            known = {entity["category"]: entity for entity in _entities(row)}
            entities = [known.get(name, {"category": name}) for name in dict.fromkeys(wanted)]
            self._change(session, row, entities=entities)
            return [entity["category"] for entity in entities]

        return await self._store.do(work)

    async def take(self, project: str, files: Mapping[str, bytes]) -> tuple[int, list[str]]:
        """Add the documents of files.

        Returns:
            How many are new, and what was read, for a person.

        Raises:
            DatasetError, LabellingMistakes: A file cannot be read, or its labels are wrong.
            JobStoreUnavailable: The texts cannot be kept.
        """
        row = await self._store.do(lambda session: _project(session, project))
        folder = self._folder(row)
        found = await asyncio.to_thread(read_files, files, self._store.directory, folder)
        return await self._store.do(lambda session: self._taken(session, project, found))

    async def read(self, files: Mapping[str, bytes]) -> Incoming:
        """Read labelled files that belong to no project; nothing of them is kept.

        Raises:
            DatasetError: A file cannot be read, or nothing in it is labelled.
            LabellingMistakes: Everything that is wrong with labels.
        """
        room = self._store.directory
        return await asyncio.to_thread(read_files, files, room, None, bare_texts=False)

    def _taken(self, session: Session, project: str, found: Incoming) -> tuple[int, list[str]]:
        row = _project(session, project)
        row.container = row.container or row.name
        folder = self._folder(row)
        documents = {entry["location"]: entry for entry in _documents(row)}
        if len(documents) + len(found.documents) > MAX_DOCUMENTS:
            raise DatasetError(
                f"a project has at most {MAX_DOCUMENTS} documents", hint="make another project"
            )
        taken = {location.casefold() for location in documents} | _names(folder)
        new, labelled = 0, 0
        for document in found.documents:
            location = document.name
            if not self._holds(row, location, document.text):
                location = free_location(document.name, taken)
                self._keep(folder, location, document.text)
                taken.add(location.casefold())
            before = documents.get(location)
            new += before is None
            if before is None or not marks_of(before).seen:
                labelled += bool(before is not None and document.labels)
                documents[location] = _new_entry(document, location, before, row.language)
        if found.metadata is not None and not row.assets.get("documents"):
            row.language = found.metadata.language or row.language
            row.multilingual = bool(found.metadata.multilingual)
            row.settings = found.metadata.settings or row.settings
        entities = {entity["category"]: entity for entity in (*found.entities, *_entities(row))}
        ordered = dict.fromkeys([entity["category"] for entity in (*_entities(row), *found.entities)])
        if len(ordered) > MAX_CATEGORIES:
            raise DatasetError(f"a project has at most {MAX_CATEGORIES} categories")
        self._change(
            session,
            row,
            documents=list(documents.values()),
            entities=[entities[category] for category in ordered],
        )
        same = len(found.documents) - new
        lines = [*found.lines]
        if same:
            lines.append(f"{same} texts were there already; {labelled} of them got labels")
        return new, lines

    async def compared(self, project: str, person: str) -> tuple[Agreement, list[Differing]]:
        """Compare the project's labels with one person's, over the documents that both labelled.

        Raises:
            LabellingMistakes: A text cannot be read, or is not that which was labelled.
        """

        def work(session: Session) -> tuple[Agreement, list[Differing]]:
            row = _project(session, project)
            rows = {one.location: one for one in _annotations(session, project) if one.person == person}
            twice: list[Twice] = []
            differing: list[Differing] = []
            for entry in _documents(row):
                other = rows.get(entry["location"])
                marks = marks_of(entry)
                if other is None or not marks.seen or not _marks(other).seen:
                    continue
                location = entry["location"]
                text = self._text(row, location)
                categories = _categories(row)
                first = checked(location, text, marks.labels, categories)
                second = checked(location, text, other.labels, categories)
                twice.append(Twice(text=text, first=first, second=second))
                differing.append(Differing(location=location, same=first == second))
            return agreement(twice), differing

        return await self._store.do(work)

    async def labelled(self, project: str, locations: Sequence[str]) -> list[LabelledDocument]:
        """Return those of some documents that are labelled, with their texts, in the project's order.

        Raises:
            LabellingMistakes: A text cannot be read, or its labels are not of it.
        """
        wanted = frozenset(locations)

        def work(session: Session) -> list[LabelledDocument]:
            row = _project(session, project)
            found = []
            for entry in _documents(row):
                location, marks = entry["location"], marks_of(entry)
                if location not in wanted or not marks.seen:
                    continue
                text = self._text(row, location)
                labels = checked(location, text, marks.labels, _categories(row))
                language = entry.get("language") or row.language
                found.append(
                    LabelledDocument(name=location, text=text, labels=tuple(labels), language=language)
                )
            return found

        return await self._store.do(work)

    def _change(
        self,
        session: Session,
        row: ProjectRow,
        *,
        documents: list[Entry] | None = None,
        entities: list[Entry] | None = None,
    ) -> None:
        row.assets = {
            "projectKind": KIND,
            **row.assets,
            "documents": _documents(row) if documents is None else documents,
            "entities": _entities(row) if entities is None else entities,
        }
        row.modified = self._clock()
        session.add(row)

    def _folder(self, row: ProjectRow) -> Path:
        return self._root / (row.container or row.name)

    def _text(self, row: ProjectRow, location: str) -> str:
        text = read_text(self._folder(row), location)
        if isinstance(text, Mistake):
            raise LabellingMistakes([text])
        return text

    def _holds(self, row: ProjectRow, location: str, text: str) -> bool:
        """Whether the folder has exactly this text under this name already."""
        return read_text(self._folder(row), location) == text

    def _keep(self, folder: Path, location: str, text: str) -> None:
        try:
            keep_text(folder, location, bytes_of(text))
        except OSError as error:
            raise JobStoreUnavailable(
                f"the texts cannot be kept: {error.strerror}",
                hint="have the operator check free space and rights of the folder of Authoring:Documents",
            ) from error


def _project(session: Session, name: str) -> ProjectRow:
    row = session.get(ProjectRow, name)
    if row is None:
        raise NoSuchDocument("There is no project of that name.")
    return row


def _documents(row: ProjectRow) -> list[Entry]:
    return list(row.assets.get("documents") or ())


def _entities(row: ProjectRow) -> list[Entry]:
    return list(row.assets.get("entities") or ())


def _categories(row: ProjectRow) -> list[str]:
    return [str(entity["category"]) for entity in _entities(row)]


def _entry(row: ProjectRow, location: str) -> Entry:
    for entry in _documents(row):
        if entry["location"] == location:
            return entry
    raise NoSuchDocument("The project has no document of that name.")


def _annotations(session: Session, project: str) -> Sequence[AnnotationRow]:
    return session.exec(select(AnnotationRow).where(col(AnnotationRow.project) == project)).all()


def _marks(row: AnnotationRow) -> Marks:
    return Marks(labels=tuple(row.labels), seen=row.seen or bool(row.labels))


def _of(session: Session, row: ProjectRow, entry: Entry, person: str) -> Marks:
    if not person:
        return marks_of(entry)
    found = session.get(AnnotationRow, (row.name, person, entry["location"]))
    return UNSEEN if found is None else _marks(found)


def _names(folder: Path) -> set[str]:
    return {path.name.casefold() for path in folder.iterdir()} if folder.is_dir() else set()


def _new_entry(document: LabelledDocument, location: str, before: Entry | None, language: str) -> Entry:
    labels = tuple(
        {
            "category": label.category,
            "offset": utf16_length(document.text[: label.start]),
            "length": utf16_length(document.text[label.start : label.end]),
        }
        for label in document.labels
    )
    entry = before or {"location": location, "language": document.language or language}
    if document.dataset:
        entry = {**entry, "dataset": document.dataset}
    return marked(entry, Marks(labels=labels, seen=bool(labels)), utf16_length(document.text))
