"""What a start does, in order: the two runs of the containers, download and serve, and their banner."""

import logging
import os
import shlex
import time
from pathlib import Path
from typing import Final

import click

from appliance import logs
from appliance.app import Appliance
from appliance.errors import SettingsError
from appliance.identity import Identity, load_identity
from appliance.serve import serve
from appliance.settings import Settings
from appliance.version import PRODUCT, VERSION
from license.directory import save_license
from license.download import download_license
from license.request import LicenseRequest, sign_request
from license.roots import TrustRoots, installed_roots, load_roots
from license.validity import days_left
from license.verify import AuthenticLicense
from license.wire import format_time

_log = logging.getLogger("appliance")

_MISSING: Final = {
    "Billing": "the endpoint of the resource that pays, such as Billing=https://license.example.com",
    "ApiKey": "one of that resource's two keys",
    "Mounts:License": "the directory to save the licence in",
}


def run(settings: Settings, *, roots_directory: Path | None) -> None:
    """Do what the settings ask for: download a licence, or serve until told to stop.

    Args:
        settings: Start parameters.
        roots_directory: Trust roots for people trying things out; None for the installed ones.

    Raises:
        ApplianceError: A parameter, a mount or the model is refused.
        LicenseError: The licence is refused, or could not be downloaded.
    """
    logs.configure(settings.log_level, settings.console_level)
    settings.require_eula()
    if settings.unknown:
        _log.warning("settings that nothing reads: %s", ", ".join(settings.unknown))
    if settings.inert:
        _log.info("settings without meaning off line, no socket is opened: %s", ", ".join(settings.inert))
    roots = load_roots(roots_directory) if roots_directory is not None else installed_roots()
    identity = load_identity(settings.state_directory(os.environ))
    if settings.download_license:
        _download(settings, identity, roots, roots_directory)
    else:
        appliance = Appliance(settings, identity=identity, roots=roots)
        _banner(settings, appliance)
        serve(settings, appliance, ready=_ready)


def _download(
    settings: Settings, identity: Identity, roots: TrustRoots, roots_directory: Path | None
) -> None:
    values = {
        "Billing": settings.billing,
        "ApiKey": settings.api_key,
        "Mounts:License": settings.license_mount,
    }
    missing = [key for key, value in values.items() if not value]
    if missing or settings.license_mount is None:
        raise SettingsError(
            f"DownloadLicense=True also needs {' and '.join(missing)}",
            hint="; ".join(f"{key}: {_MISSING[key]}" for key in missing),
        )
    request = LicenseRequest(
        instance=identity.vkey,
        product=PRODUCT,
        software=f"offline-appliance {VERSION}",
        created=int(time.time()),
    )
    click.echo(f"Requesting a licence for {PRODUCT} from {settings.billing} …", err=True)
    licensed = download_license(
        billing=settings.billing,
        api_key=settings.api_key,
        request_note=sign_request(request, identity.signing),
        roots=roots,
        product=PRODUCT,
        instance_vkey=identity.vkey,
        now=int(time.time()),
    )
    note, _ = save_license(settings.license_mount, licensed)
    click.echo(_summary(licensed, note))
    click.echo(_template(settings, roots_directory))


def _summary(licensed: AuthenticLicense, note: Path) -> str:
    found = licensed.license
    rows = {
        "Saved": str(note),
        "Customer": found.customer,
        "Product": found.product,
        "Licence": f"{found.id}, serial {found.serial}, tier {found.plan.tier}",
        "Expires": f"{format_time(found.expires)} (in {days_left(found, int(time.time()))} days)",
        "Last answer": format_time(found.terminates),
    }
    rows |= {f"Included {meter.rpartition('.')[2]}": f"{units:,}" for meter, units in found.plan.meters}
    width = max(map(len, rows))
    return "\n".join(f"{name:<{width}}  {value}" for name, value in rows.items())


def _template(settings: Settings, roots_directory: Path | None) -> str:
    words = ["appliance", "Eula=accept", f"Mounts:License={settings.license_mount}"]
    if roots_directory is not None:
        words[1:1] = ["serve", "--roots", str(roots_directory)]
    if settings.state_mount is not None:
        words.append(f"Mounts:State={settings.state_mount}")
    output = settings.output_mount or Path("/var/lib/appliance/output")
    return f"\nFrom now on no network is needed. Run:\n\n  {shlex.join([*words, f'Mounts:Output={output}'])}"


def _banner(settings: Settings, appliance: Appliance) -> None:
    licensed = appliance.keeper.current
    _log.info("Using '%s' for writing logs and other output data.", appliance.ledger_directory)
    _log.info("Disconnected: metering is recorded, nothing is submitted.")
    _log.info(
        "Licence %s for '%s' expires %s; trust root %s.",
        licensed.license.id,
        licensed.license.customer,
        format_time(licensed.license.expires),
        licensed.root.vkey,
    )
    _log.warning("No access control enabled!")
    _log.info("Hosting environment: Production")
    if settings.port and "LISTEN_FDS" not in os.environ:  # a socket unit's address stands in the ready line
        _log.info("Now listening on: http://%s:%d", settings.host, settings.port)


def _ready(address: str) -> None:
    _log.info("ready: %s", address)
    _log.info("Application started. Press Ctrl+C to shut down.")
