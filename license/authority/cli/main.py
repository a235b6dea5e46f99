"""The vendor's commands, put together. Each is options in, one call, text out; the work is done elsewhere."""

from __future__ import annotations

from typing import Final

import click

from license.authority.cli.common import ErrorHandlingGroup, example
from license.console.completion import completion_command
from license.console.group import Lazy

_COMMANDS: Final = {
    "ingest": Lazy("license.authority.cli.ingest", "ingest", "Take in a usage export and cosign its logs."),
    "init": Lazy("license.authority.cli.keys", "init", "Make a new authority: its keys and an empty book."),
    "inspect": Lazy("license.authority.cli.inspect", "inspect", "Show what FILE says, without verifying it."),
    "issue": Lazy("license.authority.cli.issue", "issue", "Issue a licence for a request note."),
    "pack": Lazy(
        "license.authority.cli.pack",
        "pack",
        "Encrypt a model folder as a release of a model line.",
    ),
    "prices": Lazy(
        "license.authority.cli.usage",
        "prices",
        "Show the price list: what a unit costs in each tier.",
    ),
    "request": Lazy("license.authority.cli.issue", "request", "Make a licence request by hand."),
    "resource": Lazy(
        "license.authority.cli.resource",
        "resource",
        "Customers' resources: what they bought, and their keys.",
    ),
    "rotate": Lazy(
        "license.authority.cli.keys",
        "rotate",
        "Put the next issuer or witness in force, in the name of a root.",
    ),
    "serve": Lazy(
        "license.authority.cli.serve",
        "serve",
        "Hand out licences and models over HTTP until told to stop.",
    ),
    "usage": Lazy("license.authority.cli.usage", "usage", "Show what RESOURCE used, and what it costs."),
    "verify": Lazy(
        "license.authority.cli.inspect",
        "verify",
        "Verify a licence; exit 1 unless it serves now.",
    ),
}


@click.group(
    cls=ErrorHandlingGroup,
    lazy=_COMMANDS,
    context_settings={"max_content_width": 100},
    epilog=example("license init --help"),
)
@click.version_option(package_name="offline-appliance", prog_name="license")
def main() -> None:
    """Sell, issue, inspect and verify licences of the offline appliance."""


main.add_command(completion_command("license"))


if __name__ == "__main__":
    main(prog_name="license")
