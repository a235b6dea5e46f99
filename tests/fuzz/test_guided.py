"""Coverage-guided fuzzing of every reader of a stranger's bytes, from the kept corpus in `tests/fuzz/corpus`.

Ten minutes each in `make nightly`; `FUZZ_SECONDS=60` for less. What is found lies in the test's folder: fix
it, and put the input into the corpus, which `make test` reads each time.
"""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz.targets import CORPUS, TARGETS

SECONDS = int(os.environ.get("FUZZ_SECONDS", "600"))
KEPT = [(name, path) for name in TARGETS for path in sorted((CORPUS / name).iterdir())]


@pytest.mark.parametrize(("name", "path"), KEPT, ids=lambda value: getattr(value, "name", value))
def test_the_kept_corpus_is_read_or_refused(name: str, path: Path) -> None:
    TARGETS[name].run(path.read_bytes())


@pytest.mark.slow
@pytest.mark.skipif(
    importlib.util.find_spec("atheris") is None,
    reason="needs atheris (Linux on x86-64, Python 3.11 to 3.13): make install-dev there",
)
@pytest.mark.parametrize("name", TARGETS)
def test_nothing_is_found(name: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.fuzz.guided", name, str(SECONDS), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
