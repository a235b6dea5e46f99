"""The first model, prepared while the rest of the program is still being imported.

Imports hold Python's lock for most of a start, and onnxruntime reads a graph without it: side by side they
take little longer than the imports alone. The model answers nothing before licence and ledger are open.
"""

import threading
from pathlib import Path

from appliance.config.settings import Settings
from appliance.errors import ApplianceError, ModelError
from appliance.models.files import appearance
from appliance.models.locations import find_models
from appliance.models.packages import find_packages
from appliance.ner.engine import Prepared, prepare
from appliance.ner.model_folder import ModelFolder


class ModelPreloader:
    """Prepares the model in one plain folder, in a thread of its own.

    What goes wrong there is not reported: `take` then gives nothing, and whoever loads the model meets the
    same and says so in its place.

    Args:
        path: The folder.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._appearance = appearance(path)  # before it is read: what changes meanwhile is read again
        self._prepared: Prepared | None = None
        self._thread = threading.Thread(target=self._prepare, name="preload", daemon=True)
        self._thread.start()

    def _prepare(self) -> None:
        try:
            self._prepared = prepare(ModelFolder.open(self._path, keep=True))
        except (ModelError, OSError, MemoryError):
            return

    def take(self, path: Path) -> Prepared | None:
        """Wait for the model and hand it over, once.

        None for another path, for a folder that has changed since, and where it cannot be served.
        """
        if path != self._path:
            return None
        self.join()
        prepared, self._prepared = self._prepared, None
        return prepared if appearance(path) == self._appearance else None

    def join(self) -> None:
        """Wait for the thread: the program must not end while onnxruntime is at work."""
        self._thread.join()


def begin_preloading(settings: Settings) -> ModelPreloader | None:
    """Begin with the first model that these settings ask for; None where none is to be served as it lies."""
    try:
        settings.require_eula()
        path = find_models(settings)[0].path
        return None if find_packages(path) else ModelPreloader(path)
    except (ApplianceError, OSError):
        return None
