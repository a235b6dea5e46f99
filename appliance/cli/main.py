"""The `appliance` command: the containers' start parameters, and commands for the people around the service.

appliance Eula=accept Mounts:License=… Mounts:Output=…      serves, as `appliance serve …` does
appliance Eula=accept Billing=… ApiKey=…      serves connected: usage is reported to Billing
appliance Eula=accept Billing=… ApiKey=… DownloadLicense=True Mounts:License=…      downloads and exits
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import click

from appliance.cli.errors import ErrorHandlingGroup, looks_like_settings
from license.console.completion import completion_command
from license.console.group import HELP_OPTIONS, Lazy
from license.console.suggestions import closest

_COMMANDS: Final = {
    "clock": Lazy(
        "appliance.cli.license.clock",
        "clock_group",
        "The time that the licence is judged by: it never runs backwards.",
    ),
    "dataset": Lazy(
        "appliance.cli.dataset.commands",
        "dataset_group",
        "Make a project out of labelled files, check one, and have a model propose labels.",
    ),
    "diagnose": Lazy(
        "appliance.cli.metering",
        "diagnose",
        "Check the connection to the billing endpoint: address, proxy, name, connection, TLS, key, clock.",
    ),
    "doctor": Lazy(
        "appliance.cli.doctor",
        "doctor",
        "Say what is wrong with this installation, and the command that fixes it.",
    ),
    "health": Lazy(
        "appliance.cli.health",
        "health",
        "Say whether the service of this container is ready; exit status 0 or 1.",
    ),
    "license": Lazy(
        "appliance.cli.license.commands",
        "license_group",
        "Get, carry, install and inspect this installation's licence.",
    ),
    "metering": Lazy("appliance.cli.metering", "metering_group", "What a connected run reports."),
    "models": Lazy(
        "appliance.cli.models.commands",
        "models_group",
        "Add, list, test, compare, quantize and remove models; all without network.",
    ),
    "serve": Lazy(
        "appliance.cli.serve",
        "serve",
        "Serve, or with DownloadLicense=True fetch the licence and exit.",
    ),
    "site": Lazy(
        "appliance.cli.site.commands",
        "site_group",
        "One licence for a whole site: a desk divides it among replicas, which run connected to the desk.",
    ),
    "speech": Lazy(
        "appliance.cli.speech.commands",
        "speech_group",
        "Custom speech: train on recordings of your own, and count what models hear wrong; without network.",
    ),
    "train": Lazy(
        "appliance.cli.train",
        "train_command",
        "Train a model on labelled text, and evaluate it.",
    ),
    "transcribe": Lazy(
        "appliance.cli.speech.transcribe",
        "transcribe",
        "Write down what is said in recordings.",
    ),
    "usage": Lazy(
        "appliance.cli.usage",
        "usage",
        "Report, export and verify usage; keep receipts and prune.",
    ),
}


class _Appliance(ErrorHandlingGroup):
    """The top-level group: a command line that begins with a setting means `serve`, as in the containers."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Insert `serve` where a container's command line has no command."""
        own = {*HELP_OPTIONS, "--version"}
        implied = looks_like_settings(args) and args[0] not in own
        if implied and len(args) == 1 and not ctx.resilient_parsing:
            _refuse_lone_option(args[0], own, ctx)
        if implied or (not args and _has_eula(os.environ)):
            args = ["serve", *args]
        return super().parse_args(ctx, args)


def _refuse_lone_option(word: str, own: set[str], ctx: click.Context) -> None:
    """Refuse `--verison`: as a setting it would have no value."""
    if word.startswith("-") and "=" not in word and closest(word, own) is not None:
        raise click.NoSuchOption(word, possibilities=own, ctx=ctx)


def _has_eula(environ: Mapping[str, str]) -> bool:
    return any(name.lower() == "eula" for name in environ)


@click.group(cls=_Appliance, lazy=_COMMANDS, epilog="Try it now:  appliance demo --once")
@click.version_option(package_name="offline-appliance", prog_name="appliance")
def main() -> None:
    """An AI service for servers that never touch the internet.

    A command line that begins with Key=Value serves, just as the containers do.
    """


@main.command(epilog="Examples:  appliance demo --once --port 5001;  appliance demo --speech")
@click.argument("settings", nargs=-1, metavar="[KEY=VALUE]...")
@click.option("--speech", is_flag=True, help="Show the speech service; the same as Service=speechtotext.")
@click.option("--once", is_flag=True, help="End after the tour instead of serving until Ctrl-C.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of the tour.")
@click.option("--home", type=click.Path(path_type=Path, file_okay=False), help="Keep everything here.")
@click.option("--port", type=click.IntRange(0, 65535), default=5000, show_default=True)
def demo(
    settings: tuple[str, ...], speech: bool, once: bool, as_json: bool, home: Path | None, port: int
) -> None:
    """Show the whole loop on this machine: authority, licence, service, answers, usage, audit.

    KEY=VALUE are settings of the service, so that a model of your own can be tried: Mounts:Model=FOLDER.
    """
    from appliance.cli.demo.tour import run
    from appliance.config.settings import Settings
    from appliance.errors import SettingsError
    from appliance.licensing.installation import likely_setting

    words = [*(["Service=speechtotext"] if speech else []), *settings]
    read = Settings.read(words, {})
    if read.unknown:
        raise SettingsError(
            f"nothing reads the setting {read.unknown[0]}",
            hint=likely_setting(read.unknown[0]) or "`appliance serve --help` lists the settings",
        )
    rest = [word for word in words if word.partition("=")[0].casefold() != "service"]
    run(once=once, as_json=as_json, home=home, port=port, service=read.service.name, settings=rest)


main.add_command(completion_command("appliance"))
