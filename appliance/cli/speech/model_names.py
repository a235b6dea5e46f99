"""What a person names as a speech model: a folder, or one of the bundled ones by its name."""

from pathlib import Path
from typing import TYPE_CHECKING

from appliance.errors import ModelError

if TYPE_CHECKING:
    from appliance.speech.model.folder import SpeechFolder


def opened_speech_models(name: str) -> "tuple[SpeechFolder, ...]":
    """Open what is to be measured: one model, or `both`, the bundled ones together as they are served.

    Raises:
        ModelError: As `opened_speech_model`.
    """
    from appliance.speech.model.folder import SpeechFolder
    from appliance.speech.model.kind import BOTH, served_folders

    if name == BOTH and not Path(name).exists():
        return tuple(map(SpeechFolder.open, served_folders(None, BOTH)))
    return (opened_speech_model(name),)


def opened_speech_model(name: str) -> "SpeechFolder":
    """Open a speech model to be measured on recordings.

    Raises:
        ModelError: There is none of that name, it is refused, or it is an encrypted package.
    """
    from appliance.models.packages import find_packages
    from appliance.speech.model.folder import SpeechFolder
    from appliance.speech.model.kind import BUNDLED

    path = Path(name)
    bundled = {folder.name: folder for folder in BUNDLED.values()}
    if not path.exists() and name in bundled:
        return SpeechFolder.open(bundled[name])
    if not path.exists():
        raise ModelError(
            f"{name} is neither a folder nor a bundled speech model",
            hint=f"bundled are {' and '.join(bundled_names())}; `speech evaluate` takes `both` too",
        )
    if find_packages(path):
        raise ModelError(
            "an encrypted package cannot be measured here: only the service hears with it, and counts that",
            hint="send the recordings to the running service, and compare its answers",
        )
    return SpeechFolder.open(path)


def bundled_names() -> list[str]:
    """Return the names of the bundled speech models."""
    from appliance.speech.model.kind import BUNDLED

    return [folder.name for folder in BUNDLED.values()]
