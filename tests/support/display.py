"""Display models small enough to be read: a table, pauses, an n-gram model, and a tiny classifier."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer, models, pre_tokenizers

RULES = "# spoken\twritten\ngate\tGate\nturn left\tTURN-L\nper cent\t%\n"
ARPA = r"""
\data\
ngram 1=6
ngram 2=2

\1-grams:
-1.0	<s>	-0.3
-1.0	</s>
-1.0	two	-0.3
-1.0	to
-1.0	go	-0.3
-3.0	<unk>

\2-grams:
-0.1	go	to
-2.0	go	two

\end\
"""


def write_display(folder: Path, kind: str, contents: Mapping[str, bytes], **more: Any) -> Path:
    """Write the folder of a display model."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in contents.items():
        (folder / name).write_bytes(data)
    manifest = {
        "format": 1,
        "task": kind,
        "name": kind,
        "release": "1.0.0",
        "language": "en-US",
        "files": {name: hashlib.sha256(data).hexdigest() for name, data in contents.items()},
        **more,
    }
    (folder / "model.json").write_text(json.dumps(manifest))
    return folder


def write_rules(folder: Path, text: str = RULES, **more: Any) -> Path:
    return write_display(folder, "speech-wfstitn", {"rules.tsv": text.encode()}, **more)


def write_pauses(folder: Path, **more: Any) -> Path:
    return write_display(folder, "speech-resegment", {}, **{"resegment": {"pause_seconds": 0.3}, **more})


def write_rescorer(folder: Path, text: str = ARPA, **more: Any) -> Path:
    return write_display(folder, "speech-rescore", {"lm.arpa": text.encode()}, **more)


def write_punctuator(folder: Path, labels: Sequence[str] = ("O", "COMMA", "?"), **more: Any) -> Path:
    """A classifier that puts a comma behind `left` and a question mark behind `now`."""
    words = ["[UNK]", "left", "now"]
    tokenizer = Tokenizer(models.WordLevel({word: at for at, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    table = np.eye(len(words), len(labels), dtype=np.float32)
    shape = ["batch", "tokens"]
    graph = helper.make_graph(
        [helper.make_node("Gather", ["table", "input_ids"], ["logits"])],
        "punctuation",
        [helper.make_tensor_value_info("input_ids", TensorProto.INT64, shape)],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [*shape, len(labels)])],
        [numpy_helper.from_array(table, "table")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    files = {
        "model.onnx": model.SerializeToString(),
        "tokenizer.json": tokenizer.to_str().encode(),
        "config.json": json.dumps({"id2label": {str(at): name for at, name in enumerate(labels)}}).encode(),
    }
    return write_display(folder, "speech-punct", files, **more)
