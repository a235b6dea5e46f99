"""The bundled encoder's weights, read back from its 8-bit graph as float32: where fine-tuning starts."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from appliance.errors import ModelError
from appliance.onnx_tools.bert_graph import Shape, unpacked_rows

Array = NDArray[np.float32]
_PER_LAYER: Final = 4
_EMBEDDINGS: Final = "encoder.embeddings."
MOST_LEARNT_WORDS: Final = 65_000
"""Rows of a table of words that learns; those of one language have 30,000 to 52,000."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """Arrays named as in `recipes.ner.model`, and what they do not tell.

    Attributes:
        arrays: Float32, by name.
        shape: Sizes.
        word_bits: Bits of the table of words, where the encoder came with 4; None otherwise.
    """

    arrays: dict[str, Array]
    shape: Shape
    word_bits: int | None = None

    @property
    def learns_words(self) -> bool:
        """Whether a training changes the table of words.

        A table of many languages stays as it is: most of its rows are of words that no document shows, which
        would fall behind, and to move them all takes longer than all layers do. So does one in 4 bits.
        """
        rows = len(self.arrays[f"{_EMBEDDINGS}word_embeddings.weight"])
        return self.word_bits is None and rows <= MOST_LEARNT_WORDS


class _Graph:
    def __init__(self, model: onnx.ModelProto) -> None:
        self.nodes = list(model.graph.node)
        self._constants = {constant.name: constant for constant in model.graph.initializer}
        self._users = {name: node for node in reversed(self.nodes) for name in node.input}

    def array(self, name: str) -> NDArray[Any]:
        return numpy_helper.to_array(self._constants[name])

    def shape_of(self, reshape: onnx.NodeProto) -> NDArray[Any]:
        return self.array(reshape.input[1])

    def of(self, kind: str) -> list[onnx.NodeProto]:
        return [node for node in self.nodes if node.op_type == kind]

    def linear(self, node: onnx.NodeProto) -> tuple[Array, Array]:
        """Return weights [out, in] and bias of an 8-bit product: two Mul and an Add follow it."""
        numbers = self.array(node.input[1]).astype(np.float32)
        cast = self._users[node.output[0]]
        by_row = self._users[cast.output[0]]
        by_column = self._users[by_row.output[0]]
        total = self._users[by_column.output[0]]
        scale, bias = self._constant_of(by_column), self._constant_of(total)
        return np.ascontiguousarray((numbers * scale).T), bias

    def _constant_of(self, node: onnx.NodeProto) -> Array:
        (name,) = (name for name in node.input if name in self._constants)
        return self.array(name).astype(np.float32)

    def gathered(self, indices: str) -> list[NDArray[Any]]:
        return [self.array(node.input[0]) for node in self.of("Gather") if node.input[1] == indices]


def read_weights(data: bytes) -> Weights:
    """Read a graph that `appliance.onnx_tools.bert_graph` wrote with one scale a token.

    Raises:
        ModelError: It is another kind of graph.
    """
    graph = _Graph(onnx.load_model_from_string(data))
    try:
        arrays = dict([*_embeddings(graph), *_layers(graph), *_norms(graph)])
        cut = next(
            cut for cut in map(graph.shape_of, graph.of("Reshape")) if len(cut) == 4
        )  # batch, tokens, heads, width
        norm = graph.of("LayerNormalization")[0]
        epsilon = next(attribute.f for attribute in norm.attribute if attribute.name == "epsilon")
    except (KeyError, ValueError, IndexError, StopIteration) as error:
        raise ModelError("the bundled model is not of the kind that can be fine-tuned") from error
    layers = len(graph.of("MatMulInteger")) // _PER_LAYER
    shape = Shape(layers=layers, heads=int(cut[2]), epsilon=epsilon)
    packed = graph.gathered("input_ids")[0].dtype == np.uint8
    return Weights(
        arrays=_unfolded(arrays, layers, shape.heads), shape=shape, word_bits=4 if packed else None
    )


def _embeddings(graph: _Graph) -> Iterator[tuple[str, Array]]:
    numbers, scale = graph.gathered("input_ids")
    yield f"{_EMBEDDINGS}word_embeddings.weight", _table(numbers, scale)
    (types,) = graph.gathered("token_type_ids")
    yield f"{_EMBEDDINGS}token_type_embeddings.weight", types
    (places,) = (graph.array(node.input[0]) for node in graph.of("Slice"))
    yield f"{_EMBEDDINGS}position_embeddings.weight", places


def _table(numbers: NDArray[Any], scale: NDArray[Any]) -> Array:
    """Return the table of words [rows, width] of its numbers, in 8 or in 4 bits, and their scales."""
    if numbers.dtype != np.uint8:
        whole: Array = numbers.astype(np.float32) * scale
        return whole
    return unpacked_rows(numbers, scale)


def _layers(graph: _Graph) -> Iterator[tuple[str, Array]]:
    parts = ("attention.self.joint", "attention.output.dense", "intermediate.dense", "output.dense")
    for index, node in enumerate(graph.of("MatMulInteger")):
        number, place = divmod(index, _PER_LAYER)
        weight, bias = graph.linear(node)
        yield f"encoder.encoder.layer.{number}.{parts[place]}.weight", weight
        yield f"encoder.encoder.layer.{number}.{parts[place]}.bias", bias


def _norms(graph: _Graph) -> Iterator[tuple[str, Array]]:
    first, *others = graph.of("LayerNormalization")
    places = [(f"{_EMBEDDINGS}LayerNorm", first)]
    for number, node in enumerate(others):
        part = "output" if number % 2 else "attention.output"
        places.append((f"encoder.encoder.layer.{number // 2}.{part}.LayerNorm", node))
    for place, node in places:
        yield f"{place}.weight", graph.array(node.input[1])
        yield f"{place}.bias", graph.array(node.input[2])


def _unfolded(arrays: dict[str, Array], layers: int, heads: int) -> dict[str, Array]:
    """Split the joint projections; the scores' factor leaves the queries, and `build` puts it back."""
    for number in range(layers):
        part = f"encoder.encoder.layer.{number}.attention.self."
        for kind in ("weight", "bias"):
            query, key, value = np.split(arrays.pop(f"{part}joint.{kind}"), 3)
            root = np.float32(np.sqrt(len(query) // heads))
            arrays |= {
                f"{part}query.{kind}": query * root,
                f"{part}key.{kind}": key,
                f"{part}value.{kind}": value,
            }
    return arrays
