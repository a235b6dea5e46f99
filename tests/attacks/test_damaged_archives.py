"""Archives damaged at any byte: a refusal or a finding with a status of its own, never a traceback."""

import io
import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from license.evidence.tool.command import EXIT_FAULT, EXIT_UNREADABLE, main
from tests.support.evidence import closed, packed, three_days, vendor
from tests.support.exports import exported_files
from tests.support.forked_process import run_forked_text
from tests.support.ledger import Vendor
from tests.support.zips import Packed, archive_of

__all__ = ["closed", "exported_files", "packed", "three_days", "vendor"]


def damaged(data: bytes, chance: random.Random) -> bytes:
    """Change, cut out or put in a few bytes, most of them in the list of files at the end."""
    changed = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        low = 0 if chance.random() < 0.4 else max(0, len(changed) - 900)
        at = chance.randrange(low, len(changed))
        new = chance.choice([b"", b"\xff\xff\xff\xff", b"\0\0\0\0", chance.randbytes(chance.randint(1, 8))])
        changed[at : at + chance.choice([0, len(new), 1])] = new
    return bytes(changed[: chance.randint(1, len(changed))] if chance.random() < 0.1 else changed)


@pytest.mark.parametrize("full", [False, True])
def test_the_auditor_never_takes_a_damaged_export_for_findings(
    packed: Callable[..., Path],
    vendor: Vendor,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    full: bool,
) -> None:
    genuine = packed(full=full).read_bytes()
    chance = random.Random(7)  # noqa: S311 (no secret)
    path = tmp_path / "x.zip"
    seen = set()
    for _ in range(400):
        path.write_bytes(damaged(genuine, chance))
        status = main([str(path), "--roots", str(vendor.directory)], io.StringIO())
        assert status in (0, 2, EXIT_UNREADABLE), capsys.readouterr().err
        seen.add(status)
    assert EXIT_FAULT not in seen
    assert {2, EXIT_UNREADABLE} <= seen


@pytest.mark.e2e
@pytest.mark.parametrize("seed", range(6))
def test_a_damaged_archive_of_a_model_is_refused_without_a_traceback(
    exported_files: dict[str, bytes], tmp_path: Path, seed: int
) -> None:
    genuine = archive_of(Packed.of(name, data) for name, data in exported_files.items())
    path = tmp_path / "model.zip"
    chance = random.Random(seed)  # noqa: S311 (no secret)
    path.write_bytes(damaged(genuine[:-300], chance))
    add = ("models", "add", str(path), "--project", "p", "--name", "m", f"Models:Path={tmp_path / 'models'}")
    done = run_forked_text("appliance", add, environ=os.environ)
    assert done.returncode == 78, done.stderr
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr
