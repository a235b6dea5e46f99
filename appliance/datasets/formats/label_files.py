"""Label files as people name them, to labelled documents: files, folders and ZIP archives; bounded first."""

import os
import posixpath
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from appliance.datasets.conversion_report import ConversionReport, FileReport
from appliance.datasets.document import LabelledDocument
from appliance.datasets.formats.bare_texts import texts_of
from appliance.datasets.formats.format import SENTENCES, Format, ReadOptions, SourceFile
from appliance.datasets.formats.registry import BY_NAME, recognise, require, unknown
from appliance.datasets.formats.settling import settle
from appliance.datasets.label_errors import DatasetError, LabellingMistakes, Mistake
from appliance.datasets.project import MAX_DOCUMENT_BYTES, MAX_PROJECT_BYTES, read_bytes
from license.encoding.strict import shown
from license.encoding.zip_reader import open_zip
from license.errors import LicenseError
from license.files import open_regular, read_limited

MAX_FILES: Final = 20_000
"""Files of a folder or an archive."""
_ZIP: Final = b"PK\x03\x04"
_ASIDE_FOLDER: Final = re.compile(r"(?:^|/)(?:\.[^/]*|__MACOSX)(?:/|$)")
_ASIDE: Final = re.compile(
    r"(?:^|/)(?:Thumbs\.db|(?:README|LICEN[CS]E|NOTICE|CITATION)(?:\.(?:txt|rst|html?|cff))?)$"
    r"|\.(?:conf|cfg|bib|md|py|sh)$",
    re.IGNORECASE,
)
"""What lies in folders of labels and holds none. A text may be called `Notice 7.txt`."""
_SENTENCES, _UNIT, _NAMES = "--sentences", "--offset-unit", "--labels"
_NO_EFFECT: Final[Mapping[str, str]] = {
    _SENTENCES: "each file tells its documents apart itself",
    _UNIT: "no file holds offsets whose unit could be another than its format says",
    _NAMES: "no file holds tags as numbers",
}
_DESCRIPTION: Final = re.compile(r"(?:^|/)dataset_infos?\.json$")
"""Names the tags of files beside it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How label files are read.

    Attributes:
        options: What their readers are told.
        forced: Name of the format; empty to tell it by content.
        drop: Kinds of labels that may be left out.
        documents: Folder with the texts that files name; None to look beside them.
        sentences_said: Whether a person said how many sentences make a document.
        bare_texts: Whether files of text without labels are documents too, as `texts_of` reads them; else
            they are left out, and files without a single label are refused.
    """

    options: ReadOptions = field(default_factory=ReadOptions)
    forced: str = ""
    drop: frozenset[str] = frozenset()
    documents: Path | None = None
    sentences_said: bool = False
    bare_texts: bool = False


def read_file(path: Path, *, dataset: str = "", sentences: int = SENTENCES) -> list[LabelledDocument]:
    """Return the labelled documents of one file, folder or archive, of whatever format; as `read_labels`."""
    reading = Reading(options=ReadOptions(sentences=sentences))
    return read_labels([(path, dataset)], reading)[0]


def read_labels(
    inputs: Sequence[tuple[Path, str]], reading: Reading
) -> tuple[list[LabelledDocument], ConversionReport]:
    """Read label files.

    Args:
        inputs: Paths, and for each the use of its documents: `Train`, `Test`, or empty as the file says.
        reading: How.

    Raises:
        DatasetError: A file cannot be read, or none has a label.
        LabellingMistakes: Everything that is wrong with labels, and every one that cannot be carried.
    """
    pile = _Pile(reading)
    names = [path.name for path, _ in inputs]
    for path, dataset in inputs:
        pile.take(path, dataset, str(path) if names.count(path.name) > 1 else path.name)
    return pile.settled()


