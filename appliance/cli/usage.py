"""Commands about usage: report, export, verify, keep a receipt, prune. All but the last while it runs."""

import contextlib
import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from appliance.cli.errors import ErrorHandlingGroup, VerdictCommand
from appliance.cli.options import json_option, print_json
from appliance.cli.usage_mounts import find_mounts
from appliance.cli.usage_table import between, render_report
from appliance.config.products import CUSTOM_NER
from appliance.host.container import reload_command
from appliance.ledger.read.reports import month_text, usage_by_day, usage_response
from appliance.ledger.read.usage_rows import metered
from appliance.version import VERSION
from license.console.outputs import OutputFile
from license.console.progress import waiting
from license.encoding.strict import format_time, parse_date
from license.errors import LicenseError
from license.evidence.bundle.focus import focus_csv
from license.evidence.render.text import audit_json, audit_lines
from license.evidence.tool.command import roots_of, run_verify

if TYPE_CHECKING:
    from appliance.ledger.transfer.retention import Pruning

_MONTH = re.compile(r"([0-9]{4})-([0-9]{1,2})|([0-9]{1,2})/([0-9]{4})")
_DIRECTORY = click.Path(exists=True, file_okay=False, path_type=Path)
_PATH = click.Path(exists=True, path_type=Path)
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


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


