"""Weights that lie in a file beside a graph, put into the graph: one file is all that is served and digested.

Source: ONNX external data format (`TensorProto.external_data`: location, offset, length).
"""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

from appliance.errors import ModelError
from appliance.models.folder_reader import MAX_MODEL_BYTES

if TYPE_CHECKING:
    from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto

QUANTIZE_HINT: Final = "make it smaller: optimum-cli onnxruntime quantize --avx2 --onnx_model DIR -o OUT"
"""Eight-bit weights take a quarter of the room; optimum-cli reads external data itself."""


def merge_external_data(graph: bytes, sizes: dict[str, int], read: Callable[[str], bytes]) -> bytes:
    """Return a graph with its weights inside.

    Args:
        graph: Bytes of an ONNX model that `onnx_tools.inspect.read_graph` accepts.
        sizes: Size in bytes of each file beside the graph, by name.
        read: Returns the bytes of one of them.

    Raises:
        ModelError: A file is not there or too short, or all are too large for one file.
    """
    import onnx  # noqa: PLC0415  (fifty megabytes that only this needs)

    model = onnx.load_model_from_string(graph)
    outside = [tensor for tensor in _tensors(model) if tensor.data_location == onnx.TensorProto.EXTERNAL]
    places = {id(tensor): _place(tensor) for tensor in outside}
    names = sorted({place[0] for place in places.values()})
    _check(names, sizes, len(graph))
    files = {name: read(name) for name in names}
    for tensor in outside:
        name, offset, length = places[id(tensor)]
        end = len(files[name]) if length is None else offset + length
        if end > len(files[name]):
            raise ModelError(
                f"{name} has {len(files[name])} bytes, and the graph wants bytes {offset} to {end} of it",
                hint="copy the file again from where it came",
            )
        tensor.raw_data = files[name][offset:end]
        tensor.ClearField("external_data")
        tensor.ClearField("data_location")
    return bytes(model.SerializeToString())


def _check(names: list[str], sizes: dict[str, int], graph_bytes: int) -> None:
    for name in names:
        if name not in sizes:
            raise ModelError(
                f"the graph keeps weights in {name[:80]!r} (external data), which is not beside it",
                hint="copy that file into the folder of the graph",
            )
    whole = graph_bytes + sum(sizes[name] for name in names)
    if whole > MAX_MODEL_BYTES:
        raise ModelError(
            f"the graph and its weights in {', '.join(names)} take {whole} bytes;"
            f" at most {MAX_MODEL_BYTES} fit into one ONNX file",
            hint=QUANTIZE_HINT,
        )


def _place(tensor: "TensorProto") -> tuple[str, int, int | None]:
    """File, first byte and length of a tensor's data; a length of None is the rest of the file."""
    entries = {entry.key: entry.value for entry in tensor.external_data}
    try:
        offset, length = int(entries.get("offset", "0")), entries.get("length")
        count = None if length is None else int(length)
    except ValueError:
        raise ModelError(f"the external data of {tensor.name[:80]!r} has a place that is no number") from None
    if offset < 0 or (count is not None and count < 0):
        raise ModelError(f"the external data of {tensor.name[:80]!r} begins or ends before its file")
    return entries.get("location", "").removeprefix("./"), offset, count


def _tensors(model: "ModelProto") -> "Iterator[TensorProto]":
    yield from _graph_tensors(model.graph)
    for function in model.functions:
        yield from _node_tensors(function.node)


def _graph_tensors(graph: "GraphProto") -> "Iterator[TensorProto]":
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)
    yield from _node_tensors(graph.node)


def _node_tensors(nodes: "Iterator[NodeProto] | list[NodeProto]") -> "Iterator[TensorProto]":
    for node in nodes:
        for attribute in node.attribute:
            yield from _attribute_tensors(attribute)


def _attribute_tensors(attribute: "AttributeProto") -> "Iterator[TensorProto]":
    yield from (attribute.t, *attribute.tensors)
    for sparse in (attribute.sparse_tensor, *attribute.sparse_tensors):
        yield from (sparse.values, sparse.indices)
    if attribute.HasField("g"):
        yield from _graph_tensors(attribute.g)
    for graph in attribute.graphs:
        yield from _graph_tensors(graph)
