"""The way of an export by the commands that people type: out, verified, taken in, and the receipt back."""

import csv
import io
import json
import re
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from appliance.cli.usage import usage
from appliance.ledger.transfer.export import JOURNAL_FILE
from license.authority.cli.main import main as license_main
from license.evidence.bundle.focus import COLUMNS
from tests.support.customer import Customer, used_since
from tests.support.evidence import run_days
from tests.support.ledger import DAY, NOON, Vendor

DOOR = "import sys; from license.evidence.tool.command import main; sys.exit(main())"


@pytest.fixture
def customer(tmp_path: Path, vendor: Vendor) -> Iterator[Customer]:
    """The commands of the vendor read the real clock: these two days are the last ones."""
    with used_since(int(time.time()) - 2 * DAY, tmp_path, vendor) as made:
        yield made


@pytest.fixture
def september(tmp_path: Path, vendor: Vendor) -> Iterator[Customer]:
    with used_since(NOON, tmp_path, vendor) as made:
        yield made


def run(*words: object) -> Result:
    return CliRunner().invoke(usage, [str(word) for word in words])


def ingest(customer: Customer, file: Path, *words: str) -> Result:
    out, home = str(customer.place / "receipt"), str(customer.authority.home)
    return CliRunner().invoke(license_main, ["ingest", str(file), "--out", out, "--home", home, *words])


def export(customer: Customer, *words: str) -> Path:
    out = customer.place / "usage.zip"
    done = run("export", customer.machine.output, "--state", customer.machine.state, "-o", out, *words)
    assert done.exit_code == 0, done.output
    return out


@pytest.mark.parametrize("form", ["--summary", "--full"])
def test_an_export_goes_out_is_verified_taken_in_and_receipted(customer: Customer, form: str) -> None:
    out = export(customer, form, "-m", "change 4711")
    roots = customer.authority.roots_dir
    page = customer.place / "report.html"
    verified = run("verify", out, "--roots", roots, "--html", page)
    assert (verified.exit_code, verified.output.split(":")[0]) == (0, "clean"), verified.output
    assert "Acme Ltd" in page.read_text()
    taken = ingest(customer, out)
    assert (taken.exit_code, "40 of 1,000 units (4 %)" in taken.output) == (0, True), taken.output
    asked = customer.place / "receipt" / "openings.note"
    assert asked.exists() == (form == "--summary")
    if form == "--summary":
        # What the vendor's command says is to be typed is typed.
        assert not (customer.place / "receipt" / "receipt.note").exists()
        (there,) = re.findall(r"^there +appliance usage (.*)$", taken.output, flags=re.MULTILINE)
        places = {"OUTPUT": customer.machine.output, "STATE": customer.machine.state, "openings.note": asked}
        opened = customer.place / "opened.zip"
        words = [places.get(word, word) for word in there.replace("opened.zip", str(opened)).split()]
        shown = run(*words, "--roots", roots)
        assert shown.exit_code == 0, shown.output
        assert "20 of 20 entries that the vendor asks for are shown" in shown.output
        assert run("verify", opened, "--roots", roots).exit_code == 0
        taken = ingest(customer, opened)
        assert (taken.exit_code, asked.exists()) == (0, False), taken.output
    assert "1 log(s) cosigned" in taken.output
    names = {path.suffix for path in (customer.place / "receipt").iterdir()}
    assert names == {".note", ".checkpoint"}
    kept = run("receipt", customer.machine.output, customer.place / "receipt", "--roots", roots, "--json")
    assert kept.exit_code == 0, kept.output
    facts = json.loads(kept.stdout)
    assert facts["kept"] == [str(customer.machine.directory)]
    (log,) = facts["logs"]
    assert log["entries"] > 20  # two days of ten, and what signs them
    pruned = run("prune", customer.machine.output, "--roots", roots, "--dry-run")
    assert "no receipt covers a closed month" in pruned.output
    pruned = run("prune", customer.machine.output, "--roots", roots, "--json")
    (left,) = json.loads(pruned.stdout)
    assert (left["log"], left["entries"], left["removed"]) == (log["log"], 0, False)
    assert left["reason"] == "no receipt covers a closed month"


