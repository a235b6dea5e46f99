"""Encoders from outside: the same hidden states as their own formulas give, whatever file they come in."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from tokenizers import Tokenizer, models, pre_tokenizers

from appliance.errors import ModelError
from appliance.onnx_tools.bert_graph import build
from appliance.onnx_tools.runtime import open_session
from appliance.training.base.open_base import BUNDLED, bundled_base, open_base

Array = NDArray[np.float32]
WIDTH, HEADS, LAYERS, WORDS, PLACES, PAD = 32, 4, 3, 60, 40, 1


def made_arrays(kind: str) -> dict[str, Array]:
    """Random weights under the names that transformers gives them."""
    random = np.random.default_rng(7)

    def normal(*size: int) -> Array:
        return random.normal(0, 0.3, size).astype(np.float32)

    arrays = {
        "embeddings.word_embeddings.weight": normal(WORDS, WIDTH),
        "embeddings.position_embeddings.weight": normal(PLACES, WIDTH),
        "embeddings.LayerNorm.weight": 1 + normal(WIDTH),
        "embeddings.LayerNorm.bias": normal(WIDTH),
    }
    if kind != "distilbert":
        arrays["embeddings.token_type_embeddings.weight"] = normal(2 if kind == "bert" else 1, WIDTH)
    names = {
        "attention.self.query": "attention.q_lin",
        "attention.self.key": "attention.k_lin",
        "attention.self.value": "attention.v_lin",
        "attention.output.dense": "attention.out_lin",
        "attention.output.LayerNorm": "sa_layer_norm",
        "intermediate.dense": "ffn.lin1",
        "output.dense": "ffn.lin2",
        "output.LayerNorm": "output_layer_norm",
    }
    stack = "transformer.layer" if kind == "distilbert" else "encoder.layer"
    for layer in range(LAYERS):
        for ours, theirs in names.items():
            name = f"{stack}.{layer}.{theirs if kind == 'distilbert' else ours}"
            size = {"intermediate.dense": (2 * WIDTH, WIDTH), "output.dense": (WIDTH, 2 * WIDTH)}.get(ours)
            shape = (WIDTH,) if "LayerNorm" in ours else size or (WIDTH, WIDTH)
            arrays[f"{name}.weight"] = normal(*shape) + np.float32("LayerNorm" in ours)
            equal = ours == "attention.self.key"  # of all layers, as in many models
            arrays[f"{name}.bias"] = np.zeros(WIDTH, np.float32) if equal else normal(shape[0])
    return {f"{kind}.{name}": array for name, array in arrays.items()}


def config(kind: str) -> dict[str, Any]:
    told = {"model_type": kind, "pad_token_id": PAD, "layer_norm_eps": 1e-5, "hidden_act": "gelu"}
    return {**told, ("n_heads" if kind == "distilbert" else "num_attention_heads"): HEADS}


def safetensors(arrays: dict[str, Array], *, dtype: str = "F32") -> bytes:
    """The bytes of a file, written from the format's description."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    data = b""
    for name, array in arrays.items():
        part = array.tobytes()
        if dtype == "F16":
            part = array.astype(np.float16).tobytes()
        elif dtype == "BF16":
            part = (array.view(np.uint32) >> 16).astype(np.uint16).tobytes()
        header[name] = {
            "dtype": dtype, "shape": list(array.shape), "data_offsets": [len(data), len(data) + len(part)],
        }  # fmt: skip
        data += part
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def hidden_states(arrays: dict[str, Array], kind: str, ids: NDArray[np.int64]) -> Array:
    """The last hidden layer, by the formulas of the paper, in float64."""
    values = {name.removeprefix(f"{kind}."): array.astype(np.float64) for name, array in arrays.items()}

    def norm(value: Any, name: str) -> Any:
        centred = value - value.mean(-1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5)
        return scaled * values[f"{name}.weight"] + values[f"{name}.bias"]

    def linear(value: Any, name: str) -> Any:
        return value @ values[f"{name}.weight"].T + values[f"{name}.bias"]

    first = PAD + 1 if kind == "roberta" else 0
    value = values["embeddings.word_embeddings.weight"][ids]
    value = value + values["embeddings.position_embeddings.weight"][first : first + len(ids)]
    if kind != "distilbert":
        value = value + values["embeddings.token_type_embeddings.weight"][0]
    value = norm(value, "embeddings.LayerNorm")
    distilled = kind == "distilbert"
    for layer in range(LAYERS):
        part = f"transformer.layer.{layer}." if distilled else f"encoder.layer.{layer}."
        query, key, content = (
            linear(value, part + name).reshape(len(ids), HEADS, -1).transpose(1, 0, 2)
            for name in (
                ("attention.q_lin", "attention.k_lin", "attention.v_lin")
                if distilled
                else ("attention.self.query", "attention.self.key", "attention.self.value")
            )
        )
        scores = query @ key.transpose(0, 2, 1) / np.sqrt(WIDTH // HEADS)
        chances = np.exp(scores - scores.max(-1, keepdims=True))
        chances /= chances.sum(-1, keepdims=True)
        mixed = (chances @ content).transpose(1, 0, 2).reshape(len(ids), WIDTH)
        mixed = linear(mixed, part + ("attention.out_lin" if distilled else "attention.output.dense"))
        value = norm(value + mixed, part + ("sa_layer_norm" if distilled else "attention.output.LayerNorm"))
        wide = linear(value, part + ("ffn.lin1" if distilled else "intermediate.dense"))
        wide = wide * 0.5 * (1 + np.vectorize(math.erf)(wide / np.sqrt(2)))
        narrow = linear(wide, part + ("ffn.lin2" if distilled else "output.dense"))
        value = norm(value + narrow, part + ("output_layer_norm" if distilled else "output.LayerNorm"))
    return np.asarray(value, np.float32)


def exported(arrays: dict[str, Array]) -> bytes:
    """A graph as exporters leave it: turned matrices with numbers, nodes by place, equal arrays once."""
    nodes, constants = [], []
    kept: dict[bytes, str] = {}
    for number, (name, array) in enumerate(arrays.items()):
        place = name.removesuffix(".weight")
        if array.ndim == 2 and "embeddings" not in name:
            constants.append(numpy_helper.from_array(np.ascontiguousarray(array.T), f"onnx::MatMul_{number}"))
            node = f"/{place.replace('.', '/').replace('layer/', 'layer.')}/MatMul"
            nodes.append(
                helper.make_node("MatMul", ["x", f"onnx::MatMul_{number}"], [f"y{number}"], name=node)
            )
        elif (first := kept.setdefault(array.tobytes(), name)) != name:
            nodes.append(helper.make_node("Identity", [first], [name], name=f"Identity_{number}"))
        else:
            constants.append(numpy_helper.from_array(array, name))
    ends = [onnx.ValueInfoProto(name=name) for name in ("x", nodes[0].output[0])]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], constants)
    return bytes(helper.make_model(graph).SerializeToString())


