"""Weights to a model folder: `python -m recipes.speech.export --weights W --data D --out DIR`.

With its card: scores on the dev parts, speaker by speaker, sources and limits.
"""

import argparse
import hashlib
import json
from pathlib import Path
from typing import Any

import torch

from recipes.speech.card import write_card
from recipes.speech.clips import CORPORA, read_texts
from recipes.speech.graph import Weights, build
from recipes.speech.layout import ALIGNED, FRAME, RATE, VOCABULARY, Shape, context
from recipes.speech.model import load
from recipes.speech.word_list import counted, listed, pairs, unigrams

FILES = (
    *("model.onnx", "config.json", "vocab.json", "preprocessor_config.json", "tokenizer_config.json"),
    *("words.txt", "ngrams.txt"),
)
METER = "CognitiveServices.SpeechToText.Container.AudioSeconds"
DECODING = {"beam": 16, "unknown_word": None, "word": 2.0, "ngram": 0.7}
"""Weights of the word files, chosen on the recordings kept for choices."""
DESCRIPTION = "English digits, spelled letters, numbers, short commands and coffee orders"


def settings(shape: Shape) -> dict[str, dict[str, Any]]:
    """Return the Hugging Face files of a CTC model by name."""
    return {
        "config.json": {
            "architectures": ["LogMelConvForCTC"],
            "model_type": "log-mel-conv-ctc",
            "vocab_size": len(VOCABULARY),
            "pad_token_id": VOCABULARY.index("<pad>"),
            "hidden_size": shape.width,
            "intermediate_size": shape.wide,
            "num_hidden_layers": len(shape.blocks),
            "inputs_to_logits_ratio": FRAME,
        },
        "vocab.json": {label: number for number, label in enumerate(VOCABULARY)},
        "preprocessor_config.json": {
            "feature_extractor_type": "Wav2Vec2FeatureExtractor",
            "feature_size": 1,
            "sampling_rate": RATE,
            "padding_value": 0.0,
            "padding_side": "right",
            "do_normalize": False,
            "return_attention_mask": False,
        },
        "tokenizer_config.json": {
            "tokenizer_class": "Wav2Vec2CTCTokenizer",
            "pad_token": "<pad>",
            "unk_token": "<unk>",
            "bos_token": None,
            "eos_token": None,
            "word_delimiter_token": "|",
            "do_lower_case": True,
        },
    }


def described(shape: Shape, release: str, digests: dict[str, str]) -> dict[str, Any]:
    """Return the content of `model.json`; lengths of audio in samples at 16 kHz."""
    left, right = context(shape)
    return {
        "format": 1,
        "task": "speech-ctc",
        "name": "speech-en",
        "line": "speech-en/1",
        "release": release,
        "language": "en-US",
        "description": DESCRIPTION,
        "weights_license": "CC-BY-SA-4.0",
        "meters": [METER],
        "inputs": {"input_values": "waveform"},
        "decoding": dict(DECODING),
        "limits": {"sample_rate": RATE},
        "streaming": {
            "frame_samples": FRAME,
            "left_samples": left,
            "right_samples": FRAME + right,
            "align_samples": ALIGNED,
        },
        "batch_invariant": True,
        "files": digests,
    }


def word_files(transcripts: list[str], orders: list[str]) -> dict[str, str]:
    """Return `words.txt` and `ngrams.txt`: words and pairs of words, a tab, a logarithm to base 10."""
    texts, words = counted(transcripts, orders), listed(transcripts)
    return {
        "words.txt": "".join(f"{word}\t{value:.3f}\n" for word, value in unigrams(texts, words).items()),
        "ngrams.txt": "".join(f"{one} {two}\t{value:.3f}\n" for (one, two), value in pairs(texts).items()),
    }


def write_folder(weights: Weights, shape: Shape, texts: dict[str, str], out: Path, *, release: str) -> None:
    """Write the graph, its settings, the word files and `model.json` with their digests; other files stay."""
    out.mkdir(parents=True, exist_ok=True)
    (out / "model.onnx").write_bytes(build(weights, shape).SerializeToString())
    for name, value in settings(shape).items():
        (out / name).write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    for name, text in texts.items():
        (out / name).write_text(text, encoding="utf-8")
    digests = {name: hashlib.sha256((out / name).read_bytes()).hexdigest() for name in FILES}
    manifest = json.dumps(described(shape, release, digests), indent=2)
    (out / "model.json").write_text(manifest + "\n", encoding="utf-8")


def main() -> None:
    """Read the options and write the folder."""
    parser = argparse.ArgumentParser(prog="python -m recipes.speech.export", description=__doc__)
    parser.add_argument("--weights", type=Path, required=True, help="model.pt as training wrote it")
    parser.add_argument("--data", type=Path, required=True, help="folder with the corpora: words, and scores")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--release", default="1.0.0")
    parser.add_argument("--no-card", action="store_true", help="do not score the model for its card")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    model = load(chosen.weights)
    spoken = {corpus: read_texts(chosen.data, corpus, "train") for corpus in CORPORA[:3]}
    texts = word_files([text for part in spoken.values() for text in part], spoken["orders-barista"])
    weights = {name: value.numpy() for name, value in model.state_dict().items()}
    write_folder(weights, model.shape, texts, chosen.out, release=chosen.release)
    if not chosen.no_card:
        write_card(chosen.out, chosen.data, release=chosen.release)


if __name__ == "__main__":
    main()
