"""The bundled models on processors that lack what this one has, emulated: the same labels."""

import json
import shutil
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.support.paths import BUNDLED, ROOT

EMULATOR = "qemu-x86_64"
RECORDING = ROOT / "appliance" / "api" / "static" / "example.wav"
Scores = dict[str, list[Any]]
Rows = NDArray[np.float64]


def chances(scores: list[list[float]]) -> Rows:
    """Return the chance of each label, 0…1, of scores that differ from its logarithm by a constant."""
    powers = np.exp(np.array(scores) - np.max(scores, axis=-1, keepdims=True))
    shares: Rows = powers / powers.sum(-1, keepdims=True)
    return shares


def computed(*prefix: str) -> Scores:
    sample = ROOT / "bench" / "sample.txt"
    command = [*prefix, sys.executable, "-m", "tests.system.processors.compute"]
    done = subprocess.run(
        [*command, BUNDLED, sample, RECORDING],
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found: Scores = json.loads(done.stdout)
    return found


@pytest.fixture(scope="module")
def here() -> Scores:
    return computed()


@pytest.mark.skipif(
    shutil.which(EMULATOR) is None, reason=f"{EMULATOR} is not installed: apt-get install qemu-user"
)
@pytest.mark.timeout(1000)
@pytest.mark.slow  # emulation makes a minute of two seconds
@pytest.mark.parametrize("processor", ["Haswell", "Nehalem"])
def test_every_bundled_model_gives_the_same_labels_on_an_older_processor(
    processor: str, here: Scores
) -> None:
    there = computed(EMULATOR, "-cpu", processor)
    assert set(there) == {path.name for path in BUNDLED.iterdir()} - {
        "whisper-tiny-en"
    }  # `compute` reads none
    for model, answers in here.items():
        for ours, theirs in zip(answers, there[model], strict=True):
            first, second = chances(ours), chances(theirs)
            assert (first.argmax(-1) == second.argmax(-1)).all(), model
            assert np.abs(first - second).max() < 0.05, model
