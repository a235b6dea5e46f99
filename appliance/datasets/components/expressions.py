"""Regular expressions of strangers: RE2 alone reads them, which never tries one way after the other."""

from typing import Any, Final

import re2

MAX_PATTERN: Final = 1_000
"""Characters of an expression."""
_MEMORY: Final = 8 * 2**20
"""Bytes of one compiled expression; RE2 refuses what needs more, such as nested counts."""
HINT: Final = "expressions follow RE2: no look-around, no back-references, counts up to 1000"


def compiled(pattern: str) -> Any:
    """Return an expression of RE2, ready to search.

    Raises:
        ValueError: RE2 does not know it, or it would need too much memory; the message quotes none of it.
    """
    if not pattern or len(pattern) > MAX_PATTERN:
        raise ValueError(f"an expression has 1 to {MAX_PATTERN} characters")
    options = re2.Options()
    options.max_mem = _MEMORY
    options.log_errors = False
    try:
        return re2.compile(pattern, options)
    except (re2.error, UnicodeEncodeError) as error:
        raise ValueError(f"the expression is refused ({_reason(error)}); {HINT}") from None


def _reason(error: Exception) -> str:
    """Return RE2's reason without the part of the expression that it quotes."""
    said = error.args[0] if error.args else b""
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else "it is no Unicode text"
    return text.partition(":")[0]