def test_an_export_says_how_many_entries_are_too_new_to_be_in_it(customer: Customer) -> None:
    words = ("--state", customer.machine.state, "-o", customer.place / "usage.zip")
    assert "not signed yet" not in run("export", customer.machine.output, *words).stderr
    with closing(sqlite3.connect(next(customer.machine.directory.glob("ledger-*.db")))) as connection:
        (before,) = connection.execute("SELECT count(*) FROM checkpoint").fetchone()
        connection.execute("DELETE FROM checkpoint WHERE id = (SELECT max(id) FROM checkpoint)")
        connection.commit()
    assert before > 1
    (customer.machine.directory / "checkpoint").unlink()
    said = run("export", customer.machine.output, *words)
    assert re.match(r"[1-9]\d* newer entries are not in it, since they are not signed yet", said.stderr)
    told = json.loads(run("export", customer.machine.output, *words, "--json").stdout)
    assert f"{told['unsigned']} newer" in said.stderr


def test_the_operators_note_stays_at_home(customer: Customer) -> None:
    out = export(customer, "-m", "change 4711, by Jane")
    journal = json.loads((customer.machine.directory / JOURNAL_FILE).read_text())
    assert journal["note"] == "change 4711, by Jane"
    assert b"Jane" not in out.read_bytes()
    shown = run("export", customer.machine.output, "--state", customer.machine.state, "--dry-run")
    assert "Jane" not in shown.output


def test_a_dry_run_prints_all_that_would_leave_and_writes_nothing(customer: Customer) -> None:
    shown = run("export", customer.machine.output, "--state", customer.machine.state, "--dry-run", "--full")
    assert shown.exit_code == 0
    for word in ("==> bundle.note", "==> focus.csv", "entries.jsonl.gz", '"k":"use"', "Acme Ltd"):
        assert word in shown.output
    assert not (customer.machine.directory / JOURNAL_FILE).exists()
    assert not list(customer.place.rglob("*.zip"))


def test_an_export_without_a_place_is_wrong_usage(customer: Customer) -> None:
    assert run("export", customer.machine.output, "--state", customer.machine.state).exit_code == 2


def test_a_failed_export_leaves_no_file(customer: Customer, tmp_path: Path) -> None:
    out = tmp_path / "empty" / "usage.zip"
    out.parent.mkdir()
    (tmp_path / "nothing").mkdir()
    done = run("export", tmp_path / "nothing", "--state", customer.machine.state, "-o", out)
    assert done.exit_code != 0
    assert list(out.parent.iterdir()) == []


def test_what_keeps_an_export_from_a_verdict_has_a_status_that_no_verdict_has(customer: Customer) -> None:
    old = export(customer, "--full").rename(customer.place / "old.zip")
    customer.machine.pass_time(DAY)
    run_days(customer.machine, 1, first=5)
    assert ingest(customer, export(customer, "--full"), "--json").exit_code == 0
    refused = ingest(customer, old)
    assert (refused.exit_code, "is an older export" in refused.output) == (77, True), refused.output
    (customer.place / "x.zip").write_bytes(b"x")
    assert ingest(customer, customer.place / "x.zip").exit_code == 65
    assert ingest(customer, old, "--stretches", "0").exit_code == 64
    assert ingest(customer, customer.place / "nothing.zip").exit_code == 64
    home = ["--home", str(customer.authority.home)]
    assert CliRunner().invoke(license_main, ["ingest", str(old), *home]).exit_code == 64
    elsewhere = ["ingest", str(old), "--dry-run", "--home", str(customer.place / "elsewhere")]
    assert CliRunner().invoke(license_main, elsewhere).exit_code == 77
    # Elsewhere nothing is a verdict: 1 is a refusal, 2 wrong usage.
    assert CliRunner().invoke(license_main, ["usage", "nobody", *home]).exit_code == 1
    assert CliRunner().invoke(license_main, ["usage"]).exit_code == 2


def test_an_export_to_where_nothing_can_be_written_is_refused_in_a_sentence(
    customer: Customer, tmp_path: Path
) -> None:
    for place in (tmp_path / "nowhere" / "usage.zip", Path("/proc/usage.zip")):
        done = run("export", customer.machine.output, "--state", customer.machine.state, "-o", place)
        assert (done.exit_code, str(place.parent) in done.stderr) == (2, True), done.exception
        assert done.stderr.startswith("error: invalid value for '-o' / '--out': ")


