"""Usage records in a container end with it, unless they lie in a volume: such an output is refused.

A run whose records are disposable, such as a demonstration, says so with `Output:Disposable=True`, and its
licence must allow it: otherwise whoever leaves out a volume would count from zero with each start.
"""

import logging
from pathlib import Path
from typing import Final

from appliance.config.settings import Settings
from appliance.errors import OutputError, SettingsError
from appliance.host.mounts import lost_with_container
from license.licenses.license import License

_log = logging.getLogger("appliance.usage")

DISPOSABLE: Final = "disposable-records"
"""The feature of a licence that allows it."""


def require_lasting_output(settings: Settings) -> None:
    """Refuse an output mount that ends with its container; nothing outside of an image.

    Args:
        settings: With the output mount of a run.

    Raises:
        OutputError: The records would be lost, and the run does not say that they may be.
    """
    output = settings.output_mount
    lost = _lost_output(settings)
    if not lost or output is None:
        return
    if settings.lease:
        _log.warning(
            "usage records lie in %s and end with the container; what is reported every %d s is kept by the "
            "endpoint. To keep them: -v OUTPUT_PATH:%s",
            lost,
            settings.metering_seconds,
            settings.image_output,
        )
    elif not settings.output_disposable:
        raise OutputError(
            f"the output directory {output} is {lost}: usage records would be lost with the container",
            hint=volume_hint("OUTPUT_PATH", output),
        )


def require_disposable(settings: Settings, license: License) -> None:
    """Refuse to throw records away where the licence does not allow it.

    Args:
        settings: With the output mount of a run.
        license: The licence in force.

    Raises:
        SettingsError: It does not.
    """
    output = settings.output_mount
    if output is None or settings.lease or not _lost_output(settings):
        return
    if DISPOSABLE not in license.features:
        raise SettingsError(
            "Output:Disposable=True is not allowed by the licence: its usage records must be kept",
            hint=volume_hint("OUTPUT_PATH", output),
        )
    _log.warning("usage records are disposable and end with the container")


def _lost_output(settings: Settings) -> str:
    if settings.image_output is None or settings.output_mount is None:
        return ""
    return lost_with_container(settings.output_mount)


def require_lasting_license(settings: Settings, directory: Path) -> None:
    """Refuse to download a licence to where it ends with the container: a vendor counts each one it signs.

    Raises:
        SettingsError: It would be lost.
    """
    if settings.image_license is None:
        return
    lost = lost_with_container(directory)
    if lost:
        raise SettingsError(
            f"the licence directory {directory} is {lost}: the licence would be lost with the container",
            hint=volume_hint("LICENSE_PATH", directory),
        )


def volume_hint(name: str, directory: Path) -> str:
    """Return the parameter of `docker run` that is missing."""
    return f"add to docker run, before the image: -v {name}:{directory}    # {name}: a directory of the host"
