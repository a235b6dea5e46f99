"""What a caller is told about a document besides its entities: why they may be wrong.

The service documents `LongWordsInDocument`; the other codes are this software's own. Clients take any code.
"""

from collections.abc import Sequence
from typing import Any, Final

import regex

from appliance.api.language.documents import Document
from appliance.datasets.language_tags import covers
from appliance.ner.engine import Recognized

LONG_WORDS: Final = "LongWordsInDocument"
OTHER_LANGUAGE: Final = "UnsupportedLanguage"
UNKNOWN_TOKENS: Final = "UnknownTokens"

UNKNOWN_SHARE: Final = 0.02
"""Share of tokens with unknown letters at which a document is answered with a warning. With the bundled
English model 6,500 English sentences of press, web, medicine and contracts have none at all, one tweet in 270
passes this share, and every one of 1,000 Chinese sentences does (59 % of their tokens). Hindi has 3.7 %,
Korean 4.5 %: little of their text is unknown, and yet it is read badly."""

_NAMED_LANGUAGES: Final = 8
_LONG: Final = 64
# A word in a script that puts spaces between words; longer ones are seldom what a sender means to send.
_LONG_WORD: Final = regex.compile(
    r"[[\p{L}\p{M}\p{N}]--[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]]"
    f"{{{_LONG + 1}}}",
    regex.VERSION1,
)


def warnings_of(document: Document, found: Recognized, languages: Sequence[str]) -> list[dict[str, Any]]:
    """Return the `warnings` of a document; they hold none of its text.

    Args:
        document: The document and the language its sender named.
        found: What the model answered.
        languages: Languages the model was made for.
    """
    warnings = []
    if _has_long_word(document.text):
        warnings.append(
            _warning(LONG_WORDS, f"The document contains very long words (longer than {_LONG} characters)")
        )
    if not covers(languages, document.language):
        warnings.append(
            _warning(
                OTHER_LANGUAGE, f"The model was made for {_named(languages)}, not for the document's language"
            )
        )
    if found.unknown_share >= UNKNOWN_SHARE:
        share = f"{found.unknown_share:.0%}"
        warnings.append(_warning(UNKNOWN_TOKENS, f"The model does not know {share} of the document's tokens"))
    return warnings


def _warning(code: str, what: str) -> dict[str, Any]:
    return {"code": code, "message": f"{what}, which may make predictions unreliable."}


def _named(languages: Sequence[str]) -> str:
    more = len(languages) - _NAMED_LANGUAGES
    *others, last = [*languages[:_NAMED_LANGUAGES], *([f"{more} more"] if more > 0 else [])]
    return f"{', '.join(others)} and {last}" if others else last


def _has_long_word(text: str) -> bool:
    # The search is dear, and without a long run between spaces there is nothing to be found.
    return any(len(run) > _LONG for run in text.split()) and _LONG_WORD.search(text) is not None
