"""The vendor's commands, put together. Each is options in, one call, text out; the work is done elsewhere."""

from __future__ import annotations

import click

from license.commands.base import Family, example
from license.commands.ingest import ingest
from license.commands.issue import issue, request
from license.commands.keys import init, rotate
from license.commands.look import inspect, verify
from license.commands.pack import pack
from license.commands.resource import resource
from license.commands.serve import serve
from license.commands.usage import prices, usage


@click.group(cls=Family, context_settings={"max_content_width": 100}, epilog=example("license init --help"))
def main() -> None:
    """Sell, issue, inspect and verify licences of the offline appliance."""


for _command in (init, rotate, resource, pack, request, issue, ingest, serve, usage, prices, inspect, verify):
    main.add_command(_command)


if __name__ == "__main__":
    main()
