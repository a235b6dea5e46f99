"""Whether an encoder can read the texts it is to learn from: what it lacks, and how it cuts words."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Final

from appliance.datasets.document import LabelledDocument
from appliance.datasets.label_errors import DatasetError
from appliance.ner.tokenizer import Reading, TextTokenizer

NOTED: Final = 0.02
"""Share of unknown tokens that is said; medical abstracts and restaurant queries in English have none."""

REFUSED: Final = 0.25
"""Share that is refused; Chinese has 0.56 with the bundled encoder, and names are then found by luck."""

MANY_PIECES: Final = 1.5
"""Tokens a word that are said; English corpora have 1.07 (press) to 1.29 (medicine) with the bundled encoder,
Portuguese 1.65, Danish 1.83, Serbian 2.20."""


def read_by_language(
    documents: Sequence[LabelledDocument], tokenizer: TextTokenizer, language: str = ""
) -> dict[str, Reading]:
    """Return how the encoder reads documents, by language; those that name none have `language`."""
    texts: defaultdict[str, list[str]] = defaultdict(list)
    for document in documents:
        texts[document.language or language].append(document.text)
    return {name: tokenizer.reading(texts[name]) for name in sorted(texts)}


def check_readable(readings: Mapping[str, Reading], *, english: bool = True) -> list[str]:
    """Return notes on languages that the encoder reads badly.

    Args:
        readings: How it reads the documents of each language.
        english: Whether it is the bundled English one, whose pieces a word are known.

    Raises:
        DatasetError: It cannot read one.
    """
    for language, reading in readings.items():
        if reading.unknown_share > REFUSED:
            raise DatasetError(
                f"the encoder cannot read {_named(language)}:"
                f" {reading.unknown_share:.0%} of the tokens are unknown to it",
                hint="take these documents out, or start from an encoder that reads them: "
                + ("--base multi" if english else "--base FOLDER"),
            )
    notes = []
    for language, reading in readings.items():
        if reading.unknown_share > NOTED:
            notes.append(
                f"{reading.unknown_share:.1%} of the tokens of {_named(language)} are unknown to the encoder:"
                " expect more mistakes there"
            )
        elif english and reading.pieces > MANY_PIECES:
            notes.append(
                f"the encoder cuts a word of {_named(language)} into {reading.pieces:.1f} pieces, and one of"
                " English into 1.1: the encoder of many languages (--base multi) makes fewer mistakes"
            )
    return notes


def _named(language: str) -> str:
    return f"the documents in language {language!r}" if language else "the documents"
