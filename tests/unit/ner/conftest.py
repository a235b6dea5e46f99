"""Tiny real models, made here: a tokenizer of a few hundred words and an ONNX graph that knows some names.

The graph looks each token up in a table of scores and adds a little of the window's mean, so that an answer
depends on the whole window as a real model's does. The quantised kind scales activations over the batch, as
dynamic int8 does, so batch mates would disturb one another if they ever met.
"""

import hashlib
import json
import string
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from appliance.ner.decoding import Decoder
from appliance.ner.session import Logits, TokenNumbers
from appliance.ner.tokenizer import TextTokenizer

LABELS = ("O", "B-Person", "I-Person", "B-Organization", "I-Organization", "B-Location", "I-Location")
NAMES = {
    "john": "B-Person",
    "mary": "B-Person",
    "smith": "I-Person",
    "jones": "I-Person",
    "acme": "B-Organization",
    "globex": "B-Organization",
    "corp": "I-Organization",
    "paris": "B-Location",
    "york": "I-Location",
    "berlin": "B-Location",
}
PLAIN = (
    "the",
    "a",
    "of",
    "lives",
    "works",
    "in",
    "at",
    "and",
    "or",
    "new",
    "was",
    "born",
    "who",
    "said",
    "that",
    "it",
    "is",
    "not",
    "far",
    "from",
    "there",
)
SPECIALS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")


def vocabulary() -> dict[str, int]:
    letters = string.ascii_lowercase + string.digits
    pieces = [
        *SPECIALS,
        *NAMES,
        *PLAIN,
        *letters,
        *("##" + letter for letter in letters),
        *string.punctuation,
    ]
    return {piece: number for number, piece in enumerate(dict.fromkeys(pieces))}


def score_table() -> NDArray[np.float32]:
    vocab = vocabulary()
    noise = np.random.default_rng(7).normal(0, 0.3, (len(vocab), len(LABELS)))
    table = noise.astype(np.float32)
    table[:, 0] += 4
    for word, label in NAMES.items():
        table[vocab[word], LABELS.index(label)] += 8
    return table


def tokenizer_json() -> bytes:
    tokenizer = Tokenizer(models.WordPiece(vocab=vocabulary(), unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.add_special_tokens(list(SPECIALS))
    ends = [(piece, vocabulary()[piece]) for piece in ("[CLS]", "[SEP]")]
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B [SEP]", special_tokens=ends
    )
    tokenizer.enable_truncation(16)  # as published tokenizers come; serving must not cut texts off
    return tokenizer.to_str().encode()


def graph_bytes(
    *,
    quantised: bool,
    domain: str = "",
    output: str = "logits",
    shape: tuple[str | int, ...] = ("batch", "tokens"),
) -> bytes:
    tables: dict[str, NDArray[Any]] = {
        "words": score_table(),
        "types": np.random.default_rng(3).normal(0, 0.2, (6, len(LABELS))).astype(np.float32),
        "share": np.array(0.25, dtype=np.float32),
        "axes": np.array([2], dtype=np.int64),
        "rows": np.array([1], dtype=np.int64),
        "zero": np.array(0, dtype=np.int8),
        "scale": np.array(0.01, dtype=np.float32),
        "mix": np.eye(len(LABELS), dtype=np.float32),
        "mix8": (np.eye(len(LABELS)) * 100).astype(np.int8),
    }
    nodes = [
        helper.make_node("Gather", ["words", "input_ids"], ["word"]),
        helper.make_node("Gather", ["types", "token_type_ids"], ["type"]),
        helper.make_node("Add", ["word", "type"], ["own"]),
        helper.make_node("Cast", ["attention_mask"], ["weight"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["weight", "axes"], ["column"]),
        helper.make_node("Mul", ["own", "column"], ["seen"]),
        helper.make_node("ReduceSum", ["seen", "rows"], ["sum"]),
        helper.make_node("ReduceSum", ["column", "rows"], ["count"]),
        helper.make_node("Div", ["sum", "count"], ["mean"]),
        helper.make_node("Mul", ["mean", "share"], ["some"]),
        helper.make_node("Add", ["own", "some"], ["hidden"]),
    ]
    if quantised:
        nodes += [
            helper.make_node("DynamicQuantizeLinear", ["hidden"], ["h8", "h_scale", "h_zero"]),
            helper.make_node("MatMulInteger", ["h8", "mix8", "h_zero", "zero"], ["product"]),
            helper.make_node("Cast", ["product"], ["real"], to=TensorProto.FLOAT),
            helper.make_node("Mul", ["h_scale", "scale"], ["both"]),
            helper.make_node("Mul", ["real", "both"], [output]),
        ]
    else:
        nodes.append(helper.make_node("MatMul", ["hidden", "mix"], [output], domain=domain))
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT64, list(shape))
        for name in ("input_ids", "attention_mask", "token_type_ids")
    ]
    outputs = [helper.make_tensor_value_info(output, TensorProto.FLOAT, ["batch", "tokens", len(LABELS)])]
    used = {name for node in nodes for name in node.input}
    constants = [numpy_helper.from_array(value, name) for name, value in tables.items() if name in used]
    graph = helper.make_graph(nodes, "tiny", inputs, outputs, constants)
    opsets = [helper.make_opsetid("", 17)]
    if domain:
        opsets.append(helper.make_opsetid(domain, 1))
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    return bytes(model.SerializeToString())


