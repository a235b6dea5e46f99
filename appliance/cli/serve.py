"""`appliance serve`, the two runs of the containers in order: download and serve, and the banner of a start.

What a start needs takes most of its time to import. So only what reads the settings is imported with this
module; the rest follows in `_run`, while the model is read in a thread of its own.
"""

import gc
import logging
import os
import signal
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from appliance.cli.options import WITH_SETTINGS, settings_argument
from appliance.config.image_defaults import read_settings
from appliance.config.products import CUSTOM_NER
from appliance.config.setting_table import describe
from appliance.config.settings import Settings
from appliance.errors import SettingsError
from license.encoding.strict import format_time

if TYPE_CHECKING:
    from collections.abc import Sequence
    from socket import socket

    from appliance.licensing.installation import Installation
    from appliance.server.app import Appliance
    from appliance.server.supervisor import Forked
    from appliance.services.preload import ModelPreloader

_log = logging.getLogger("appliance")

_EXAMPLES: Final = """\b
Examples:
  appliance serve Eula=accept Mounts:License=/etc/appliance/license Mounts:Output=/var/lib/appliance/output
  appliance Eula=accept Billing=https://license.example.com ApiKey=KEY \\
      DownloadLicense=True Mounts:License=/etc/appliance/license
"""


class _ServeCommand(click.Command):
    """`serve`, whose help ends with every start parameter."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the settings table, then the examples."""
        rows = [(f"{key}={default}", help_text) for key, default, help_text in describe()]
        with formatter.section(
            "Settings, in any letter case: Key=Value, --Key Value, /Key=Value or variable Key__Sub"
        ):
            formatter.write_dl(rows)
        super().format_epilog(ctx, formatter)


@click.command(cls=_ServeCommand, epilog=_EXAMPLES, context_settings=WITH_SETTINGS)
@click.option(
    "--roots",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Trust the root keys (*.vkey) in this folder, not the installed ones; the evidence names them.",
)
@settings_argument
def serve(roots: Path | None, words: tuple[str, ...]) -> None:
    """Serve, or with DownloadLicense=True fetch the licence and exit."""
    # What a start imports and reads stays for good; looking through it again and again is a tenth of a start.
    gc.disable()
    # No plugin of other packages is wanted, and to look for one reads the metadata of all that are installed.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    preloader = None
    try:
        from appliance.host.systemd import credential_settings

        settings = read_settings(words, {**os.environ, **credential_settings()})
        forked = None
        if settings.workers > 1 and not settings.download_license:
            forked = _supervise(settings, os.environ, roots_directory=roots)
            if forked is None:
                return
            settings = forked.worker.settings
        if settings.service is CUSTOM_NER and not settings.download_license:
            from appliance.services.preload import begin_preloading

            preloader = begin_preloading(settings)
        _run(settings, os.environ, roots_directory=roots, preloader=preloader, forked=forked)
    finally:
        if preloader is not None:
            preloader.join()
        gc.enable()  # where nothing was served, which enables it, too


def _run(
    settings: Settings,
    environ: Mapping[str, str],
    *,
    roots_directory: Path | None,
    preloader: "ModelPreloader | None",
    forked: "Forked | None" = None,
) -> None:
    """Do what the settings ask for: download a licence, or serve until told to stop.

    Args:
        settings: Start parameters.
        environ: Environment of the process.
        roots_directory: Trust roots for people trying things out; None for the installed ones.
        preloader: The first model, if it is being prepared already.
        forked: What this process is to do where it is one of several workers.

    Raises:
        ApplianceError: A parameter, a mount or the model is refused.
        LicenseError: The licence is refused, or could not be downloaded.
    """
    from appliance.cli.models.speech_choice import at_place, before_serving
    from appliance.config.state_place import find_state
    from appliance.licensing.installation import Installation
    from appliance.observability import logging as logs

    logs.configure(settings.log_level, settings.console_level, console_format=settings.console_format)
    if forked is None:
        _check(settings)
        settings = at_place(settings)
        place = find_state(settings, environ)
    else:
        place = forked.worker.place
    installation = Installation(
        settings=settings, state=place.keys, ledgers=place.ledgers, roots_directory=roots_directory
    )
    if settings.download_license:
        from appliance.cli.license.download import download_and_tell

        download_and_tell(installation)
    elif forked is not None:
        _serve(installation, preloader, forked.sockets)
    elif not before_serving(installation):
        _serve(installation, preloader)


