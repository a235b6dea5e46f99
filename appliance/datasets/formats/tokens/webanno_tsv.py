r"""WebAnno TSV 3, as WebAnno and INCEpTION export it: a word a line with its offsets, layers in columns.

Offsets are UTF-16 units, as Java counts. Layers of named entities are read, else all layers of a project's
own; lemmas, parts of speech and other layers of words are passed over with a line.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from appliance.datasets.document import LabelledDocument, utf16_length
from appliance.datasets.formats.format import Contents, Format, RawDocument, ReadOptions, SourceFile, Span
from appliance.datasets.formats.tokens.token_rows import sentences_of
from appliance.datasets.label_errors import RELATIONS, DatasetError, Mistake
from appliance.datasets.offset_units import CODE_POINTS, UTF16, OffsetUnit

_HEAD: Final = "#FORMAT=WebAnno TSV 3"
_LAYER: Final = re.compile(r"#T_(SP|CH|RL)=([^|]+)((?:\|.*)?)")
_ROW: Final = re.compile(r"(\d{1,9})-(\d{1,9})((?:\.\d{1,9})?)\t(\d{1,10})-(\d{1,10})\t(.*)")
_NAMED: Final = ".ner.type.NamedEntity"
_OWN: Final = ("webanno.custom.", "custom.")
_PARTS: Final = re.compile(r"(?<!\\)(?:\\\\)*\|")
_IDENTITY: Final = re.compile(r"(.*?)(?:(?<!\\)\[(\d{1,9})\])?", re.DOTALL)
_ESCAPED: Final = re.compile(r"\\(->|.)", re.DOTALL)
_RESERVED: Final = re.compile(r"->|[\\\[\]|_;\t\n\r*]")
_CONTROL: Final = {"\t": "t", "\n": "n", "\r": "r"}


@dataclass(frozen=True, slots=True)
class _Layer:
    """A layer of the header and its columns, counted from the first behind the word."""

    kind: str
    name: str
    features: tuple[str, ...]
    first: int

    @property
    def category(self) -> int:
        """The column of the category: `value`, else the first feature."""
        return self.first + (self.features.index("value") if "value" in self.features else 0)


@dataclass(slots=True)
class _Sentence:
    lines: list[str] = field(default_factory=list)
    rows: list[tuple[int, int, int, list[str]]] = field(default_factory=list)
    """Line, begin, end and cells of words and their parts."""


def sniff(file: SourceFile) -> bool:
    """Whether the file says that it is WebAnno TSV 3."""
    return file.data.lstrip(b"\xef\xbb\xbf").startswith(_HEAD.encode())


def _layers(lines: Sequence[str]) -> list[_Layer]:
    layers: list[_Layer] = []
    at = 0
    for line in lines:
        if matched := _LAYER.fullmatch(line.strip()):
            features = tuple(matched[3].split("|")[1:]) or ("",)
            layers.append(_Layer(matched[1], matched[2], features, at))
            at += len(features)
        elif layers and line.strip() and not line.startswith("#T_"):
            break
    return layers


def _chosen(layers: Sequence[_Layer]) -> list[_Layer]:
    spans = [layer for layer in layers if layer.kind == "SP"]
    named = [layer for layer in spans if layer.name.endswith(_NAMED)]
    return named or [layer for layer in spans if layer.name.startswith(_OWN)]


def read(file: SourceFile, _options: ReadOptions) -> Contents:
    """Read a document.

    Raises:
        DatasetError: It has no layer of labels.
    """
    layers = _layers(file.lines)
    chosen = _chosen(layers)
    if not chosen:
        raise DatasetError(
            f"{file.name} has no layer of named entities, nor one of its own",
            hint="export the layer Named entity",
        )
    mistakes: list[Mistake] = []
    sentences = list(_sentences(file, mistakes))
    text = _text(sentences, UTF16)
    unit = UTF16
    if text is None:
        # Tools in Python that write this format count code points.
        text, unit = _text(sentences, CODE_POINTS), CODE_POINTS
    if text is None:
        raise DatasetError(
            f"{file.name}: its sentences overlap, by the offsets of their words", hint="export it again"
        )
    spans: list[Span] = []
    notes = []
    for layer in chosen:
        found, bare = _labels(layer, sentences)
        spans += found
        if bare:
            short = layer.name.rpartition(".")[2]
            notes.append(f"{bare} labels of the layer {short} have no value: {short} is their category")
    for layer in layers:
        mistakes += _ties(layer, sentences, file.name)
    passed = [one.name.rpartition(".")[2] for one in layers if one.kind == "SP" and one not in chosen]
    if passed:
        notes.append(f"layers that are left out: {', '.join(passed)}")
    document = RawDocument(name=file.name, text=text, spans=tuple(spans))
    return Contents(documents=[document], mistakes=mistakes, notes=notes, unit=unit, unit_sure=True)


def _sentences(file: SourceFile, mistakes: list[Mistake]) -> Iterator[_Sentence]:
    sentence = _Sentence()
    for number, line in enumerate(file.lines, 1):
        if line.startswith("#Text="):
            if sentence.rows:
                yield sentence
                sentence = _Sentence()
            sentence.lines.append(_unescape(line[len("#Text=") :]))
        elif matched := _ROW.fullmatch(line):
            cells = matched[6].split("\t")
            sentence.rows.append((number, int(matched[4]), int(matched[5]), cells[1:]))
        elif line.strip() and not line.startswith("#"):
            reason = "expected a word such as 1-1<tab>0-4<tab>Anna"
            mistakes.append(
                Mistake(document=file.name, line=number, reason=reason, remedy="correct the line")
            )
    if sentence.rows:
        yield sentence


def _text(sentences: Sequence[_Sentence], unit: OffsetUnit) -> str | None:
    """Put sentences where their first words begin; line ends fill what is between. None if they overlap."""
    parts: list[str] = []
    at = 0
    for sentence in sentences:
        said = "\n".join(sentence.lines)
        begin = sentence.rows[0][1]
        size = utf16_length(said) if unit == UTF16 else len(said)
        if begin < at or begin - at > size + 2**20:
            return None
        parts += ("\n" * (begin - at), said)
        at = begin + size
    return "".join(parts)


def _labels(layer: _Layer, sentences: Sequence[_Sentence]) -> tuple[list[Span], int]:
    """Return the labels of a layer, and how many of them have no value."""
    found: list[Span] = []
    open_at: dict[str, int] = {}
    bare = 0
    for sentence in sentences:
        for _, begin, end, cells in sentence.rows:
            cell = cells[layer.category] if layer.category < len(cells) else "_"
            for value, identity in _values(cell):
                if identity and identity in open_at:
                    place = open_at[identity]
                    before = found[place]
                    found[place] = Span(min(before.start, begin), max(before.end, end), before.category)
                    continue
                bare += value == "*"
                category = layer.name.rpartition(".")[2] if value == "*" else _unescape(value)
                if identity:
                    open_at[identity] = len(found)
                found.append(Span(begin, end, category))
    return found, bare


def _values(cell: str) -> Iterator[tuple[str, str]]:
    """Yield the values that are stacked in a cell, each with its number."""
    if cell.strip() in ("_", ""):
        return
    start = 0
    for bar in (*(one.end() for one in _PARTS.finditer(cell)), len(cell) + 1):
        matched = _IDENTITY.fullmatch(cell[start : bar - 1])
        start = bar
        if matched and matched[1] not in ("_", ""):
            yield matched[1], matched[2] or ""


def _ties(layer: _Layer, sentences: Sequence[_Sentence], name: str) -> Iterator[Mistake]:
    """Yield what ties labels: relations and chains; those of syntax are of words and no loss."""
    if layer.kind == "SP" or ".syntax." in layer.name:
        return
    for sentence in sentences:
        for line, _, _, cells in sentence.rows:
            if layer.first < len(cells) and cells[layer.first].strip() not in ("_", ""):
                short = layer.name.rpartition(".")[2]
                reason = f"the layer {short} ties labels, and labels here stand alone"
                yield Mistake(document=name, line=line, reason=reason, remedy="take it out", kind=RELATIONS)


def _unescape(text: str) -> str:
    plain = {"t": "\t", "n": "\n", "r": "\r"}
    return _ESCAPED.sub(lambda found: plain.get(found[1], found[1]), text)


def _escape(text: str) -> str:
    return _RESERVED.sub(lambda found: "\\" + _CONTROL.get(found[0], found[0]), text)


def write(documents: Sequence[LabelledDocument], stem: str) -> dict[str, bytes]:
    """Write a file for each document, with one layer of named entities."""
    files: dict[str, bytes] = {}
    width = len(str(len(documents)))
    for number, document in enumerate(documents, 1):
        lines = [f"{_HEAD}.3", f"#T_SP=de.tudarmstadt.ukp.dkpro.core.api{_NAMED}|identifier|value", "", ""]
        places = _Places(document.text)
        identity = 0
        for count, (words, found) in enumerate(sentences_of(document), 1):
            values = ["_\t_"] * len(words)
            for start, end, category in found:
                identity += 1
                mark = f"[{identity}]" if end > start + 1 else ""
                values[start:end] = [f"*{mark}\t{_escape(category)}{mark}"] * (end - start)
            text = document.text[words[0][0] : words[-1][1]]
            lines += [f"#Text={_escape_text(line)}" for line in text.split("\n")]
            for place, ((start, end), value) in enumerate(zip(words, values, strict=True), 1):
                word = _escape_text(document.text[start:end])
                lines.append(f"{count}-{place}\t{places.at(start)}-{places.at(end)}\t{word}\t{value}\t")
            lines.append("")
        if document.text.strip():
            files[f"{stem}/{number:0{width}}.tsv"] = "\n".join([*lines, ""]).encode("utf-8")
    return files


def _escape_text(text: str) -> str:
    return re.sub(r"[\\\t\r]", lambda found: "\\" + _CONTROL.get(found[0], found[0]), text)


class _Places:
    """UTF-16 offsets of code points that are asked for in order."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._before = 0
        self._units = 0

    def at(self, place: int) -> int:
        self._units += utf16_length(self._text[self._before : place])
        self._before = place
        return self._units


WEBANNO: Final = Format(
    name="webanno",
    title="WebAnno TSV 3",
    sniff=sniff,
    read=read,
    write=write,
    exact=False,
    note="of WebAnno and INCEpTION; the layer Named entity, else the project's own layers",
)
