import subprocess
import sys
from pathlib import Path

import pytest

from license.crypto.ed25519 import SigningKey
from license.evidence.log.entry import Entry, render
from license.evidence.log.merkle import leaf_hash
from license.evidence.verify.result import Coverage, Finding, Report, Severity
from license.evidence.verify.timeline import SILENCE_SECONDS, Timeline
from license.evidence.verify.verify import verify
from license.trust.roots import TrustRoots

HEAVY = {"sqlmodel", "sqlalchemy", "pydantic", "onnxruntime", "numpy", "starlette", "click", "appliance"}


def test_the_verifier_needs_the_standard_library_and_cryptography_only() -> None:
    code = (
        "import sys, license.evidence.verify.verify\n"
        "print(*sorted({name.split('.')[0] for name in sys.modules}))"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "cryptography" in loaded
    assert HEAVY & set(loaded.split()) == set()


def test_a_file_that_is_no_database_is_a_finding_and_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "ledger-1.db").write_bytes(b"SQLite format 3\0" + bytes(100))
    (tmp_path / "ledger-2.db").write_bytes(b"")
    root = SigningKey.generate("vendor.example/root").verifying
    report = verify(tmp_path, TrustRoots(keys=(root,), sources=(tmp_path,)))
    assert report.exit_code == 2
    assert [finding.code for finding in report.findings] == ["unreadable", "unreadable"]


@pytest.mark.parametrize(
    ("worst", "code"), [(None, 0), (Severity.CLEAN, 0), (Severity.FINDING, 1), (Severity.BROKEN, 2)]
)
def test_the_exit_code_is_the_worst_finding(worst: Severity | None, code: int) -> None:
    findings = [] if worst is None else [Finding(severity=worst, code="x", message="x", log="x")]
    report = Report(logs=(), findings=tuple(findings), totals={}, coverage=Coverage())
    assert report.exit_code == code


def entry(kind: str, **values: str) -> Entry:
    return Entry(kind=kind, n=5, at=0, values=values)


def test_hours_are_up_while_entries_follow_one_another() -> None:
    timeline = Timeline()
    timeline.pass_other(0, entry("boot"))
    assert timeline.pass_use(SILENCE_SECONDS) is None
    assert timeline.pass_other(3600, entry("tick", w="idle")) is None
    assert timeline.coverage == Coverage(up=SILENCE_SECONDS + 3600)


def test_hours_are_down_after_an_orderly_stop_also_over_the_turn_of_a_day() -> None:
    timeline = Timeline()
    timeline.pass_other(0, entry("boot"))
    timeline.pass_other(10, entry("tick", w="stop"))
    assert timeline.pass_other(90_000, entry("key")) is None
    assert timeline.pass_other(0, entry("boot")) is None
    assert timeline.coverage == Coverage(up=10, down=90_000)


def test_hours_are_unexplained_after_an_end_without_a_word() -> None:
    timeline = Timeline()
    timeline.pass_other(0, entry("boot"))
    timeline.pass_use(10)
    remark = timeline.pass_other(500, entry("boot"))
    assert remark is not None
    assert remark[:2] == (Severity.CLEAN, "cut-off")
    assert timeline.coverage == Coverage(up=10, unexplained=500)


def test_silence_in_a_run_is_a_finding_unless_the_store_had_failed() -> None:
    timeline = Timeline()
    timeline.pass_other(0, entry("boot"))
    remark = timeline.pass_use(SILENCE_SECONDS + 1)
    assert remark is not None
    assert remark[1] == "silent"
    assert timeline.pass_other(9000, entry("disk")) is None
    assert timeline.coverage == Coverage(down=9000, unexplained=SILENCE_SECONDS + 1)


def test_usage_after_a_stop_without_a_start_is_broken() -> None:
    timeline = Timeline()
    timeline.pass_other(0, entry("boot"))
    timeline.pass_other(0, entry("tick", w="stop"))
    remark = timeline.pass_use(5)
    assert remark is not None
    assert remark[:2] == (Severity.BROKEN, "no-boot")


def test_a_jump_of_the_clock_is_no_silence() -> None:
    timeline = Timeline()
    timeline.pass_other(0, entry("boot"))
    jump = entry("clock", w="adopted", **{"from": "2026-01-01T00:00:00Z", "to": "2026-03-01T00:00:00Z"})
    assert timeline.pass_other(59 * 86_400 + 60, jump) is None
    assert timeline.coverage == Coverage(up=60, unexplained=59 * 86_400)


def test_leaf_hashes_cover_the_exact_text() -> None:
    text = render(entry("tick", w="idle"))
    assert leaf_hash(text.encode()) != leaf_hash(text.encode() + b"\n")
