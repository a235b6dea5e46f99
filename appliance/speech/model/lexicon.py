"""The words a recogniser is to prefer: a word list, weights of word pairs, and phrases of the caller.

A beam walks the spelling tree of the words letter by letter; weights are natural logarithms and are added
when a word is complete.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from appliance.errors import ModelError
from appliance.speech.adaptation.adaptation import Adaptation
from appliance.speech.adaptation.ngrams import START, Ngrams

MAX_WORDS: Final = 500_000
MAX_PAIRS: Final = 2_000_000
PHRASE_BOOST: Final = 2.0
"""Added for each word of a phrase that the caller named, half of it where the word before is another one."""

_AROUND: Final = '.,;:!?"()[]{}'  # written around words, not said
_BACK_OFF: Final = math.log(0.4)  # "stupid back-off" of Brants et al. 2007
_SCARCE: Final = 1e-12  # least probability of a listed word


class Node:
    """A place in the spelling tree."""

    __slots__ = ("below", "word")

    def __init__(self) -> None:
        self.below: dict[str, Node] = {}
        self.word = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Domain:
    """The words of a domain and how they follow one another.

    Attributes:
        ngrams: Its model.
        share: Of its probabilities where the list has weights too: the two are mixed, so that what the domain
            never says stays possible.
        weight: Share of the mixed weights in the score, instead of that of the list.
        word: Added for each word, instead of that of the list.
    """

    ngrams: Ngrams
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Lexicon:
    """A word list with weights.

    Attributes:
        root: Its spelling tree.
        unigrams: Natural logarithm of each word's weight, where the list gives one.
        pairs: Natural logarithm of the weight of a word behind another.
        unknown: Added once for a word that is not listed; None allows listed words only.
        word: Added for each word, to even out the weights' share.
        weight: Share of the weights in the score.
        boosted: What a word earns for being part of a phrase: from the word before it (empty at the
            beginning of the phrase) to the bonus.
        domain: What the domain says; None without adaptation.
    """

    root: Node
    unigrams: Mapping[str, float] = field(default_factory=dict)
    pairs: Mapping[tuple[str, str], float] = field(default_factory=dict)
    unknown: float | None = -4.0
    word: float = 0.0
    weight: float = 0.5
    boosted: Mapping[tuple[str, str], float] = field(default_factory=dict)
    domain: Domain | None = None

    @classmethod
    def of(cls, words: Iterable[str], *, unknown: float | None = -4.0) -> "Lexicon":
        """A plain word list without weights."""
        return cls(root=_tree(words), unknown=unknown, weight=0.0)

    @classmethod
    def read(
        cls,
        words: str,
        ngrams: str = "",
        *,
        unknown: float | None = -4.0,
        word: float = 0.0,
        weight: float = 0.5,
    ) -> "Lexicon":
        """Read the two files of a model folder.

        Args:
            words: Content of `words.txt`: a word a line, optionally a tab and a weight, log10.
            ngrams: Content of `ngrams.txt`: two words, a tab and a weight, log10; `<s>` and `</s>` are the
                beginning and the end.
            unknown: As the attribute.
            word: As the attribute.
            weight: As the attribute.

        Raises:
            ModelError: A line is something else, or there are too many.
        """
        listed = dict(_entries(words, "words.txt", parts=1, limit=MAX_WORDS))
        pairs = dict(_entries(ngrams, "ngrams.txt", parts=2, limit=MAX_PAIRS))
        return cls(
            root=_tree(spelled[0] for spelled in listed),
            unigrams={spelled[0]: value for spelled, value in listed.items() if value is not None},
            pairs={(one, two): value for (one, two), value in pairs.items() if value is not None},
            unknown=unknown,
            word=word,
            weight=weight,
        )

    def with_phrases(self, phrases: Sequence[str], *, weight: float = 1.0) -> "Lexicon":
        """This list and the words of some phrases, which are preferred, above all in their order."""
        bonus = PHRASE_BOOST * weight
        words: set[str] = set()
        boosted = dict(self.boosted)
        for phrase in phrases:
            before = ""
            for word in filter(None, (part.strip(_AROUND) for part in phrase.lower().split())):
                words.add(word)
                if before:
                    boosted[before, word] = bonus
                    boosted.setdefault(("", word), bonus / 2)
                else:
                    boosted["", word] = bonus
                before = word
        if not words:
            return self
        return replace(self, root=_join(self.root, words), boosted=boosted)

    def with_domain(self, domain: Domain) -> "Lexicon":
        """This list and the words of a domain, weighed as the domain says."""
        return replace(self, root=_join(self.root, domain.ngrams.words()), domain=domain)

    def score(self, before: Sequence[str], word: str, *, known: bool) -> float:
        """What a complete word adds to the score; minus infinity where it may not be.

        Args:
            before: Up to `history` words before it; none at the beginning.
            word: The word.
            known: Whether it is listed.
        """
        found = self.word
        if self.boosted:
            last = before[-1] if before else ""
            found += self.boosted.get((last, word)) or self.boosted.get(("", word), 0.0)
        if not known:
            return found + (-math.inf if self.unknown is None else self.unknown)
        if self.weight and (self.unigrams or self.pairs or self.domain is not None):
            found += self.weight * self._language(before, word)
        return found

    @property
    def history(self) -> int:
        """Words before one that its weight depends on."""
        return 1 if self.domain is None else max(1, self.domain.ngrams.order - 1)

    def _language(self, before: Sequence[str], word: str) -> float:
        listed = self._listed(before[-1] if before else START, word)
        if self.domain is None:
            return 0.0 if listed is None else listed
        domain = self.domain
        history = tuple(before) if len(before) >= self.history else (START, *before)
        likely = 10.0 ** domain.ngrams.log10((*history[-self.history :], word))
        mixed = domain.share * likely + (0.0 if listed is None else (1 - domain.share) * math.exp(listed))
        return math.log(max(mixed, _SCARCE))

    def _listed(self, last: str, word: str) -> float | None:
        pair = self.pairs.get((last, word))
        if pair is not None:
            return pair
        alone = self.unigrams.get(word)
        if alone is None and self.domain is not None:
            return None
        return (alone or 0.0) + (_BACK_OFF if self.pairs else 0.0)


FREE: Final = Lexicon(root=Node(), unknown=0.0, weight=0.0)
"""No list at all: every spelling is as good as any other."""


def adapted(lexicon: Lexicon | None, adaptation: Adaptation | None) -> Lexicon | None:
    """A word list with what text taught: words of the domain, and phrases and spoken forms to prefer."""
    if adaptation is None:
        return lexicon
    found = FREE if lexicon is None else lexicon
    if adaptation.domain is not None:
        found = found.with_domain(Domain(ngrams=adaptation.domain, share=adaptation.share))
    spoken = adaptation.pronunciations.displayed if adaptation.pronunciations is not None else ()
    return found.with_phrases([*adaptation.phrases, *(" ".join(words) for words in spoken)])


def _tree(words: Iterable[str]) -> Node:
    root = Node()
    for word in words:
        _insert(root, word)
    return root


def _insert(root: Node, word: str) -> None:
    node = root
    for letter in word:
        node = node.below.setdefault(letter, Node())
    node.word = True


def _join(root: Node, words: Iterable[str]) -> Node:
    """Return a tree with more words; the given one is shared and stays as it is."""
    tree = Node()
    tree.below, tree.word = dict(root.below), root.word
    for word in words:
        node = tree
        for letter in word:
            below = Node()
            old = node.below.get(letter)
            if old is not None:
                below.below, below.word = dict(old.below), old.word
            node.below[letter] = below
            node = below
        node.word = True
    return tree


def _entries(
    text: str, name: str, *, parts: int, limit: int
) -> Iterable[tuple[tuple[str, ...], float | None]]:
    count = 0
    for number, line in enumerate(text.splitlines(), 1):
        spelled, _, weight = line.partition("\t")
        words = tuple(spelled.lower().split())
        if not words or words[0].startswith("#"):
            continue
        count += 1
        if len(words) != parts or count > limit:
            raise ModelError(f"{name} line {number}: expected {parts} word(s) and at most {limit} lines")
        try:
            yield words, float(weight) * math.log(10) if weight.strip() else None
        except ValueError:
            raise ModelError(f"{name} line {number}: the weight is not a number") from None
