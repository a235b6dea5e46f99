"""What the bundled models compute on the processor of this process, as JSON."""

import json
import sys
import wave
from pathlib import Path
from typing import Any

import numpy as np

from appliance.ner.model_folder import MODEL, ModelFolder
from appliance.ner.session import OnnxSession
from appliance.ner.tokenizer import tokenizer_of
from appliance.ner.worker import stack
from appliance.speech.acoustic.model import load_ctc
from appliance.speech.model.folder import SpeechFolder

TEXTS = 8
WORDS = 17


def text_scores(path: Path, sample: list[str]) -> list[Any]:
    """Return the scores of each label at each token, of texts that are asked alone."""
    folder = ModelFolder.open(path)
    session = OnnxSession(folder.read(MODEL), labels=len(folder.labels))
    texts = [" ".join(sample[at : at + WORDS]) for at in range(0, TEXTS * WORDS, WORDS)]
    cuts = tokenizer_of(folder).cut(texts)
    windows = [window for cut in cuts for window in cut.windows]
    return [session.run(*stack([window], folder.pad_token))[0].tolist() for window in windows]


def speech_scores(path: Path, recording: Path) -> list[Any]:
    """Return the scores of each label in each frame of a recording."""
    with wave.open(str(recording)) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.float32) / np.float32(
            32768
        )
    rows: list[Any] = load_ctc(SpeechFolder.open(path)).rows(samples).tolist()
    return [rows]


def main() -> None:
    """Compute with each model: `python -m tests.system.processors.compute BUNDLED SAMPLE RECORDING`."""
    bundled, sample, recording = map(Path, sys.argv[1:])
    words = sample.read_text(encoding="utf-8").split()
    found = {
        path.name: text_scores(path, words)
        for path in sorted(bundled.glob("*"))
        if json.loads((path / "model.json").read_text(encoding="utf-8"))["task"] == "ner"
    }
    found["speech-en"] = speech_scores(bundled / "speech-en", recording)
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
