"""Ledgers of a few days, made by the service's own writer, and the exports of them."""

import asyncio
import io
import json
import shutil
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from appliance.ledger.ledger import Ledger, UsageRecord
from appliance.ledger.transfer.export import write_bundle
from license.crypto.ed25519 import SigningKey
from license.evidence.bundle.archive import NOTE
from license.evidence.bundle.openings import Openings
from license.evidence.log.merkle import Subtree, fold
from license.evidence.verify.result import Finding, Report
from license.evidence.verify.verify import verify
from license.trust.signed_note import read_unverified, sign_note
from tests.support.ledger import DAY, Machine, Vendor

METER = "CognitiveServices.Ner.Container.TextRecords"


def subtrees_of(leaves: Sequence[bytes]) -> Subtree:
    """Return a `Subtree` over leaf hashes held in memory."""

    def subtree(height: int, index: int) -> bytes:
        return fold(leaves[index << height : (index + 1) << height])

    return subtree


def record(ledger: Ledger, *numbers: int) -> None:
    async def each() -> None:
        for number in numbers:
            await ledger.commit([UsageRecord(meter=METER, quantity=2, billed=2, request_id=f"r{number}")])

    asyncio.run(each())


def run_days(machine: Machine, days: int, *, first: int = 0, each: int = 10) -> None:
    """Let the service run on some days, an orderly stop at the end of each."""
    for day in range(first, first + days):
        ledger = machine.open()
        record(ledger, *range(each * day, each * day + each))
        ledger.close()
        machine.pass_time(DAY)


def export(machine: Machine, path: Path, *, full: bool = False, openings: Openings | None = None) -> Path:
    with path.open("wb") as file:
        write_bundle(machine.directory, file, identity=machine.identity, full=full, openings=openings)
    return path


def codes(report: Report, severity: int = 1) -> set[str]:
    return {finding.code for finding in report.findings if finding.severity >= severity}


def broken(report: Report) -> list[Finding]:
    return [finding for finding in report.findings if finding.severity == 2]


def members(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def rewrite(path: Path, changed: Mapping[str, bytes | None], *, key: SigningKey | None = None) -> Path:
    """Change members of an export; with a key, sign a note that fits again, as its owner could."""
    files = members(path) | {name: data for name, data in changed.items() if data is not None}
    for name, data in changed.items():
        if data is None:
            files.pop(name)
    if key is not None:
        files[NOTE] = resign(files, key)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def resign(files: Mapping[str, bytes], key: SigningKey) -> bytes:
    import hashlib

    first, _, body = read_unverified(files[NOTE]).partition("\n")
    claims = json.loads(body)
    claims["members"] = {
        name: {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        for name, data in files.items()
        if name != NOTE
    }
    return sign_note(f"{first}\n{json.dumps(claims, indent=2)}\n", key)


@pytest.fixture(scope="session")
def vendor(tmp_path_factory: pytest.TempPathFactory) -> Vendor:
    return Vendor(tmp_path_factory.mktemp("roots"))


@pytest.fixture
def machine(tmp_path: Path, vendor: Vendor) -> Machine:
    return Machine(tmp_path / "machine", vendor)


@pytest.fixture(scope="session")
def three_days(tmp_path_factory: pytest.TempPathFactory, vendor: Vendor) -> Machine:
    """A ledger of three days, in order, stopped; not to be touched."""
    machine = Machine(tmp_path_factory.mktemp("three-days"), vendor)
    run_days(machine, 3)
    assert verify(machine.output, vendor.roots).exit_code == 0
    return machine


@pytest.fixture
def closed(tmp_path: Path, three_days: Machine) -> Machine:
    """A copy of the three days, to be tampered with."""
    shutil.copytree(three_days.home, tmp_path / "machine")
    return replace(three_days, home=tmp_path / "machine")


@pytest.fixture
def packed(tmp_path: Path, closed: Machine) -> Callable[..., Path]:
    """Export the copy as it stands."""

    def pack(*, full: bool = False, name: str = "export.zip") -> Path:
        return export(closed, tmp_path / name, full=full)

    return pack


def bytes_of(machine: Machine, *, full: bool) -> bytes:
    target = io.BytesIO()
    write_bundle(machine.directory, target, identity=machine.identity, full=full)
    return target.getvalue()
