"""Tables of words with a header, as CSV, TSV or with semicolons: `Sentence #,Word,POS,Tag` of Kaggle and kin.

The sentence is named in its first row only, or in each. A column `Document` tells documents apart.
"""

import csv
import io
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from appliance.datasets.document import LabelledDocument
from appliance.datasets.formats.format import Contents, Format, ReadOptions, SourceFile
from appliance.datasets.formats.tag_names import name_of, numbered_tags
from appliance.datasets.formats.tokens.token_rows import Group, Sentence, contents, sentences_of
from appliance.datasets.label_errors import DatasetError, Mistake
from appliance.datasets.tag_schemes import Scheme, categories, is_tag, recognise, runs, tags_of

_MAX_CELL: Final = 2**24
_QUOTED: Final = '""""'
_NAMES: Final[Mapping[str, frozenset[str]]] = {
    "word": frozenset(("word", "words", "token", "tokens", "form", "text", "term")),
    "tag": frozenset(("tag", "tags", "nertag", "nertags", "ner", "label", "labels", "iob", "bio", "entity")),
    "sentence": frozenset(
        ("sentence", "sentenceid", "sentenceno", "sentid", "sentenceidx", "sentence#", "sent")
    ),
    "document": frozenset(("document", "documentid", "doc", "docid", "file", "filename")),
}


@dataclass(slots=True)
class _Table:
    """A table that was told: the header's columns by use, and how cells are divided."""

    columns: dict[str, int]
    delimiter: str
    tags: Sequence[int] = ()
    """All columns whose name is one of tags; `Tag` may be that of parts of speech, beside `NER`."""


def _table(file: SourceFile) -> _Table | None:
    header = file.lines[0].lstrip("\ufeff")
    for delimiter in (",", "\t", ";"):
        try:
            cells = next(csv.reader([header], delimiter=delimiter), [])
        except csv.Error:
            continue
        found: dict[str, int] = {}
        plainly = [re.sub(r"[^\w#]|_", "", cell).casefold() for cell in cells]
        for place, plain in enumerate(plainly):
            for use, names in _NAMES.items():
                if plain in names:
                    found.setdefault(use, place)
        if {"word", "tag"} <= set(found):
            tags = [place for place, plain in enumerate(plainly) if plain in _NAMES["tag"]]
            return _Table(found, delimiter, tags)
    return None


def sniff(file: SourceFile) -> bool:
    """Whether the first line is a header that names words and tags."""
    return file.readable and file.records is None and _table(file) is not None


def read(file: SourceFile, options: ReadOptions) -> Contents:
    """Read a table.

    Raises:
        DatasetError: Its header names no words or no tags, or it is damaged.
    """
    table = _table(file)
    if table is None:
        raise DatasetError(
            f"{file.name} has no header with a column of words and one of tags",
            hint="write the header Sentence #,Word,Tag",
        )
    table, notes = _with_tags(file, table)
    rows, mistakes = _rows(file, table)
    numbered = bool(rows) and all(row.tag.isdecimal() for row in rows)
    if numbered:
        if not options.names:
            raise numbered_tags(file.name)
        for row in rows:
            row.tag = name_of(row.tag, options.names)
    scheme = recognise(Counter(row.tag for row in rows))
    if scheme is None:
        raise DatasetError(
            f"{file.name}: column {table.columns['tag'] + 1} holds no tags such as O and B-Person",
            hint="put tags into the column Tag",
        )
    numbers = sum(row.word.replace(".", "").isdigit() for row in rows)
    if len(rows) > 4 and 10 * numbers > 9 * len(rows):
        raise DatasetError(
            f"{file.name}: column {table.columns['word'] + 1} holds numbers instead of words",
            hint="put words into the column Word",
        )
    mistakes += [
        Mistake(document=file.name, line=row.line, reason="its tag is none", remedy="write O, B-… or I-…")
        for row in rows
        if not is_tag(row.tag, scheme)
    ]
    groups = _groups(rows, scheme, sentences="sentence" in table.columns)
    told_apart = "document" in table.columns
    made = contents(file.name, groups, options, told_apart=told_apart, mistakes=mistakes, notes=notes)
    return replace(made, numbered=numbered)


