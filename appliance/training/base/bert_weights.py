"""Weights of BERT and its kin under the names that our own graph and network have.

Kin are encoders with the same layers: RoBERTa, XLM-RoBERTa and CamemBERT, whose positions begin behind the
padding number, and DistilBERT, which names its parts otherwise and has no token types.
"""

import math
import re
from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from appliance.errors import ModelError
from appliance.onnx_tools.bert_graph import Shape
from appliance.training.best.encoder_weights import Array, Weights

BEHIND_PADDING: Final = frozenset({"roberta", "xlm-roberta", "camembert"})
FAMILIES: Final = frozenset({"bert", "distilbert", *BEHIND_PADDING})
_WORDS: Final = "embeddings.word_embeddings.weight"
_LAYER: Final = re.compile(r"encoder\.layer\.(\d+)\.")
_DISTILLED: Final = {
    "transformer.layer.": "encoder.layer.",
    "attention.q_lin.": "attention.self.query.",
    "attention.k_lin.": "attention.self.key.",
    "attention.v_lin.": "attention.self.value.",
    "attention.out_lin.": "attention.output.dense.",
    "sa_layer_norm.": "attention.output.LayerNorm.",
    "ffn.lin1.": "intermediate.dense.",
    "ffn.lin2.": "output.dense.",
    "output_layer_norm.": "output.LayerNorm.",
}
_PARTS: Final = (
    "attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense",
    "attention.output.LayerNorm", "intermediate.dense", "output.dense", "output.LayerNorm",
)  # fmt: skip


def named_weights(arrays: Mapping[str, Array], config: Mapping[str, Any]) -> Weights:
    """Return the encoder of a model, whatever head stands on it.

    Args:
        arrays: Float arrays by their names in transformers.
        config: Its `config.json`.

    Raises:
        ModelError: It is of another family, or arrays are missing or do not fit together.
    """
    kind = str(config.get("model_type", ""))
    _check_kind(kind, config)
    prefix = next((name.removesuffix(_WORDS) for name in sorted(arrays) if name.endswith(_WORDS)), None)
    if prefix is None:
        raise ModelError(
            "the base has no array named embeddings.word_embeddings.weight",
            hint="give the folder as transformers saved it: save_pretrained(FOLDER)",
        )
    if arrays[prefix + _WORDS].ndim != 2:
        raise ModelError(f"the base's {_WORDS} has the shape {arrays[prefix + _WORDS].shape}")
    found = {
        _renamed(name.removeprefix(prefix), kind): array
        for name, array in arrays.items()
        if name.startswith(prefix)
    }
    layers = len({match[1] for name in found if (match := _LAYER.match(name))})
    heads = config.get("num_attention_heads", config.get("n_heads"))
    wanted = _wanted(layers)
    if kind == "distilbert":
        width = found["embeddings.word_embeddings.weight"].shape[1]
        found["embeddings.token_type_embeddings.weight"] = np.zeros((1, width), np.float32)
    missing = [name for name in wanted if name not in found]
    if missing or not layers or not isinstance(heads, int) or heads < 1:
        raise ModelError(
            f"the base lacks {missing[0] if missing else 'layers or their heads'}, which {kind} models have",
            hint="give the folder as transformers saved it: save_pretrained(FOLDER)",
        )
    kept = {f"encoder.{name}": found[name] for name in wanted}
    if kind in BEHIND_PADDING:
        places = "encoder.embeddings.position_embeddings.weight"
        kept[places] = kept[places][int(_number(config, "pad_token_id", 1)) + 1 :]
    _check_sizes(kept, heads)
    epsilon = _number(config, "layer_norm_eps", 1e-12)
    return Weights(arrays=kept, shape=Shape(layers=layers, heads=heads, epsilon=epsilon))


def _number(config: Mapping[str, Any], key: str, usual: float) -> float:
    """Return a number of `config.json` that is not negative; the usual one where it is missing or null."""
    found = config.get(key)
    if found is None:
        return usual
    if isinstance(found, bool) or not isinstance(found, int | float) or not 0 <= found < math.inf:
        raise ModelError(
            f"{key} of the base's config.json is {str(found)[:40]!r}, and must be a number, 0 or more",
            hint="give the folder as transformers saved it: save_pretrained(FOLDER)",
        )
    return found


def _check_kind(kind: str, config: Mapping[str, Any]) -> None:
    if kind not in FAMILIES:
        raise ModelError(
            f"the base is of the family {kind[:40] or 'unknown'!r}, which training cannot start from",
            hint=f"families: {', '.join(sorted(FAMILIES))}",
        )
    act = config.get("hidden_act", config.get("activation", "gelu"))
    if act != "gelu":
        raise ModelError(f"the base computes {str(act)[:40]!r} between its layers, and only gelu is known")
    if (config.get("position_embedding_type") or "absolute") != "absolute":
        raise ModelError("the base has relative positions, and only absolute ones are known")


def _renamed(name: str, kind: str) -> str:
    name = name.replace("LayerNorm.gamma", "LayerNorm.weight").replace("LayerNorm.beta", "LayerNorm.bias")
    if kind == "distilbert":
        for theirs, ours in _DISTILLED.items():
            name = name.replace(theirs, ours)
    return name


def _wanted(layers: int) -> list[str]:
    tables = ("word_embeddings", "position_embeddings", "token_type_embeddings")
    names = [f"embeddings.{table}.weight" for table in tables]
    names += [f"embeddings.LayerNorm.{end}" for end in ("weight", "bias")]
    for number in range(layers):
        names += [f"encoder.layer.{number}.{part}.{end}" for part in _PARTS for end in ("weight", "bias")]
    return names


def _check_sizes(arrays: Mapping[str, Array], heads: int) -> None:
    width = arrays["encoder.embeddings.word_embeddings.weight"].shape[-1]
    wide = arrays["encoder.encoder.layer.0.intermediate.dense.bias"].size
    for name, array in arrays.items():
        matrix = name.endswith("weight") and "LayerNorm" not in name
        rows = wide if ".intermediate." in name else width
        columns = wide if ".output.dense." in name and "attention" not in name else width
        table = ".embeddings." in name and "LayerNorm" not in name
        right = array.shape == (rows, columns) if matrix else array.shape == (rows,)
        if table:
            right = array.ndim == 2 and array.shape[1] == width and len(array) > 0
        if not right or not np.isfinite(array).all():
            raise ModelError(
                f"the base's {name.removeprefix('encoder.')} has the shape {array.shape}, or values that are"
                " not numbers"
            )
    if width % heads:
        raise ModelError(f"the base is {width} wide, which {heads} heads do not divide")
