"""`license ingest`: what comes back from the isolated servers."""

from __future__ import annotations

import time
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from license.authority.cli.common import (
    VerdictCommand,
    example,
    home_option,
    json_option,
    open_authority,
    print_json,
)
from license.console.outputs import OutputFile, OutputFolder
from license.console.progress import waiting
from license.files import quoted

if TYPE_CHECKING:
    from license.authority.billing.reconcile import Account
    from license.authority.ingest import Ingested
    from license.authority.openings import Demand


@click.command(cls=VerdictCommand, epilog=example("license ingest usage-2026-11.zip --out receipt"))
@click.argument("bundle", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--out", type=OutputFolder(), help="Directory for the receipt and what proves it.")
@click.option("--html", type=OutputFile(), help="Also write a page to print.")
@click.option(
    "--stretches",
    type=click.IntRange(1, 120),
    default=60,
    show_default=True,
    help="How many stretches of a summary to ask to see before there is a receipt.",
)
@click.option("--dry-run", is_flag=True, help="Look only: cosign nothing, remember nothing.")
@home_option
@json_option
@click.pass_context
def ingest(
    ctx: click.Context,
    bundle: Path,
    out: Path | None,
    html: Path | None,
    stretches: int,
    dry_run: bool,
    home: Path,
    as_json: bool,
) -> None:
    """Take in a usage export and cosign its logs.

    It is verified, compared with earlier ones and settled with the plan.

    A summary gets no receipt at once, but openings.note: entries to be shown, drawn at random. The answer is
    taken in by the same command. A full export needs none.

    Exit status: 0 clean, 1 findings to be explained, 2 broken; 64 wrong usage, 65 not an export or a
    damaged archive, 77 refused, such as an export older than one that was accepted.
    """
    from license.authority.ingest import ingest_bundle
    from license.evidence.render.html import render_page
    from license.files import write_atomic

    if out is None and not dry_run:
        raise click.UsageError("name a directory for the receipt with --out DIR, or look with --dry-run")
    with open_authority(home) as authority:
        with waiting(f"checking {bundle.name}"):
            ingested = ingest_bundle(authority, bundle, keep=not dry_run, stretches=stretches)
        if out is not None and (ingested.receipt or ingested.openings):
            _save(out, ingested, authority.keyring.issuer_note, authority.keyring.witness_note)
        if html is not None:
            roots = authority.keyring.roots
            page = render_page(
                ingested.report,
                subject=bundle.name,
                sha256="",
                roots=roots,
                checked_at=int(time.time()),
                tool=f"license ingest {version('offline-appliance')}",
            )
            write_atomic(html, page.encode("utf-8"), mode=0o644)
    if as_json:
        print_json(_as_json(ingested))
    else:
        _print(ingested, out)
    ctx.exit(ingested.report.exit_code)


def _save(out: Path, ingested: Ingested, issuer_note: bytes, witness_note: bytes) -> None:
    from license.files import write_atomic

    out.mkdir(parents=True, exist_ok=True)
    if ingested.openings:
        files = {"openings.note": ingested.openings, "issuer.note": issuer_note}
    else:
        files = {"receipt.note": ingested.receipt, "issuer.note": issuer_note, "witness.note": witness_note}
        (out / "openings.note").unlink(missing_ok=True)  # they are answered
    for origin, note in ingested.checkpoints.items():
        files["-".join(origin.split("/")[2:]) + ".checkpoint"] = note
    for name, data in files.items():
        write_atomic(out / name, data, mode=0o644)
        click.echo(f"wrote {out / name}", err=True)


def _print(ingested: Ingested, out: Path | None) -> None:
    from license.evidence.render.text import audit_lines

    for line in audit_lines(ingested.report):
        click.echo(line)
    click.echo(
        f"\nplan      {ingested.resource.name} ({ingested.resource.customer}), {ingested.resource.plan.tier}"
    )
    for account in ingested.accounts:
        click.echo(f"          {_line(account)}")
    if ingested.demand is None:
        click.echo(f"\n{len(ingested.accepted)} log(s) cosigned")
    else:
        click.echo("\n" + _next_step(ingested.demand, out if ingested.openings else None))


def _next_step(demand: Demand, out: Path | None) -> str:
    asked = sum(len(log.stretches) for log in demand.openings.logs)
    lines = [
        "nothing is accepted yet: this is a summary, and entries of it are to be shown first",
        f"asked     {asked:,} of {demand.stretches:,} stretches, "
        f"{demand.entries:,} of {demand.hidden:,} entries",
    ]
    if out is not None:
        lines += [
            f"send      {out / 'openings.note'} and {out / 'issuer.note'}",
            "there     appliance usage export OUTPUT --state STATE --open openings.note -o opened.zip",
            f"then      license ingest opened.zip --out {quoted(out)}",
            "or        ask for a full export instead (--full): it needs no openings",
        ]
    return "\n".join(lines)


def _line(account: Account) -> str:
    billed = f"{account.used.billed:,}"
    if account.included is None:
        return f"{account.period}  {account.meter}  {billed} units, not limited"
    over = f", {account.over:,} over" if account.over else ""
    share = "" if account.percent is None else f" ({account.percent} %)"
    return f"{account.period}  {account.meter}  {billed} of {account.included:,} units{share}{over}"


def _as_json(ingested: Ingested) -> dict[str, Any]:
    from license.evidence.render.text import audit_json

    return {
        **audit_json(ingested.report),
        "resource": ingested.resource.name,
        "asked": None if ingested.demand is None else ingested.demand.openings.to_claims(),
        "cosigned": [head.to_claims() for head in ingested.accepted],
        "plan": [
            {
                "period": account.period,
                "meter": account.meter,
                **account.used._asdict(),
                "included": account.included,
                "over": account.over,
            }
            for account in ingested.accounts
        ],
    }
