"""Make `tests/vectors/whisper`: a tiny Whisper with random weights as Optimum exports it, and what
transformers writes.

Needs torch, transformers 4 and optimum-onnx, which the tests do not:

    pip install torch 'transformers<5' 'optimum-onnx[onnxruntime]'
    python tests/vectors/make_whisper.py
"""

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from optimum.exporters.onnx import main_export
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    PreTrainedTokenizerFast,
    WhisperConfig,
    WhisperFeatureExtractor,
    WhisperForConditionalGeneration,
)

Array = NDArray[Any]
HERE = Path(__file__).parent / "whisper"
SPECIAL = [
    "<|endoftext|>",
    "<|startoftranscript|>",
    "<|en|>",
    "<|de|>",
    "<|fr|>",
    "<|translate|>",
    "<|transcribe|>",
    "<|startoflm|>",
    "<|startofprev|>",
    "<|nospeech|>",
    "<|notimestamps|>",
]
TIMES = [f"<|{number * 0.02:.2f}|>" for number in range(20)]
MERGES = [
    "h+e",
    "Ġ+t",
    "Ġ+w",
    "o+r",
    "l+d",
    "Ġw+or",
    "Ġwor+ld",
    "he+l",
    "l+o",
    "hel+lo",
    "Ġt+he",
    "Ġ+y",
    "o+u",
    "Ġy+ou",
    "i+n",
    "Ġ+a",
]
STEPS = 30


def tokenizer() -> tuple[Tokenizer, dict[str, int], list[tuple[str, str]]]:
    vocabulary = {sign: number for number, sign in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    merges = [(first, second) for first, second in (merge.split("+") for merge in MERGES)]
    for merge in merges:
        vocabulary["".join(merge)] = len(vocabulary)
    found = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    found.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    found.decoder = decoders.ByteLevel()
    found.add_special_tokens([AddedToken(text, special=True, normalized=False) for text in SPECIAL])
    found.add_tokens([AddedToken(text, special=False, normalized=False) for text in TIMES])
    return found, vocabulary, merges


def model(tokens: Tokenizer) -> WhisperForConditionalGeneration:
    ids = {text: tokens.token_to_id(text) for text in SPECIAL}
    end = ids["<|endoftext|>"]
    torch.manual_seed(7)
    made = WhisperForConditionalGeneration(
        WhisperConfig(
            vocab_size=tokens.get_vocab_size(), num_mel_bins=80, d_model=12, init_std=0.6,
            encoder_layers=1, encoder_attention_heads=2, encoder_ffn_dim=24,
            decoder_layers=2, decoder_attention_heads=2, decoder_ffn_dim=24, max_target_positions=64,
            bos_token_id=end, eos_token_id=end, pad_token_id=end,
            decoder_start_token_id=ids["<|startoftranscript|>"], suppress_tokens=None,
            begin_suppress_tokens=None,
        )
    ).eval()  # fmt: skip
    with torch.no_grad():
        made.model.decoder.embed_positions.weight.mul_(3)
        made.model.encoder.conv1.weight.mul_(2)
    settings = made.generation_config
    settings.is_multilingual = True
    settings.lang_to_id = {text: ids[text] for text in ("<|en|>", "<|de|>", "<|fr|>")}
    settings.task_to_id = {"transcribe": ids["<|transcribe|>"], "translate": ids["<|translate|>"]}
    settings.no_timestamps_token_id = ids["<|notimestamps|>"]
    settings.prev_sot_token_id = ids["<|startofprev|>"]
    settings.suppress_tokens = [1, 2, 3]
    settings.begin_suppress_tokens = [end, tokens.token_to_id("Ġ")]
    settings.alignment_heads = [[0, 1], [1, 0]]
    settings.max_length = 64
    settings.decoder_start_token_id = ids["<|startoftranscript|>"]
    settings.eos_token_id = settings.bos_token_id = settings.pad_token_id = end
    return made


def reference(made: WhisperForConditionalGeneration, tokens: Tokenizer) -> tuple[Array, Array, Array]:
    """Features of a second signal, and the tokens that are written to it, greedily and without a cache."""
    random = np.random.default_rng(3)
    ramp = np.linspace(0, 1, 48_000)
    sound = 0.3 * np.sin(2 * np.pi * 440 * np.arange(48_000) / 16_000) * ramp + 0.02 * random.normal(
        size=48_000
    )
    features = WhisperFeatureExtractor(feature_size=80)(
        sound.astype(np.float32), sampling_rate=16_000, return_tensors="np"
    ).input_features[0]
    prompt = [
        tokens.token_to_id(f"<|{name}|>")
        for name in ("startoftranscript", "de", "transcribe", "notimestamps")
    ]
    end, never = tokens.token_to_id("<|endoftext|>"), [1, 2, 3]
    never += [number for text in (*SPECIAL[1:], *TIMES) if (number := tokens.token_to_id(text)) is not None]
    written, logs = list(prompt), []
    with torch.no_grad():
        hidden = made.model.encoder(torch.tensor(features)[None]).last_hidden_state
        for step in range(STEPS):
            logits = (
                made(encoder_outputs=(hidden,), decoder_input_ids=torch.tensor([written]))
                .logits[0, -1]
                .clone()
            )
            logits[never] = -torch.inf
            if step == 0:
                logits[[end, tokens.token_to_id("Ġ")]] = -torch.inf
            shares = torch.log_softmax(logits, -1)
            best = int(shares.argmax())
            logs.append(float(shares[best]))
            if best == end:
                break
            written.append(best)
    # What is left out is silence, as the last frame is.
    return features[:, :400], np.array(written[len(prompt) :]), np.array(logs, np.float32)


def main() -> None:
    tokens, vocabulary, merges = tokenizer()
    made = model(tokens)
    with tempfile.TemporaryDirectory() as folder:
        made.save_pretrained(folder)
        end = "<|endoftext|>"
        fast = PreTrainedTokenizerFast(tokenizer_object=tokens, bos_token=end, eos_token=end, unk_token=end)
        fast.save_pretrained(folder)
        WhisperFeatureExtractor(feature_size=80).save_pretrained(folder)
        main_export(
            folder,
            output=str(HERE),
            task="automatic-speech-recognition-with-past",
            monolith=False,
            library_name="transformers",
        )
        shutil.copy(Path(folder) / "generation_config.json", HERE)
    (HERE / "vocab.json").write_text(json.dumps(vocabulary, ensure_ascii=False))
    lines = ["#version: 0.2", *(" ".join(merge) for merge in merges)]
    (HERE / "merges.txt").write_text("\n".join(lines) + "\n")
    added = {text: tokens.token_to_id(text) for text in (*SPECIAL, *TIMES)}
    (HERE / "added_tokens.json").write_text(json.dumps(added))
    features, written, logs = reference(made, tokens)
    np.savez(HERE / "reference.npz", features=features, tokens=written, logs=logs)


if __name__ == "__main__":
    main()