@pytest.fixture
def save(tmp_path: Path) -> Callable[..., Path]:
    def save(files: dict[str, bytes], kind: str = "bert", **changes: Any) -> Path:
        folder = tmp_path / "outside"
        folder.mkdir()
        words = Tokenizer(models.WordLevel({f"w{n}": n for n in range(WORDS)}, unk_token="w0"))
        words.pre_tokenizer = pre_tokenizers.Whitespace()
        (folder / "tokenizer.json").write_text(words.to_str())
        (folder / "config.json").write_text(json.dumps({**config(kind), **changes}))
        for name, data in files.items():
            (folder / name).write_bytes(data)
        return folder

    return save


@pytest.mark.parametrize("kind", ["bert", "roberta", "distilbert"])
@pytest.mark.parametrize("form", ["F32", "F16", "BF16", "onnx"])
def test_an_encoder_from_outside_computes_what_its_formulas_say(
    save: Callable[..., Path], tmp_path: Path, kind: str, form: str
) -> None:
    arrays = made_arrays(kind)
    if form == "onnx":
        files = {"model.onnx": exported(arrays)}
    else:
        files = {"model.safetensors": safetensors(arrays, dtype=form)}
    base = open_base(save(files, kind), tmp_path / "base")
    assert base.layers == ("hidden_1", "hidden_2", "hidden_3")
    assert base.folder.name == "outside"
    weights = base.weights()
    head = {"head.weight": np.zeros((1, WIDTH), np.float32), "head.bias": np.zeros(1, np.float32)}
    exact = build(weights.arrays | head, weights.shape, "float", hidden=(LAYERS,)).SerializeToString()
    ids = np.array([3, 17, 5, 42, 8, 0, 59], np.int64)
    feed = {"input_ids": ids[None], "attention_mask": np.ones((1, 7), np.int64)}
    feed["token_type_ids"] = np.zeros((1, 7), np.int64)
    wanted = hidden_states(arrays, kind, ids)
    (got,) = open_session(exact, ["CPUExecutionProvider"]).run([f"hidden_{LAYERS}"], feed)
    assert np.abs(got[0] - wanted).max() < {"F32": 2e-5, "onnx": 2e-5, "F16": 0.02, "BF16": 0.15}[form]
    (small,) = open_session(base.folder.read("model.onnx"), ["CPUExecutionProvider"]).run(["hidden_3"], feed)
    cosine = (small[0] * wanted).sum() / np.linalg.norm(small[0]) / np.linalg.norm(wanted)
    assert cosine > 0.99, "8 bits change little"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"model_type": "deberta-v2"}, "family 'deberta-v2', which training cannot start from"),
        ({"hidden_act": "relu"}, "'relu'"),
        ({"position_embedding_type": "relative_key"}, "relative positions"),
        ({"num_attention_heads": 5}, "which 5 heads do not divide"),
        ({"num_attention_heads": "4"}, "lacks layers or their heads"),
        ({"layer_norm_eps": "small"}, "layer_norm_eps of the base's config.json is 'small'"),
        ({"layer_norm_eps": -1}, "layer_norm_eps of the base's config.json is '-1'"),
        ({"model_type": "roberta", "pad_token_id": "x"}, "pad_token_id of the base's config.json is 'x'"),
    ],
)
def test_encoders_that_cannot_be_started_from_are_refused_by_what_is_unknown(
    save: Callable[..., Path], tmp_path: Path, changes: dict[str, Any], reason: str
) -> None:
    folder = save({"model.safetensors": safetensors(made_arrays("bert"))}, **changes)
    with pytest.raises(ModelError) as caught:
        open_base(folder, tmp_path / "base")
    assert reason in caught.value.message


