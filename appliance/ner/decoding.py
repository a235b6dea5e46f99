"""Scores per word to entities: the best labelling that obeys its scheme, then spans with a confidence.

A labelling scheme forbids some neighbours (in BIO, `I-Person` must follow `B-Person` or `I-Person`). The most
probable labelling within the rules is found exactly, but the search runs only around the places where taking
each word's favourite breaks a rule, which are few.
"""

import math
import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from appliance.ner.session import Logits
from appliance.ner.text_request import TextRequest

SCHEMES: Final = ("BIO", "BILOU", "IOB1", "IO")
"""BIO: every entity opens with B. BILOU: also L closes and U stands alone; BIOES is its twin.
IOB1: B only between touching entities. IO: labels without prefixes."""

_PREFIXES: Final = {"BIO": "BI", "BILOU": "BILUES", "IOB1": "BI", "IO": ""}
_SAME_TAG: Final = {"E": "L", "S": "U"}
_REACH: Final = 4  # words looked at on either side of a broken rule, to begin with
_LOOSE: Final = frozenset(",;:")
_ORNAMENTS: Final = frozenset({"So", "Sk", "Cf", "Cc"})  # Unicode: emoji, their colours, joiners, control
_EMOJI_STYLE: Final = "\ufe0f"
_BREAK: Final = re.compile("[\n\r\x85\u2028\u2029,;]")
_LINE_BREAK: Final = re.compile("[\n\r\x85\u2028]")
_SENTENCE_END: Final = re.compile(
    r"(?:[^\W\d_]{3}[.!?]|[\u3002\uff01\uff1f\u0964\u061f\u2026])[\"'\u201d\u2019\xbb)\]\u300d\u300f]*\Z"
)
_NEAR: Final = (
    64  # characters before a line break in which the end of a sentence or a blank line is looked for
)
_PAIRS: Final = {")": "(", "]": "[", "}": "{", "”": "“", "»": "«", '"': '"'}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entity:
    """A named span: code points `start:end` of the text, its category, and the model's confidence in 0…1."""

    start: int
    end: int
    category: str
    score: float


class Recognized(list[Entity]):
    """The entities of one text, in order, and how much of the text the model could not read.

    Attributes:
        unknown_share: Share of its tokens that are words or letters the vocabulary lacks, 0…1.
    """

    __slots__ = ("unknown_share",)

    def __init__(self, entities: Iterable[Entity] = (), *, unknown_share: float = 0.0) -> None:
        super().__init__(entities)
        self.unknown_share = unknown_share


