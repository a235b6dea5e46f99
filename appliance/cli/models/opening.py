"""What a person names as a model: an export, or PROJECT/NAME of the library."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from appliance.cli.options import installation_from
from appliance.errors import ModelError
from appliance.licensing.installation import Installation

if TYPE_CHECKING:
    from appliance.models.packages import ModelKeys
    from appliance.ner.model_folder import ModelFolder


def read_installation(words: tuple[str, ...], roots: Path | None = None) -> Installation:
    """Return the installation that settings describe; raises `SettingsError`."""
    return installation_from(words, roots, hint="such as Models:Path=DIR")


def keys_of(installation: Installation) -> "ModelKeys":
    """Return what opens encrypted packages here."""
    from appliance.models.packages import ModelKeys

    licenses = installation.licenses()
    return ModelKeys(licensed=licenses.current, hpke=licenses.identity.hpke, roots=installation.roots())


@contextlib.contextmanager
def opened(model: str, installation: Installation) -> Iterator[tuple["ModelFolder", bool]]:
    """Open what a person names, an export or PROJECT/NAME of the library, and say whether it is plain."""
    from appliance.models.packages import find_packages
    from appliance.ner.model_kind import open_model
    from appliance.registry.open_source import open_source

    path = _place(model, installation)
    if path.is_dir() and find_packages(path):
        yield open_model(path, keys_of(installation)), False
    else:
        with open_source(path) as folder:
            yield folder, True


@contextlib.contextmanager
def opened_plain(model: str, installation: Installation) -> Iterator["ModelFolder"]:
    """Open a plain model to be scored on labelled files.

    Raises:
        ModelError: It is an encrypted package: only the service answers from these.
    """
    from appliance.models.packages import find_packages
    from appliance.registry.open_source import open_source

    path = _place(model, installation)
    if path.is_dir() and find_packages(path):
        raise ModelError(
            "an encrypted package cannot be scored here: only the service answers from it, and counts them",
            hint="ask the running service for the texts of the file, and compare",
        )
    with open_source(path) as folder:
        yield folder


def _place(model: str, installation: Installation) -> Path:
    from appliance.registry.registry import ModelRegistry

    path = Path(model)
    return path if path.exists() else ModelRegistry.of(installation.settings).find(model).path