class Day(click.ParamType[int]):
    """A UTC day as `2026-11-30`; becomes the Unix second at which it begins."""

    name = "day"

    def convert(self, value: str | int, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Read the day, or fail as click does."""
        if isinstance(value, int):
            return value
        try:
            return parse_date(value)
        except LicenseError:
            return self.fail(f"{value!r} is not a day such as 2026-11-30", param, ctx)


@click.group(cls=ErrorHandlingGroup)
def usage() -> None:
    """Report, export and verify usage; keep receipts and prune.

    OUTPUT is the output directory of the service. Without it the commands find it as the licence commands do:
    in settings given as Key=Value words, in the environment, or in /etc/appliance/appliance.env.
    """


@usage.command(epilog="Example:  appliance usage report --month 2026-11 --csv")
@click.argument("words", nargs=-1, metavar="[OUTPUT] [Key=Value]...")
@click.option("--month", type=Month(), help="Only this UTC month, such as 2026-11.")
@click.option("--from", "first", type=Day(), help="Only from this UTC day on, such as 2026-11-01.")
@click.option("--to", "last", type=Day(), help="Only up to this UTC day, which is included.")
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Print the JSON of /records/usage-logs; of several services, a list.",
)
@click.option("--csv", "as_csv", is_flag=True, help="Print a row per day, log and meter, in FOCUS columns.")
def report(
    words: tuple[str, ...],
    month: tuple[int, int] | None,
    first: int | None,
    last: int | None,
    as_json: bool,
    as_csv: bool,
) -> None:
    """Add up the usage of every ledger under OUTPUT, by service, month and meter."""
    if month is not None and (first is not None or last is not None):
        raise click.UsageError("give a month, or a range with --from and --to, not both")
    if as_json and as_csv:
        raise click.UsageError("give --json or --csv, not both")
    everything = list(usage_by_day(find_mounts(words).output))
    # Of all time, so that what a script reads keeps its shape in a month in which one service rested.
    services = sorted({day.service for day in everything}) or [CUSTOM_NER.name]
    days = list(between(everything, month=month, first=first, last=last))
    if as_json:
        reports = [usage_response(days, service) for service in services]
        print_json(reports if len(reports) > 1 else reports[0])
    elif as_csv:
        click.echo(focus_csv(metered(days)), nl=False)
    else:
        click.echo(render_report(days, services))


@usage.command(epilog="Example:  appliance usage export -o usage.zip")
@click.argument("words", nargs=-1, metavar="[OUTPUT] [Key=Value]...")
@click.option(
    "--state", type=_DIRECTORY, help="The service's state directory; default: what Mounts:State names."
)
@click.option("-o", "--out", type=OutputFile(), help="Where the file goes.")
@click.option("--summary/--full", default=True, help="Sums of each day, or every entry; default: --summary.")
@click.option("--open", "note", type=_FILE, help="Show what the vendor's openings.note asks to see.")
@click.option(
    "--roots", metavar="DIR|VKEY", help="Roots to check that note with; default: the installed ones."
)
@click.option("--dry-run", is_flag=True, help="Write nothing; print everything that would leave.")
@click.option("-m", "--message", metavar="NOTE", help="Why; kept in the local journal, never in the file.")
@json_option
def export(  # noqa: PLR0913, PLR0917 (one parameter for each option)
    words: tuple[str, ...],
    state: Path | None,
    out: Path | None,
    summary: bool,
    note: Path | None,
    roots: str | None,
    dry_run: bool,
    message: str | None,
    as_json: bool,
) -> None:
    """Write the usage of this installation into one signed file for the vendor and for auditors.

    It holds counts, times and identifiers, licences and signatures; --dry-run shows all of it. With --open it
    answers the vendor's question: the summary that was asked about, and in clear the entries asked for.
    """
    from appliance.ledger.transfer.export_file import export_usage, print_members
    from appliance.ledger.transfer.openings import load_openings

    if out is None and not dry_run:
        raise click.UsageError("name the file with -o FILE, or look first with --dry-run")
    if as_json and dry_run:
        raise click.UsageError("a dry run prints the files of the export: give --json or --dry-run, not both")
    if note is not None and not summary:
        raise click.UsageError("a full export shows everything: give --open or --full, not both")
    mounts = find_mounts(words)
    openings = None if note is None else lambda ledger: load_openings(ledger, note, roots_of(roots))
    making = export_usage(
        mounts.output,
        state or mounts.state,
        out=None if dry_run else out,
        full=not summary,
        note=message,
        openings=openings,
    )
    with contextlib.ExitStack() as stack:
        with waiting("writing the export"):
            made = stack.enter_context(making)
        if dry_run:
            print_members(made.path, click.echo)
        elif as_json:
            facts = {"file": str(made.path), "bytes": made.size, "sha256": made.sha256}
            print_json({**facts, "opened": made.opened, "missing": made.missing, "unsigned": made.unsigned})
        else:
            click.echo(f"{made.path}  {made.size:,} bytes  SHA-256 {made.sha256}")
        if note is not None:
            click.echo(_opened(made.opened, made.missing), err=True)
        if made.unsigned:
            click.echo(
                f"{made.unsigned:,} newer entries are not in it, since they are not signed yet: the service"
                f" signs each minute, and at once with {reload_command()}; then export again",
                err=True,
            )


def _opened(entries: int, missing: int) -> str:
    shown = f"{entries - missing:,} of {entries:,} entries that the vendor asks for are shown"
    if not missing:
        return f"{shown}; send the file to the vendor"
    return f"{shown}; {missing:,} were pruned or lost, and a receipt in the file must cover them"


@usage.command(
    cls=VerdictCommand, epilog="Example:  appliance usage verify usage.zip --roots ./roots --html report.html"
)
@click.argument("words", nargs=-1, metavar="[PATH] [Key=Value]...")
@click.option("--roots", metavar="DIR|VKEY", help="Trust these root keys instead of the installed ones.")
@click.option("--heads", type=_PATH, multiple=True, help="Signed heads kept elsewhere; repeatable.")
@click.option("--notes", type=_DIRECTORY, help="Licences that the export had to leave out.")
@click.option("--html", type=OutputFile(), help="Also write a page to print.")
@json_option
@click.pass_context
def verify(
    ctx: click.Context,
    words: tuple[str, ...],
    roots: str | None,
    heads: tuple[Path, ...],
    notes: Path | None,
    html: Path | None,
    as_json: bool,
) -> None:
    """Check an export, or every ledger under a directory, from its bytes and the root keys alone.

    PATH is the export or the directory; without it, the output directory of the service is checked.

    Exit status: 0 clean, 1 findings to be explained, 2 broken; 64 wrong usage, 65 not an export or a
    damaged archive.
    """
    path = Path(words[0]) if len(words) == 1 and Path(words[0]).is_file() else find_mounts(words).output
    with waiting(f"checking {path}"):
        audit = run_verify(
            path, roots_of(roots), heads=heads, notes=notes, html=html, tool=f"appliance {VERSION}"
        )
    if as_json:
        print_json(audit_json(audit))
    else:
        click.echo("\n".join(audit_lines(audit)))
    ctx.exit(audit.exit_code)


@usage.command(epilog="Example:  appliance usage receipt ./receipt --roots ./roots")
@click.argument("words", nargs=-1, metavar="[OUTPUT] DELIVERY [Key=Value]...")
@click.option("--roots", metavar="DIR|VKEY", help="Trust these root keys instead of the installed ones.")
@json_option
def receipt(words: tuple[str, ...], roots: str | None, as_json: bool) -> None:
    """Keep the vendor's receipt in DELIVERY beside the logs under OUTPUT that it is about.

    The next export then proves growth from there, and closed months under it can be pruned.
    """
    from appliance.ledger.transfer.receipts import keep_receipt

    mounts = find_mounts(words, more=1)
    if not mounts.paths[0].is_dir():
        raise click.UsageError(f"{mounts.paths[0]} is not a directory with the vendor's receipt")
    kept, places = keep_receipt(mounts.output, mounts.paths[0], roots_of(roots))
    if as_json:
        logs = [{"log": head.origin, "entries": head.size} for head in kept.logs]
        print_json(
            {"issued": format_time(kept.issued), "logs": logs, "kept": [str(place) for place in places]}
        )
        return
    for head in kept.logs:
        click.echo(f"{head.origin}  {head.size:,} entries accepted {format_time(kept.issued)}")
    for place in places:
        click.echo(f"kept in {place}", err=True)


@usage.command(epilog="Example:  appliance usage prune --dry-run")
@click.argument("words", nargs=-1, metavar="[OUTPUT] [Key=Value]...")
@click.option("--roots", metavar="DIR|VKEY", help="Trust these root keys instead of the installed ones.")
@click.option("--before", type=Month(), help="Only months before this one, such as 2026-11.")
@click.option("--dry-run", is_flag=True, help="Say what would go, and change nothing.")
@json_option
def prune(
    words: tuple[str, ...], roots: str | None, before: tuple[int, int] | None, dry_run: bool, as_json: bool
) -> None:
    """Remove the usage entries of closed months that a signed receipt covers; stop the service first.

    Sums, hashes, signed heads and every other entry stay, so that the rest can be proved as before.
    """
    from appliance.ledger.transfer.retention import plan_pruning
    from appliance.ledger.transfer.retention import prune as carry_out

    month = None if before is None else month_text(*before)
    plan = plan_pruning(find_mounts(words).output, roots_of(roots), before=month)
    for planned in plan:
        if not planned.reason and not dry_run:
            carry_out(planned)
        if not as_json:
            click.echo(f"{planned.origin}: {_pruned(planned, dry_run)}")
    if as_json:
        print_json(
            [
                {
                    "log": planned.origin,
                    "entries": planned.entries,
                    "through": planned.through,
                    "removed": not (planned.reason or dry_run),
                    "reason": planned.reason,
                }
                for planned in plan
            ]
        )


def _pruned(planned: "Pruning", dry_run: bool) -> str:
    verb = "would be removed" if dry_run else "removed"
    return planned.reason or f"{planned.entries:,} usage entries to {planned.through} {verb}"