class Decoder:
    """Turns scores into entities for one set of labels.

    Args:
        labels: Label of each column, such as `O`, `B-Person`, `I-Person`.
        scheme: One of `SCHEMES`.
        borders: Whether names end at the borders of sentences, paragraphs and columns (`borders`).
        complete: Makes the answer to a text of what was found in it; None to answer just that.
    """

    def __init__(
        self,
        labels: Sequence[str],
        scheme: str,
        *,
        borders: bool = False,
        complete: Callable[[TextRequest, list[Entity]], list[Entity]] | None = None,
    ) -> None:
        self._borders = borders
        self._complete = complete or _as_found
        if scheme not in SCHEMES:
            raise ValueError(f"unknown labelling scheme {scheme}")
        pairs = [_split(label, scheme) for label in labels]
        self._tags = [tag for tag, _ in pairs]
        self._categories = [category for _, category in pairs]
        self._border = len(labels)  # stands before the first and after the last word
        self._allowed = _allowed(pairs, scheme)
        self._cost = np.where(self._allowed[:-1, :-1], 0.0, -np.inf)
        self._may_follow = [frozenset(np.flatnonzero(row).tolist()) for row in self._allowed]
        self._outside = frozenset(number for number, tag in enumerate(self._tags) if tag == "O")

    def entities(
        self, request: TextRequest, starts: Sequence[int], ends: Sequence[int], logits: Logits
    ) -> list[Entity]:
        """Return the entities of one text in order.

        Args:
            request: The text.
            starts: First code point of each word.
            ends: Code point after each word.
            logits: Scores, [words, labels].

        Raises:
            ValueError: The scores are not numbers.
        """
        text = request.text
        cuts = borders(text, starts) if self._borders else ()
        labels = self.best_labels(logits, cuts)
        if self._outside.issuperset(labels):
            return self._complete(request, [])
        found = []
        for first, last, category in self._chunks(labels, frozenset(cuts)):
            start, end = trim(text, starts[first], ends[last])
            if start < end:
                score = _confidence(logits[first : last + 1], labels[first : last + 1])
                found.append(Entity(start=start, end=end, category=category, score=score))
        return self._complete(request, found)

    def without_words(self, request: TextRequest) -> list[Entity]:
        """Return the entities of a text in which the tokenizer finds no word."""
        return self._complete(request, [])

    def blank(self, words: int) -> Logits:
        """Return room for the scores of so many words, to be filled window by window."""
        return np.empty((words, self._border), dtype=np.float32)

    def best_labels(self, logits: Logits, cuts: Sequence[int] = ()) -> list[int]:
        """Return the label numbers of the highest total score among those that obey the scheme.

        Args:
            logits: Scores, [words, labels].
            cuts: Words before which a text ends and another begins, in order.
        """
        labels: list[int] = logits.argmax(axis=1).tolist()
        for first, end in pairwise((0, *cuts, len(labels))):
            part = labels[first:end] if cuts else labels
            if broken := self._broken(part):
                labels[first:end] = self._repair(logits[first:end], part, broken)
        return labels

    def _broken(self, labels: Sequence[int]) -> list[int]:
        """Return where rules are broken: k stands between word k - 1 and word k."""
        follow = self._may_follow
        framed = pairwise((self._border, *labels, self._border))
        return [index for index, (before, after) in enumerate(framed) if after not in follow[before]]

    def _repair(self, logits: Logits, labels: list[int], broken: Sequence[int]) -> list[int]:
        """Search around the broken rules.

        Outside the searched stretches every word keeps its favourite; inside, a stretch has the best score
        that any labelling could have there. So once the seams obey the rules too, no labelling scores
        higher.
        """
        searched: list[tuple[int, int]] = []
        while broken:
            reach = _REACH
            while True:
                low, high = _stretch(broken, reach, len(labels))
                while searched and low < searched[-1][1]:
                    low = min(low, searched.pop()[0])
                path = self._search(logits[low:high], opens=low == 0, closes=high == len(labels))
                if self._seams_hold(labels, path, low, high):
                    break
                reach *= 2
            labels[low:high] = path
            searched.append((low, high))
            broken = broken[bisect_right(broken, high) :]
        return labels

    def _seams_hold(self, labels: Sequence[int], path: Sequence[int], low: int, high: int) -> bool:
        if low > 0 and path[0] not in self._may_follow[labels[low - 1]]:
            return False
        return high == len(labels) or labels[high] in self._may_follow[path[-1]]

    def _search(self, logits: Logits, *, opens: bool, closes: bool) -> list[int]:
        """Viterbi over a stretch; its ends are free unless they are the text's own."""
        back = np.zeros(logits.shape, dtype=np.intp)
        score = logits[0].astype(np.float64)
        if opens:
            score[~self._allowed[self._border, :-1]] = -np.inf
        for step in range(1, len(logits)):
            total = score[:, None] + self._cost
            back[step] = total.argmax(axis=0)
            score = total.max(axis=0) + logits[step]
        if closes:
            score[~self._allowed[:-1, self._border]] = -np.inf
        path = [int(score.argmax())]
        for step in range(len(logits) - 1, 0, -1):
            path.append(int(back[step, path[-1]]))
        return path[::-1]

    def _chunks(self, labels: Sequence[int], cuts: frozenset[int]) -> Iterator[tuple[int, int, str]]:
        """Yield (first word, last word, category) of each run of one entity; none goes on over a cut."""
        first = -1
        for index, label in enumerate([*labels, -1]):
            tag = self._tags[label] if label >= 0 else "O"
            if first >= 0:
                before = labels[index - 1]
                goes_on = (
                    tag in ("I", "L")
                    and self._categories[label] == self._categories[before]
                    and self._tags[before] not in ("L", "U")
                    and index not in cuts
                )
                if goes_on:
                    continue
                yield first, index - 1, self._categories[before]
            first = -1 if tag == "O" else index


def _as_found(_text: TextRequest, found: list[Entity]) -> list[Entity]:
    return found


def infer_scheme(labels: Sequence[str]) -> str:
    """Return the scheme that these labels suggest.

    A letter and a hyphen are a prefix where a category has several of them, or every label has one: `E-MAIL`
    and `B-CELL` are names.
    """
    named = [label for label in labels if not is_outside(label)]
    prefixes: dict[str, set[str]] = {}
    for label in named:
        if label[1:2] == "-" and label[0] in _PREFIXES["BILOU"]:
            prefixes.setdefault(label[2:], set()).add(label[0])
    if any(found & set("BI") and found & set("LUES") for found in prefixes.values()):
        return "BILOU"
    everywhere = bool(named) and all(label[1:2] == "-" and label[0] in _PREFIXES["BIO"] for label in named)
    return "BIO" if everywhere or any(found >= set("BI") for found in prefixes.values()) else "IO"


