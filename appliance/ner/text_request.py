"""What is asked of a model: a text and what its sender says about it."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TextRequest:
    """One text.

    Attributes:
        text: What to look for entities in.
        language: BCP 47 tag that the sender names, or the empty string. It chooses among synonyms and
            expressions that are of a language; the network reads every text alike.
    """

    text: str
    language: str = ""


def requests_for(texts: Iterable[str]) -> list[TextRequest]:
    """Return requests for texts of which nothing else is known."""
    return [TextRequest(text) for text in texts]
