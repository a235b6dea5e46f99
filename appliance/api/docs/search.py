"""Finding words in the documentation. Pure: passages in, hits out."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

MOST_HITS: Final = 40
_MOST_WORDS: Final = 12
_EXACT: Final = 1_000
_IN_TITLE: Final = 20
_COUNTED: Final = 5
_AROUND: Final = 110


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """A part of a page that can be found: what stands below a heading, or a row about one code.

    Attributes:
        title: Its heading, or the code.
        anchor: Where it stands in its page.
        text: Its words.
    """

    title: str
    anchor: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A passage that holds all of the words.

    Attributes:
        page: Name of the page.
        passage: The passage.
        excerpt: The words around the first of those that were looked for.
    """

    page: str
    passage: Passage
    excerpt: str


def find(words: str, passages: Iterable[tuple[str, Passage]]) -> list[Hit]:
    """Return the passages in which every word occurs, best first: a code of that name, headings, then text.

    Args:
        words: What was typed.
        passages: Each with the name of its page.
    """
    wanted = words.lower().split()[:_MOST_WORDS]
    if not wanted:
        return []
    scored: list[tuple[int, int, Hit]] = []
    for page, passage in passages:
        score = _score(wanted, passage)
        if score:
            hit = Hit(page=page, passage=passage, excerpt=_excerpt(wanted, passage.text))
            scored.append((-score, len(scored), hit))
    return [hit for _, _, hit in sorted(scored, key=lambda one: one[:2])[:MOST_HITS]]


def _score(wanted: list[str], passage: Passage) -> int:
    title, text = passage.title.lower(), passage.text.lower()
    if any(word not in title and word not in text for word in wanted):
        return 0
    score = _EXACT if title == " ".join(wanted) else 0
    return score + sum(_IN_TITLE * (word in title) + min(text.count(word), _COUNTED) for word in wanted)


def _excerpt(wanted: list[str], text: str) -> str:
    lower = text.lower()
    at = min((place for word in wanted if (place := lower.find(word)) >= 0), default=0)
    start = max(0, at - _AROUND // 2)
    if start:
        start = text.find(" ", start) + 1 or start
    end = min(len(text), at + 2 * _AROUND)
    return f"{'… ' if start else ''}{text[start:end].strip()}{' …' if end < len(text) else ''}"