def _supervise(
    settings: Settings, environ: Mapping[str, str], *, roots_directory: Path | None
) -> "Forked | None":
    """Keep several workers running; returns in the process of each, and None when there was nothing to serve.

    Raises:
        ApplianceError: A parameter or the address is refused.
        SystemExit: All workers have ended.
    """
    from appliance.cli.models.speech_choice import at_place, before_serving
    from appliance.config.directories import require_directories
    from appliance.config.state_place import find_state
    from appliance.licensing.installation import Installation
    from appliance.observability import logging as logs
    from appliance.server.supervisor import Supervisor
    from appliance.server.workers import plan_workers

    logs.configure(settings.log_level, settings.console_level, console_format=settings.console_format)
    _check(settings)
    settings = at_place(settings)
    place = find_state(settings, environ)
    installation = Installation(
        settings=settings, state=place.keys, ledgers=place.ledgers, roots_directory=roots_directory
    )
    if before_serving(installation):
        return None
    workers = plan_workers(settings, place)
    if not settings.connected:
        require_directories(settings)
    installation.identity(create=True)  # the directories of all others lie in that of the first
    done = Supervisor(workers).run()
    if isinstance(done, int):
        raise SystemExit(done)
    return done


def _check(settings: Settings) -> None:
    """Refuse or mention what is wrong with the settings themselves."""
    settings.require_eula()
    if settings.operator_keys and not settings.controls_access:
        raise SettingsError(
            "OperatorKeys need access control: a service that everybody may call has no page for operators.",
            hint="add ApiKeys:NAME=$(openssl rand -hex 16), or Tls:ClientAuthority",
        )
    if settings.disk_format and settings.output_mount is None and not settings.connected:
        raise SettingsError(
            f"Logging:Disk:Format={settings.disk_format} needs an output mount: Mounts:Output is missing.",
            hint="add Mounts:Output=/var/lib/appliance/output, or leave Logging:Disk:Format out",
        )
    if settings.unknown:
        from appliance.licensing.installation import likely_setting

        named = [f"{key} ({meant})" if (meant := likely_setting(key)) else key for key in settings.unknown]
        _log.warning("settings that nothing reads: %s", ", ".join(named))
    if settings.inert and not settings.connected:
        _log.info("settings without meaning off line, no socket is opened: %s", ", ".join(settings.inert))


def _serve(
    installation: "Installation", preloader: "ModelPreloader | None", passed: "Sequence[socket]" = ()
) -> None:
    from appliance.server.opening import open_appliance
    from appliance.server.server import serve as serve_until_stopped

    # A reload may be asked for while the start is still under way: it must not end it.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    appliance = open_appliance(installation, preloader)
    _banner(appliance.settings, appliance)
    ready = partial(_ready, worker=appliance.settings.worker)
    serve_until_stopped(appliance.settings, appliance, ready=ready, passed=passed)


def _banner(settings: Settings, appliance: "Appliance") -> None:
    from appliance.config.secrets import shown_address

    licensed = appliance.licenses.current
    _log.info("Using '%s' for writing logs and other output data.", appliance.ledger_directory)
    if appliance.metering is None:
        _log.info("Disconnected: metering is recorded, nothing is submitted.")
    else:
        _log.info("Submitting metering to '%s'.", shown_address(settings.billing))
    _log.info(
        "%s %s for '%s' expires %s; trust root %s.",
        "Licence" if appliance.metering is None else "Lease",
        licensed.license.id,
        licensed.license.customer,
        format_time(licensed.license.expires),
        licensed.root.vkey,
    )
    if settings.exposed:
        _log.warning(
            "%s on the command line can be read by every user of this machine (ps). Use ApiKeys:File, "
            "OperatorKeys:File, an environment file or a systemd credential.",
            ", ".join(settings.exposed),
        )
    if not settings.controls_access:
        _log.warning("No access control enabled!")
    _log.info("Hosting environment: Production")


def _ready(address: str, *, worker: int = 0) -> None:
    from appliance.server import garbage

    garbage.begin()
    if worker:
        _log.info("worker %d serves", worker)
        return
    _log.info("Now listening on: %s", address)
    _log.info("ready: %s", address)
    _log.info("Application started. Press Ctrl+C to shut down.")
