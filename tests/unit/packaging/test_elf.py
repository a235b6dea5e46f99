"""A library that was cut is smaller and works; what is no library is left alone."""

import runpy
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.support.paths import ROOT

cut = runpy.run_path(str(ROOT / "packaging/image/elf.py"))["cut"]

TRIED = "import sys; sys.path.insert(0, sys.argv[1]); import {0}; assert {0}.__file__.startswith(sys.argv[1])"


@pytest.mark.parametrize("package", ["uvloop", "msgpack", "regex", "httptools", "tokenizers", "numpy"])
def test_a_package_works_with_its_libraries_cut(tmp_path: Path, package: str) -> None:
    found = find_spec(package)
    assert found is not None
    assert found.origin is not None
    source = Path(found.origin).parent
    shutil.copytree(source, tmp_path / package)
    if (source.parent / f"{package}.libs").exists():
        shutil.copytree(source.parent / f"{package}.libs", tmp_path / f"{package}.libs")
    lost = [cut(path) for path in tmp_path.rglob("*.so*")]
    assert sum(lost) > 0
    subprocess.run([sys.executable, "-c", TRIED.format(package), str(tmp_path)], check=True)
    assert [cut(path) for path in tmp_path.rglob("*.so*")] == [0] * len(lost), "nothing is left to cut"


@pytest.mark.parametrize("data", [b"", b"\x7fELF", b"\x7fELF\x02\x01\x01", b"GROUP ( libc.so.6 )\n" * 100])
def test_what_is_no_library_is_left_alone(tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "x.so"
    file.write_bytes(data)
    assert cut(file) == 0
    assert file.read_bytes() == data
