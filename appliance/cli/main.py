"""The `appliance` command: the containers' start parameters, and commands for the people around the service.

appliance Eula=accept Mounts:License=… Mounts:Output=…      serves, as `appliance serve …` does
appliance Eula=accept Billing=… ApiKey=…      serves connected: usage is reported to Billing
appliance Eula=accept Billing=… ApiKey=… DownloadLicense=True Mounts:License=…      downloads and exits
"""

import gc
import importlib
import os
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Final

import click

from appliance.cli.errors import ErrorHandlingGroup, looks_like_settings
from appliance.config.products import CUSTOM_NER
from appliance.config.settings import Settings, describe

_SERVE_EXAMPLE: Final = """\b
Examples:
  appliance serve Eula=accept Mounts:License=/etc/appliance/license Mounts:Output=/var/lib/appliance/output
  appliance Eula=accept Billing=https://license.example.com ApiKey=KEY \\
      DownloadLicense=True Mounts:License=/etc/appliance/license
"""


_ROOMS: Final[Mapping[str, tuple[str, str]]] = {
    "clock": ("appliance.cli.license.commands", "clock_group"),
    "dataset": ("appliance.cli.train", "dataset_group"),
    "diagnose": ("appliance.cli.metering", "diagnose"),
    "doctor": ("appliance.cli.doctor", "doctor"),
    "license": ("appliance.cli.license.commands", "license_group"),
    "metering": ("appliance.cli.metering", "metering_group"),
    "models": ("appliance.cli.models", "models_group"),
    "train": ("appliance.cli.train", "train_command"),
    "usage": ("appliance.cli.usage", "usage"),
}
"""Where the commands of each room are. Loaded when asked for: a start waits for none of them."""


class _Appliance(ErrorHandlingGroup):
    """The top-level group: a command line that begins with a setting means `serve`, as in the containers."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name every command, loaded or not."""
        return sorted({*super().list_commands(ctx), *_ROOMS})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load a command's room if it has one."""
        if cmd_name not in _ROOMS:
            return super().get_command(ctx, cmd_name)
        module, name = _ROOMS[cmd_name]
        command = getattr(importlib.import_module(module), name)
        if not isinstance(command, click.Command):
            raise TypeError(f"{module}.{name} is no command")
        return command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Insert `serve` where a container's command line has no command."""
        own = {"--help", "--version"}
        implied = looks_like_settings(args) and args[0] not in own
        if implied or (not args and _has_eula(os.environ)):
            args = ["serve", *args]
        return super().parse_args(ctx, args)


def _has_eula(environ: Mapping[str, str]) -> bool:
    return any(name.lower() == "eula" for name in environ)


@click.group(cls=_Appliance, epilog="Try it now:  appliance demo --once")
@click.version_option(version("offline-appliance"), prog_name="appliance")
def main() -> None:
    """An AI service for servers that never touch the internet.

    A command line that begins with Key=Value serves, just as the containers do.
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


@main.command(
    cls=_ServeCommand,
    epilog=_SERVE_EXAMPLE,
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
)
@click.option(
    "--roots",
    type=click.Path(path_type=Path, file_okay=False),
    help="Trust the root keys in this directory, not the installed ones; the evidence will name them.",
)
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="[Key=Value]...")
def serve(roots: Path | None, words: tuple[str, ...]) -> None:
    """Serve, or with DownloadLicense=True fetch the licence and exit."""
    # What a start imports and reads stays for good; looking through it again and again is a tenth of a start.
    gc.disable()
    ahead = None
    try:
        from appliance.host.systemd import credential_settings

        settings = Settings.read(words, {**os.environ, **credential_settings()})
        if settings.service is CUSTOM_NER and not settings.download_license:
            from appliance.services.preload import begin

            ahead = begin(settings)
        from appliance.cli.start import run  # imports all the rest, while the model is read

        run(settings, roots_directory=roots, ahead=ahead)
    finally:
        if ahead is not None:
            ahead.join()
        gc.enable()  # where nothing was served, which enables it, too


@main.command(epilog="Example:  appliance demo --once --port 5001")
@click.option("--once", is_flag=True, help="End after the tour instead of serving until Ctrl-C.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of the tour.")
@click.option("--home", type=click.Path(path_type=Path, file_okay=False), help="Keep everything here.")
@click.option("--port", type=click.IntRange(0, 65535), default=5000, show_default=True)
def demo(once: bool, as_json: bool, home: Path | None, port: int) -> None:
    """Show the whole loop on this machine: authority, licence, service, answers, usage, audit."""
    from appliance.cli.demo import run

    run(once=once, as_json=as_json, home=home, port=port)
