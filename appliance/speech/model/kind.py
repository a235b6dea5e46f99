"""What a speech model is to the rest: where the bundled one lies, and how folders and packages are read."""

from pathlib import Path
from typing import Final

from appliance.models.packages import Kind
from appliance.speech.model.folder import DISPLAY_TASKS, TASKS, SpeechFolder

_FOLDERS: Final = Path(__file__).parents[2] / "bundled"
BUNDLED: Final = {"dictation": _FOLDERS / "whisper-tiny-en", "commands": _FOLDERS / "speech-en"}
"""Speech models that are bundled, by what `Models:Speech` calls them."""

BOTH: Final = "both"
"""What `Models:Speech` calls the two together."""

SPEECH: Final[Kind[SpeechFolder]] = Kind(
    tasks=TASKS,
    folder=SpeechFolder.open,
    files=lambda content, path, line, release: SpeechFolder.from_files(
        content, path=path, line=line, release=release
    ),
    beside=tuple(DISPLAY_TASKS.values()),
)


def served_folders(mount: Path | None, choice: str) -> tuple[Path, ...]:
    """The folder of the model that is served, perhaps with that of one for a closed vocabulary after it.

    Args:
        mount: The directory that is named; None for a bundled model.
        choice: What `Models:Speech` says.
    """
    if mount is not None:
        return (mount,)
    return tuple(BUNDLED.values()) if choice == BOTH else (BUNDLED[choice],)


def language_code(locale: str) -> str:
    """The language of a locale: `de` for `de-DE`."""
    return locale.partition("-")[0].lower()


def same_language(one: str, other: str) -> bool:
    """Whether two locales mean the same: letter case does not count, nor a region that one leaves out."""
    first, second = one.lower().split("-"), other.lower().split("-")
    return first == second or (first[0] == second[0] and 1 in (len(first), len(second)))
