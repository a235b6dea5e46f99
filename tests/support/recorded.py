"""What a site has recorded, from its ledger's bytes, and what the vendor counts once it was carried there."""

import contextlib
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, field

from license.authority.ingest import Ingested, ingest_bundle
from license.evidence.bundle.receipt import open_receipt
from license.evidence.log.entry import UsedFields, parse, parse_use
from license.evidence.log.source import open_database
from license.trust.delegations import DelegationSet
from tests.support.forked_process import run_forked
from tests.support.site import Site, clean_environ


@dataclass
class Asked:
    """What callers know of their requests, by what each of them used.

    Attributes:
        answered: Units by receipt, of the replies that were fully received.
        cut: How many requests of so many units were cut.
    """

    answered: dict[str, int] = field(default_factory=dict)
    cut: Counter[int] = field(default_factory=Counter)


def uses(site: Site) -> dict[str, UsedFields]:
    """Every use entry of every log, those set aside too, by what its receipt says."""
    found: dict[str, UsedFields] = {}
    for path in [path for name in ("ledger", "damaged") for path in site.output.rglob(f"{name}-*.db")]:
        with contextlib.closing(open_database(path)) as connection:
            texts = [str(text) for (text,) in connection.execute("SELECT text FROM entry ORDER BY n")]
        origin = parse(texts[0]).text("o")
        found |= {f"{origin}/{used.n}": used for text in texts if (used := parse_use(text))}
    return found


def carry_out(site: Site, *, prefix: tuple[str, ...] = ()) -> Ingested:
    """Export the usage of a site as its operator does, and have the vendor take it in.

    Raises:
        AuthorityError: The vendor refuses it whole.
    """
    path = site.home / f"usage-{len(list(site.home.glob('usage-*.zip')))}.zip"
    words = ("usage", "export", str(site.output), "--state", str(site.state), "--full", "-o", str(path))
    if prefix:
        command = [*prefix, sys.executable, "-m", "appliance", *words]
        subprocess.run(command, check=True, capture_output=True, env=clean_environ())
    else:
        run_forked("appliance", words, environ=clean_environ()).check_returncode()
    return ingest_bundle(site.vendor, path)


def counted_by_vendor(site: Site, taken: Ingested) -> Counter[str]:
    """Billed units by meter, as the vendor's receipt for an export says."""
    ring = site.vendor.keyring
    receipt = open_receipt(taken.receipt, DelegationSet([ring.issuer_note], roots=ring.roots))
    units: Counter[str] = Counter()
    for (_, meter), tally in receipt.totals.items():
        assert tally.quantity == tally.billed
        units[meter] += tally.billed
    return units


def check_vendor_counts(site: Site, uses_there: dict[str, UsedFields]) -> None:
    """Carry the usage out and check that the vendor counts exactly these uses, and finds nothing wrong."""
    taken = carry_out(site)
    assert [finding for finding in taken.report.findings if finding.severity] == []
    expected: Counter[str] = Counter()
    for use in uses_there.values():
        expected[use.meter] += use.billed
    assert counted_by_vendor(site, taken) == expected
