"""What became of each file's labels: read, kept, left out by wish; nothing is lost in silence."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from appliance.datasets.label_errors import DatasetError


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

    def lines(self) -> list[str]:
        """Return all lines for a person."""
        return [
            *(line for one in self.files for line in one.lines()),
            *(f"note: {one}" for one in self.notes),
        ]

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
    """Return `1 label`, `2 labels`."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def join(reports: Sequence[ConversionReport]) -> ConversionReport:
    """Return several reports as one."""
    return ConversionReport(
        files=tuple(one for report in reports for one in report.files),
        notes=tuple(one for report in reports for one in report.notes),
    )
