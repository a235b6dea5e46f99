"""Regular expressions of strangers: RE2 alone reads them, which never tries one way after the other.

What an expression costs is known before a text comes: bytes read (`appliance.ner.components.scanning` bounds
them) times the steps that it is compiled to, which are bounded here.
"""

import re
from collections.abc import Iterable
from typing import Any, Final

import re2

MAX_PATTERN: Final = 1_000
"""Characters of an expression."""
MAX_STEPS: Final = 2_000
"""Steps of one compiled expression; each Unicode class such as `\\p{L}` counts as one letter."""
MAX_ALL_STEPS: Final = 4_000
"""Steps of all expressions of a project."""
MAX_PROGRAM: Final = 10_000
"""Steps of one compiled expression with its Unicode classes, about 1,200 each."""
_MEMORY: Final = 32 * 2**20
"""Bytes of one compiled expression and of what RE2 remembers for it: where they do not suffice, RE2 goes on a
hundred times slower. Programs of `MAX_STEPS` that do not multiply their states stay far below it."""
HINT: Final = "expressions follow RE2: no look-around, no back-references, counts up to 1000"
_CLASS: Final = re.compile(r"\\(?:(?P<unicode>[pP](?:\{\^?\w+\}|\w))|.)", re.DOTALL)


def compiled(pattern: str) -> Any:
    """Return an expression of RE2, ready to search.

    Raises:
        ValueError: RE2 does not know it, or it would need too much memory or too many steps; the message
            quotes none of it.
    """
    found = _compiled(pattern)
    size, steps = found.programsize, steps_of(pattern)
    if steps > MAX_STEPS or size > MAX_PROGRAM:
        much, most = (steps, MAX_STEPS) if steps > MAX_STEPS else (size, MAX_PROGRAM)
        raise ValueError(
            f"the expression is refused: it needs {much:,} steps for each character of a text, and {most:,} "
            "are the most; use smaller counts or fewer Unicode classes"
        )
    if found.search("") is not None:
        raise ValueError(
            "the expression is refused: it matches the empty text, which would be everywhere; "
            "use + in the place of *, and leave out what makes all of it optional"
        )
    return found


def steps_of(pattern: str) -> int:
    """Return the steps of an expression, its Unicode classes counted as one letter each.

    Raises:
        ValueError: As `compiled`.
    """
    without = _CLASS.sub(lambda match: "a" if match["unicode"] else match[0], pattern)
    return int(_compiled(without).programsize)


def check_all(patterns: Iterable[str]) -> None:
    """Refuse the expressions of a project that would take too long together.

    Raises:
        ValueError: They would.
    """
    steps = sum(map(steps_of, patterns))
    if steps > MAX_ALL_STEPS:
        raise ValueError(
            f"the regular expressions of the project need {steps:,} steps for each character of a text, and "
            f"{MAX_ALL_STEPS:,} are the most; use smaller counts, or fewer of them"
        )


def _compiled(pattern: str) -> Any:
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
