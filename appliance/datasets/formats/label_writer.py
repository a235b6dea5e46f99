"""Labelled documents to the files of a format; what was written is read back and compared, label by label."""

import posixpath
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import zip_longest
from pathlib import Path
from typing import Final

from appliance.datasets.document import TEST, TRAIN, Label, Labelled, LabelledDocument
from appliance.datasets.formats.format import Format, ReadOptions, SourceFile
from appliance.datasets.formats.settling import settle
from appliance.datasets.label_errors import DatasetError, Mistake

_ALL: Final = 10**9
_STEMS: Final = ((TRAIN, "train"), (TEST, "test"), ("", "labels"))


def files_of(labelled: Labelled, made: Format) -> dict[str, bytes]:
    """Return the files that a format makes of documents, by name: training and test apart.

    Raises:
        DatasetError: The format is not written, or cannot hold a label; it names the first.
    """
    if made.write is None:
        raise DatasetError(f"{made.title} is read only", hint="choose another format with --to")
    files: dict[str, bytes] = {}
    for dataset, stem in _STEMS:
        documents = [one for one in labelled.documents if one.dataset == dataset]
        if not made.exact:  # a text of white space alone has no word to write
            documents = [one for one in documents if one.text.strip()]
        if documents:
            written = made.write(documents, stem)
            _require_same(documents, written, made)
            files.update(written)
    return files


def write_files(files: Mapping[str, bytes], out: Path) -> None:
    """Write files into a new or empty folder.

    Raises:
        DatasetError: It holds something already, or cannot be written.
    """
    try:
        if out.exists() and any(out.iterdir()):
            raise DatasetError(f"{out} is not empty", hint="name a new folder")
        for name, data in files.items():
            path = out / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
    except OSError as error:
        raise DatasetError(f"cannot write {out}: {error.strerror}") from error


def read_back(files: Mapping[str, bytes], made: Format) -> list[LabelledDocument]:
    """Return the documents that files of a format hold, in the order in which they were written.

    Raises:
        DatasetError: They cannot be read.
    """
    found: list[LabelledDocument] = []
    for name, data in files.items():
        source = SourceFile(name, data, partial(_beside, files, name))
        if not made.sniff(source):
            continue
        try:
            contents = made.read(source, ReadOptions(sentences=_ALL))
            documents, mistakes, _ = settle(contents, name, made.title, ReadOptions(unit=contents.unit))
        except DatasetError as error:
            raise _refusal(made, error.message) from None
        if mistakes:
            raise _refusal(made, str(mistakes[0]))
        found += documents
    return found


def _beside(files: Mapping[str, bytes], name: str, location: str) -> bytes | Mistake:
    wrong = Mistake(document=location, line=0, reason="there is no such file", remedy="write it")
    return files.get(posixpath.join(posixpath.dirname(name), location), wrong)


def _refusal(made: Format, reason: str) -> DatasetError:
    return DatasetError(f"{made.title} cannot hold these labels: {reason}", hint=_HINT)


_HINT: Final = "choose another format with --to, such as jsonl, or rename the category"


def _require_same(documents: Sequence[LabelledDocument], files: Mapping[str, bytes], made: Format) -> None:
    found = read_back(files, made)
    for one, again in zip_longest(documents, found):
        if one is None or again is None:
            raise DatasetError(
                f"{made.title} cannot hold these documents: {len(documents)} written, "
                f"{len(found)} read again",
                hint=_HINT,
            )
        if said := _difference(one, again, exact=made.exact):
            raise DatasetError(f"{made.title} cannot hold {one.name}: {said}", hint=_HINT)


def _difference(one: LabelledDocument, again: LabelledDocument, *, exact: bool) -> str:
    if exact and one.text != again.text:
        return "its text would change"
    for label, other in zip_longest(one.labels, again.labels):
        if label is None or other is None:
            return f"{len(one.labels)} labels written, {len(again.labels)} read again"
        if label != other if exact else _words(one, label) != _words(again, other):
            return f"the label {label.category} at character {label.start} would change"
    return ""


def _words(document: LabelledDocument, label: Label) -> tuple[str, str]:
    return label.category, "".join(document.text[label.start : label.end].split())