def test_what_keeps_the_auditors_command_from_a_verdict_has_a_status_that_no_verdict_has(
    customer: Customer, tmp_path: Path
) -> None:
    roots, file = customer.authority.roots_dir, export(customer, "--full")
    assert ingest(customer, file, "--out", str(tmp_path / "receipt")).exit_code == 0
    known = ("verify", file, "--roots", roots)
    for words in (
        ("verify", tmp_path / "none.zip", "--roots", roots),
        ("verify", file, "--roots", tmp_path / "none"),
        (*known, "--unknown"),
        (*known, "--heads", tmp_path / "none"),
        (*known, "--heads", tmp_path / "receipt" / "receipt.note"),  # signed, but no head
        (*known, "--heads", __file__),
        (*known, "--html", "/proc/page.html"),
        (*known, "--notes", tmp_path / "none"),
    ):
        done = run(*words)
        assert (done.exit_code, "rror: " in done.stderr) == (64, True), (words, done.exit_code, done.stderr)
        door = subprocess.run(
            [sys.executable, "-c", DOOR, *map(str, words[1:])],
            capture_output=True,
            timeout=60,
            check=False,
        )
        assert (door.returncode, b"error: " in door.stderr) == (64, True), (words, door.stderr)
    assert run(*known).exit_code == 0


def test_findings_and_what_is_broken_have_the_statuses_of_the_auditor(customer: Customer) -> None:
    customer.machine.sql("UPDATE entry SET text = replace(text, '\"q\":2', '\"q\":3')")
    assert ingest(customer, export(customer)).exit_code == 2


def test_a_summary_whose_openings_are_owed_is_a_finding(customer: Customer) -> None:
    out = export(customer)
    assert ingest(customer, out).exit_code == 0
    again = ingest(customer, out)
    assert (again.exit_code, "unopened" in again.output) == (1, True), again.output


def test_openings_and_full_are_not_given_together(customer: Customer) -> None:
    note = customer.place / "openings.note"
    note.write_bytes(b"x")
    words = [
        "export",
        customer.machine.output,
        "--state",
        customer.machine.state,
        "--dry-run",
        "--open",
        note,
    ]
    assert run(*words, "--full").exit_code == 2
    refused = run(*words, "--roots", customer.authority.roots_dir)
    assert "error: the file is not a signed note" in refused.output


def test_what_is_no_export_has_a_status_of_its_own(customer: Customer, tmp_path: Path) -> None:
    (tmp_path / "x.zip").write_bytes(b"x")
    done = run("verify", tmp_path / "x.zip", "--roots", customer.authority.roots_dir)
    assert done.exit_code == 65


def test_a_report_for_a_range_has_the_columns_of_focus(september: Customer) -> None:
    done = run("report", september.machine.output, "--from", "2026-09-22", "--to", "2026-09-22", "--csv")
    (row,) = csv.DictReader(io.StringIO(done.output))
    assert tuple(row) == COLUMNS
    assert (row["ConsumedQuantity"], row["PricingQuantity"], row["x_Requests"]) == ("20", "20", "10")
    assert (row["ChargePeriodStart"], row["ChargePeriodEnd"]) == (
        "2026-09-22T00:00:00Z",
        "2026-09-23T00:00:00Z",
    )
    assert (row["BillingPeriodStart"], row["BillingPeriodEnd"]) == (
        "2026-09-01T00:00:00Z",
        "2026-10-01T00:00:00Z",
    )
    whole = run("report", september.machine.output, "--month", "2026-09", "--json")
    assert json.loads(whole.output)["meters"][0]["quantity"] == 40
    nothing = run("report", september.machine.output, "--to", "2026-09-01", "--csv")
    assert list(csv.DictReader(io.StringIO(nothing.output))) == []
    both = run("report", september.machine.output, "--month", "2026-09", "--from", "2026-09-01")
    assert both.exit_code == 2
    assert run("report", september.machine.output, "--from", "yesterday").exit_code == 2


@pytest.mark.parametrize("command", ["report", "export", "verify", "receipt", "prune"])
def test_every_help_ends_with_an_example(command: str) -> None:
    shown = run(command, "--help")
    assert shown.output.strip().splitlines()[-1].strip().startswith(f"Example:  appliance usage {command}")
