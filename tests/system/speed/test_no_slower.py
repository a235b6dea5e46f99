"""The service is not slower than it was: both versions in turn, on this machine, in this minute.

The commit in `bench/reference.txt` is the last release. A change that makes the service a tenth slower or
dearer goes back, or moves the reference and says why in docs/performance.md.
"""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.ner import BUNDLED
from bench.processor import measure
from bench.texts import SAMPLE, read_texts

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
TREE = Path(__file__).parents[3]
MOST = 1.1


def git(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["git", "-C", str(TREE), *words], capture_output=True, text=True, check=False)


@pytest.fixture
def reference(tmp_path: Path) -> Iterator[Path]:
    """The last release, checked out."""
    commit = (TREE / "bench/reference.txt").read_text().split()[0]
    if git("cat-file", "-e", f"{commit}^{{commit}}").returncode:
        pytest.skip(f"commit {commit} of bench/reference.txt is not in this clone: fetch its history")
    there = tmp_path / "reference"
    made = git("worktree", "add", "--detach", str(there), commit)
    assert made.returncode == 0, made.stderr
    yield there
    git("worktree", "remove", "--force", str(there))


def test_the_service_is_no_slower_than_the_last_release(reference: Path) -> None:
    alone = os.getloadavg()[0] < 1
    report = measure(
        model=BUNDLED, texts=read_texts(SAMPLE), turns=7, seconds=4, against=reference, say=print
    )
    assert report.ratios["processor"] < MOST, report
    assert report.ratios["loop"] < MOST, report
    if alone:  # beside other work a speed says little
        assert report.ratios["per_second"] > 1 / MOST, report
