"""`license request` and `license issue`: a licence by hand, with two files that can be carried."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from license.authority.cli.common import (
    example,
    home_option,
    json_option,
    max_instances_option,
    open_authority,
    print_license,
    read_file,
    warn,
)
from license.console.outputs import OutputFile, OutputFolder
from license.encoding.strict import format_date
from license.files import quoted, read_limited, write_atomic

if TYPE_CHECKING:
    from license.authority.book.resource import Resource


@click.command(epilog=example("license request --key instance.key --out request.note"))
@click.option(
    "--key",
    type=click.Path(path_type=Path),
    required=True,
    help="The machine's key; made if missing.",
)
@click.option(
    "--out", type=OutputFile(dash=True), required=True, help="Where to write the request; - for output."
)
@click.option("--product", default="ner", show_default=True)
@click.option("--software", default="license request", show_default=True, help="Named in the request.")
def request(key: Path, out: Path, product: str, software: str) -> None:
    """Make a licence request by hand.

    An appliance makes its own; this is for trying things out. Beside the key lies KEY.hpke, for which model
    keys are wrapped.
    """
    from license.authority.book.products import check_product
    from license.crypto.ed25519 import SigningKey, load_signing_key, save_signing_key
    from license.crypto.hpke import HpkeKey
    from license.licenses.request import LicenseRequest, sign_request

    check_product(product)
    if not key.exists():
        save_signing_key(key, SigningKey.generate("offline-appliance/instance"))
    machine = load_signing_key(key)
    wrapping = key.with_name(f"{key.name}.hpke")
    if not wrapping.exists():
        write_atomic(wrapping, HpkeKey.generate().to_bytes())
    license_request = LicenseRequest(
        instance=machine.verifying.vkey,
        product=product,
        software=software,
        created=int(time.time()),
        hpke=HpkeKey.from_bytes(read_limited(wrapping, 64)).public,
    )
    note = sign_request(license_request, machine)
    if str(out) == "-":
        click.echo(note, nl=False)
        return
    write_atomic(out, note, mode=0o644)
    click.echo(f"wrote {out}; next: license issue {quoted(out)} --resource NAME", err=True)


@click.command(epilog=example("license issue request.note --resource acme-ner --out delivery"))
@click.argument("request_file", metavar="REQUEST", type=click.Path(path_type=Path, allow_dash=True))
@click.option("--resource", "name", required=True, help="The resource that pays.")
@click.option("--out", type=OutputFolder(), default=Path(), help="Directory for the two notes.")
@click.option(
    "--days",
    type=click.IntRange(1, 36_500),
    help="Days it is good for.  [default: 365, or to the end of the plan's year]",
)
@click.option(
    "--period",
    type=click.Choice(["present", "next"]),
    help="After a renewal. Default: next, if the machine has a licence to the end of the present one.",
)
@click.option("--grace-days", default=30, show_default=True, type=click.IntRange(0, 3_650))
@click.option("--report-days", default=90, show_default=True, type=click.IntRange(1, 36_500))
@click.option(
    "--max-logs",
    default=4,
    show_default=True,
    type=click.IntRange(1, 1_000_000),
    help="Usage logs that may be written under it; more are a finding when an export is taken in.",
)
@click.option("--binding", type=click.Choice(["instance", "any"]), help="Default: as the resource says.")
@click.option(
    "--feature",
    "features",
    multiple=True,
    metavar="NAME",
    help="Allow something that is not allowed otherwise, such as disposable-records.",
)
@click.option(
    "--site",
    type=click.IntRange(1, 100_000),
    metavar="INSTANCES",
    help="A licence for the desk of a site, which divides it among so many replicas at once.",
)
@click.option(
    "--lease-hours",
    "lease_s",
    type=click.IntRange(1, 168),
    default=24,
    show_default=True,
    callback=lambda _ctx, _option, hours: hours * 3_600,
    help="With --site: how long a replica serves without word from its desk.",
)
@max_instances_option("Refuse one machine more than this; beside the resource's own limit.")
@home_option
@json_option
def issue(request_file: Path, name: str, out: Path, home: Path, as_json: bool, **terms: Any) -> None:
    """Issue a licence for a request note.

    Writes license.note and issuer.note, which belong together. A folder that holds the licence of another
    customer or machine is refused.
    """
    from license.authority.book.resource import warnings_of
    from license.authority.issuing.issue import Terms
    from license.licenses.directory import save_license
    from license.licenses.verify import open_license

    with open_authority(home) as authority:
        paying = authority.store.get(name)
        request_note = read_file(request_file)
        _check_folder(out, paying, request_note, terms["binding"] or paying.binding)
        waiting = authority.waiting_until(paying, request_note, terms["binding"])
        issued = authority.issue(paying, request_note, terms=Terms(**terms))
        roots, now = authority.keyring.roots, authority.clock()
    opened = open_license(issued.note, issued.issuer_note, roots=roots)
    out.mkdir(parents=True, exist_ok=True)
    for path in save_license(out, opened):
        click.echo(f"wrote {path}", err=True)
    if opened.license.not_before > now:
        begins = format_date(opened.license.not_before)
        click.echo(
            f"it is for the period from {begins} on; installed before, it waits for that day", err=True
        )
    elif waiting:
        warn(
            [
                f"a licence of the period from {format_date(waiting)} on was issued before, and this one "
                "has a higher serial: issue that one again, with --period next, and deliver both"
            ]
        )
    binding = opened.license.instance.binding
    if terms["max_instances"] is None or binding == "any":
        warn(warnings_of(paying, binding))
    print_license(opened, roots, now, as_json)


def _check_folder(out: Path, paying: Resource, request_note: bytes, binding: str) -> None:
    """Refuse a folder with the licence of another customer or machine, before a serial is given out.

    Raises:
        Unwritable: It holds one, or a file of that name that is no licence.
        LicenseError: The request is none.
    """
    from license.errors import LicenseError, Unwritable
    from license.licenses.directory import LICENSE_FILE
    from license.licenses.license import LICENSE_KIND, License
    from license.licenses.request import open_request
    from license.trust.signed_note import MAX_NOTE_BYTES, read_unverified
    from license.trust.statement import parse_statement

    request = open_request(request_note)
    path = out / LICENSE_FILE
    if not path.exists():
        return
    hint = f"name another folder, such as --out {paying.name}-{request.key.fingerprint}"
    try:
        statement = parse_statement(read_unverified(read_limited(path, MAX_NOTE_BYTES)), LICENSE_KIND)
        there = License.from_claims(statement)
    except LicenseError as error:
        raise Unwritable(f"{path} is no licence, and would be overwritten", hint=hint) from error
    vkeys = (request.instance,) if binding == "instance" else ()
    if there.subscription != paying.subscription:
        raise Unwritable(f"{path} is a licence of {there.customer}, and would be overwritten", hint=hint)
    if there.instance.vkeys != vkeys:
        raise Unwritable(f"{path} is a licence for another machine, and would be overwritten", hint=hint)
