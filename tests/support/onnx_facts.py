"""What an ONNX file holds as the real parser, that of the `onnx` package, reads it."""

from collections.abc import Iterator

import onnx
from google.protobuf.message import DecodeError, Message
from google.protobuf.unknown_fields import UnknownFieldSet
from onnx import TensorProto

from appliance.onnx_tools import shapes
from appliance.onnx_tools.inspect import GraphFacts, MalformedGraphError, read_graph

_HOLDERS = (
    shapes.MODEL,
    shapes.TRAINING,
    shapes.GRAPH,
    shapes.FUNCTION,
    shapes.NODE,
    shapes.ATTRIBUTE,
    shapes.TENSOR,
    shapes.SPARSE_TENSOR,
)
_WALKED = {shape.name for shape in _HOLDERS}


def check_agreement(data: bytes) -> None:
    """Assert that wherever our walk sees a model, the real parser sees the same one."""
    try:
        ours = read_graph(data)
    except MalformedGraphError:
        return
    try:
        model = onnx.load_model_from_string(data)
    except DecodeError:
        return  # onnxruntime refuses it too: nothing is read from it
    assert ours == real_facts(model)
    assert not any(_unknown_fields(message) for message in _messages(model))


def real_facts(model: onnx.ModelProto) -> GraphFacts:
    """The facts of a model that was parsed."""
    domains = set()
    operators = set()
    external = False
    for message in _messages(model):
        if isinstance(message, onnx.NodeProto):
            operators |= {message.op_type} if message.HasField("op_type") else set()
            domains |= {message.domain} if message.HasField("domain") else set()
        elif isinstance(message, TensorProto):
            external |= bool(message.external_data) or message.data_location == TensorProto.EXTERNAL
    weights = {tensor.name for tensor in model.graph.initializer}
    return GraphFacts(
        external_data=external,
        domains=frozenset(domains),
        operators=frozenset(operators),
        inputs=tuple(value.name for value in model.graph.input if value.name not in weights),
        outputs=tuple(value.name for value in model.graph.output),
        metadata={entry.key: entry.value for entry in model.metadata_props},
    )


def _messages(message: Message) -> Iterator[Message]:
    yield message
    for field, value in message.ListFields():
        if field.message_type is not None:
            for held in value if field.is_repeated else (value,):
                yield from _messages(held)


def _unknown_fields(message: Message) -> bool:
    """Whether a message that can hold a tensor, and not one below it, has fields without a name."""
    return message.DESCRIPTOR.name in _WALKED and len(UnknownFieldSet(message)) > 0
