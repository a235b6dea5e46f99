"""CoNLL-2002, 2003 and kin: a word and its tag a line, an empty line after a sentence.

Columns by tabs or spaces. The tag is in the last column or the first, or where a column of tags is found; an
index of words before them is passed over. Comments (`# …`), `-DOCSTART-` and `# newdoc` are understood. In
GermEval's and UNER's files each further column of tags is a layer of labels within the labels.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from appliance.datasets.document import LabelledDocument
from appliance.datasets.formats.format import Contents, Format, ReadOptions, SourceFile
from appliance.datasets.formats.tag_names import name_of, numbered_tags
from appliance.datasets.formats.tokens.token_rows import Group, Sentence, contents, sentences_of
from appliance.datasets.label_errors import DatasetError, Mistake
from appliance.datasets.tag_schemes import CHUNKS, Scheme, categories, is_tag, recognise, runs, tags_of

_SAMPLE: Final = 5_000
"""Rows that columns are told by."""
_COLUMNS: Final = 1_000
"""More words than that in most lines are text, which has no columns."""
_BLANKS: Final = re.compile(r"[ \t]+")
_NUMBER: Final = re.compile(r"[0-9]+([-.,][0-9]+)?")
_DOCUMENT: Final = "-DOCSTART-"
_FILLERS: Final = frozenset(("_", "-", "-X-", "*", "O", ""))
"""Cells that say nothing."""
_FEW: Final = 5
"""Rows that are too few to tell numbers that are words from a wrong column."""
_NEWDOC: Final = re.compile(r"#\s*newdoc\b(?:\s+id\s*=\s*)?(.*)")


@dataclass(frozen=True, slots=True)
class Row:
    """A line of a file: its number from 1 and its cells."""

    line: int
    cells: Sequence[str]


@dataclass(frozen=True, slots=True)
class Columns:
    """Which column holds what, from 0.

    Attributes:
        word: The words.
        layers: The tags with their scheme: first the labels, then the layers within them.
        notes: What should be said of the choice.
    """

    word: int
    layers: tuple[tuple[int, Scheme], ...]
    notes: tuple[str, ...] = ()


@dataclass(slots=True)
class Blocks:
    """The rows of a file: sentences in documents, and how many marks of documents there are."""

    documents: list[tuple[str, list[list[Row]]]] = field(default_factory=list)
    marks: int = 0

    def rows(self) -> Iterator[Row]:
        """Yield all rows."""
        return (row for _, sentences in self.documents for rows in sentences for row in rows)


def split_cells(line: str) -> list[str]:
    """Return the cells of a line: between tabs if it has any, else between spaces."""
    return line.split("\t") if "\t" in line else _BLANKS.split(line.strip())


def blocks(lines: Sequence[str]) -> Blocks:
    """Return the rows of a file by document and sentence, without comments."""
    width = _width(lines)
    found = Blocks([("", [[]])])
    for number, line in enumerate([*lines, ""], 1):
        if not line.strip():
            if found.documents[-1][1][-1]:
                found.documents[-1][1].append([])
            continue
        cells = [cell.strip() for cell in split_cells(line)]
        mark = _NEWDOC.fullmatch(line.strip())
        if mark or _DOCUMENT in {cells[0], cells[-1]}:  # the tag may stand first
            found.documents.append((mark[1].strip()[:60] if mark else "", [[]]))
            found.marks += 1
        elif not (cells[0].startswith("#") and len(cells) != width) and not line.startswith("# text ="):
            found.documents[-1][1][-1].append(Row(number, cells))
    for _, sentences in found.documents:
        if not sentences[-1]:
            sentences.pop()
    found.documents = [one for one in found.documents if one[1]]
    return found


def _width(lines: Sequence[str]) -> int:
    """Return how many cells the most lines have, comments aside."""
    filled = [line for line in lines if line.strip() and not line.startswith(_DOCUMENT)][:_SAMPLE]
    plain = [line for line in filled if not line.startswith("#")] or filled
    widths = Counter(len(split_cells(line)) for line in plain)
    return max(widths, key=widths.__getitem__, default=0)


def find_columns(rows: Sequence[Row]) -> Columns | None:
    """Return which column holds the words and which the tags, or None where there are no tags.

    Raises:
        DatasetError: The column of words holds numbers, and no other could hold them.
    """
    widths = Counter(len(row.cells) for row in rows)
    if not widths:
        return None
    width, most = widths.most_common(1)[0]
    if not 2 <= width <= _COLUMNS or 2 * most < len(rows):
        return None
    sample = [row for row in rows if len(row.cells) == width]
    counted = [Counter(row.cells[column] for row in sample) for column in range(width)]
    schemes = {column: scheme for column in range(width) if (scheme := recognise(counted[column]))}
    main = _main(schemes, width)
    if main is None:
        return None
    word, notes = _word_column(sample, counted, main, schemes)
    others = [
        column
        for column, scheme in schemes.items()
        if column not in (main, word) and scheme.prefixed and _holds_names(counted[column])
    ]
    indexed = word > 0 and main > word
    if indexed:
        layers = sorted([main, *others])
        return Columns(word, tuple((column, schemes[column]) for column in layers), tuple(notes))
    if others:
        said = ", ".join(str(column + 1) for column in others)
        notes.append(f"tags are read from column {main + 1}; those in column {said} are not read")
    return Columns(word, ((main, schemes[main]),), tuple(notes))


def _holds_names(counted: Mapping[str, int]) -> bool:
    found = categories(counted)
    return bool(found) and not found <= CHUNKS


def _main(schemes: Mapping[int, Scheme], width: int) -> int | None:
    """Return the column of tags: the last, else the first, else the one furthest to the right."""
    order: list[int] = [width - 1, 0, *range(width - 2, 0, -1)]
    for prefixed in (True, False):
        for column in order if prefixed else order[:2]:
            if column in schemes and schemes[column].prefixed == prefixed:
                return column
    return None


def _word_column(
    sample: Sequence[Row], counted: Sequence[Mapping[str, int]], main: int, schemes: Mapping[int, Scheme]
) -> tuple[int, list[str]]:
    order = [column for column in range(len(counted)) if column != main]
    first = order[-1] if main == 0 else order[0]
    if not _numbers(counted[first]):
        return first, []
    for column in order:
        if column not in schemes and not _numbers(counted[column]) and set(counted[column]) - _FILLERS:
            return column, [f"column {first + 1} holds numbers, so words are read from column {column + 1}"]
    if len(sample) < _FEW:
        return first, []
    raise DatasetError(
        f"line {sample[0].line}: the words would be column {first + 1}, which holds only numbers",
        hint="put the words into the first column and the tags into the last",
    )


def _numbers(counted: Mapping[str, int]) -> bool:
    total = sum(counted.values())
    return 10 * sum(count for cell, count in counted.items() if _NUMBER.fullmatch(cell)) > 9 * total


def _tags_are_numbers(rows: Sequence[Row]) -> bool:
    """Whether the last column holds small numbers, mostly 0, behind words."""
    usual = [row.cells for row in rows if len(row.cells) > 1]
    tags = Counter(cells[-1] for cells in usual)
    return (
        2 * len(usual) > len(rows)
        and all(tag.isascii() and tag.isdecimal() and len(tag) < 4 for tag in tags)
        and tags["0"] == max(tags.values(), default=-1)
        and not _numbers(Counter(cells[0] for cells in usual))
    )


def _name_tags(found: Blocks, name: str, names: Sequence[str]) -> None:
    """Put names in the place of numbers; a number without a name stays, and is a mistake of its line."""
    if not names:
        raise numbered_tags(name)
    for _, sentences in found.documents:
        for rows in sentences:
            rows[:] = [Row(row.line, [*row.cells[:-1], name_of(row.cells[-1], names)]) for row in rows]


def sniff(file: SourceFile) -> bool:
    """Whether the file has rows with a column of tags."""
    if not file.readable or file.text.lstrip("\ufeff").lstrip().startswith("#FORMAT="):
        return False
    try:
        rows = _sample(blocks(file.lines[: 2 * _SAMPLE]))
        return find_columns(rows) is not None or _tags_are_numbers(rows)
    except DatasetError:
        return True


def _sample(found: Blocks) -> list[Row]:
    return [row for row, _ in zip(found.rows(), range(_SAMPLE), strict=False)]


def read(file: SourceFile, options: ReadOptions) -> Contents:
    """Read a file of words and tags.

    Raises:
        DatasetError: There is no column of tags, or none of words, or its tags are numbers without names.
    """
    found = blocks(file.lines)
    numbered = _tags_are_numbers(_sample(found))
    if numbered:
        _name_tags(found, file.name, options.names)
    columns = find_columns(list(found.rows()))
    if columns is None:
        raise DatasetError(
            f"{file.name} has no column of tags such as O and B-Person",
            hint="put a word and its tag on each line, the tag last",
        )
    notes = list(columns.notes)
    told_apart = found.marks > 1
    if found.marks == 1 and sum(len(sentences) for _, sentences in found.documents) > options.sentences:
        notes.append(
            f"one {_DOCUMENT} stands for the whole file and tells no documents apart: "
            f"each {options.sentences} sentences are a document (--sentences)"
        )
    mistakes: list[Mistake] = []
    slips = labels = 0
    groups = []
    for called, sentences in found.documents:
        made = []
        for rows in sentences:
            sentence, slipped = _sentence(rows, columns, file.name, mistakes)
            slips += slipped
            labels += len(sentence.runs)
            if sentence.words:
                made.append(sentence)
        groups.append(Group(made, called))
    if slips and 2 * slips < labels:
        notes.append(f"{slips} of {labels} labels begin with a tag for their inside, such as I-")
    whole = contents(file.name, groups, options, told_apart=told_apart, mistakes=mistakes, notes=notes)
    return replace(whole, numbered=numbered)


def _sentence(
    rows: Sequence[Row], columns: Columns, name: str, mistakes: list[Mistake]
) -> tuple[Sentence, int]:
    last = max(columns.word, *(column for column, _ in columns.layers))
    kept = []
    for row in rows:
        cells = row.cells
        sound = last < len(cells) and bool(cells[columns.word])
        if sound and all(is_tag(cells[column], scheme) for column, scheme in columns.layers):
            kept.append(cells)
            continue
        reason = "expected a word and its tag, such as O or B-Person"
        remedy = (
            f"put the word into column {columns.word + 1}, the tag into column {columns.layers[0][0] + 1}"
        )
        mistakes.append(Mistake(document=name, line=row.line, reason=reason, remedy=remedy))
    found = []
    slips = 0
    for column, scheme in columns.layers:
        layer, slipped = runs([cells[column] for cells in kept], scheme)
        found += layer
        slips += slipped
    return Sentence([cells[columns.word] for cells in kept], found), slips


def _writer(scheme: str) -> Format:
    def write(documents: Sequence[LabelledDocument], stem: str) -> dict[str, bytes]:
        """Write a word and its tag a line, between them a tab."""
        lines: list[str] = []
        for document in documents:
            lines += (f"{_DOCUMENT}\tO", "")
            for words, found in sentences_of(document):
                tags = tags_of(len(words), found, scheme)
                lines += [
                    f"{document.text[start:end]}\t{tag}"
                    for (start, end), tag in zip(words, tags, strict=True)
                ]
                lines.append("")
        return {f"{stem}.conll": "\n".join([*lines, ""]).encode("utf-8")}

    return Format(
        name=f"conll-{scheme.lower()}" if scheme != "IOB2" else "conll",
        title=f"CoNLL, {scheme}" if scheme != "IOB2" else "CoNLL",
        sniff=sniff,
        read=read,
        write=write,
        exact=False,
        note="2002, 2003, WNUT, UNER, GermEval, Stanford; any tag scheme, the tag first or last"
        if scheme == "IOB2"
        else "as CoNLL",
    )


CONLL: Final = _writer("IOB2")
BIOES: Final = _writer("BIOES")
BILOU: Final = _writer("BILOU")
