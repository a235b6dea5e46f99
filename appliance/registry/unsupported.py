"""Kinds of models that people bring and that are not served: named, with what works instead."""

import json
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any, Final

from appliance.errors import ModelError

EXPORT_HINT: Final = "export it: optimum-cli export onnx --model DIR --task token-classification OUT"
TRAIN_HINT: Final = (
    "train on the same labels: appliance dataset convert FILE --out PROJECT, then appliance train"
)
_FILES: Final = {
    "gliner_config.json": "a GLiNER model, which compares spans with the names of categories",
    "span_marker_config.json": "a SpanMarker model, which labels spans and not tokens",
    "meta.json": "a spaCy pipeline",
    "config.cfg": "a spaCy pipeline",
    "final-model.pt": "a Flair model",
    "best-model.pt": "a Flair model",
    "saved_model.pb": "a TensorFlow model",
    "tf_model.h5": "a TensorFlow model",
    "flax_model.msgpack": "a Flax model",
}
_SUFFIXES: Final = {
    ".nemo": "a NeMo model",
    ".mlmodel": "a Core ML model",
    ".gguf": "a language model for llama.cpp",
    ".tflite": "a TensorFlow Lite model",
}
_CONVERTED: Final = frozenset({"tf_model.h5", "flax_model.msgpack"})
"""Weights that transformers reads as well, so that Optimum exports them."""


def refuse_by_name(places: Sequence[PurePosixPath], source: str) -> None:
    """Refuse a folder whose files tell that it is a model of another kind.

    Args:
        places: Its files.
        source: What the user typed.

    Raises:
        ModelError: It is one; the message names the kind.
    """
    graph = any(place.suffix == ".onnx" for place in places)
    for place in places:
        name = place.name.lower()
        kind = _FILES.get(name) or _SUFFIXES.get(place.suffix.lower())
        # Their span graphs are ONNX files as well; with the others, a graph beside them is what counts.
        if kind and (not graph or "GLiNER" in kind or "SpanMarker" in kind):
            raise _refusal(source, kind, export=name in _CONVERTED)


def refuse_by_config(config: Mapping[str, Any], name: str) -> None:
    """Refuse a model whose configuration tells that it does not label tokens by the largest logit.

    Raises:
        ModelError: It does not; the message names the kind.
    """
    architectures = config.get("architectures")
    first = str(architectures[0]) if isinstance(architectures, list) and architectures else ""
    kind = str(config.get("model_type", ""))
    if "gliner" in (kind + first).lower() or {"span_mode", "max_width"} <= set(config):
        raise _refusal(name, _FILES["gliner_config.json"])
    if kind == "span-marker" or first.startswith("SpanMarker"):
        raise _refusal(name, _FILES["span_marker_config.json"])
    if "crf" in first.lower() or config.get("use_crf") is True:
        raise _refusal(
            name, "a model with a CRF layer, which is not in the graph, so its answers would differ"
        )


def parse_config(data: bytes) -> Mapping[str, Any]:
    """Return a configuration, or nothing where it is not a JSON object: the reader of the folder says so."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _refusal(source: str, kind: str, *, export: bool = False) -> ModelError:
    return ModelError(
        f"{source} is {kind}; models that label tokens are served", hint=EXPORT_HINT if export else TRAIN_HINT
    )
