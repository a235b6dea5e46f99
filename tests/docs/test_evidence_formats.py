"""The Evidence part of `docs/formats.md` must be true: its log is read and its checkpoints are opened."""

import re
from pathlib import Path

from license.authority import ingest, openings
from license.crypto.ed25519 import VerifyingKey
from license.evidence.bundle.openings import Openings
from license.evidence.log import source
from license.evidence.log.checkpoint import open_checkpoint
from license.evidence.log.entry import KINDS, parse, render
from license.evidence.log.merkle import Frontier, leaf_hash
from license.evidence.verify import license_periods, rules, site, timeline, tree, verify
from license.trust.signed_note import read_unverified
from license.trust.statement import parse_statement
from tests.support.paths import ROOT

TEXT = (ROOT / "docs" / "formats.md").read_text(encoding="utf-8").partition("\n## Evidence\n")[2]


def block(kind: str) -> str:
    found = re.findall(rf"^```{kind}\n(.*?)^```$", TEXT, flags=re.MULTILINE | re.DOTALL)
    assert len(found) == 1, kind
    return str(found[0])


def section(title: str) -> str:
    return TEXT.partition(f"### {title}\n")[2].partition("\n### ")[0]


def codes(title: str) -> set[str]:
    firsts = "\n".join(line.split("|")[1] for line in section(title).splitlines() if line.startswith("| `"))
    return set(re.findall(r"`([\w-]+)`", firsts))


def test_the_log_on_the_page_reads_and_its_checkpoints_open() -> None:
    lines = block("jsonl log").splitlines()
    entries = [parse(line) for line in lines]
    assert [render(entry) for entry in entries] == lines
    assert [entry.n for entry in entries] == list(range(len(lines)))
    opening, turn = entries[0], next(entry for entry in entries if entry.kind == "key")
    instance, first_day, second_day = (
        VerifyingKey.from_vkey(text) for text in (opening.text("i"), opening.text("vk"), turn.text("vk"))
    )
    for name, day, both in (("first", first_day, True), ("last", second_day, False)):
        signed = open_checkpoint(block(f"note {name}-checkpoint").encode(), [instance, first_day, second_day])
        assert set(signed.signers) == ({day, instance} if both else {day})
        frontier = Frontier()
        for line in lines[: signed.checkpoint.size]:
            frontier.append(leaf_hash(line.encode()))
        assert (frontier.root(), signed.checkpoint.origin) == (signed.checkpoint.root, opening.text("o"))
    assert signed.checkpoint.size == len(lines)


def test_the_openings_on_the_page_are_of_the_log_on_the_page() -> None:
    note = block("openings")
    assert note == (ROOT / "tests" / "vectors" / "openings.note").read_text(encoding="utf-8")
    (log,) = Openings.from_claims(parse_statement(read_unverified(note.encode()), "openings")).logs
    assert log.checkpoint.decode() == block("note last-checkpoint")
    ends = [line for line in block("jsonl log").splitlines() if line.startswith('{"k":"key"')]
    assert [stretch.stop for stretch in log.stretches] == [parse(line).n for line in ends]


def test_every_kind_of_entry_has_a_row() -> None:
    assert codes("Entries") - {"k"} == set(KINDS)


def test_every_finding_in_the_table_can_be_found() -> None:
    written = "".join(
        Path(str(module.__file__)).read_text(encoding="utf-8")
        for module in (rules, source, license_periods, timeline, tree, verify, ingest, openings, site)
    )
    named = {code for code in codes("Checking a log") if not code.startswith("clock-")}
    assert {code for code in named if f'"{code}"' not in written} == set()
    raised = set(re.findall(r'(?:Severity\.\w+,\s*|_broken\(\s*|return |\(\()"([a-z-]+)",', written))
    assert raised - codes("Checking a log") == set()