@pytest.fixture(scope="session")
def tiny_files() -> Mapping[str, Mapping[str, bytes]]:
    config = {
        "architectures": ["BertForTokenClassification"],
        "id2label": {str(number): label for number, label in enumerate(LABELS)},
        "layer_norm_eps": 1e-12,
        "max_position_embeddings": 64,
        "model_type": "bert",
        "pad_token_id": 0,
    }
    shared = {"tokenizer.json": tokenizer_json(), "config.json": json.dumps(config).encode()}
    return {
        kind: {**shared, "model.onnx": graph_bytes(quantised=kind == "quantised")}
        for kind in ("float", "quantised")
    }


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


MakeFolder = Callable[..., Path]


@pytest.fixture
def make_folder(tmp_path: Path, tiny_files: Mapping[str, Mapping[str, bytes]]) -> MakeFolder:
    """Write a model folder; keywords change `model.json`, `files` replaces or removes (None) files,
    `listed` replaces the digests."""

    def make(
        kind: str = "float",
        *,
        manifest: bool = True,
        files: Mapping[str, bytes | None] | None = None,
        listed: Any = None,
        **changes: Any,
    ) -> Path:
        path = tmp_path / f"tiny-{len(list(tmp_path.iterdir()))}"
        path.mkdir()
        contents = {**tiny_files[kind], **(files or {})}
        for name, data in contents.items():
            if data is not None:
                (path / name).write_bytes(data)
        if manifest:
            described = {
                "format": 1,
                "task": "ner",
                "name": "tiny",
                "inputs": {"token_type_ids": "case-class"},
                "decoding": {"scheme": "BIO", "aggregation": "first"},
                "limits": {"window_tokens": 32, "overlap_tokens": 8},
                "batch_invariant": False,
                "files": listed
                or {name: hashlib.sha256(data or b"").hexdigest() for name, data in contents.items()},
                **changes,
            }
            (path / "model.json").write_text(json.dumps(described))
        return path

    return make


@pytest.fixture(scope="session")
def tokenizer() -> TextTokenizer:
    return TextTokenizer(tokenizer_json(), window_tokens=32, overlap_tokens=8, case_classes=True)


@pytest.fixture(scope="session")
def decoder() -> Decoder:
    return Decoder(LABELS, "BIO")


class FakeSession:
    """A session in memory: scores from the same table, and a door at which a test can stop it.

    Args:
        stopped: Whether calls wait at the door until `open` is called.
        poison: Token number whose presence makes the model raise.
    """

    def __init__(self, *, stopped: bool = False, poison: int = -1) -> None:
        self.batches: list[TokenNumbers] = []
        self.entered = threading.Semaphore(0)
        self._door = threading.Event()
        self._poison = poison
        self._table = score_table()
        if not stopped:
            self._door.set()

    def open(self) -> None:
        self._door.set()

    def run(self, ids: TokenNumbers, mask: TokenNumbers, types: TokenNumbers | None) -> Logits:
        self.batches.append(ids)
        self.entered.release()
        self._door.wait(10)
        if (ids == self._poison).any():
            raise RuntimeError("the model does not like this")
        scores: Logits = self._table[ids]
        return scores


@pytest.fixture
def fake_session() -> type[FakeSession]:
    return FakeSession


@pytest.fixture
def texts() -> Callable[[int], list[str]]:
    """Make so many random texts of the tiny vocabulary, of 1 to 60 words."""

    def make(count: int) -> list[str]:
        random = np.random.default_rng(11)
        words: Sequence[str] = [*NAMES, *PLAIN, "Zebra", "x9", "U.S.", ",", "!"]
        return [
            " ".join(
                word.title() if random.random() < 0.5 else word
                for word in random.choice(words, size=int(random.integers(1, 60)))
            )
            for _ in range(count)
        ]

    return make


@pytest.fixture(scope="session")
def make_graph() -> Callable[..., bytes]:
    """Make the tiny model's graph.

    `domain` moves its last operator there, `output` renames its answer, `shape` is that of its inputs.
    """
    return graph_bytes
