"""The directories of a container image: defaults that say nothing of what the operator wants.

An image names them as `Image:License`, `Image:Output` and `Image:State`. Whoever gives `Billing` and `ApiKey`
wants a connected run, whatever directories the image has, unless a licence lies there.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from appliance.config.settings import Settings
from appliance.host.mounts import is_mount


def read_settings(words: Sequence[str], environ: Mapping[str, str]) -> Settings:
    """Read the settings, as `Settings.read`, with the directories of the image where no others were given."""
    return with_image_defaults(Settings.read(words, environ))


def with_image_defaults(settings: Settings) -> Settings:
    """Return the settings with the directories of the image where no others were given."""
    license_mount, output = settings.license_mount, settings.output_mount
    if license_mount is None and settings.image_license is not None:
        asked = bool(settings.billing or settings.api_key) and not settings.download_license
        if not asked or _holds_license(settings.image_license):
            license_mount = settings.image_license
    settings = replace(settings, license_mount=license_mount)
    # A connected run reports what it counts, and needs no volume.
    if output is None and settings.image_output is not None:
        output = None if settings.connected and not is_mount(settings.image_output) else settings.image_output
    return replace(settings, output_mount=output)


def _holds_license(directory: Path) -> bool:
    try:
        return any(path.suffix == ".note" for path in directory.iterdir())
    except OSError:
        return False
