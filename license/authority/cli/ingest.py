"""`license ingest`: what comes back from the isolated servers."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from license.authority.cli.common import example, home_option, json_option, open_authority, print_json

if TYPE_CHECKING:
    from license.authority.billing.reconcile import Account
    from license.authority.ingest import Ingested


@click.command(epilog=example("license ingest usage-2026-11.zip --out receipt"))
@click.argument("bundle", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help="Directory for the receipt and what proves it.")
@click.option("--html", type=click.Path(dir_okay=False, path_type=Path), help="Also write a page to print.")
@click.option("--dry-run", is_flag=True, help="Look only: cosign nothing, remember nothing.")
@home_option
@json_option
@click.pass_context
def ingest(
    ctx: click.Context,
    bundle: Path,
    out: Path | None,
    html: Path | None,
    dry_run: bool,
    home: Path,
    as_json: bool,
) -> None:
    """Take in a usage export and cosign its logs.

    It is verified, compared with earlier ones and settled with the plan.

    An export older than one that was accepted is refused. Exit status: 0 clean, 1 findings to be explained,
    or the export is refused, 2 broken, 65 no export or a damaged archive.
    """
    from license.authority.ingest import ingest_bundle
    from license.evidence.render.html import render_page

    if out is None and not dry_run:
        raise click.UsageError("name a directory for the receipt with --out DIR, or look with --dry-run")
    with open_authority(home) as authority:
        ingested = ingest_bundle(authority, bundle, keep=not dry_run)
        if out is not None and ingested.receipt:
            _save(out, ingested, authority.keyring.issuer_note, authority.keyring.witness_note)
        if html is not None:
            roots = authority.keyring.roots
            page = render_page(
                ingested.report, subject=bundle.name, sha256="", roots=roots, checked_at=int(time.time())
            )
            html.write_text(page, encoding="utf-8")
    if as_json:
        print_json(_as_json(ingested))
    else:
        _print(ingested)
    ctx.exit(ingested.report.exit_code)


def _save(out: Path, ingested: Ingested, issuer_note: bytes, witness_note: bytes) -> None:
    from license.files import write_atomic

    out.mkdir(parents=True, exist_ok=True)
    files = {"receipt.note": ingested.receipt, "issuer.note": issuer_note, "witness.note": witness_note}
    for origin, note in ingested.checkpoints.items():
        files["-".join(origin.split("/")[2:]) + ".checkpoint"] = note
    for name, data in files.items():
        write_atomic(out / name, data, mode=0o644)
        click.echo(f"wrote {out / name}", err=True)


def _print(ingested: Ingested) -> None:
    from license.evidence.render.text import audit_lines

    for line in audit_lines(ingested.report):
        click.echo(line)
    click.echo(
        f"\nplan      {ingested.resource.name} ({ingested.resource.customer}), {ingested.resource.plan.tier}"
    )
    for account in ingested.accounts:
        click.echo(f"          {_line(account)}")
    click.echo(f"\n{len(ingested.accepted)} log(s) cosigned")


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
