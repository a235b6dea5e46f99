"""From the frames of a CTC model to text: greedy, or by a prefix beam that prefers listed words.

The beam is frame-synchronous, so it is fed as audio arrives and can be asked for its best guess at any time.
Word times come from aligning the final text with the frames. Prefix beam search: Hannun et al. 2014,
"First-Pass Large Vocabulary Continuous Speech Recognition using Bi-Directional Recurrent DNNs".
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from appliance.speech.acoustic.types import LogProbs
from appliance.speech.decoding.alignment import align
from appliance.speech.model.lexicon import FREE, Lexicon, Node
from appliance.speech.model.vocabulary import Vocabulary

BEAM: Final = 16
_FLOOR: Final = math.log(1e-3)  # pieces less likely than this in a frame are not tried
_PIECES: Final = 12  # nor more than these
_HOPELESS: Final = 12.0  # a text this much (natural logarithm) behind the best is given up
_SURE: Final = math.log(0.999)  # a frame that is blank beyond this only ages the beam
_NEVER: Final = -math.inf
DOUBT: Final = 2
"""Labels more than there are, so that one doubtful frame does not condemn a single letter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodedWord:
    """One word: frames from `start` up to `end`, and how sure the model is, 0…1."""

    text: str
    start: int
    end: int
    confidence: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoded:
    """A text, lower case, one space between words; its words; and how sure the model is, 0…1.

    `score` is the natural logarithm by which the search ranked it, words and their weights included.
    """

    text: str
    words: tuple[DecodedWord, ...]
    confidence: float
    score: float = 0.0


def greedy(log_probs: LogProbs, vocabulary: Vocabulary) -> str:
    """The text of the best piece of every frame: ignored pieces dropped, repeats merged, blanks dropped."""
    return vocabulary.text(greedy_path(log_probs, vocabulary))


def greedy_path(log_probs: LogProbs, vocabulary: Vocabulary) -> list[int]:
    """As `greedy`, the pieces themselves."""
    best = [int(token) for token in log_probs.argmax(axis=1) if int(token) not in vocabulary.ignored]
    merged = [token for token, before in zip(best, [-1, *best], strict=False) if token != before]
    return [token for token in merged if token != vocabulary.blank]


class _Prefix:
    """A text so far, and how likely it ends in a blank or in its last piece."""

    __slots__ = (
        "below",
        "blank",
        "blank_next",
        "bonus",
        "node",
        "parent",
        "piece",
        "spelled",
        "token",
        "token_next",
        "words",
    )

    def __init__(self, parent: "_Prefix | None", token: int, node: Node | None, *, bonus: float) -> None:
        self.parent = parent
        self.token = token
        self.node = node
        self.bonus = bonus
        self.spelled = ""
        self.words: tuple[str, ...] = ()  # those before, as many as the next one depends on
        self.below: dict[int, _Prefix | None] = {}
        self.blank = self.piece = _NEVER
        self.blank_next = self.token_next = _NEVER

    def total(self) -> float:
        return _add(self.blank, self.piece)

    def path(self) -> list[int]:
        tokens: list[int] = []
        prefix: _Prefix | None = self
        while prefix is not None and prefix.parent is not None:
            tokens.append(prefix.token)
            prefix = prefix.parent
        return tokens[::-1]


