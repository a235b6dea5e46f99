from typing import Final

import onnx
import pytest
from google.protobuf.descriptor import FieldDescriptor

from appliance.onnx_tools import shapes
from appliance.onnx_tools.wire import BYTES, FIXED32, FIXED64, VARINT, Shape

WIRE: Final = {
    FieldDescriptor.TYPE_DOUBLE: FIXED64,
    FieldDescriptor.TYPE_FLOAT: FIXED32,
    FieldDescriptor.TYPE_STRING: BYTES,
    FieldDescriptor.TYPE_BYTES: BYTES,
    FieldDescriptor.TYPE_MESSAGE: BYTES,
    FieldDescriptor.TYPE_ENUM: VARINT,
    FieldDescriptor.TYPE_INT32: VARINT,
    FieldDescriptor.TYPE_INT64: VARINT,
    FieldDescriptor.TYPE_UINT64: VARINT,
}
HOLDERS: Final = {"TensorProto", "SparseTensorProto", "GraphProto", "NodeProto", "AttributeProto"}


@pytest.mark.parametrize("shape", shapes.ALL, ids=lambda shape: shape.name)
def test_each_table_is_that_of_the_onnx_package(shape: Shape) -> None:
    described = onnx.ModelProto.DESCRIPTOR.file.message_types_by_name[shape.name]
    assert shape.one == {f.number: WIRE[f.type] for f in described.fields if not f.is_repeated}
    assert shape.many == {f.number: WIRE[f.type] for f in described.fields if f.is_repeated}


def test_no_message_outside_the_tables_can_hold_a_tensor() -> None:
    known = {shape.name for shape in shapes.ALL}
    for message in onnx.ModelProto.DESCRIPTOR.file.message_types_by_name.values():
        if message.name not in known:
            held = {field.message_type.name for field in message.fields if field.message_type}
            assert not held & HOLDERS, message.name
