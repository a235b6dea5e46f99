"""Texts without labels: files of text, and JSON values with a `text` each."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from appliance.datasets.document import LabelledDocument
from appliance.datasets.formats.bare_texts import texts_of
from appliance.datasets.formats.format import SourceFile
from appliance.datasets.formats.label_files import folder_files, with_own_names
from appliance.datasets.label_errors import DatasetError
from appliance.datasets.project import MAX_PROJECT_BYTES
from license.errors import LicenseError
from license.files import read_limited


def read_texts(paths: Sequence[Path]) -> list[LabelledDocument]:
    """Return the texts of files and folders, each a document of its own name without labels.

    Args:
        paths: A file is one text, or JSON values (one a line, or an array) with a `text` each, told by
            content. What labels they have is not read.

    Raises:
        DatasetError: A file cannot be read or holds JSON of another kind, or there is no text at all.
    """
    found = with_own_names([one for path in paths for one in _texts(path)])
    if not any(one.text.strip() for one in found):
        raise DatasetError("there is no text in these files", hint="name files of text, or a folder of them")
    return found


def _texts(path: Path) -> Iterator[LabelledDocument]:
    try:
        files = folder_files(path) if path.is_dir() else {path.name: read_limited(path, MAX_PROJECT_BYTES)}
    except LicenseError as error:
        raise DatasetError(error.message, hint=error.hint) from error
    for name, data in files.items():
        yield from texts_of(SourceFile(name, data))
