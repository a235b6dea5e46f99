"""The JSON files beside the graphs: what transformers and this appliance read of a Whisper folder."""

import json
from collections.abc import Mapping
from typing import Any, Final

from appliance.onnx_tools.whisper.weights import Weights
from recipes.speech.whisper.wheels import Source

METER: Final = "CognitiveServices.SpeechToText.Container.AudioSeconds"
RATE: Final = 16_000
SECONDS: Final = 30
HOP: Final = 160
TOKENS: Final = 448
ENGLISH_VOCABULARY: Final = 51864
"""Tokens of the models that read English alone; those that read many languages have more."""


def settings(weights: Weights, ct2: Mapping[str, Any], tokenizer: str) -> dict[str, dict[str, Any]]:
    """Return `config.json`, `generation_config.json` and `preprocessor_config.json` by name.

    Args:
        weights: For the sizes.
        ct2: The settings of CTranslate2.
        tokenizer: The text of `tokenizer.json`.
    """
    added = {token["content"]: int(token["id"]) for token in json.loads(tokenizer)["added_tokens"]}
    end = added["<|endoftext|>"]
    common = {
        "bos_token_id": end,
        "eos_token_id": end,
        "pad_token_id": end,
        "decoder_start_token_id": added["<|startoftranscript|>"],
    }
    sizes = {
        f"{part}_{what}": value
        for part in ("encoder", "decoder")
        for what, value in (
            ("layers", weights.layers[part]),
            ("attention_heads", weights.heads),
            ("ffn_dim", len(weights(f"{part}/layer_0/ffn/linear_0/bias"))),
        )
    }
    config = {
        "architectures": ["WhisperForConditionalGeneration"],
        "model_type": "whisper",
        "is_encoder_decoder": True,
        "vocab_size": weights.vocab,
        "num_mel_bins": weights.mels,
        "d_model": weights.width,
        **sizes,
        "num_hidden_layers": weights.layers["encoder"],
        "activation_function": "gelu",
        "scale_embedding": False,
        "use_cache": True,
        "max_source_positions": weights.positions,
        "max_target_positions": TOKENS,
        "median_filter_width": 7,
        "dropout": 0.0,
        "init_std": 0.02,
        "begin_suppress_tokens": ct2["suppress_ids_begin"],
        **common,
    }
    preprocessor = {
        "feature_extractor_type": "WhisperFeatureExtractor",
        "processor_class": "WhisperProcessor",
        "feature_size": weights.mels,
        "sampling_rate": RATE,
        "n_fft": 400,
        "hop_length": HOP,
        "chunk_length": SECONDS,
        "n_samples": SECONDS * RATE,
        "nb_max_frames": SECONDS * RATE // HOP,
        "padding_side": "right",
        "padding_value": 0.0,
        "dither": 0.0,
        "return_attention_mask": False,
    }
    return {
        "config.json": config,
        "generation_config.json": {**common, **_generation(weights, ct2, added)},
        "preprocessor_config.json": preprocessor,
    }


def _generation(weights: Weights, ct2: Mapping[str, Any], added: Mapping[str, int]) -> dict[str, Any]:
    many = weights.vocab > ENGLISH_VOCABULARY
    plain = added["<|notimestamps|>"]
    languages = {
        "forced_decoder_ids": [[1, added["<|en|>"]], [2, added["<|transcribe|>"]], [3, plain]],
        "lang_to_id": {name: number for name, number in added.items() if number in set(ct2["lang_ids"])},
        "task_to_id": {task: added[f"<|{task}|>"] for task in ("transcribe", "translate")},
    }
    return {
        "is_multilingual": many,
        "forced_decoder_ids": [[1, plain]],
        "suppress_tokens": ct2["suppress_ids"],
        "begin_suppress_tokens": ct2["suppress_ids_begin"],
        "no_timestamps_token_id": plain,
        "prev_sot_token_id": added["<|startofprev|>"],
        "no_speech_token_id": added.get("<|nospeech|>", added.get("<|nocaptions|>")),
        "alignment_heads": ct2["alignment_heads"],
        "max_length": TOKENS,
        "max_initial_timestamp_index": 50,
        "return_timestamps": False,
        **(languages if many else {}),
    }


def manifest(source: Source, release: str, digests: Mapping[str, str]) -> dict[str, Any]:
    """Return the content of `model.json`; `digests`: SHA-256 of each file of the model by name."""
    return {
        "format": 1,
        "task": "speech-whisper",
        "name": source.name,
        "line": f"{source.name}/1",
        "release": release,
        **({"language": source.language} if source.language else {}),
        "description": source.description,
        "weights_license": "MIT",
        "meters": [METER],
        "limits": {"sample_rate": RATE},
        "files": dict(digests),
    }
