"""Formats that are known and not read: each is refused by name, with what would work."""

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from appliance.datasets.formats.format import SourceFile
from appliance.datasets.label_errors import DatasetError


class Known(NamedTuple):
    """A format by how its files begin, and what to do with it."""

    title: str
    begins: re.Pattern[bytes]
    remedy: str


_SHEET: Final = "save the sheet as CSV with a column of words and one of tags, or export JSON from its tool"
_XML: Final = rb"(?:\xef\xbb\xbf)?\s*(?:<\?xml[^>]*>\s*)?(?:<!--(?:(?!-->).)*-->\s*)*"
KNOWN: Final[Sequence[Known]] = (
    Known(
        "UIMA CAS JSON",
        re.compile(rb'\s*\{\s*"%(?:TYPES|FEATURE_STRUCTURES|VIEWS)"'),
        "export UIMA CAS XMI (XML 1.0) from INCEpTION instead",
    ),
    Known(
        "GATE XML",
        re.compile(_XML + rb"<GateDocument\b", re.DOTALL),
        "export CoNLL or JSON from GATE (plugins Format_CoNLL, Format_JSON), or UIMA CAS XMI",
    ),
    Known(
        "XML",
        re.compile(_XML + rb"<[A-Za-z!]", re.DOTALL),
        "export JSON, CoNLL or WebAnno TSV from the tool that wrote it",
    ),
    Known(
        "Apache Parquet",
        re.compile(rb"PAR1"),
        "write it as JSON Lines; in Python: "
        "datasets.load_dataset('parquet', data_files=FILE)['train'].to_json('labels.jsonl')",
    ),
    Known(
        "Apache Arrow",
        re.compile(rb"ARROW1|\xff\xff\xff\xff[\s\S]{4}\x10\0"),
        "write it as JSON Lines; in Python: datasets.Dataset.from_file(FILE).to_json('labels.jsonl')",
    ),
    Known(
        "a pickle of Python",
        re.compile(rb"\x80[\x02-\x05]"),
        "it could run any program when it is opened; write JSON Lines where it was made",
    ),
    Known("an old Excel workbook", re.compile(rb"\xd0\xcf\x11\xe0"), _SHEET),
    Known("PDF", re.compile(rb"%PDF-"), "label its text in a tool, and export that tool's JSON"),
    Known(
        "a gzip archive", re.compile(rb"\x1f\x8b"), "unpack it; at a terminal: gunzip FILE, or tar xzf FILE"
    ),
    Known(
        "a tar archive",
        re.compile(rb"[\s\S]{257}ustar"),
        "unpack it; at a terminal: tar xf FILE, then name the folder",
    ),
    Known(
        "an SQLite database",
        re.compile(rb"SQLite format 3\0"),
        "export JSONL from its tool; at a terminal: prodigy db-out DATASET > labels.jsonl",
    ),
)


def refusal(file: SourceFile) -> DatasetError | None:
    """Return the refusal of a file that is of a known format."""
    head = file.data[:4096]
    for known in KNOWN:
        if known.begins.match(head):
            return DatasetError(f"{file.name} is {known.title}, which is not read here", hint=known.remedy)
    return None