def _with_tags(file: SourceFile, table: _Table) -> tuple[_Table, list[str]]:
    """Return a table with the column of tags that name something, and a line if there was a choice."""
    if len(table.tags) < 2:
        return table, []
    for place in table.tags:
        tried = replace(table, columns={**table.columns, "tag": place})
        tags = Counter(row.tag for row in _rows(file, tried)[0])
        scheme = recognise(tags)
        if scheme is not None and scheme.prefixed and categories(tags):
            others = ", ".join(str(other + 1) for other in table.tags if other != place)
            return tried, [f"tags are read from column {place + 1}; those in column {others} are not read"]
    return table, []


@dataclass(slots=True)
class _Row:
    line: int
    word: str
    tag: str
    sentence: str
    document: str


def _rows(file: SourceFile, table: _Table) -> tuple[list[_Row], list[Mistake]]:
    csv.field_size_limit(_MAX_CELL)
    text, delimiter = file.text.lstrip("\ufeff"), table.delimiter
    quoting = _quoting(text, delimiter)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, quoting=quoting)
    rows: list[_Row] = []
    mistakes: list[Mistake] = []
    sentence = document = ""
    try:
        next(reader)
        for cells in reader:
            if _goes_on(cells):
                reason = "a quotation mark that ends some lines above here takes words and tags for one cell"
                remedy = f'write the word " as {_QUOTED}'
                mistakes.append(
                    Mistake(document=file.name, line=reader.line_num, reason=reason, remedy=remedy)
                )
                continue
            if not any(cell.strip() for cell in cells):
                sentence = f"after line {reader.line_num}"
                continue
            found = {use: cells[place] for use, place in table.columns.items() if place < len(cells)}
            sentence = found.get("sentence", "").strip() or sentence
            document = found.get("document", "").strip() or document
            word, tag = found.get("word", "").strip(), found.get("tag", "").strip()
            if word and tag:
                rows.append(_Row(reader.line_num, word, tag, sentence, document))
            else:
                reason, remedy = "it lacks a word or its tag", "write both"
                mistakes.append(
                    Mistake(document=file.name, line=reader.line_num, reason=reason, remedy=remedy)
                )
    except csv.Error as error:
        raise DatasetError(f"{file.name}, line {reader.line_num}: {error}", hint="save it again") from None
    return rows, mistakes


def _quoting(text: str, delimiter: str) -> Literal[0, 3]:
    """Say whether cells are quoted; between tabs a quotation mark may be a word that nothing quotes."""
    if delimiter != "\t":
        return csv.QUOTE_MINIMAL
    try:
        bare = any(map(_goes_on, csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)))
    except csv.Error:  # a cell longer than any word
        bare = True
    return csv.QUOTE_NONE if bare else csv.QUOTE_MINIMAL


def _goes_on(cells: Sequence[str]) -> bool:
    """Whether a cell goes over several lines, as no word does."""
    return any("\n" in cell or "\r" in cell for cell in cells)


def _groups(rows: Sequence[_Row], scheme: Scheme, *, sentences: bool) -> list[Group]:
    """Put rows together to sentences and documents; a full stop ends a sentence that nothing names."""
    groups: list[Group] = []
    words: list[str] = []
    tags: list[str] = []
    before: _Row | None = None

    def end() -> None:
        if words:
            groups[-1].sentences.append(Sentence(list(words), runs(list(tags), scheme)[0]))
            words.clear()
            tags.clear()

    for row in rows:
        new_document = before is None or row.document != before.document
        stopped = not sentences and before is not None and before.word in (".", "?", "!", "。")
        if new_document or (before is not None and row.sentence != before.sentence) or stopped:
            end()
        if new_document:
            groups.append(Group([], row.document[:60]))
        words.append(row.word)
        tags.append(row.tag)
        before = row
    end()
    return groups


def write(documents: Sequence[LabelledDocument], stem: str) -> dict[str, bytes]:
    """Write a word a row, each row with its sentence and document."""
    file = io.StringIO(newline="")
    table = csv.writer(file, lineterminator="\n")
    table.writerow(("Document", "Sentence #", "Word", "Tag"))
    sentence = 0
    for number, document in enumerate(documents, 1):
        for words, found in sentences_of(document):
            sentence += 1
            tags = tags_of(len(words), found, "IOB2")
            for (start, end), tag in zip(words, tags, strict=True):
                table.writerow((number, f"Sentence: {sentence}", document.text[start:end], tag))
    return {f"{stem}.csv": file.getvalue().encode("utf-8")}


TOKEN_CSV: Final = Format(
    name="token-csv",
    title="CSV of words",
    sniff=sniff,
    read=read,
    write=write,
    exact=False,
    note="with a header such as `Sentence #,Word,POS,Tag`; commas, tabs or semicolons",
)
