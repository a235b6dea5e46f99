"""The text models of a running service: those that were added, changed or taken away since the last look.

So replicas that read one `Models:Path` come to serve the same within a minute, whoever put a model there.
What cannot be loaded changes nothing: a model that is in memory stays there and goes on answering as it is,
and so do all where the mount cannot be read or is empty. One that had left memory cannot come back, and is
listed as failed.
"""

import logging
import threading
import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from appliance.errors import ModelError
from appliance.models.files import appearance
from appliance.models.locations import Place
from appliance.models.packages import find_packages
from appliance.pipeline.resident_models import ResidentModel, ServedModel
from appliance.services.text_models import Loaded, load_models
from license.errors import LicenseError

_log = logging.getLogger("appliance.models")

_MOMENT_SECONDS: Final = 0.5

Signature = tuple[object, ...]
"""What a folder looks like from outside, and the licence that opens its package."""


@dataclass(slots=True)
class _Kept:
    """A folder as it was found last: its model, if one was ever loaded, and why the last one was not."""

    signature: Signature
    engine: ResidentModel | None = None
    error: ModelError | LicenseError | None = None


class LiveModels:
    """Models by the folders they lie in. One look at a time; `engines` may be read from any thread.

    Args:
        find: Where models are; raises `ModelError` where the mount is missing or holds none.
        load: Loads one.
        license: What identifies the licence in force, which opens packages.
    """

    def __init__(
        self,
        *,
        find: Callable[[], list[Place]],
        load: Callable[[Path], ResidentModel],
        license: Callable[[], str],
    ) -> None:
        self._find = find
        self._load_one = load
        self._license = license
        self._kept: dict[Path, _Kept] = {}
        self._fresh: set[Path] = set()
        self._retired: weakref.WeakSet[ServedModel] = weakref.WeakSet()
        self._problem = ""
        self._looking = threading.Lock()
        self.engines: tuple[ServedModel, ...] = ()

    def begin(self) -> Loaded:
        """Load the models for the first time; blocks.

        Raises:
            ModelError, LicenseError: Not a single one can be served.
        """
        with self._looking:
            return self._look(self._find())

    def look(self) -> Loaded | None:
        """Look for what has changed, and load it; blocks. None where nothing has, or nothing is there."""
        with self._looking:
            try:
                places = self._find()
                if self._kept.keys() - {place.path for place in places}:
                    time.sleep(_MOMENT_SECONDS)  # one that is just being replaced is missing for an instant
                    places = self._find()
                loaded = self._look(places)
            except (ModelError, LicenseError, OSError) as error:
                if str(error) != self._problem:
                    self._problem = str(error)
                    _log.warning("the models that are served stay: %s", error)
                return None
            self._problem = ""
            return loaded if self._fresh else None

    def close(self) -> None:
        """End all models, also those that somebody still asks; blocks."""
        for engine in (*self.engines, *self._retired):
            engine.close()

    def _look(self, places: list[Place]) -> Loaded:
        self._fresh = {path for path in self._kept if path not in {place.path for place in places}}
        loaded = load_models(places, self._load, is_news=self._fresh.__contains__)
        for path in self._kept.keys() - {place.path for place in places}:
            _log.info("the model in %s was taken away and is served no more", path)
            del self._kept[path]
        for engine in self.engines:
            if engine not in loaded.engines:
                self._retire(engine)
        self.engines = loaded.engines
        return loaded

    def _load(self, path: Path) -> ResidentModel:
        """Return the model of a folder: the one that is loaded, unless the folder has changed."""
        kept, signature = self._kept.get(path), self._signature(path)
        if kept is None or kept.signature != signature:
            self._fresh.add(path)
            kept = self._kept[path] = self._renewed(path, signature, kept)
        if kept.engine is not None:
            return kept.engine
        raise kept.error or ModelError(f"{path} holds no model")

    def _renewed(self, path: Path, signature: Signature, before: _Kept | None) -> _Kept:
        try:
            return _Kept(signature, self._load_one(path))
        except (ModelError, LicenseError) as error:
            if before is None or before.engine is None:
                return _Kept(signature, error=error)
            if before.engine.engine is None:
                _log.error("the model before in %s has left memory, and is served no more", path)
                return _Kept(signature, error=error)
            _log.error(
                "what lies in %s now cannot be served; the model before stays: %s", path, error.message
            )
            self._fresh.discard(path)
            return _Kept(signature, before.engine)

    def _signature(self, path: Path) -> Signature:
        try:
            return (*appearance(path), self._license() if find_packages(path) else "")
        except OSError:
            return ()

    def _retire(self, engine: ServedModel) -> None:
        """End a model once nobody asks it any more: requests and tasks of jobs hold on to theirs."""
        self._retired.add(engine)
        engine.close_when_unused()
