"""Commands about usage: `usage report` and `usage verify`. Read-only; the service may run meanwhile."""

import json
import re
from pathlib import Path

import click

from appliance.refusals import Family
from appliance.usage.audit_text import audit_json, audit_lines
from appliance.usage.records import month_text, usage_by_day, usage_logs
from appliance.usage.table import render_table, report_rows
from license.evidence.verify import verify as verify_logs
from license.roots import installed_roots, load_roots

_MONTH = re.compile(r"([0-9]{4})-([0-9]{1,2})|([0-9]{1,2})/([0-9]{4})")
_DIRECTORY = click.Path(exists=True, file_okay=False, path_type=Path)


class Month(click.ParamType[tuple[int, int]]):
    """A month as `2026-11` or `11/2026`; becomes `(month, year)`."""

    name = "month"

    def convert(
        self, value: str | tuple[int, int], param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, int]:
        """Read the month, or fail as click does."""
        if isinstance(value, tuple):
            return value
        match = _MONTH.fullmatch(value)
        if match is not None:
            year, month = int(match[1] or match[4]), int(match[2] or match[3])
            if 1 <= month <= 12 and 1970 <= year <= 9999:
                return month, year
        return self.fail(f"{value!r} is not a month such as 2026-11", param, ctx)


@click.group(cls=Family)
def usage() -> None:
    """Report what was used, and check that the report can be believed."""


@usage.command(epilog="Example:  appliance usage report /var/lib/appliance/output --month 2026-11")
@click.argument("output", type=_DIRECTORY)
@click.option("--month", type=Month(), help="Only this UTC month, such as 2026-11.")
@click.option("--json", "as_json", is_flag=True, help="Print the JSON of /records/usage-logs.")
def report(output: Path, month: tuple[int, int] | None, as_json: bool) -> None:
    """Add up the usage of every ledger under OUTPUT, by month and meter."""
    if as_json:
        number, year = month or (None, None)
        click.echo(json.dumps(usage_logs(output, number, year), indent=2))
        return
    wanted = None if month is None else month_text(*month)
    click.echo(render_table(report_rows(usage_by_day(output), month=wanted)))


@usage.command(epilog="Example:  appliance usage verify /var/lib/appliance/output --roots ./roots")
@click.argument("directory", type=_DIRECTORY)
@click.option("--roots", type=_DIRECTORY, help="Trust the root keys here instead of the installed ones.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def verify(ctx: click.Context, directory: Path, roots: Path | None, as_json: bool) -> None:
    """Check every ledger under DIRECTORY from its bytes and the root keys alone.

    Exit status: 0 clean, 1 findings to be explained, 2 broken.
    """
    found = verify_logs(directory, load_roots(roots) if roots is not None else installed_roots())
    if as_json:
        click.echo(json.dumps(audit_json(found), indent=2))
    else:
        click.echo("\n".join(audit_lines(found)))
    ctx.exit(found.exit_code)
