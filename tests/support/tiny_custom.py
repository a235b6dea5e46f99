"""Custom speech in small: a Whisper folder of random weights, and recordings of two tones with names."""

import json
import wave
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from appliance.onnx_tools.whisper.decoder import decoder
from appliance.onnx_tools.whisper.encoder import encoder
from appliance.onnx_tools.whisper.silence import silence
from appliance.onnx_tools.whisper.weights import Weights
from appliance.speech.dataset.transcripts import Recording
from appliance.speech.evaluation.evaluate import Evaluation, HeardRecording
from appliance.speech.evaluation.word_errors import aligned, counted
from recipes.speech.whisper.small_files import settings
from tests.support.tiny_whisper import TOKENS, VOCAB, arrays

CT2 = {"suppress_ids": [], "suppress_ids_begin": [], "alignment_heads": [[1, 0]], "lang_ids": [34]}
SPECIAL = ("endoftext", "startoftranscript", "en", "translate", "transcribe", "startofprev", "nospeech")
LONGER = 2
"""Windows are so many times as long as those of `tiny_whisper`."""
WORDS = {"low": 300.0, "high": 2000.0}
"""What is said, and the hertz that say it."""


def tokenizer() -> str:
    """Letters, a space, and the special tokens."""
    letters = ["Ġ", *map(chr, range(ord("a"), ord("z") + 1))]
    specials = [f"<|{name}|>" for name in (*SPECIAL, "notimestamps")]
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    added = [{"id": VOCAB - 8 + at, "content": name, **flags} for at, name in enumerate(specials)]
    plain = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    vocab = {letter: number for number, letter in enumerate(letters)}
    return json.dumps(
        {
            "version": "1.0",
            "added_tokens": added,
            "pre_tokenizer": plain,
            "decoder": plain,
            "model": {"type": "BPE", "vocab": vocab, "merges": []},
        }
    )


def tiny_weights() -> Weights:
    """The weights of the folder, before they are rounded."""
    found = arrays()
    places = found["encoder/position_encodings/encodings"]
    return Weights({**found, "encoder/position_encodings/encodings": np.repeat(places, LONGER, axis=0)})


def write_tiny_folder(folder: Path, *, bits: int | None = 7) -> Path:
    """Write a Whisper that hears up to four seconds, and writes letters."""
    folder.mkdir(parents=True)
    weights = tiny_weights()
    still = silence(weights)
    text = tokenizer()
    files = settings(weights, CT2, text)
    files["config.json"]["max_target_positions"] = TOKENS
    (folder / "encoder_model.onnx").write_bytes(encoder(weights, still, bits=bits).SerializeToString())
    graph = decoder(weights, still[-1], bits=bits)
    (folder / "decoder_model_merged.onnx").write_bytes(graph.SerializeToString())
    (folder / "tokenizer.json").write_text(text)
    for name, value in files.items():
        (folder / name).write_text(json.dumps(value))
    (folder / "NOTICES.txt").write_text("weights of chance\n")
    return folder


def write_recordings(folder: Path, *, count: int = 60, speakers: int = 6) -> Path:
    """Write recordings of 0.6 seconds and their list."""
    folder.mkdir(parents=True)
    random = np.random.default_rng(1)
    rows = []
    for number in range(count):
        word = list(WORDS)[number % 2]
        time = np.arange(9_600) / 16_000
        hertz = WORDS[word] * random.uniform(0.95, 1.05)
        sound = 0.3 * np.sin(2 * np.pi * hertz * time) + 0.003 * random.normal(size=len(time))
        name = f"{number}.wav"
        with wave.open(str(folder / name), "wb") as file:
            file.setparams((1, 2, 16_000, 0, "NONE", ""))
            file.writeframes((sound * 32_767).astype("<i2").tobytes())
        rows.append({"path": name, "text": word, "speaker": f"s{number // 2 % speakers}" if speakers else ""})
    path = folder / "list.jsonl"
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return path


def evaluation(wrong: Sequence[bool]) -> Evaluation:
    """Recordings of two words, of which a model missed one where `wrong` says so."""
    found = []
    for line, missed in enumerate(wrong, 1):
        pairs = aligned(["one", "two"], ["one"] if missed else ["one", "two"])
        one = Recording(path=f"{line}.wav", text="one two", line=line)
        found.append(HeardRecording(recording=one, pairs=pairs, errors=counted(pairs), seconds=1.0))
    return Evaluation(model="m", release="1", heard=found, seconds=1.0, threads=1)
