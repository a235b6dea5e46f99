r"""CoNLL-U and CoNLL-U Plus: the tags stand in a column of their own, or as `NER=…` in MISC.

What stood between words is kept where the file says it (`SpaceAfter=No`, `SpacesAfter=\s\n`, `SpacesBefore`);
such files are written too, and keep a text to its last space.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from appliance.datasets.document import LabelledDocument
from appliance.datasets.formats.format import Contents, Format, ReadOptions, SourceFile
from appliance.datasets.formats.tokens.token_rows import Group, Sentence, contents, sentences_of
from appliance.datasets.label_errors import DatasetError, Mistake
from appliance.datasets.tag_schemes import OUTSIDE, Scheme, is_tag, recognise, runs, tags_of

STANDARD: Final = ("ID", "FORM", "LEMMA", "UPOS", "XPOS", "FEATS", "HEAD", "DEPREL", "DEPS", "MISC")
_GLOBAL: Final = "# global.columns"
_ID: Final = re.compile(r"[0-9]+(?:[-.][0-9]+)?")
_MISC: Final = re.compile(r"(?i)(?:^|\|)(?:NER|NE|Entity|NamedEntity|NER_tag)=([^|]*)")
_KEYS: Final = {name: re.compile(rf"(?:^|\|){name}=([^|]*)") for name in ("SpacesAfter", "SpacesBefore")}
_NEWDOC: Final = re.compile(r"#\s*newdoc\b(?:\s+id\s*=\s*)?(.*)")
_ESCAPED: Final = {"\\s": " ", "\\t": "\t", "\\r": "\r", "\\n": "\n", "\\p": "|", "\\\\": "\\"}
_ESCAPES: Final = {value: key for key, value in _ESCAPED.items()}


@dataclass(slots=True)
class _Row:
    line: int
    cells: list[str]


@dataclass(slots=True)
class _Blocks:
    columns: tuple[str, ...] = STANDARD
    documents: list[tuple[str, list[list[_Row]]]] = field(default_factory=lambda: [("", [[]])])
    marks: int = 0


def sniff(file: SourceFile) -> bool:
    """Whether the file declares its columns, or its rows are ten with a number first."""
    if not file.readable or file.records is not None:
        return False
    head = file.lines[:400]
    if any(line.startswith(_GLOBAL) for line in head[:20]):
        return True
    rows = [line.split("\t") for line in head if line.strip() and not line.startswith("#")]
    return bool(rows) and all(len(row) == len(STANDARD) and _ID.fullmatch(row[0]) for row in rows)


def _blocks(file: SourceFile) -> _Blocks:
    found = _Blocks()
    for number, line in enumerate(file.lines, 1):
        text = line.lstrip("\ufeff") if number == 1 else line
        if text.startswith(_GLOBAL):
            found.columns = tuple(text.partition("=")[2].split())
        elif mark := _NEWDOC.fullmatch(text):
            found.documents.append((mark[1].strip()[:60], [[]]))
            found.marks += 1
        elif not text.strip():
            if found.documents[-1][1][-1]:
                found.documents[-1][1].append([])
        elif not text.startswith("#"):
            found.documents[-1][1][-1].append(_Row(number, text.split("\t")))
    return found


def _words(rows: Sequence[_Row], width: int, name: str, mistakes: list[Mistake]) -> Iterator[_Row]:
    """Yield the words of a sentence: no empty nodes; of words in one form each, and only the first has it."""
    for row in rows:
        if len(row.cells) != width or not _ID.fullmatch(row.cells[0]):
            reason = f"expected {width} columns between tabs, the first a number"
            mistakes.append(Mistake(document=name, line=row.line, reason=reason, remedy="correct the line"))
        elif "." not in row.cells[0] and "-" not in row.cells[0]:
            yield row


def read(file: SourceFile, options: ReadOptions) -> Contents:
    """Read a file of ten columns, or of those it declares.

    Raises:
        DatasetError: It has no column of words, or none of tags.
    """
    found = _blocks(file)
    width = len(found.columns)
    if "FORM" not in found.columns:
        raise DatasetError(f"{file.name} declares no column FORM", hint="declare it in # global.columns")
    mistakes: list[Mistake] = []
    sentences = [
        [list(_words(rows, width, file.name, mistakes)) for rows in document]
        for _, document in found.documents
    ]
    column, scheme = _tags(found, [row for document in sentences for rows in document for row in rows])
    if scheme is None:
        raise DatasetError(
            f"{file.name} has no tags of names: neither a column nor NER=… in MISC",
            hint="add a column NER to # global.columns",
        )
    groups = []
    for (called, _), document in zip(found.documents, sentences, strict=True):
        made = [
            _sentence(rows, found.columns, column, scheme, file.name, mistakes) for rows in document if rows
        ]
        groups.append(Group(made, called))
    notes = []
    if found.marks == 1 and sum(len(group.sentences) for group in groups) > options.sentences:
        notes.append(
            "one newdoc stands for the whole file and tells no documents apart: "
            f"each {options.sentences} sentences are a document (--sentences)"
        )
    return contents(file.name, groups, options, told_apart=found.marks > 1, mistakes=mistakes, notes=notes)


def _tags(found: _Blocks, rows: Sequence[_Row]) -> tuple[int, Scheme | None]:
    """Return the column of tags and its scheme: one beside the ten of the standard, else MISC."""
    best: tuple[int, Scheme | None] = (-1, None)
    for column, name in enumerate(found.columns):
        if name in STANDARD and name != "MISC":
            continue
        scheme = recognise(Counter(_tag(row.cells[column], in_misc=name == "MISC") for row in rows))
        if scheme is not None and (best[1] is None or name != "MISC"):
            best = (column, scheme)
    return best


def _tag(cell: str, *, in_misc: bool) -> str:
    if in_misc:
        found = _MISC.search(cell)
        cell = found[1] if found else ""
    return OUTSIDE if cell.strip() in ("", "_", "*") else cell.strip()


def _sentence(
    rows: Sequence[_Row],
    columns: Sequence[str],
    column: int,
    scheme: Scheme,
    name: str,
    mistakes: list[Mistake],
) -> Sentence:
    form = columns.index("FORM")
    misc = columns.index("MISC") if "MISC" in columns else None
    tags = [_tag(row.cells[column], in_misc=columns[column] == "MISC") for row in rows]
    for row, tag in zip(rows, tags, strict=True):
        if not is_tag(tag, scheme):
            reason = "its tag is none such as O or B-Person"
            mistakes.append(Mistake(document=name, line=row.line, reason=reason, remedy="correct the tag"))
        if not row.cells[form].strip():
            mistakes.append(
                Mistake(document=name, line=row.line, reason="it has no word", remedy="write its FORM")
            )
    words = [row.cells[form] for row in rows]
    found, _ = runs(tags, scheme)
    cells = [row.cells[misc] for row in rows] if misc is not None else []
    if not any("Space" in cell for cell in cells):
        return Sentence(words, found)
    gaps = [_gap(cell, last=number == len(cells)) for number, cell in enumerate(cells, 1)]
    before = _KEYS["SpacesBefore"].search(cells[0])
    return Sentence(words, found, gaps, _unescape(before[1]) if before else "")


def _gap(misc: str, *, last: bool) -> str:
    if said := _KEYS["SpacesAfter"].search(misc):
        return _unescape(said[1])
    if "SpaceAfter=No" in misc.split("|"):
        return ""
    return "\n" if last else " "


def _unescape(text: str) -> str:
    return re.sub(r"\\[strnp\\]", lambda found: _ESCAPED[found[0]], text)


def _escape(text: str) -> str:
    return "".join(_ESCAPES.get(character, character) for character in text)


def write(documents: Sequence[LabelledDocument], stem: str) -> dict[str, bytes]:
    """Write CoNLL-U Plus with the columns ID, FORM, MISC and NER."""
    lines = [f"{_GLOBAL} = ID FORM MISC NER"]
    for number, document in enumerate(documents, 1):
        lines.append(f"# newdoc id = {number}")
        sentences = list(sentences_of(document))
        starts = [*(words[0][0] for words, _ in sentences[1:]), len(document.text)]
        for place, ((words, found), following) in enumerate(zip(sentences, starts, strict=True), 1):
            text = " ".join(document.text[words[0][0] : words[-1][1]].split())
            lines += (f"# sent_id = {number}-{place}", f"# text = {text}")
            first = document.text[: words[0][0]] if place == 1 else ""
            rows = _written(document.text, words, following, first)
            for (one, misc), tag in zip(rows, tags_of(len(words), found, "IOB2"), strict=True):
                lines.append(f"{one}\t{misc}\t{tag}")
            lines.append("")
    return {f"{stem}.conllup": "\n".join([*lines, ""]).encode("utf-8")}


def _written(
    text: str, words: Sequence[tuple[int, int]], following: int, first: str
) -> Iterator[tuple[str, str]]:
    ends = [*(start for start, _ in words[1:]), following]
    for number, ((start, end), gap_end) in enumerate(zip(words, ends, strict=True), 1):
        gap = text[end:gap_end]
        said = [f"SpacesBefore={_escape(first)}"] if first and number == 1 else []
        if gap != " ":
            said.append(f"SpacesAfter={_escape(gap)}" if gap else "SpaceAfter=No")
        elif number == len(words):
            said.append("SpacesAfter=\\s")
        yield f"{number}\t{text[start:end]}", "|".join(said) or "_"


CONLLU: Final = Format(
    name="conllu",
    title="CoNLL-U",
    sniff=sniff,
    read=read,
    write=write,
    exact=False,
    note="tags in MISC (`NER=B-PER`) or in a column of CoNLL-U Plus; Plus is written",
)
