"""What a check found: counts, and findings that hinder training or are to be known."""

from collections.abc import Mapping
from dataclasses import dataclass

from appliance.datasets.check.contradictions import Contradiction
from appliance.datasets.check.encoder_facts import LanguageFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class CategoryCounts:
    """Labels of one category, and documents that hold one."""

    labels: int
    documents: int
    train: int
    test: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing to know.

    Attributes:
        code: Names its kind, for programs.
        hinders: Whether training refuses it, or its evaluation would say nothing.
        message: What is so, without text of the documents.
        remedy: What to do.
        examples: Places, or strings that are labelled: text of the documents.
        more: How many there are besides these examples.
    """

    code: str
    hinders: bool
    message: str
    remedy: str
    examples: tuple[str, ...] = ()
    more: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckReport:
    """Everything.

    Attributes:
        documents: How many there are.
        words: Of all of them.
        labels: Of all of them.
        split: Who decided which documents teach and which examine; empty where they cannot be split.
        train: Documents that teach.
        test: Documents that examine.
        categories: In the order of the project.
        same: Groups of documents with the same text, by name.
        near: Groups of documents with nearly the same text, by name.
        leaked: Test documents whose text, or nearly that, is learnt from.
        between: Strings labelled in several categories.
        missed: Strings labelled here and not there.
        languages: What the encoder makes of each.
        window_tokens: Tokens that the encoder sees at once.
        windows: Windows of all documents.
        long: Documents of more than one window.
        longest: The documents with the most words, and their words.
        findings: What hinders first.
    """

    documents: int
    words: int
    labels: int
    split: str
    train: int
    test: int
    categories: Mapping[str, CategoryCounts]
    same: tuple[tuple[str, ...], ...]
    near: tuple[tuple[str, ...], ...]
    leaked: tuple[str, ...]
    between: tuple[Contradiction, ...]
    missed: tuple[Contradiction, ...]
    languages: Mapping[str, LanguageFacts]
    window_tokens: int
    windows: int
    long: int
    longest: tuple[tuple[str, int], ...]
    findings: tuple[Finding, ...]

    @property
    def hindered(self) -> tuple[Finding, ...]:
        """What hinders training."""
        return tuple(one for one in self.findings if one.hinders)
