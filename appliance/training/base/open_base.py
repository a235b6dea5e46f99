"""Opening what a training starts from: a bundled encoder, or a folder that somebody carried in."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from appliance.errors import ModelError
from appliance.models.files import OnDisk
from appliance.models.folder_reader import MANIFEST, MAX_CONFIG_BYTES, MAX_MODEL_BYTES, read_json
from appliance.ner.manifest import describe, write_manifest
from appliance.ner.model_folder import CONFIG, MAX_TOKENIZER_BYTES, MODEL, TOKENIZER, ModelFolder
from appliance.ner.tokenizer import tokenizer_of
from appliance.onnx_tools.bert_graph import build
from appliance.training.base.bert_weights import named_weights
from appliance.training.base.onnx_arrays import read_onnx_arrays
from appliance.training.base.safetensors_file import read_safetensors
from appliance.training.best.encoder_weights import Weights, read_weights
from license.errors import LicenseError
from license.files import read_limited

ENGLISH, MANY = "en", "multi"
_BUNDLED: Final = Path(__file__).parents[2] / "bundled"
BUNDLED: Final = {ENGLISH: _BUNDLED / "encoder-en", MANY: _BUNDLED / "ner-multi"}
"""Folders of the bundled encoders; that of many languages is also the general model."""
WEIGHTS: Final = "model.safetensors"
_WINDOW: Final = 128
_CARDS: Final = {
    ENGLISH: "the bundled English encoder encoder-en",
    MANY: "the bundled encoder of many languages, ner-multi",
}
_TERMS: Final = (
    "CC BY-SA 4.0; its attributions hold for this model too,\n"
    "  and whoever passes the weights on passes them on under CC BY-SA 4.0"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """An encoder that a training starts from.

    Attributes:
        folder: Its graph gives hidden layers; tokenizer and windows are those of the trained model.
        layers: Names of the graph's outputs that a light head reads, from the lowest up.
        card: What a model card says of it.
        name: `en` or `multi`; empty for one from outside.
        given: Its weights before they were rounded to 8 bits; None for the bundled ones.
    """

    folder: ModelFolder
    layers: tuple[str, ...]
    card: str
    name: str = ""
    given: Weights | None = field(default=None, hash=False, compare=False, repr=False)

    def weights(self) -> Weights:
        """Return the weights as float32.

        Raises:
            ModelError: The graph is not one that can be fine-tuned.
        """
        return self.given or read_weights(self.folder.read(MODEL))


def bundled_base(name: str = ENGLISH) -> Base:
    """Return a bundled encoder.

    Args:
        name: `en`: the wide network from which the served English model was narrowed. `multi`: that of many
            languages.
    """
    return Base(
        folder=ModelFolder.open(BUNDLED[name]),
        layers=("hidden_2", "hidden_4", "hidden_6"),
        card=f"{_CARDS[name]}, {_TERMS}",
        name=name,
    )


def open_base(source: Path, into: Path) -> Base:
    """Rewrite an encoder from outside as a folder of our own: 8-bit weights, hidden layers as outputs.

    Args:
        source: A folder with `config.json`, `tokenizer.json`, and `model.safetensors` or `model.onnx`.
        into: A new folder.

    Raises:
        ModelError: It is not an encoder that training can start from; the message says why.
    """
    if not source.is_dir():
        raise ModelError(
            f"{source} is not a folder", hint="give the folder of an encoder, or --base auto, en or multi"
        )
    if not (source / CONFIG).is_file():
        below = sorted(path.parent.name for path in source.glob(f"*/{CONFIG}"))[:5]
        raise ModelError(
            f"{source} holds no {CONFIG}" + (f"; its folders {', '.join(below)} do" if below else ""),
            hint=f"name the folder of one encoder: {CONFIG}, {TOKENIZER} and {WEIGHTS} or {MODEL}, as"
            " docs/custom-models.md says",
        )
    config = read_json(OnDisk(source), CONFIG, MAX_CONFIG_BYTES)
    try:
        tokenizer = read_limited(source / TOKENIZER, MAX_TOKENIZER_BYTES)
    except LicenseError as error:
        raise ModelError(
            error.message,
            hint="write it where transformers is installed: "
            "AutoTokenizer.from_pretrained(DIR, use_fast=True).save_pretrained(DIR)",
        ) from error
    weights = named_weights(_arrays(source), config)
    layers = _read_layers(weights.shape.layers)
    into.mkdir()
    (into / TOKENIZER).write_bytes(tokenizer)
    (into / CONFIG).write_text(json.dumps(_config(config, weights), indent=2), encoding="utf-8")
    width = weights.arrays["encoder.embeddings.word_embeddings.weight"].shape[1]
    head = {"head.weight": np.zeros((1, width), np.float32), "head.bias": np.zeros(1, np.float32)}
    graph = build(weights.arrays | head, weights.shape, "token", hidden=layers)
    (into / MODEL).write_bytes(graph.SerializeToString())
    name = source.resolve().name
    folder = ModelFolder.open(into)
    window = min(_WINDOW, folder.window_tokens)
    write_manifest(
        into,
        describe(
            folder,
            name=name,
            inputs={"token_type_ids": "zeros"},
            limits={"window_tokens": window, "overlap_tokens": window // 4},
            batch_invariant=True,
        ),
    )
    _check_vocabulary(ModelFolder.open(into), weights)
    card = f"{name}, from outside; its licence holds for these weights too"
    outputs = tuple(f"hidden_{number}" for number in layers)
    return Base(folder=ModelFolder.open(into), layers=outputs, card=card, given=weights)


def _check_vocabulary(folder: ModelFolder, weights: Weights) -> None:
    """Refuse a tokenizer with numbers that the encoder has no row for: some text would be out of bounds."""
    tokens = tokenizer_of(folder).vocabulary
    rows = len(weights.arrays["encoder.embeddings.word_embeddings.weight"])
    if tokens > rows:
        raise ModelError(
            f"tokenizer.json of the base knows {tokens} tokens, and its word_embeddings have {rows} rows",
            hint="take the tokenizer that belongs to the encoder, or give it the rows in transformers: "
            "model.resize_token_embeddings(len(tokenizer))",
        )


def _arrays(source: Path) -> Mapping[str, Any]:
    if (source / WEIGHTS).is_file():
        return read_safetensors(source / WEIGHTS, MAX_MODEL_BYTES)
    if (source / f"{WEIGHTS}.index.json").is_file():
        raise ModelError(
            f"{source} has its weights in several files",
            hint="save them as one: save_pretrained(FOLDER, max_shard_size='10GB')",
        )
    if (source / MANIFEST).is_file() or not (source / MODEL).is_file():
        raise ModelError(
            f"{source} holds no {WEIGHTS} and no plain {MODEL}",
            hint="save it with transformers: AutoModel.from_pretrained(DIR).save_pretrained(FOLDER)",
        )
    try:
        return read_onnx_arrays(read_limited(source / MODEL, MAX_MODEL_BYTES))
    except LicenseError as error:
        raise ModelError(error.message, hint=error.hint) from error


def _read_layers(count: int) -> tuple[int, ...]:
    """The layers a head reads: a third, two thirds and all of the way up."""
    return tuple(sorted({max(1, round(count * third / 3)) for third in (1, 2, 3)}))


def _config(config: Mapping[str, Any], weights: Weights) -> dict[str, Any]:
    arrays = weights.arrays
    words = arrays["encoder.embeddings.word_embeddings.weight"]
    return {
        "architectures": ["BertForTokenClassification"],
        "model_type": "bert",
        "id2label": {"0": "O"},
        "label2id": {"O": 0},
        "vocab_size": len(words),
        "hidden_size": words.shape[1],
        "num_hidden_layers": weights.shape.layers,
        "num_attention_heads": weights.shape.heads,
        "hidden_act": "gelu",
        "max_position_embeddings": len(arrays["encoder.embeddings.position_embeddings.weight"]),
        "type_vocab_size": len(arrays["encoder.embeddings.token_type_embeddings.weight"]),
        "layer_norm_eps": weights.shape.epsilon,
        "pad_token_id": int(config.get("pad_token_id") or 0),
    }
