"""How much memory packing and opening take beside the model, measured in processes of their own.

256 MiB here: the limit that counts is 200 MB beside a model of any size, and neither side's memory grows
with it. Resident memory is what the kernel says (`VmHWM`): the archive passes through Rust, which
tracemalloc does not see.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

MODEL_BYTES = 256 * 2**20
BESIDE_BYTES = 48 * 2**20

PACK = """
import json, sys
from pathlib import Path
from license.crypto import age
from license.crypto.ed25519 import SigningKey
from license.models.package import pack

def peak():
    return next(int(line.split()[1]) * 1024 for line in open("/proc/self/status") if line.startswith("VmHWM"))

here = Path(sys.argv[1])
identity, before = age.new_identity(), peak()
manifest, files = pack(
    here / "model", here, recipient=age.recipient_of(identity), signer=SigningKey.generate("a/issuer"),
    issuer_note=b"", line="ner-en/3", release="1", name="a", task="ner", now=0,
)
print(json.dumps({"grew": peak() - before, "identity": identity, "manifest": manifest.to_claims()}))
"""
OPEN = """
import json, sys
from pathlib import Path
from license.models.manifest import Manifest
from license.models.package import open_package

def peak():
    return next(int(line.split()[1]) * 1024 for line in open("/proc/self/status") if line.startswith("VmHWM"))

said = json.load(sys.stdin)
manifest, before = Manifest.from_claims(said["manifest"]), peak()
content = open_package(Path(sys.argv[1]) / "ner-en-3-1.age", manifest, said["identity"])
print(json.dumps({"grew": peak() - before, "bytes": sum(map(len, content.values()))}))
"""


def run(script: str, directory: Path, stdin: str = "") -> dict[str, int]:
    done = subprocess.run(
        [sys.executable, "-c", script, directory], input=stdin, capture_output=True, text=True, check=True
    )
    said: dict[str, int] = json.loads(done.stdout)
    return said


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_packing_and_opening_take_little_beside_the_model(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    with (tmp_path / "model/model.onnx").open("wb") as file:
        for _ in range(MODEL_BYTES >> 20):
            file.write(os.urandom(1 << 20))
    packed = run(PACK, tmp_path)
    assert packed["grew"] < BESIDE_BYTES
    opened = run(OPEN, tmp_path, json.dumps(packed))
    assert opened["bytes"] == MODEL_BYTES
    assert opened["grew"] < MODEL_BYTES + BESIDE_BYTES
