"""What all formats of words and tags share: sentences to documents with text, and documents to sentences."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import regex

from appliance.datasets.document import LabelledDocument
from appliance.datasets.formats.format import Contents, RawDocument, ReadOptions, Span
from appliance.datasets.label_errors import DatasetError, Mistake
from appliance.datasets.tag_schemes import Run

MAX_WORDS: Final = 20_000_000
_WORD: Final = regex.compile(r"[\p{L}\p{M}\p{N}_]+|\X")


class Sentence(NamedTuple):
    """Words with labels on runs of them.

    Attributes:
        words: The words.
        runs: Labels, which may overlap.
        gaps: What stands behind each word; None for a space, and a line end behind the last.
        before: What stands before the first word.
    """

    words: Sequence[str]
    runs: Sequence[Run]
    gaps: Sequence[str] | None = None
    before: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """Sentences of one document, and what the file calls it."""

    sentences: list[Sentence]
    called: str = ""


def assemble(name: str, sentences: Iterable[Sentence], dataset: str = "") -> RawDocument:
    """Join words to a text: by what stood between them, else by spaces, and sentences by line ends."""
    parts: list[str] = []
    spans: list[Span] = []
    at = 0
    loose_end = False
    """Whether the last gap is this software's own line end, which the text does not end with."""
    for sentence in sentences:
        places: list[tuple[int, int]] = []
        parts.append(sentence.before)
        at += len(sentence.before)
        last = len(sentence.words) - 1
        for number, word in enumerate(sentence.words):
            gap = sentence.gaps[number] if sentence.gaps else "\n" if number == last else " "
            places.append((at, at + len(word)))
            parts += (word, gap)
            at += len(word) + len(gap)
        spans += [Span(places[one.start][0], places[one.end - 1][1], one.category) for one in sentence.runs]
        loose_end = sentence.gaps is None
    text = "".join(parts)
    return RawDocument(name=name, text=text[:-1] if loose_end else text, spans=tuple(spans), dataset=dataset)


def contents(
    name: str,
    groups: Sequence[Group],
    options: ReadOptions,
    *,
    told_apart: bool,
    mistakes: Sequence[Mistake] = (),
    notes: Sequence[str] = (),
) -> Contents:
    """Return documents of a file of words.

    Args:
        name: What the file is called.
        groups: Its documents, or one group of all sentences.
        options: Sentences a document where the file does not say.
        told_apart: Whether the file tells documents apart.
        mistakes: What its reader found wrong.
        notes: What its reader has to say.

    Raises:
        DatasetError: There are too many words.
    """
    if sum(len(one.words) for group in groups for one in group.sentences) > MAX_WORDS:
        raise DatasetError(f"{name} holds more than {MAX_WORDS} words", hint="cut it into several files")
    if not told_apart:
        groups = [
            Group(group.sentences[at : at + options.sentences])
            for group in groups
            for at in range(0, len(group.sentences), options.sentences)
        ]
    documents = [
        assemble(f"{name}#{number}" + (f" ({group.called})" if group.called else ""), group.sentences)
        for number, group in enumerate((one for one in groups if one.sentences), 1)
    ]
    return Contents(
        documents=documents, mistakes=mistakes, notes=notes, unit_sure=True, grouped=not told_apart
    )


class Cut(NamedTuple):
    """A sentence of a document that is written: where its words stand, and which have labels."""

    words: list[tuple[int, int]]
    runs: list[Run]


def sentences_of(document: LabelledDocument) -> Iterator[Cut]:
    """Cut a document into sentences, one a line, and those into words; no label is cut.

    Words end where a label begins or ends, so that every label has words of its own; white space at the edges
    of a label is left out.
    """
    words: list[tuple[int, int]] = []
    runs: list[Run] = []
    for start, end, category in _pieces(document):
        if not category and words and "\n" in document.text[words[-1][1] : start]:
            yield Cut(words, runs)
            words, runs = [], []
        for line in _lines(document.text, start, end) if not category else [(start, end)]:
            found = list(_words(document.text, *line))
            if not category and line[0] > start and words:
                yield Cut(words, runs)
                words, runs = [], []
            if category and found:
                runs.append(Run(len(words), len(words) + len(found), category))
            words += found
    if words:
        yield Cut(words, runs)


def _pieces(document: LabelledDocument) -> Iterator[tuple[int, int, str]]:
    at = 0
    for label in document.labels:
        yield at, label.start, ""
        yield label
        at = label.end
    yield at, len(document.text), ""


def _lines(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    while (feed := text.find("\n", start, end)) >= 0:
        yield start, feed + 1
        start = feed + 1
    yield start, end


def _words(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    while start < end:
        if text[start].isspace():
            start += 1
            continue
        stop = start
        while stop < end and not text[stop].isspace():
            stop += 1
        for word in _WORD.finditer(text, start, stop):
            yield word.span()
        start = stop
