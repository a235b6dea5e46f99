"""The vendor's commands, put together. Each is options in, one call, text out; the work is done elsewhere."""

from __future__ import annotations

import click

from license.authority.cli.common import ErrorHandlingGroup, example
from license.authority.cli.ingest import ingest
from license.authority.cli.inspect import inspect, verify
from license.authority.cli.issue import issue, request
from license.authority.cli.keys import init, rotate
from license.authority.cli.pack import pack
from license.authority.cli.resource import resource
from license.authority.cli.serve import serve
from license.authority.cli.usage import prices, usage
from license.console.completion import completion_command


@click.group(
    cls=ErrorHandlingGroup, context_settings={"max_content_width": 100}, epilog=example("license init --help")
)
@click.version_option(package_name="offline-appliance", prog_name="license")
def main() -> None:
    """Sell, issue, inspect and verify licences of the offline appliance."""


for _command in (init, rotate, resource, pack, request, issue, ingest, serve, usage, prices, inspect, verify):
    main.add_command(_command)
main.add_command(completion_command("license"))


if __name__ == "__main__":
    main(prog_name="license")