class _Pile:
    """What has been read so far."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._documents: list[LabelledDocument] = []
        self._mistakes: list[Mistake] = []
        self._reports: list[FileReport] = []
        self._notes: list[str] = []
        self._needed: set[str] = set()
        """Options that have an effect on a file."""

    def take(self, path: Path, dataset: str, name: str) -> None:
        """Read a file, or all files of a folder or an archive."""
        try:
            if path.is_dir():
                self._take_all(folder_files(path), dataset, name)
                return
            with open_regular(path) as file:
                packed = file.read(len(_ZIP)) == _ZIP
            if packed:
                self._take_all(_archive(path), dataset, name)
                return
            data = read_limited(path, MAX_PROJECT_BYTES)
        except LicenseError as error:
            raise DatasetError(error.message, hint=error.hint) from error
        beside = _beside_path(path, self._reading.documents)
        source = SourceFile(name, data, beside)
        self._read(source, self._forced() or require(source), dataset)

    def _take_all(self, files: Mapping[str, bytes], dataset: str, name: str) -> None:
        used: set[str] = set()
        sources = [
            SourceFile(f"{name}/{one}", data, _beside_member(one, files, used, self._reading.documents))
            for one, data in files.items()
            if not _DESCRIPTION.search(one)
        ]
        later: list[tuple[SourceFile, Format | None]] = []
        for source in sources:
            found = self._forced() or recognise(source)
            if found is not None and found.gathers:
                self._read(source, found, dataset)
            else:
                later.append((source, found))
        bare = []
        for source, found in later:
            if source.name[len(name) + 1 :] in used:
                continue
            if found is not None and (self._reading.forced == "" or found.sniff(source)):
                self._read(source, found, dataset)
            elif self._reading.bare_texts and source.readable:
                self._documents += [replace(one, dataset=dataset) for one in texts_of(source)]
            elif source.name.lower().endswith(".txt") and source.readable:
                bare.append(source.name)
            else:
                raise unknown(source, "take it out of the folder, or name the files with labels one by one")
        if bare:
            self._notes.append(f"{len(bare)} texts have no labels and are left out, such as {bare[0]}")

    def _forced(self) -> Format | None:
        return BY_NAME[self._reading.forced] if self._reading.forced else None

    def _read(self, source: SourceFile, found: Format, dataset: str) -> None:
        reading = self._reading
        try:
            contents = found.read(source, reading.options)
        except LabellingMistakes as mistakes:
            self._mistakes += mistakes.mistakes
            return
        documents, mistakes_here, report = settle(
            contents, source.name, found.title, reading.options, drop=reading.drop
        )
        needs = (_SENTENCES, contents.grouped), (_UNIT, not contents.unit_sure), (_NAMES, contents.numbered)
        self._needed |= {option for option, needed in needs if needed}
        self._documents += [replace(one, dataset=dataset or one.dataset) for one in documents]
        self._mistakes += mistakes_here
        self._reports.append(report)

    def settled(self) -> tuple[list[LabelledDocument], ConversionReport]:
        """Return everything, or raise what is wrong."""
        if self._mistakes:
            raise LabellingMistakes(self._mistakes)
        report = ConversionReport(files=tuple(self._reports), notes=tuple(self._notes))
        if not self._reading.bare_texts:
            report.require_labels()
        for option, said in (
            (_SENTENCES, self._reading.sentences_said),
            (_UNIT, self._reading.options.unit is not None),
            (_NAMES, bool(self._reading.options.names)),
        ):
            if said and option not in self._needed:
                raise DatasetError(
                    f"{option} has no effect: {_NO_EFFECT[option]}", hint=f"leave {option} out"
                )
        return with_own_names(self._documents), report


def with_own_names(documents: Sequence[LabelledDocument]) -> list[LabelledDocument]:
    """Number documents of the same name, since training and test are told apart by names."""
    seen: Counter[str] = Counter()
    taken: set[str] = set()
    named = []
    for document in documents:
        name = document.name
        while name in taken:
            seen[document.name] += 1
            name = f"{document.name} [{seen[document.name] + 1}]"
        taken.add(name)
        named.append(replace(document, name=name))
    return named


def folder_files(root: Path) -> dict[str, bytes]:
    """Return the files of a folder by their names in it."""
    files: dict[str, bytes] = {}
    left = MAX_PROJECT_BYTES
    for path in _walk(root):
        name = path.relative_to(root).as_posix()
        if len(files) >= MAX_FILES:
            raise DatasetError(
                f"{root} holds more than {MAX_FILES} files", hint="cut it into several folders"
            )
        if path.is_symlink():
            raise DatasetError(f"{path} is a link", hint="put the file itself there")
        files[name] = read_limited(path, left)
        left -= len(files[name])
    return files


def _walk(root: Path) -> Iterator[Path]:
    for folder, below, names in os.walk(root):
        below[:] = sorted(one for one in below if not _ASIDE_FOLDER.search(one))
        for name in sorted(names):
            if not is_aside(name):
                yield Path(folder, name)


def is_aside(name: str) -> bool:
    """Whether a file of a folder is one that holds no labels by its name, such as a licence or a script."""
    return bool(_ASIDE_FOLDER.search(name) or _ASIDE.search(name))


def _archive(path: Path) -> dict[str, bytes]:
    """Return the files of a ZIP archive by their names in it."""
    files: dict[str, bytes] = {}
    with open_zip(path, max_files=MAX_FILES, free_bytes=MAX_DOCUMENT_BYTES) as archive:
        if sum(entry.file_size for entry in archive.entries) > MAX_PROJECT_BYTES:
            raise DatasetError(
                f"{path.name} unpacks to more than {MAX_PROJECT_BYTES} bytes", hint="cut it into several"
            )
        if "[Content_Types].xml" in archive.names():
            raise DatasetError(
                f"{path.name} is a document of Word or Excel, which is not read here",
                hint="save a sheet as CSV with a column of words and one of tags",
            )
        for entry in archive.entries:
            if entry.is_dir() or is_aside(entry.filename):
                continue
            if entry.filename in files:
                raise DatasetError(
                    f"{path.name} lists {shown(entry.filename)} twice", hint="pack the archive again"
                )
            with archive.open(entry) as file:
                files[shown(entry.filename, 250)] = file.read(entry.file_size + 1)
    return files


Beside = Callable[[str], bytes | Mistake]


def _beside_member(name: str, files: Mapping[str, bytes], used: set[str], documents: Path | None) -> Beside:
    """Look for other files of the same folder or archive: beside this one, in `documents`, then anywhere.

    What is not there is looked for in the folder of documents that was named.
    """
    here = posixpath.dirname(name)

    def find(location: str) -> bytes | Mistake:
        for folder in (here, posixpath.join(here, "documents"), ""):
            wanted = posixpath.normpath(posixpath.join(folder, location))
            if wanted in files:
                used.add(wanted)
                return files[wanted]
        if documents is not None:
            return read_bytes(documents, location)
        return Mistake(
            document=shown(location, 100),
            line=0,
            reason="there is no such file",
            remedy=f"put it beside {name}",
        )

    return find


def _beside_path(path: Path, documents: Path | None) -> Beside:
    """Look for other files in the folder of documents that was named, or beside a file."""
    roots = [documents] if documents is not None else [path.parent, path.parent / "documents"]

    def find(location: str) -> bytes | Mistake:
        for root in roots:
            found = read_bytes(root, location)
            if isinstance(found, bytes) or root is roots[-1]:
                return found
        raise AssertionError("there is always one root")

    return find


def drop_kinds(*, overlaps: bool, relations: bool, discontinuous: bool) -> frozenset[str]:
    """Return the kinds of labels that a person allows to be left out."""
    chosen: Collection[tuple[str, bool]] = (
        ("overlaps", overlaps),
        ("relations", relations),
        ("discontinuous", discontinuous),
    )
    return frozenset(kind for kind, wanted in chosen if wanted)