class Beam:
    """A search under way; made by `CtcDecoder.begin`."""

    def __init__(self, vocabulary: Vocabulary, lexicon: Lexicon, width: int) -> None:
        self._vocabulary = vocabulary
        self._lexicon = lexicon
        self._width = width
        root = _Prefix(None, -1, lexicon.root, bonus=0.0)
        root.blank = 0.0
        self._best = [root]
        self._silent = [vocabulary.blank, *vocabulary.ignored]

    def advance(self, log_probs: LogProbs) -> None:
        """Take the next frames."""
        blank = self._vocabulary.blank
        pieces = log_probs.copy()
        pieces[:, self._silent] = _NEVER
        count = min(_PIECES, pieces.shape[1])
        columns = np.argpartition(-pieces, count - 1, axis=1)[:, :count]
        values = np.take_along_axis(pieces, columns, axis=1)
        for frame in range(len(log_probs)):
            silence = float(log_probs[frame, blank])
            if silence > _SURE:
                self._age(silence)
                continue
            row = log_probs[frame]
            tried = [
                (int(column), float(value))
                for column, value in zip(columns[frame], values[frame], strict=True)
                if value > _FLOOR
            ]
            self._frame(row, silence, tried)

    def _age(self, silence: float) -> None:
        for prefix in self._best:
            prefix.blank, prefix.piece = prefix.total() + silence, _NEVER

    def _frame(self, row: NDArray[np.float32], silence: float, tried: list[tuple[int, float]]) -> None:
        touched: dict[int, _Prefix] = {}
        for prefix in self._best:
            total = prefix.total()
            touched[id(prefix)] = prefix
            prefix.blank_next = _add(prefix.blank_next, total + silence)
            if prefix.parent is not None:
                prefix.token_next = _add(prefix.token_next, prefix.piece + float(row[prefix.token]))
            for token, value in tried:
                base = prefix.blank if token == prefix.token else total
                if base == _NEVER:
                    continue
                longer = self._extended(prefix, token)
                if longer is not None:
                    touched[id(longer)] = longer
                    longer.token_next = _add(longer.token_next, base + value)
        for prefix in touched.values():
            prefix.blank, prefix.piece = prefix.blank_next, prefix.token_next
            prefix.blank_next = prefix.token_next = _NEVER
        ranked = sorted(((_rank(prefix), prefix) for prefix in touched.values()), key=_first, reverse=True)
        least = ranked[0][0] - _HOPELESS
        kept = next((at for at, (rank, _) in enumerate(ranked) if rank < least), len(ranked))
        kept = min(kept, self._width)
        self._best = [prefix for _, prefix in ranked[:kept]]
        for _, dropped in ranked[kept:]:
            dropped.blank = dropped.piece = _NEVER

    def _extended(self, prefix: _Prefix, token: int) -> _Prefix | None:
        """The prefix and one piece more; None where no listed word begins like that."""
        try:
            return prefix.below[token]
        except KeyError:
            longer = prefix.below[token] = self._spell(prefix, token)
            return longer

    def _spell(self, prefix: _Prefix, token: int) -> _Prefix | None:
        lexicon = self._lexicon
        node, bonus, spelled, words = prefix.node, prefix.bonus, prefix.spelled, prefix.words
        for letter in self._vocabulary.tokens[token]:
            if letter == " ":
                if spelled:
                    bonus += lexicon.score(words, spelled, known=node is not None and node.word)
                    words, spelled = (*words, spelled)[-lexicon.history :], ""
                node = lexicon.root
                continue
            spelled += letter
            known, node = node is not None, node.below.get(letter) if node is not None else None
            if known and node is None and lexicon.unknown is None:
                return None
        if bonus == _NEVER:
            return None
        longer = _Prefix(prefix, token, node, bonus=bonus)
        longer.spelled, longer.words = spelled, words
        return longer

    def paths(self) -> list[tuple[float, float, list[int]]]:
        """Score, log-probability and pieces of what is left, best first, as if the audio ended here."""
        found = []
        for prefix in self._best:
            bonus = prefix.bonus
            if prefix.spelled:
                node = prefix.node
                bonus += self._lexicon.score(
                    prefix.words, prefix.spelled, known=node is not None and node.word
                )
            if bonus != _NEVER:  # no half words
                found.append((prefix.total() + bonus, prefix.total(), prefix.path()))
        if not found:  # nothing but half words: better than nothing
            found = [(prefix.total(), prefix.total(), prefix.path()) for prefix in self._best]
        return sorted(found, key=lambda scored: scored[0], reverse=True)

    def _is_whole(self, prefix: _Prefix, *, settled: bool) -> bool:
        """Whether the last word of a text can be told: it is over, or no listed word goes on from it."""
        if self._lexicon.unknown is not None:
            return settled
        node = prefix.node
        return node is not None and node.word and (settled or not node.below)

    def text(self, *, whole: bool = True) -> str:
        """The best text so far.

        Args:
            whole: Whether the last word may go on, so that it is left out.
        """
        best = max(self._best, key=_rank)
        text = self._vocabulary.text(best.path())
        if best.spelled and text.endswith(best.spelled) and not self._is_whole(best, settled=not whole):
            return text[: -len(best.spelled)].rstrip()
        return text