def category_of(label: str, scheme: str) -> str:
    """Return the entity category of a label, or the empty string for the outside label."""
    return _split(label, scheme)[1]


def borders(text: str, starts: Sequence[int]) -> list[int]:
    """Return the words before which no name goes on, in order.

    They follow a line that ends as a sentence does, or a blank line, or stand beside a comma or semicolon
    between letters, as in a table. A short word and a full stop at the end of a line are no end of a
    sentence: they may be an initial or a title.

    Args:
        text: The text.
        starts: First code point of each word.
    """
    places: list[int] = []
    for found in _BREAK.finditer(text):
        place, character = found.start(), found[0]
        if character in ",;":
            if text[place - 1 : place].isalpha() and text[place + 1 : place + 2].isalpha():
                places += (place, place + 1)
            continue
        before = text[max(0, place - _NEAR) : place]
        if character == "\u2029" or _ends_text(before.removesuffix("\r") if character == "\n" else before):
            places.append(place + 1)
    return sorted({bisect_left(starts, place) for place in places} - {0, len(starts)})


def _ends_text(before: str) -> bool:
    """Whether what stands before a line break ends a sentence, or a line that the break leaves blank."""
    line = before.rstrip()
    return _LINE_BREAK.search(before, len(line)) is not None or _SENTENCE_END.search(line) is not None


def trim(text: str, start: int, end: int) -> tuple[int, int]:
    """Return the span without what does not belong to a name.

    That is outer white space, commas, semicolons and colons, emoji, and brackets or quotes whose other half
    is outside.
    """
    while start < end:
        head, tail = text[start], text[end - 1]
        if head.isalnum() and tail.isalnum():
            break
        inside = text[start:end]
        if _loose(tail) or (tail in _PAIRS and _alone(inside, _PAIRS[tail], tail)):
            end -= 1
        elif _loose(head) or any(
            head == opens and _alone(inside, opens, shuts) for shuts, opens in _PAIRS.items()
        ):
            start += 1
        else:
            break
    return start, end


def _loose(character: str) -> bool:
    return (
        character.isspace()
        or character in _LOOSE
        or character == _EMOJI_STYLE
        or unicodedata.category(character) in _ORNAMENTS
    )


def _alone(inside: str, opening: str, closing: str) -> bool:
    if opening == closing:
        return inside.count(opening) % 2 == 1
    return inside.count(opening) != inside.count(closing)


def _split(label: str, scheme: str) -> tuple[str, str]:
    """Return (tag, category): tag is one of O B I L U."""
    if is_outside(label):
        return "O", ""
    if label[1:2] == "-" and label[0] in _PREFIXES[scheme]:
        return _SAME_TAG.get(label[0], label[0]), label[2:]
    return "I", label


def is_outside(label: str) -> bool:
    """Whether a label stands for no entity; some models label special tokens too, such as `[PAD]`."""
    return label == "O" or (label[:1], label[-1:]) in (("[", "]"), ("<", ">"))


def _allowed(pairs: Sequence[tuple[str, str]], scheme: str) -> NDArray[np.bool_]:
    """Return which label may follow which; the last row and column are the border of the text."""
    framed = [*pairs, ("O", "")]
    opened = {category for tag, category in pairs if tag == "B"}
    table = np.ones((len(framed), len(framed)), dtype=np.bool_)
    if scheme in ("IO", "IOB1"):
        return table
    for row, (before, category) in enumerate(framed):
        for column, (after, next_category) in enumerate(framed):
            inside = before in ("B", "I") and category == next_category
            if after in ("I", "L"):
                # A category without a B label has no other way to begin.
                table[row, column] = inside or next_category not in opened
            elif scheme == "BILOU":
                table[row, column] = before not in ("B", "I")
    return table


def _stretch(broken: Sequence[int], reach: int, size: int) -> tuple[int, int]:
    """Return the words around the first broken rule and all others that follow close upon it."""
    final = broken[0]
    for index in broken:
        if index - final > 2 * reach:
            break
        final = index
    return max(0, broken[0] - reach), min(size, final + reach)


def _confidence(logits: Logits, labels: Sequence[int]) -> float:
    """Return the mean probability of these labels; a few words, for which arrays would be the slower way."""
    total = 0.0
    for row, label in zip(logits.tolist(), labels, strict=True):
        top = max(row)
        total += math.exp(row[label] - top) / sum(math.exp(value - top) for value in row)
    if not math.isfinite(total):
        raise ValueError("the model's scores are not numbers")
    return total / len(labels)
