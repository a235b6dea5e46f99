"""Word errors: words to be changed, left out or put in to turn what was found into what was said."""

from collections.abc import Sequence


def errors(said: Sequence[str], found: Sequence[str]) -> int:
    """Return the fewest substitutions, deletions and insertions between two word sequences (Levenshtein)."""
    row = list(range(len(found) + 1))
    for number, word in enumerate(said, 1):
        above, row = row, [number]
        for place, other in enumerate(found, 1):
            row.append(min(above[place] + 1, row[-1] + 1, above[place - 1] + (word != other)))
    return row[-1]