def test_missing_and_malformed_arrays_are_named(save: Callable[..., Path], tmp_path: Path) -> None:
    arrays = made_arrays("bert")
    whole = dict(arrays)
    name = "bert.encoder.layer.1.output.dense.weight"
    folder = save({"model.safetensors": safetensors({k: v for k, v in arrays.items() if k != name})})
    with pytest.raises(ModelError, match=r"lacks encoder\.layer\.1\.output\.dense\.weight"):
        open_base(folder, tmp_path / "base")
    (folder / "model.safetensors").write_bytes(safetensors({**whole, name: whole[name].T.copy()}))
    with pytest.raises(ModelError, match=r"layer\.1\.output\.dense\.weight has the shape"):
        open_base(folder, tmp_path / "base")


def test_what_config_json_leaves_open_is_as_usual(save: Callable[..., Path], tmp_path: Path) -> None:
    files = {"model.safetensors": safetensors(made_arrays("roberta"))}
    opened = {"layer_norm_eps": None, "pad_token_id": None, "position_embedding_type": None}
    assert open_base(save(files, "roberta", **opened), tmp_path / "base").layers[0] == "hidden_1"


@pytest.mark.parametrize("kind", ["bert", "distilbert"])
@pytest.mark.parametrize("shape", [(), (4,), (2, 2, 2)])
def test_a_table_of_words_that_is_no_table_is_refused(
    save: Callable[..., Path], tmp_path: Path, kind: str, shape: tuple[int, ...]
) -> None:
    arrays = made_arrays(kind)
    name = next(name for name in arrays if name.endswith("word_embeddings.weight"))
    files = {"model.safetensors": safetensors({**arrays, name: np.zeros(shape, np.float32)})}
    with pytest.raises(ModelError, match="word_embeddings"):
        open_base(save(files, kind), tmp_path / "base")


def test_a_tokenizer_with_more_tokens_than_the_encoder_is_refused(
    save: Callable[..., Path], tmp_path: Path
) -> None:
    folder = save({"model.safetensors": safetensors(made_arrays("bert"))})
    larger = (BUNDLED["en"] / "tokenizer.json").read_bytes()
    (folder / "tokenizer.json").write_bytes(larger)
    with pytest.raises(
        ModelError, match=rf"knows \d+ tokens, and its word_embeddings have {WORDS} rows"
    ) as caught:
        open_base(folder, tmp_path / "base")
    assert "resize_token_embeddings" in caught.value.hint


@pytest.mark.parametrize(
    "data",
    [
        b"", b"short", (1 << 60).to_bytes(8, "little") + b"{}", (2).to_bytes(8, "little") + b"[]",
        (2).to_bytes(8, "little") + b"{", b"\x02" + bytes(7) + b"{}",
        safetensors({"a": np.zeros(4, np.float32)})[:-4],
        safetensors({"a": np.zeros(4, np.float32)}).replace(b'"shape": [4]', b'"shape": [9]'),
        safetensors({"a": np.zeros(4, np.float32)}).replace(b'[0, 16]', b'[-8,8]'),
    ],
)  # fmt: skip
def test_what_is_no_safetensors_file_is_refused(
    save: Callable[..., Path], tmp_path: Path, data: bytes
) -> None:
    with pytest.raises(ModelError):
        open_base(save({"model.safetensors": data}), tmp_path / "base")


def test_folders_without_weights_or_tokenizer_say_how_to_make_them(
    save: Callable[..., Path], tmp_path: Path
) -> None:
    folder = save({})
    with pytest.raises(ModelError, match=r"holds no model\.safetensors") as caught:
        open_base(folder, tmp_path / "base")
    assert "save_pretrained" in caught.value.hint
    (folder / "model.safetensors.index.json").write_text("{}")
    with pytest.raises(ModelError, match="several files"):
        open_base(folder, tmp_path / "base")
    (folder / "tokenizer.json").unlink()
    with pytest.raises(ModelError) as caught:
        open_base(folder, tmp_path / "base")
    assert "use_fast=True" in caught.value.hint
    with pytest.raises(ModelError, match=rf"holds no config\.json; its folders {folder.name} do"):
        open_base(folder.parent, tmp_path / "base")
    with pytest.raises(ModelError, match="not a folder"):
        open_base(tmp_path / "nowhere", tmp_path / "base")


def test_the_bundled_encoder_is_a_base_too() -> None:
    base = bundled_base()
    assert base.folder.path == BUNDLED["en"]
    assert base.weights().shape.layers == 6
