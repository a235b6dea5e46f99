"""What became of each file's labels: read, kept, left out by wish; nothing is lost in silence."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from appliance.datasets.label_errors import DatasetError

SHOWN: Final = 20
"""Files that have lines of their own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileReport:
    """One file.

    Attributes:
        name: Its name.
        title: Its format, as people call it.
        documents: How many it holds.
        read: Labels found in it.
        kept: Labels of its documents here.
        dropped: What was left out by wish, by kind.
        notes: What was guessed, corrected or passed over, a line each.
    """

    name: str
    title: str
    documents: int
    read: int
    kept: int
    dropped: Mapping[str, int]
    notes: tuple[str, ...] = ()

    def lines(self) -> list[str]:
        """Return its lines for a person."""
        left = "".join(f", {count} {kind} left out" for kind, count in self.dropped.items())
        counted = f"{counts(self.documents, 'document')}, {counts(self.read, 'label')} read, {self.kept} kept"
        return [f"{self.name} ({self.title}): {counted}{left}", *(f"  note: {note}" for note in self.notes)]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversionReport:
    """All files of one conversion, and lines that belong to none of them."""

    files: tuple[FileReport, ...]
    notes: tuple[str, ...] = ()

    @property
    def read(self) -> int:
        """Labels found."""
        return sum(one.read for one in self.files)

    def lines(self, shown: int = SHOWN) -> list[str]:
        """Return the lines for a person: of each file up to `shown`, the others in one."""
        own = [f"note: {one}" for one in self.notes]
        return [*(line for one in self.files[:shown] for line in one.lines()), *self._others(shown), *own]

    def _others(self, shown: int) -> list[str]:
        others = self.files[shown:]
        if not others:
            return []
        dropped: Counter[str] = Counter()
        for one in others:
            dropped.update(one.dropped)
        notes = list(dict.fromkeys(note for one in others for note in one.notes))
        together = FileReport(
            name=f"and {counts(len(others), 'file')} more",
            title=", ".join(dict.fromkeys(one.title for one in others)),
            documents=sum(one.documents for one in others),
            read=sum(one.read for one in others),
            kept=sum(one.kept for one in others),
            dropped=dropped,
            notes=(
                *notes[:shown],
                *([f"… and {len(notes) - shown} more notes"] if len(notes) > shown else []),
            ),
        )
        return together.lines()

    def require_labels(self) -> None:
        """Refuse files without any label: there is nothing to learn from.

        Raises:
            DatasetError: Not one label was read.
        """
        if not any(one.kept for one in self.files):
            said = "; ".join(f"{one.name} was read as {one.title}" for one in self.files[:5])
            raise DatasetError(
                f"0 labels were read: {said or 'no file'}",
                hint="name the format with --from if it is another, or label some text first",
            )


def counts(number: int, thing: str) -> str:
    """Return `1 label`, `2 labels`, `2 categories`."""
    several = f"{thing.removesuffix('y')}ies" if thing.endswith("y") else f"{thing}s"
    return f"{number} {thing if number == 1 else several}"
