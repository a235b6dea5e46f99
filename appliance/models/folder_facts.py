"""What the place of a model tells about it beside what it answers: size, day, score, and its card."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

CARD: Final = "MODEL_CARD.md"
EVALUATION: Final = "evaluation.json"
_MOST_BYTES: Final = 4 * 1024 * 1024
_ALL: Final = re.compile(r"^\| \*\*all\*\* \| [\d.]+ \| [\d.]+ \| ([\d.]+) \|", re.MULTILINE)
"""The last row of the card of a trained text model; its third number is F1."""
_HEADLINE: Final = re.compile(r"^\| score \| (F1|WER) ([\d.]+) %: (.+) \|$", re.MULTILINE)
"""The row of a card that tells its score in one number, and on what: that of each bundled model."""
_AFTER: Final = re.compile(r"^\| after \|.*\| ([\d.]+) \|$", re.MULTILINE)
"""The last row of the card of a trained speech model; its last number: words that are wrong, in per cent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderFacts:
    """What a model folder or package tells.

    Attributes:
        size: Bytes of its files; 0 where they cannot be looked at.
        changed: Unix second at which the newest of them was written, or 0.
        measure: `F1` or `WER`; empty where no score lies beside it.
        percent: The score in per cent, or None.
        scored_on: What it was measured on, where the card tells.
        card: Whether a model card lies there.
    """

    size: int = 0
    changed: int = 0
    measure: str = ""
    percent: float | None = None
    scored_on: str = ""
    card: bool = False


def folder_facts(path: Path | None) -> FolderFacts:
    """Look at the place of a model; what cannot be read is left out.

    Args:
        path: A model folder, or a directory with packages; None where it is not known.
    """
    if path is None:
        return FolderFacts()
    size, changed = 0, 0
    try:
        for file in path.iterdir():
            if file.is_file():
                status = file.stat()
                size, changed = size + status.st_size, max(changed, int(status.st_mtime))
    except OSError:
        return FolderFacts()
    measure, percent, scored_on = _score(path)
    return FolderFacts(
        size=size,
        changed=changed,
        measure=measure,
        percent=percent,
        scored_on=scored_on,
        card=(path / CARD).is_file(),
    )


def read_card(path: Path) -> str:
    """Return the model card in a folder; empty without one."""
    return _read(path / CARD)


def _score(path: Path) -> tuple[str, float | None, str]:
    try:  # it also quotes documents; of them nothing is looked at
        f1 = json.loads(_read(path / EVALUATION) or "{}")["micro"]["f1"]
        return "F1", round(100 * float(f1), 1), ""
    except (ValueError, KeyError, TypeError):
        pass
    card = read_card(path)
    if found := _HEADLINE.search(card):
        return found[1], float(found[2]), found[3]
    for measure, pattern in (("F1", _ALL), ("WER", _AFTER)):
        if found := pattern.search(card):
            return measure, float(found[1]), ""
    return "", None, ""


def _read(path: Path) -> str:
    try:
        if path.stat().st_size > _MOST_BYTES:
            return ""
        return path.read_text("utf-8", "replace")
    except OSError:
        return ""
