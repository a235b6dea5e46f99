"""What a format is: how its files are told, read and written; and the bytes and options it works on."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from appliance.datasets.document import LabelledDocument
from appliance.datasets.formats.json_values import Records, decode, lines_of, parse_records
from appliance.datasets.label_errors import DatasetError, Mistake
from appliance.datasets.offset_units import CODE_POINTS, OffsetUnit

SENTENCES: Final = 10
"""Sentences that make one document where a file does not tell documents apart."""


class SourceFile:
    """One file of a stranger, decoded and parsed once however many formats look at it.

    Attributes:
        name: What it is called, with folders where it lies in one.
        data: Its bytes.
    """

    def __init__(
        self, name: str, data: bytes, beside: Callable[[str], bytes | Mistake] | None = None
    ) -> None:
        self.name = name
        self.data = data
        self._beside = beside

    def beside(self, location: str) -> bytes | Mistake:
        """Return the bytes of another file that this one names, or why there are none."""
        if self._beside is None:
            return Mistake(document=location[:100], line=0, reason="there is no such file", remedy="add it")
        return self._beside(location)

    @cached_property
    def text(self) -> str:
        """Its text; DatasetError where it is none."""
        return decode(self.data, self.name)

    @cached_property
    def readable(self) -> bool:
        """Whether it is text at all."""
        try:
            return bool(self.text.strip())
        except DatasetError:
            return False

    @cached_property
    def records(self) -> Records | None:
        """Its JSON values, one a line or one of an array; None if it is not JSON."""
        return parse_records(self.text) if self.readable else None

    @cached_property
    def lines(self) -> list[str]:
        """Its lines, without their ends."""
        return lines_of(self.text)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadOptions:
    """How files are read where they do not say it themselves.

    Attributes:
        sentences: Sentences a document, where nothing tells documents apart.
        names: Tags by number, for files that hold numbers.
        unit: What offsets count; None to find out.
    """

    sentences: int = SENTENCES
    names: tuple[str, ...] = ()
    unit: OffsetUnit | None = None


@dataclass(frozen=True, slots=True)
class Span:
    """A label as its file wrote it: offsets in the file's unit, and its own text where there is one."""

    start: int
    end: int
    category: str
    said: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RawDocument:
    """A document as its file wrote it; labels may overlap."""

    name: str
    text: str
    spans: tuple[Span, ...] = ()
    dataset: str = ""
    language: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What a reader found in one file.

    Attributes:
        documents: In order.
        mistakes: What cannot be read, and what cannot be carried (`Mistake.kind`).
        notes: Lines for a person: what was guessed, corrected or passed over.
        unit: What offsets count by the format's rules.
        unit_sure: Whether the offsets are this software's own, made from words.
        grouped: Whether sentences were put together to documents of `ReadOptions.sentences`.
        numbered: Whether tags are numbers, which `ReadOptions.names` may name.
    """

    documents: Sequence[RawDocument]
    mistakes: Sequence[Mistake] = ()
    notes: Sequence[str] = ()
    unit: OffsetUnit = CODE_POINTS
    unit_sure: bool = False
    grouped: bool = False
    numbered: bool = False


Writer = Callable[[Sequence[LabelledDocument], str], Mapping[str, bytes]]
"""Documents and a stem for names to the files they make, by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """One format.

    Attributes:
        name: As `--from` and `--to` take it.
        title: As people call it.
        sniff: Whether a file is of this format, by its content.
        read: The file's documents and labels; may raise DatasetError and LabellingMistakes.
        write: None where it is read only.
        exact: Whether it keeps texts to the last space; others keep the words.
        gathers: Whether its files name others, such as texts, which are then not files of labels.
        note: For the table of formats: what is particular.
    """

    name: str
    title: str
    sniff: Callable[[SourceFile], bool]
    read: Callable[[SourceFile, ReadOptions], Contents]
    write: Writer | None = None
    exact: bool = True
    gathers: bool = False
    note: str = field(default="")
