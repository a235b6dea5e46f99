"""What the start parameters ask of the vendor's catalogue of speech models; see `speech_catalogue`.

Every start asks, also of a text service. So the catalogue is imported only where something is wanted of it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import click

from appliance.config.products import SPEECH_TO_TEXT
from appliance.config.settings import Settings
from appliance.errors import SettingsError
from appliance.licensing.installation import Installation

CONTAINER_PLACE: Final = Path("/usr/local/models")
"""Where the container keeps its models: taken where it exists and `Mounts:Model` is not given."""
BASE: Final = "Base"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the settings ask of the catalogue.

    Attributes:
        query: Locale whose models are to be listed.
        ids: Models by type, `Base` or a type of display models.
        newest: Locale whose newest display models are wanted.
        types: Types of display models that were chosen.
    """

    query: str = ""
    ids: Mapping[str, str]
    newest: str = ""
    types: tuple[str, ...] = ()

    @classmethod
    def of(cls, settings: Settings) -> "Wanted":
        """Read what was asked, by the order of priority."""
        named = {
            BASE: settings.model_id,
            "Punct": settings.punct_id,
            "Rescore": settings.rescore_id,
            "Resegment": settings.resegment_id,
            "Wfstitn": settings.wfstitn_id,
        }
        ids = {kind: value for kind, value in named.items() if value}
        query = settings.base_model_locale
        return cls(
            query=query,
            ids={} if query else ids,
            newest="" if query or ids else settings.display_locale,
            types=settings.display_types,
        )

    def __bool__(self) -> bool:
        return bool(self.query or self.ids or self.newest)


def at_place(settings: Settings) -> Settings:
    """Return the settings with the container's directory of models, where that one exists and is meant."""
    if settings.service is SPEECH_TO_TEXT and settings.model_mount is None and CONTAINER_PLACE.is_dir():
        wanted = bool(Wanted.of(settings))
        if wanted or any(CONTAINER_PLACE.iterdir()):
            return replace(settings, model_mount=CONTAINER_PLACE)
    return settings


def place_of(settings: Settings) -> Path:
    """Return the directory that models are downloaded to.

    Raises:
        SettingsError: None is named.
    """
    if settings.model_mount is None:
        raise SettingsError(
            "Mounts:Model is missing: it names the directory that models are downloaded to.",
            hint=f"add Mounts:Model=/var/lib/appliance/models, or make {CONTAINER_PLACE}",
        )
    return settings.model_mount


def before_serving(installation: Installation) -> bool:
    """Do what the settings ask of the catalogue, and say whether the run ends with that.

    Raises:
        ApplianceError, LicenseError: As `download_models`; or it is asked of another service.
    """
    wanted = Wanted.of(installation.settings)
    if not wanted:
        return False
    if installation.settings.service is not SPEECH_TO_TEXT:
        raise SettingsError(
            "BaseModelLocale, ModelId, DisplayLocale and the like belong to the speech service",
            hint="add Service=speechtotext",
        )
    from appliance.cli.models.speech_catalogue import download_models, has_base, print_models

    if wanted.query:
        print_models(installation, wanted)
        return True
    only_base = set(wanted.ids) == {BASE}
    settings = installation.settings
    if only_base and has_base(place_of(settings)):
        click.echo(
            f"ModelId={settings.model_id} is ignored: {settings.model_mount} holds a model already",
            err=True,
        )
        return False
    download_models(installation, wanted)
    return not only_base
