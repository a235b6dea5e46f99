"""brat's standoff: a text and beside it an `.ann` file, `T1<tab>Person 0 4<tab>Anna` a line.

Offsets are code points, ends exclusive. A label over a line end is written in pieces there and put together
again; other gaps, relations and events are what cannot be carried.
"""

import posixpath
import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from appliance.datasets.document import LabelledDocument
from appliance.datasets.formats.format import Contents, Format, RawDocument, ReadOptions, SourceFile, Span
from appliance.datasets.label_errors import DISCONTINUOUS, RELATIONS, DatasetError, LabellingMistakes, Mistake
from appliance.datasets.project import bytes_of, text_of

_LINE: Final = re.compile(r"(?:T\d+\t\S+ \d+ \d+(?:;\d+ \d+)*(?:\t|$)|[REAMN]\d+\t|#\d*\t|\*\t)")
_LABEL: Final = re.compile(r"T(\d+)\t(\S+) (\d+ \d+(?:;\d+ \d+)*)(?:\t(.*))?")
_MAX_DIGITS: Final = 12
_BREAKS: Final = re.compile(r"\s*[\r\n]\s*")
_TIES: Final = {"R": "relation", "E": "event", "*": "equivalence"}


def sniff(file: SourceFile) -> bool:
    """Whether the lines are brat's; an empty `.ann` file says that its text has no labels."""
    if not file.data.strip():
        return file.name.lower().endswith(".ann")
    if not file.readable or file.name.lower().endswith(".txt"):
        return False  # the text itself, whatever its lines look like
    lines = [line for line in file.lines[:100] if line.strip()]
    return 2 * sum(_LINE.match(line) is not None for line in lines) > len(lines)


def read(file: SourceFile, _options: ReadOptions) -> Contents:
    """Read a file and the text beside it.

    Raises:
        LabellingMistakes: The text is not there, or is none.
    """
    location = posixpath.basename(file.name).rpartition(".")[0] + ".txt"
    data = file.beside(location)
    text = data if isinstance(data, Mistake) else text_of(data, location)
    if isinstance(text, Mistake):
        raise LabellingMistakes([text])
    spans: list[Span] = []
    mistakes: list[Mistake] = []
    aside = 0
    for number, line in enumerate(file.lines, 1):
        if not line.strip():
            continue
        if line.startswith("T"):
            read_line = _label(line, text, file.name, number)
            if isinstance(read_line, Span):
                spans.append(read_line)
            else:
                mistakes.append(read_line)
        elif line[0] in _TIES:
            kind = line.partition("\t")[2].split(" ")[0].split(":")[0][:40]
            reason = f"the {_TIES[line[0]]} {kind} ties labels, and labels here stand alone"
            mistakes.append(
                Mistake(document=file.name, line=number, reason=reason, remedy="take it out", kind=RELATIONS)
            )
        elif line[0] in "AMN#":
            aside += 1
        else:
            mistakes.append(_wrong(file.name, number, "expected a line of brat such as T1<tab>Person 0 4"))
    notes = [f"{aside} attributes, links and remarks are left out; their labels are not"] if aside else []
    named = file.name.rpartition(".")[0] + ".txt"
    document = RawDocument(name=named, text=text, spans=tuple(spans))
    return Contents(documents=[document], mistakes=mistakes, notes=notes)


def _wrong(name: str, line: int, reason: str) -> Mistake:
    return Mistake(document=name, line=line, reason=reason, remedy="correct the line")


def _label(line: str, text: str, name: str, number: int) -> Span | Mistake:
    """Return the label of a line; pieces with nothing but white space between them are one."""
    matched = _LABEL.fullmatch(line)
    if matched is None:
        return _wrong(name, number, "expected a label of brat such as T1<tab>Person 0 4<tab>Anna")
    if any(len(digits) > _MAX_DIGITS for digits in re.findall(r"\d+", matched[3])):
        return _wrong(name, number, "its offsets lie outside of any text")
    pieces = [(int(start), int(end)) for start, end in re.findall(r"(\d+) (\d+)", matched[3])]
    for (_, end), (start, _) in pairwise(pieces):
        if end > start or text[end:start].strip():
            return Mistake(
                document=name,
                line=number,
                reason=f"the label {matched[2]} (T{matched[1]}) has a gap: {matched[3]}",
                remedy="label one piece",
                kind=DISCONTINUOUS,
            )
    return Span(pieces[0][0], pieces[-1][1], matched[2], matched[4])


def write(documents: Sequence[LabelledDocument], stem: str) -> dict[str, bytes]:
    """Write a text and an `.ann` file for each document.

    Raises:
        DatasetError: The name of a category holds white space.
    """
    files: dict[str, bytes] = {}
    width = len(str(len(documents)))
    for number, document in enumerate(documents, 1):
        lines = []
        for place, label in enumerate(document.labels, 1):
            if re.search(r"\s", label.category):
                raise DatasetError(
                    f"brat cannot hold the category {label.category[:60]!r}: its names have no spaces",
                    hint="rename the category, or choose another format with --to",
                )
            pieces = _pieces(document.text, label.start, label.end)
            offsets = ";".join(f"{start} {end}" for start, end in pieces)
            said = " ".join(document.text[start:end] for start, end in pieces)
            lines.append(f"T{place}\t{label.category} {offsets}\t{said}\n")
        name = f"{stem}/{number:0{width}}"
        files[f"{name}.ann"] = "".join(lines).encode("utf-8")
        files[f"{name}.txt"] = bytes_of(document.text)
    return files


def _pieces(text: str, start: int, end: int) -> list[tuple[int, int]]:
    pieces = []
    for gap in _BREAKS.finditer(text, start, end):
        pieces.append((start, gap.start()))
        start = gap.end()
    pieces.append((start, end))
    return [piece for piece in pieces if piece[0] < piece[1]]


BRAT: Final = Format(
    name="brat",
    title="brat",
    sniff=sniff,
    read=read,
    write=write,
    gathers=True,
    note="`.ann` beside `.txt`, in a folder or a ZIP archive",
)
