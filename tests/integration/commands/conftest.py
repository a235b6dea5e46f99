"""A place in which every command finds what it needs, and what it must not stumble over."""

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from tests.support.customer import used_since
from tests.support.evidence import export
from tests.support.ledger import DAY, Vendor
from tests.support.paths import BUNDLED

SENTENCE = (
    "Anna B-Person\nlives O\nin O\nRome B-Location\n. O\n\nBob B-Person\nleft O\nParis B-Location\n. O\n\n"
)


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Good things by name, and below `bad` what is missing, closed, full, read-only or no file at all."""
    place = tmp_path_factory.mktemp("commands")
    with used_since(int(time.time()) - 2 * DAY, place, Vendor(place / "vendor")) as customer:
        export(customer.machine, place / "usage.zip")
        licence = customer.license()
    next(place.rglob("reserve")).unlink()  # megabytes that would be copied for every command line
    (place / "delivery").mkdir()
    (place / "delivery/license.note").write_bytes(licence.note)
    (place / "delivery/issuer.note").write_bytes(licence.issuer_note)
    (place / "model").mkdir()
    for name in ("config.json", "model.json", "tokenizer.json"):
        shutil.copy(BUNDLED / "ner-en" / name, place / "model")
    (place / "model/model.onnx").write_bytes(b"weights")
    for name in ("empty", "models/demo/v1", "project/documents"):
        (place / name).mkdir(parents=True)
    (place / "file").write_text("text\n")
    (place / "labelled.conll").write_text(SENTENCE * 8)
    _make_bad(place / "bad")
    place.parent.chmod(0o755)
    place.chmod(0o755)
    return place


def _make_bad(bad: Path) -> None:
    bad.mkdir(mode=0o755)
    (bad / "closed").write_text("text\n")
    (bad / "closed").chmod(0)
    (bad / "closed-folder").mkdir(mode=0)
    (bad / "read-only").mkdir()
    (bad / "read-only").chmod(0o555)
    if os.geteuid() == 0:  # somebody else's
        for name in ("closed", "closed-folder", "read-only"):
            os.chown(bad / name, 65534, 65534)
    (bad / "garbage.zip").write_bytes(b"PK\x03\x04" + bytes(range(256)) * 4)
    os.mkfifo(bad / "fifo")
    if os.geteuid() == 0:  # its own node of /dev/full: a fault would remove the machine's
        subprocess.run(["mknod", str(bad / "full"), "c", "1", "7"], check=True)
        (bad / "full").chmod(0o666)
    else:
        (bad / "full").symlink_to("/dev/full")
