"""A tiny real model of many languages, which knows a few names.

Its tokenizer is of sentencepiece's kind (Unigram, Metaspace), as those of XLM-R and multilingual E5 are; its
graph looks the label of each token up in a table.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from appliance.ner.manifest import write_manifest

LABELS: Final = ("O", "B-Person", "I-Person", "B-Organization", "I-Organization", "B-Location", "I-Location")
LANGUAGES: Final = ("en", "de", "zh-Hans", "ja", "th", "ar", "he", "vi", "hi")
SPECIALS: Final = ("<s>", "<pad>", "</s>", "<unk>")
_MARK: Final = "\u2581"

NAMES: Final = {
    # pieces of a name as the tokenizer has them, in the normal form that it makes
    ("\u2581Angela", "\u2581Merkel"): "Person",
    ("\u2581Berlin",): "Location",
    ("\u2581Siemens",): "Organization",
    ("\u4e60\u8fd1", "\u5e73"): "Person",
    ("\u5317\u4eac",): "Location",
    ("\u5b89\u500d", "\u664b\u4e09"): "Person",
    ("\u6771\u4eac",): "Location",
    ("\u30c8\u30e8\u30bf",): "Organization",
    ("\u0e01\u0e23\u0e38\u0e07", "\u0e40\u0e17\u0e1e"): "Location",
    ("\u2581\u0645\u062d\u0645\u062f", "\u2581\u0627\u0644\u0639\u0644\u064a"): "Person",
    ("\u2581\u0628\u0627\u0644", "\u0642\u0627\u0647\u0631\u0629"): "Location",
    ("\u2581\u05d1\u05e0\u05d9\u05de\u05d9\u05df", "\u2581\u05e0\u05ea\u05e0\u05d9\u05d4\u05d5"): "Person",
    ("\u2581\u05d1", "\u05d9\u05e8\u05d5\u05e9\u05dc\u05d9\u05dd"): "Location",
    ("\u2581H\u1ed3", "\u2581Ch\u00ed", "\u2581Minh"): "Location",
    ("\u2581\u0928\u0930\u0947\u0902\u0926\u094d\u0930", "\u2581\u092e\u094b\u0926\u0940"): "Person",
    ("\u2581\u0926\u093f\u0932\u094d\u0932\u0940",): "Location",
}
"""Names in German and English, Chinese, Japanese, Thai, Arabic and Hebrew (with a preposition written to the
word), Vietnamese, and Hindi with combining marks."""

_LETTERS: Final = (
    ("\u0020", "\u007e"),
    ("\u00a1", "\u017f"),
    ("\u0300", "\u0323"),
    ("\u05d0", "\u05ea"),
    ("\u0621", "\u064a"),
    ("\u0900", "\u094d"),
    ("\u0e01", "\u0e4e"),
    ("\u1ea0", "\u1ef9"),
    ("\u3001", "\u3002"),
    ("\u3041", "\u30fe"),
)


def write_tiny_languages(path: Path, *, languages: Sequence[str] = LANGUAGES) -> Path:
    """Write the model folder.

    Args:
        path: A folder that does not exist.
        languages: What its `model.json` lists.
    """
    path.mkdir(parents=True)
    pieces, labels = _pieces()
    (path / "tokenizer.json").write_text(_tokenizer(pieces).to_str(), encoding="utf-8")
    (path / "model.onnx").write_bytes(_graph(labels))
    config = {
        "architectures": ["XLMRobertaForTokenClassification"],
        "id2label": {str(number): label for number, label in enumerate(LABELS)},
        "max_position_embeddings": 66,
        "model_type": "xlm-roberta",
        "pad_token_id": 1,
    }
    (path / "config.json").write_text(json.dumps(config))
    manifest = {
        "format": 1,
        "task": "ner",
        "name": "tiny-languages",
        "release": "1.0.0",
        "language": "multilingual",
        "languages": list(languages),
        "meters": ["CognitiveServices.Ner.Container.TextRecords"],
        "decoding": {"scheme": "BIO", "aggregation": "first", "words": "punctuation"},
        "batch_invariant": True,
        "files": {},
    }
    write_manifest(path, manifest)
    return path


def _pieces() -> tuple[list[tuple[str, float]], list[int]]:
    """Return the vocabulary with the log probability of each piece, and the label of each."""
    named: dict[str, int] = {}
    for name, category in NAMES.items():
        named[name[0]] = LABELS.index(f"B-{category}")
        named |= {piece: LABELS.index(f"I-{category}") for piece in name[1:]}
    letters = [chr(code) for first, last in _LETTERS for code in range(ord(first), ord(last) + 1)]
    pieces = [(special, 0.0) for special in SPECIALS]
    pieces += [(piece, -4.0) for piece in named]
    pieces += [(letter, -9.0) for letter in dict.fromkeys([_MARK, *letters]) if letter != " "]
    return pieces, [named.get(piece, 0) for piece, _ in pieces]


def _tokenizer(pieces: Sequence[tuple[str, float]]) -> Tokenizer:
    tokenizer = Tokenizer(models.Unigram(list(pieces), unk_id=SPECIALS.index("<unk>"), byte_fallback=False))
    tokenizer.normalizer = normalizers.NFKC()
    marked = pre_tokenizers.Metaspace(replacement=_MARK, prepend_scheme="always")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), marked])
    tokenizer.add_special_tokens(list(SPECIALS))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    return tokenizer


def _graph(labels: Sequence[int]) -> bytes:
    table = np.eye(len(LABELS), dtype=np.float32)[list(labels)] * 8
    graph = helper.make_graph(
        [helper.make_node("Gather", ["table", "input_ids"], ["logits"])],
        "tiny-languages",
        [helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["batch", "tokens"])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", "tokens", len(LABELS)])],
        [numpy_helper.from_array(table, "table")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(model.SerializeToString())
