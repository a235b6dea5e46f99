"""Weights to a model folder: `python -m recipes.ner.export --weights model.pt --out DIR`."""

import argparse
import hashlib
import json
from pathlib import Path
from typing import Any

import onnx

from appliance.ner.casing import CASE_CLASSES
from appliance.ner.model_folder import AT_PUNCTUATION
from appliance.onnx_tools.bert_graph import Shape, build
from recipes.ner.corpora import SERVED_LABELS
from recipes.ner.encode import SERVED_TOKENS
from recipes.ner.model import NerModel, base_folder, load, mean
from recipes.ner.vocabulary import Vocabulary, read_vocabulary, show_borders

SCALINGS = ("token", "tensor", "float")
KEPT = (
    *(
        "architectures",
        "model_type",
        "id2label",
        "label2id",
        "vocab_size",
        "hidden_size",
        "num_hidden_layers",
    ),
    *("num_attention_heads", "intermediate_size", "hidden_act", "max_position_embeddings", "type_vocab_size"),
    *("layer_norm_eps", "pad_token_id"),
)
DESCRIPTIONS = {
    "ner-en": "English names of people, organisations and places",
    "encoder-en": "English encoder that custom models start from, with the names it was trained on",
    "ner-multi": "Names of people, organisations and places in many languages",
}
LANGUAGE = {"ner-multi": "multilingual"}
""""en" where a name is not listed."""
WORD_BITS = {"ner-multi": 4}
"""Bits of the table of words; that of the multilingual encoder came in four, and learns nothing."""


def onnx_model(model: NerModel, scaling: str, word_bits: int | None = None) -> onnx.ModelProto:
    """Return the graph of a trained network; `scaling` as in `graph.linear`, `word_bits` as in `build`."""
    config = model.encoder.config
    shape = Shape(
        layers=config.num_hidden_layers, heads=config.num_attention_heads, epsilon=config.layer_norm_eps
    )
    weights = {name: value.numpy() for name, value in model.eval().state_dict().items()}
    return build(weights, shape, scaling, served_labels=len(SERVED_LABELS), word_bits=word_bits)


def config_of(model: NerModel) -> dict[str, Any]:
    """Return the Hugging Face configuration of the served network."""
    config = model.encoder.config
    config.architectures = ["BertForTokenClassification"]
    config.id2label = dict(enumerate(SERVED_LABELS))
    config.label2id = {label: number for number, label in enumerate(SERVED_LABELS)}
    held: dict[str, Any] = json.loads(config.to_json_string(use_diff=False))
    return {key: held[key] for key in KEPT}


def write_folder(
    model: NerModel, vocabulary: Vocabulary, out: Path, *, name: str, scaling: str, release: str
) -> None:
    """Write the graph, tokenizer, configuration and `model.json` with their digests; other files stay."""
    out.mkdir(parents=True, exist_ok=True)
    graph = onnx_model(model, scaling, WORD_BITS.get(name))
    (out / "model.onnx").write_bytes(graph.SerializeToString())
    tokenizer = vocabulary.tokenizer
    if name != "encoder-en":  # its custom models learn from their own documents what a line means
        show_borders(vocabulary)
    tokenizer.save(str(out / "tokenizer.json"), pretty=not vocabulary.cased)
    (out / "config.json").write_text(json.dumps(config_of(model), indent=2) + "\n", encoding="utf-8")
    files = ("model.onnx", "tokenizer.json", "config.json")
    described = {
        "format": 1,
        "task": "ner",
        "name": name,
        "line": f"{name}/1",
        "release": release,
        "language": LANGUAGE.get(name, "en"),
        "description": DESCRIPTIONS[name],
        "weights_license": "CC-BY-SA-4.0",
        "meters": ["CognitiveServices.Ner.Container.TextRecords"],
        "inputs": {"token_type_ids": "zeros" if vocabulary.cased else "case-class"},
        "decoding": {"scheme": "BIO", "aggregation": "first", "borders": True}
        | ({"words": AT_PUNCTUATION} if vocabulary.cased else {}),
        "limits": {"window_tokens": SERVED_TOKENS + 2, "overlap_tokens": 32},
        "batch_invariant": scaling != "tensor",
        "files": {name: hashlib.sha256((out / name).read_bytes()).hexdigest() for name in files},
    }
    (out / "model.json").write_text(json.dumps(described, indent=2) + "\n", encoding="utf-8")


def main() -> None:
    """Read the options and write the folder."""
    parser = argparse.ArgumentParser(prog="python -m recipes.ner.export", description=__doc__)
    parser.add_argument(
        "--weights",
        type=Path,
        nargs="+",
        required=True,
        help="model.pt as training wrote it; of several, the mean",
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument(
        "--scaling", choices=SCALINGS, default=SCALINGS[0], help="8-bit scales per token or tensor"
    )
    parser.add_argument("--name", choices=DESCRIPTIONS, default="ner-en")
    parser.add_argument("--release", default="1.0.0")
    parser.add_argument("--base", type=Path, help="folder of the pretrained encoder, as given to train")
    chosen = parser.parse_args()
    model = mean([load(path) for path in chosen.weights])
    vocabulary = read_vocabulary(chosen.base or base_folder())
    if not vocabulary.cased and model.encoder.config.type_vocab_size != CASE_CLASSES:
        parser.error("the weights have no table of case classes")
    write_folder(
        model, vocabulary, chosen.out, name=chosen.name, scaling=chosen.scaling, release=chosen.release
    )


if __name__ == "__main__":
    main()
