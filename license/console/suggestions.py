"""What somebody probably meant who typed a word that nothing knows."""

from __future__ import annotations

from collections.abc import Iterable


def closest(typed: str, known: Iterable[str]) -> str | None:
    """Return the known word that is spelt most like the typed one, in any letter case; None if none is."""
    from difflib import get_close_matches  # noqa: PLC0415 (only where somebody mistyped)

    folded = {word.casefold(): word for word in known}
    close = get_close_matches(typed.casefold(), folded, n=1)
    return folded[close[0]] if close else None


def did_you_mean(typed: str, known: Iterable[str]) -> str:
    """Return the question `did you mean …?`, or nothing where no known word is close."""
    close = closest(typed, known)
    return "" if close is None else f"did you mean {close}?"
