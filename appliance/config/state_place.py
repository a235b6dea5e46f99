"""Where the keys of an installation and what changes lie: one state directory, or with licence and output.

    Mounts:State, or systemd's StateDirectory    both there
    {Mounts:License}/identity                    the keys, which the licence is bound to; what changes lies in
                                                 {Mounts:Output}/{service}/{instance}/state
    ~/.local/state/offline-appliance             both, where an installation was begun there, or connected

A container that is given the two directories of the documents, and no third, keeps its keys that way.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from appliance.config.identity import KEY_FILE
from appliance.config.settings import Settings
from appliance.host.mounts import is_mount

KEYS_FOLDER: Final = "identity"
"""Below the licence directory: the keys, where no state directory is given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatePlace:
    """Where an installation's keys and state lie.

    Attributes:
        keys: Directory of the keys.
        ledgers: Directory of the ledger directories, where what changes lies in these; None: with the keys.
    """

    keys: Path
    ledgers: Path | None = None


def find_state(settings: Settings, environ: Mapping[str, str]) -> StatePlace:
    """Return where keys and state of these settings lie.

    Args:
        settings: With the directories of the image, if there is one.
        environ: Environment of the process.
    """
    if settings.state_mount is not None:
        return StatePlace(keys=settings.state_mount)
    if environ.get("STATE_DIRECTORY"):
        return StatePlace(keys=Path(environ["STATE_DIRECTORY"].split(":")[0]))
    own = settings.image_state or _of_user(environ)
    if settings.connected or settings.license_mount is None:
        return StatePlace(keys=own)
    beside = settings.license_mount / KEYS_FOLDER
    begun = _holds_keys(own) or (settings.image_state is not None and is_mount(own))
    if begun and not _holds_keys(beside):
        return StatePlace(keys=own)
    output = settings.output_mount
    return StatePlace(keys=beside, ledgers=None if output is None else output / settings.service.name)


def _of_user(environ: Mapping[str, str]) -> Path:
    base = environ.get("XDG_STATE_HOME") or str(Path(environ.get("HOME", "/root")) / ".local" / "state")
    return Path(base) / "offline-appliance"


def _holds_keys(directory: Path) -> bool:
    try:
        return (directory / KEY_FILE).exists()
    except OSError:
        return False
