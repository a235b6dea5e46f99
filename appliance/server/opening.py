"""From an installation to its open appliance: directories, keys, lease or licence, ledger."""

from dataclasses import replace
from typing import TYPE_CHECKING

from appliance.config.directories import connected_mounts, ledger_directory, require_directories
from appliance.config.identity import Identity
from appliance.config.settings import Settings
from appliance.licensing.installation import Installation
from appliance.observability import logging as logs
from appliance.server.app import Appliance
from license.trust.roots import TrustRoots

if TYPE_CHECKING:
    from appliance.metering.lease import Connection
    from appliance.services.preload import ModelPreloader


def open_appliance(installation: Installation, preloader: "ModelPreloader | None" = None) -> Appliance:
    """Open what an installation serves; keys are made where there are none.

    Args:
        installation: Its settings and directories.
        preloader: The first model, if it is being prepared already.

    Raises:
        ApplianceError: A parameter, a mount or the ledger is refused.
        LicenseError: The licence is missing, refused, expired or not yet valid.
    """
    settings = installation.settings
    if settings.connected:
        from appliance.metering.lease import metering_client  # noqa: PLC0415  (loaded where it is wanted)

        metering_client(settings)  # before anything is made: what is missing is said first
    roots = installation.roots()
    if not settings.connected:
        require_directories(settings)
    identity = installation.identity(create=True)
    connection = None
    if settings.connected:
        settings, connection = _connect(settings, identity, roots)
    if settings.disk_format and settings.output_mount is not None and settings.output_mount.is_dir():
        directory = ledger_directory(settings.output_mount, settings.service, identity.instance)
        logs.add_disk(directory, max_file_mib=settings.disk_max_mib)
    return Appliance(
        settings,
        identity=identity,
        roots=roots,
        connection=connection,
        preloader=preloader,
        installation=replace(installation, settings=settings),
    )


def _connect(settings: Settings, identity: Identity, roots: TrustRoots) -> "tuple[Settings, Connection]":
    """Check the key and take the lease; return the settings with the directories of a connected run."""
    from appliance.metering.lease import connect  # noqa: PLC0415  (loaded where it is wanted)

    mounted = connected_mounts(settings, identity.state)
    output = mounted.output_mount or identity.state
    if settings.output_mount is None:
        output.mkdir(mode=0o700, exist_ok=True)
    return mounted, connect(mounted, identity=identity, roots=roots, output=output)
