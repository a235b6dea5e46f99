"""Files that somebody hands over, to documents of a project: label files of any format, and bare texts."""

import re
import tempfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from appliance.datasets.document import LabelledDocument, categories_of
from appliance.datasets.formats.format import SourceFile
from appliance.datasets.formats.label_files import Reading, is_aside, read_labels, with_own_names
from appliance.datasets.formats.registry import PROJECT
from appliance.datasets.label_errors import DatasetError, LabellingMistakes, Mistake
from appliance.datasets.project import MAX_DOCUMENT_BYTES
from appliance.datasets.project_file import FileMetadata, parse_project
from license.files import write_atomic

_UNSAFE: Final = re.compile(r"[^\w. ()\[\]-]+")
_LONGEST: Final = 100
"""Characters of a location; file systems take 255 bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """What some files hold.

    Attributes:
        documents: Their documents, each under a name of its own.
        entities: Categories as the project file has them, with the components that one of the files declares.
        metadata: What a project file among them says of its project.
        lines: What was read, for a person.
    """

    documents: Sequence[LabelledDocument]
    entities: Sequence[dict[str, Any]]
    metadata: FileMetadata | None = None
    lines: Sequence[str] = ()


def read_files(
    files: Mapping[str, bytes], room: Path, texts: Path | None, *, bare_texts: bool = True
) -> Incoming:
    """Read files that came over the network.

    Args:
        files: By name, without folders.
        room: A folder for copies, which are gone when this returns.
        texts: Where texts are looked for that a project file names and that did not come with it.
        bare_texts: Whether texts without labels are documents too.

    Raises:
        DatasetError: A file cannot be read, or there is no text in them.
        LabellingMistakes: Everything that is wrong with labels.
    """
    with tempfile.TemporaryDirectory(prefix="incoming-", dir=room) as made:
        folder = Path(made)
        for name, data in files.items():
            if safe_name(name) != name:
                raise DatasetError(f"{name[:100]!r} is no name of a file", hint="give it another name")
            (folder / (f"{name}.txt" if is_aside(name) else name)).write_bytes(data)
        reading = Reading(documents=texts, bare_texts=bare_texts)
        called = f"{folder.name}/"
        try:
            found, report = read_labels([(folder, "")], reading)
        except LabellingMistakes as wrong:
            raise LabellingMistakes([_renamed(one, called) for one in wrong.mistakes]) from None
        except DatasetError as error:
            raise DatasetError(error.message.replace(called, ""), hint=error.hint) from None
    documents = [_named(one, one.name.replace(called, "")) for one in found]
    if not any(one.text.strip() for one in documents):
        raise DatasetError("there is no text in these files", hint="choose files of text or of labels")
    for one in documents:
        if len(one.text) > MAX_DOCUMENT_BYTES or len(one.text.encode("utf-8")) > MAX_DOCUMENT_BYTES:
            reason = f"{one.name[:100]} is larger than {MAX_DOCUMENT_BYTES >> 20} MiB"
            raise DatasetError(reason, hint="cut it into several texts")
    projects = [
        parse_project(source.text.encode(), name)
        for name, source in ((name, SourceFile(name, data)) for name, data in files.items())
        if PROJECT.sniff(source)
    ]
    declared = [one.model_dump(exclude_none=True) for project in projects for one in project.assets.entities]
    used = [{"category": name} for name in categories_of(documents)]
    lines = [line.replace(called, "") for line in report.lines()]
    metadata = projects[0].metadata if projects else None
    return Incoming(
        documents=with_own_names(documents), entities=[*declared, *used], metadata=metadata, lines=lines
    )


def _named(document: LabelledDocument, name: str) -> LabelledDocument:
    return LabelledDocument(
        name=name,
        text=document.text,
        labels=document.labels,
        dataset=document.dataset,
        language=document.language,
    )


def _renamed(mistake: Mistake, called: str) -> Mistake:
    return Mistake(
        document=mistake.document.replace(called, ""),
        line=mistake.line,
        reason=mistake.reason.replace(called, ""),
        remedy=mistake.remedy.replace(called, ""),
        kind=mistake.kind,
    )


def safe_name(name: str) -> str:
    """Return a name that a file of one folder may have, on any system: no folders, no odd characters."""
    plain = _UNSAFE.sub("_", name).strip(" .") or "text"
    stem, dot, ending = plain.rpartition(".")
    if dot and 0 < len(ending) <= 8:
        return f"{stem[: _LONGEST - 1 - len(ending)]}.{ending}"
    return plain[:_LONGEST]


def free_location(name: str, taken: Collection[str]) -> str:
    """Return where a new text lies: a safe name that ends with `.txt` and that no other document has."""
    plain = safe_name(name)
    stem = plain[:-4] if plain.lower().endswith(".txt") else plain
    location, number = f"{stem}.txt", 1
    while location.casefold() in taken:
        number += 1
        location = f"{stem} ({number}).txt"
    return location


def keep_text(folder: Path, location: str, data: bytes) -> None:
    """Write a text into a project's folder, readable by the owner only.

    Raises:
        OSError: It cannot be written.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_atomic(folder / location, data)
