"""What a start does, in order: the two runs of the containers, download and serve, and their banner."""

import gc
import logging
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

from appliance.cli.license.download import download_and_tell
from appliance.cli.speech_catalogue import at_place, before_serving
from appliance.config.directories import connected_mounts, ledger_directory
from appliance.config.identity import Identity, load_identity
from appliance.config.settings import Settings
from appliance.errors import SettingsError
from appliance.licensing.installation import Installation
from appliance.metering.lease import Connection, connect, metering_client
from appliance.observability import logging as logs
from appliance.server.app import Appliance
from appliance.server.server import serve
from license.encoding.strict import format_time
from license.trust.roots import TrustRoots, installed_roots, load_roots

if TYPE_CHECKING:
    from appliance.services.preload import ModelPreloader

_log = logging.getLogger("appliance")


def run(settings: Settings, *, roots_directory: Path | None, ahead: "ModelPreloader | None" = None) -> None:
    """Do what the settings ask for: download a licence, or serve until told to stop.

    Args:
        settings: Start parameters.
        roots_directory: Trust roots for people trying things out; None for the installed ones.
        ahead: The first model, if it is being prepared already.

    Raises:
        ApplianceError: A parameter, a mount or the model is refused.
        LicenseError: The licence is refused, or could not be downloaded.
    """
    logs.configure(settings.log_level, settings.console_level, console_format=settings.console_format)
    settings.require_eula()
    if settings.disk_format and settings.output_mount is None and not settings.connected:
        raise SettingsError(
            f"Logging:Disk:Format={settings.disk_format} needs an output mount: Mounts:Output is missing.",
            hint="add Mounts:Output=/var/lib/appliance/output, or leave Logging:Disk:Format out",
        )
    if settings.unknown:
        _log.warning("settings that nothing reads: %s", ", ".join(settings.unknown))
    if settings.inert and not settings.connected:
        _log.info("settings without meaning off line, no socket is opened: %s", ", ".join(settings.inert))
    settings = at_place(settings)
    site = Installation(
        settings=settings, state=settings.state_directory(os.environ), roots_directory=roots_directory
    )
    if settings.download_license:
        download_and_tell(site)
        return
    if before_serving(site):
        return
    if settings.connected:
        metering_client(settings)  # before anything is made: what is missing is said first
    # A reload may be asked for while the start is still under way: it must not end it.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    roots = load_roots(roots_directory) if roots_directory is not None else installed_roots()
    identity = load_identity(settings.state_directory(os.environ))
    connection = None
    if settings.connected:
        settings, connection = _connect(settings, identity, roots)
    if settings.disk_format and settings.output_mount is not None and settings.output_mount.is_dir():
        directory = ledger_directory(settings.output_mount, settings.service, identity.instance)
        logs.add_disk(directory, max_file_mib=settings.disk_max_mib)
    appliance = Appliance(settings, identity=identity, roots=roots, connection=connection, ahead=ahead)
    _banner(settings, appliance)
    serve(settings, appliance, ready=_ready)


def _connect(settings: Settings, identity: Identity, roots: TrustRoots) -> tuple[Settings, Connection]:
    """Check the key and take the lease; return the settings with the directories of a connected run."""
    mounted = connected_mounts(settings, identity.directory)
    output = mounted.output_mount or identity.directory
    if settings.output_mount is None:
        output.mkdir(mode=0o700, exist_ok=True)
    return mounted, connect(mounted, identity=identity, roots=roots, output=output)


def _banner(settings: Settings, appliance: Appliance) -> None:
    licensed = appliance.keeper.current
    _log.info("Using '%s' for writing logs and other output data.", appliance.ledger_directory)
    if appliance.metering is None:
        _log.info("Disconnected: metering is recorded, nothing is submitted.")
    else:
        _log.info("Submitting metering to '%s'.", settings.billing)
    _log.info(
        "%s %s for '%s' expires %s; trust root %s.",
        "Licence" if appliance.metering is None else "Lease",
        licensed.license.id,
        licensed.license.customer,
        format_time(licensed.license.expires),
        licensed.root.vkey,
    )
    if not settings.api_keys and settings.tls_client_authority is None:
        _log.warning("No access control enabled!")
    _log.info("Hosting environment: Production")
    if settings.port and "LISTEN_FDS" not in os.environ:  # a socket unit's address stands in the ready line
        scheme = "http" if settings.tls_certificate is None else "https"
        _log.info("Now listening on: %s://%s:%d", scheme, settings.host, settings.port)


def _ready(address: str) -> None:
    gc.freeze()
    gc.enable()
    _log.info("ready: %s", address)
    _log.info("Application started. Press Ctrl+C to shut down.")
