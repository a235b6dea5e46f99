"""Labelled documents as the rest of the software sees them: positions are code points, ends exclusive."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from appliance.datasets.components.components import NO_COMPONENTS, Components

TRAIN, TEST = "Train", "Test"


class Label(NamedTuple):
    """Code points `start:end` of a document's text, and their category."""

    start: int
    end: int
    category: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledDocument:
    """One text with its labels, which are sorted and disjoint.

    Attributes:
        name: What a person calls it: a file's name, or file and number.
        text: The text, with its own line ends.
        labels: In order.
        dataset: `Train`, `Test`, or the empty string where nobody has said.
        language: BCP 47 tag, or the empty string.
    """

    name: str
    text: str
    labels: tuple[Label, ...]
    dataset: str = ""
    language: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelled:
    """A set of labelled documents and the categories they may use, in the order they were declared.

    `components` find entities besides what is learnt from the labels. `multilingual`: the model will be asked
    in other languages too.
    """

    name: str
    categories: tuple[str, ...]
    documents: tuple[LabelledDocument, ...]
    language: str = ""
    description: str = ""
    components: Components = NO_COMPONENTS
    multilingual: bool = False


def line_of(text: str, place: int) -> int:
    """Return the number of the line, from 1, in which a code point stands."""
    return text.count("\n", 0, max(0, place)) + 1


def categories_of(documents: Sequence[LabelledDocument]) -> tuple[str, ...]:
    """Return the categories in use, in the order in which they first appear."""
    return tuple(dict.fromkeys(label.category for document in documents for label in document.labels))


def code_points(text: str) -> list[int] | None:
    """Return the code point at each UTF-16 code unit of a text, its end included; None if they are the same.

    The second half of a surrogate pair is -1: no label may begin or end there.
    """
    if text.isascii() or all(character < "\U00010000" for character in text):
        return None
    places: list[int] = []
    for index, character in enumerate(text):
        places.append(index)
        if character >= "\U00010000":
            places.append(-1)
    return [*places, len(text)]


def utf16_length(text: str) -> int:
    """Return the length of a text in UTF-16 code units."""
    return len(text) + sum(character >= "\U00010000" for character in text)