class CtcDecoder:
    """Decodes what one model writes.

    Args:
        vocabulary: Meaning of its columns.
        lexicon: Words to prefer; None for any spelling.
        beam: Texts that are followed at once.
    """

    def __init__(self, vocabulary: Vocabulary, *, lexicon: Lexicon | None = None, beam: int = BEAM) -> None:
        self.vocabulary = vocabulary
        self._lexicon = FREE if lexicon is None else lexicon
        self._beam = beam

    def begin(self, phrases: Sequence[str] = (), weight: float = 1.0) -> Beam:
        """Start a search; phrases of the caller are preferred, the more the larger their weight."""
        lexicon = self._lexicon
        if phrases:
            lexicon = lexicon.with_phrases(phrases, weight=weight)
        return Beam(self.vocabulary, lexicon, self._beam)

    def decode(self, log_probs: LogProbs, *, phrases: Sequence[str] = ()) -> Decoded:
        """The best text of some frames, with words and times."""
        beam = self.begin(phrases)
        beam.advance(log_probs)
        return self.finish(beam, log_probs)

    def finish(self, beam: Beam, log_probs: LogProbs) -> Decoded:
        """The best text of a search and its alignment with the same frames it was fed."""
        return self.nbest(beam, log_probs, 1)[0]

    def nbest(self, beam: Beam, log_probs: LogProbs, count: int) -> list[Decoded]:
        """Up to `count` different texts, best first; always at least one, which may be empty."""
        found: dict[str, tuple[float, float, list[int]]] = {}
        for scored in beam.paths():
            found.setdefault(self.vocabulary.text(scored[2]), scored)
            if len(found) >= count:
                break
        return [
            replace(described(path, log_probs, self.vocabulary, total), score=score)
            for score, total, path in found.values()
        ]


def described(
    path: Sequence[int], log_probs: LogProbs, vocabulary: Vocabulary, probability: float
) -> Decoded:
    """Find the words of a path in the frames, and how sure the model is of each.

    A text is as sure as the model is, for each label, that its frames hold this text and nothing else: sound
    for which the text has no label, or another one, makes it less sure.

    Args:
        path: Pieces.
        log_probs: What the model writes.
        vocabulary: Meaning of its columns.
        probability: Natural logarithm of that of the path, over all its alignments.
    """
    text = vocabulary.text(tuple(path))
    if not text:
        return Decoded(text="", words=(), confidence=0.0)
    spans = [(start, end) for start, end, _ in align(log_probs, path, vocabulary.blank)]
    said = _said(path, spans, log_probs, vocabulary.blank)
    words = _words(path, spans, said, vocabulary)
    if not words:
        return Decoded(text=text, words=(), confidence=0.0)
    return Decoded(text=text, words=tuple(words), confidence=_sure(probability, len(path) + DOUBT))


def _said(
    path: Sequence[int], spans: Sequence[tuple[int, int]], log_probs: LogProbs, blank: int
) -> NDArray[np.float32]:
    """Log-probability that each frame is what a path has there: a blank, the label before or that after."""
    frames = np.arange(len(log_probs))
    labels = np.array([blank, *path, blank])
    before = np.searchsorted([start for start, _ in spans], frames, side="right")
    last, following = labels[before], labels[before + 1]
    found: NDArray[np.float32] = log_probs[:, blank]
    found = np.logaddexp(found, np.where(last == blank, -np.inf, log_probs[frames, last]))
    other = (following != blank) & (following != last)
    return np.logaddexp(found, np.where(other, log_probs[frames, following], -np.inf))


def _sure(log_probability: float, labels: int) -> float:
    return min(1.0, math.exp(log_probability / labels))


def _words(
    path: Sequence[int],
    spans: Sequence[tuple[int, int]],
    said: NDArray[np.float32],
    vocabulary: Vocabulary,
) -> list[DecodedWord]:
    """Group aligned pieces into words; a piece that begins with a space begins one."""
    groups: list[list[int]] = [[]]
    for number, token in enumerate(path):
        text = vocabulary.tokens[token]
        if text.startswith(" ") and groups[-1]:
            groups.append([])
        if text.strip() or (vocabulary.bytes_of and token in vocabulary.bytes_of):
            groups[-1].append(number)
        if text != " " and text.endswith(" ") and groups[-1]:
            groups.append([])
    groups = [group for group in groups if group]
    words = []
    for at, group in enumerate(groups):
        start, end = spans[group[0]][0], spans[group[-1]][1]
        # A word answers for half of what lies between it and its neighbours.
        low = (spans[groups[at - 1][-1]][1] + start) // 2 if at else 0
        high = (end + spans[groups[at + 1][0]][0]) // 2 if at + 1 < len(groups) else len(said)
        words.append(
            DecodedWord(
                text=vocabulary.text([path[number] for number in group]),
                start=start,
                end=end,
                confidence=_sure(float(said[low:high].sum()), len(group) + 1),
            )
        )
    return words


def _first(pair: tuple[float, _Prefix]) -> float:
    return pair[0]


def _rank(prefix: _Prefix) -> float:
    return prefix.total() + prefix.bonus


def _add(one: float, two: float) -> float:
    """Logarithm of the sum of two numbers given by theirs."""
    if one < two:
        one, two = two, one
    if two == _NEVER:
        return one
    return one + math.log1p(math.exp(two - one))
