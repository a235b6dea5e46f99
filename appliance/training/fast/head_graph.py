"""An encoder's graph with another head: one ONNX model that serving takes like any other."""

from collections.abc import Sequence

import numpy as np
import onnx
from onnx import TensorProto, helper

from appliance.onnx_tools.bert_graph import Graph
from appliance.training.fast.light_head import Head

_OUTPUT = "logits"


def with_head(encoder: bytes, layers: Sequence[str], head: Head, labels: Sequence[str]) -> bytes:
    """Return the model: tokens to hidden layers as in `encoder`, then to the scores of `labels`.

    Args:
        encoder: A model with the inputs of token classification and the outputs `layers`.
        layers: Outputs that the head reads.
        head: Trained on them.
        labels: As the head was trained with them.
    """
    model = onnx.load_model_from_string(encoder)
    _keep(model.graph, layers)
    graph = Graph(prefix="head_")
    joint = graph.one("Concat", *layers, axis=-1)
    hidden = graph.one(
        "Add", graph.one("MatMul", joint, graph.constant(head.first)), graph.constant(head.bias)
    )
    rows = graph.constant(head.rows)
    for table, tokens in zip(head.tables, _neighbours(graph), strict=True):
        place = graph.one("Gather", rows, tokens)
        hidden = graph.one("Add", hidden, graph.one("Gather", graph.constant(table), place))
    active = graph.one("Relu", hidden)
    product = graph.one("MatMul", active, graph.constant(head.last))
    graph.one("Add", product, graph.constant(head.last_bias), name=_OUTPUT)
    model.graph.node.extend(graph.nodes)
    model.graph.initializer.extend(graph.constants)
    del model.graph.output[:]
    model.graph.output.append(
        helper.make_tensor_value_info(_OUTPUT, TensorProto.FLOAT, ["batch", "tokens", len(labels)])
    )
    model.producer_name = "appliance.custom"
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def _neighbours(graph: Graph) -> tuple[str, str, str]:
    """Return the names of each token's number, of the one before and the one after it; ends repeat."""
    zero, one, minus, end, axis = (
        graph.constant(np.array([number], np.int64)) for number in (0, 1, -1, np.iinfo(np.int64).max, 1)
    )

    def cut(start: str, stop: str) -> str:
        return graph.one("Slice", "input_ids", start, stop, axis)

    before = graph.one("Concat", cut(zero, one), cut(zero, minus), axis=1)
    after = graph.one("Concat", cut(one, end), cut(minus, end), axis=1)
    return "input_ids", before, after


def _keep(graph: onnx.GraphProto, outputs: Sequence[str]) -> None:
    """Drop the nodes and constants that these outputs do not need."""
    needed = set(outputs)
    kept: list[onnx.NodeProto] = []
    for node in reversed(graph.node):
        if needed & set(node.output):
            needed |= set(node.input)
            kept.append(node)
    del graph.node[:]
    graph.node.extend(reversed(kept))
    constants = [constant for constant in graph.initializer if constant.name in needed]
    del graph.initializer[:]
    graph.initializer.extend(constants)
