"""What a model folder holds of an adaptation by text, checked and ready for use.

Three files, each of which may be missing: `domain.arpa`, `phrases.txt` and `pronunciations.txt`; and the
table `adaptation` of `model.json`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from appliance.errors import ModelError
from appliance.models.files import Files
from appliance.models.folder_reader import MANIFEST, Fields
from appliance.speech.adaptation.ngrams import Ngrams
from appliance.speech.adaptation.pronunciations import Pronunciations

DOMAIN: Final = "domain.arpa"
PHRASES: Final = "phrases.txt"
PRONUNCIATIONS: Final = "pronunciations.txt"
ADAPTATION_FILES: Final = (DOMAIN, PHRASES, PRONUNCIATIONS)

MAX_PHRASES: Final = 500
"""Of a folder, and of a request."""
MAX_PHRASE_CHARACTERS: Final = 200
MAX_DOMAIN_NGRAMS: Final = 500_000
MAX_DOMAIN_BYTES: Final = 32 * 2**20
MAX_LIST_BYTES: Final = 2 * 2**20
SHARE: Final = 0.8
"""Of the domain's probabilities beside those of a word list's own."""
WEIGHT: Final = 0.4
"""Of what the words of the domain earn beside a Whisper."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Adaptation:
    """An adaptation by text.

    Attributes:
        domain: How the words of the domain follow one another; None without a text.
        phrases: What is preferred in every request.
        pronunciations: What is written otherwise than spoken; None if nothing.
        share: Of the domain's probabilities, 0…1, where the model has a list of words with weights.
        weight: Of what words of the domain earn, where it is Whisper.
    """

    domain: Ngrams | None = None
    phrases: tuple[str, ...] = ()
    pronunciations: Pronunciations | None = None
    share: float = SHARE
    weight: float = WEIGHT


def read_adaptation(files: Files, table: Mapping[str, Any]) -> Adaptation | None:
    """Read what is there; None where none of the files is.

    Args:
        files: Of the model folder.
        table: `adaptation` of its `model.json`.

    Raises:
        ModelError: A file or a field is wrong, or too large.
    """
    if not any(name in files for name in ADAPTATION_FILES):
        return None
    fields = Fields(table, f"{MANIFEST} adaptation")
    return Adaptation(
        domain=(
            Ngrams.read(text_of(files, DOMAIN, MAX_DOMAIN_BYTES), DOMAIN, most=MAX_DOMAIN_NGRAMS)
            if DOMAIN in files
            else None
        ),
        phrases=phrases_of(text_of(files, PHRASES, MAX_LIST_BYTES), PHRASES) if PHRASES in files else (),
        pronunciations=(
            Pronunciations.read(text_of(files, PRONUNCIATIONS, MAX_LIST_BYTES), PRONUNCIATIONS)
            if PRONUNCIATIONS in files
            else None
        ),
        share=fields.number("share", 0.0, 1.0, SHARE),
        weight=fields.number("weight", 0.0, 10.0, WEIGHT),
    )


def phrases_of(text: str, where: str) -> tuple[str, ...]:
    """Phrases, one a line; empty lines and repetitions do not count.

    Raises:
        ModelError: There are too many, or one is too long.
    """
    found = tuple(dict.fromkeys(" ".join(line.split()) for line in text.splitlines() if line.strip()))
    if len(found) > MAX_PHRASES:
        raise ModelError(
            f"{where} has {len(found)} phrases, and {MAX_PHRASES} are the most",
            hint="keep the most frequent ones, and put sentences into --text",
        )
    long = next((number for number, phrase in enumerate(found, 1) if len(phrase) > MAX_PHRASE_CHARACTERS), 0)
    if long:
        raise ModelError(
            f"phrase {long} of {where} has more than {MAX_PHRASE_CHARACTERS} characters",
            hint="put sentences into --text",
        )
    return found


def text_of(files: Files, name: str, limit: int) -> str:
    """Return the text of a file of a model folder.

    Raises:
        ModelError: It is too large, or cannot be read.
    """
    files.check(name, limit)
    try:
        return files.text(name)
    except (OSError, ValueError) as error:
        raise ModelError(f"{name} cannot be read: {error}") from error
