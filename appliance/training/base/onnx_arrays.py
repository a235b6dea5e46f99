"""Weights of an ONNX export under the names that they have in PyTorch.

Exporters keep the names of what they do not change. Of equal arrays they keep one, and `Identity` nodes bear
the names of the others. The matrix of a linear layer is turned and gets a number for a name; the name of its
node still says where it was: `/encoder/layer.0/attention/self/query/MatMul`.
"""

from collections.abc import Iterator
from typing import Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from appliance.errors import ModelError
from appliance.onnx_tools.inspect import MalformedGraphError, read_graph

_PRODUCT: Final = "/MatMul"


def read_onnx_arrays(data: bytes) -> dict[str, NDArray[np.float32]]:
    """Read the float arrays of a graph.

    Raises:
        ModelError: It is not an ONNX model, or keeps its weights elsewhere.
    """
    try:
        facts = read_graph(data)
    except MalformedGraphError as error:
        raise ModelError(f"model.onnx is not an ONNX model: {error}") from error
    if facts.external_data:
        raise ModelError(
            "model.onnx keeps weights in other files", hint="give the folder with model.safetensors"
        )
    graph = onnx.load_model_from_string(data).graph
    constants = {
        constant.name: numpy_helper.to_array(constant).astype(np.float32)
        for constant in graph.initializer
        if constant.data_type in (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16)
    }
    _add_copies(graph, constants)
    return constants | dict(_products(graph, constants))


def _add_copies(graph: onnx.GraphProto, constants: dict[str, NDArray[np.float32]]) -> None:
    for node in graph.node:
        if node.op_type == "Identity" and node.input[0] in constants:
            constants.setdefault(node.output[0], constants[node.input[0]])


def _products(
    graph: onnx.GraphProto, constants: dict[str, NDArray[np.float32]]
) -> Iterator[tuple[str, NDArray[np.float32]]]:
    for node in graph.node:
        if node.op_type == "MatMul" and node.name.endswith(_PRODUCT) and node.input[1] in constants:
            place = node.name.removesuffix(_PRODUCT).strip("/").replace("/", ".")
            yield f"{place}.weight", np.ascontiguousarray(constants[node.input[1]].T)
