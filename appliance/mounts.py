"""The two directories without which nothing is answered."""

from pathlib import Path

from appliance.errors import OutputError, SettingsError
from appliance.settings import Settings


def required_mounts(settings: Settings) -> tuple[Path, Path]:
    """Return the licence mount and the output mount.

    Raises:
        SettingsError: One of them is not set.
        OutputError: The output directory does not exist.
    """
    if settings.license_mount is None:
        raise SettingsError(
            "Mounts:License is missing: it names the directory that holds the licence.",
            hint="add Mounts:License=/etc/appliance/license, or download a licence with DownloadLicense=True",
        )
    if settings.output_mount is None:
        raise SettingsError(
            "Mounts:Output is missing: without it no usage record can be kept and nothing may be answered.",
            hint="add Mounts:Output=/var/lib/appliance/output",
        )
    if not settings.output_mount.is_dir():
        raise OutputError(
            f"the output directory {settings.output_mount} does not exist",
            hint=f"create it for the service's user: sudo install -d -m 0700 {settings.output_mount}",
        )
    return settings.license_mount, settings.output_mount
