"""Where an installation keeps what it owns: licence, usage records, the lease of a connected run."""

from dataclasses import replace
from pathlib import Path
from typing import Final

from appliance.config.products import Product
from appliance.config.settings import Settings
from appliance.errors import OutputError, SettingsError
from license.errors import LicenseNotFound
from license.files import quoted

LEASE_DIRECTORY: Final = "connected"
"""Where a connected run keeps its lease, in the state directory."""
OUTPUT_DIRECTORY: Final = "output"
"""Default ledger folder below the state directory; same as in the units."""


def connected_mounts(settings: Settings, state: Path) -> Settings:
    """Return the settings of a connected run with the directories that stand in for its mounts."""
    return replace(
        settings,
        lease=True,
        license_mount=state / LEASE_DIRECTORY,
        output_mount=settings.output_mount or state / OUTPUT_DIRECTORY,
    )


def ledger_directory(output: Path, product: Product, instance: str) -> Path:
    """Return the directory of an installation's usage logs, `{Mounts:Output}/{service}/{instance}`.

    Args:
        output: The output mount.
        product: What the installation serves.
        instance: `Identity.instance`.
    """
    return output / product.name / instance


def require_directories(settings: Settings) -> None:
    """Refuse to go on before anything is made where a directory of a disconnected run is missing.

    Raises:
        SettingsError, OutputError: As `required_mounts`.
        LicenseNotFound: There is no licence directory.
    """
    license_mount, _ = required_mounts(settings)
    if not license_mount.is_dir():
        raise LicenseNotFound


def required_mounts(settings: Settings) -> tuple[Path, Path]:
    """Return the licence mount and the output mount.

    Raises:
        SettingsError: One of them is not set.
        OutputError: The output directory does not exist.
    """
    if settings.license_mount is None:
        raise SettingsError(
            "Mounts:License is missing: it names the directory that holds the licence.",
            hint="add Mounts:License=/etc/appliance/license, or Billing=… ApiKey=… to run connected",
        )
    if settings.output_mount is None:
        raise SettingsError(
            "Mounts:Output is missing: without it no usage record can be kept and nothing may be answered.",
            hint="add Mounts:Output=/var/lib/appliance/output",
        )
    if not settings.output_mount.is_dir():
        raise OutputError(
            f"the output directory {settings.output_mount} does not exist",
            hint=f"create it for the service's user: sudo install -d -m 0700 {quoted(settings.output_mount)}",
        )
    return settings.license_mount, settings.output_mount
