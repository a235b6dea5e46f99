"""The messages of an ONNX file that can hold a tensor, a graph or a name: field numbers of ONNX 1.23.

What can hold none of these (types, annotations, devices) is left to onnxruntime and stands here as bytes.
`tests/unit/onnx_tools/test_shapes.py` compares the tables with those of the `onnx` package.
"""

from collections.abc import Iterable
from typing import Final

from appliance.onnx_tools.wire import BYTES, FIXED32, FIXED64, VARINT, Shape


def _shape(
    name: str,
    *,
    one: Iterable[int] = (),
    many: Iterable[int] = (),
    one_int: Iterable[int] = (),
    many_ints: Iterable[int] = (),
    one_float: Iterable[int] = (),
    many_floats: Iterable[int] = (),
    many_doubles: Iterable[int] = (),
) -> Shape:
    return Shape(
        name,
        one=dict.fromkeys(one, BYTES) | dict.fromkeys(one_int, VARINT) | dict.fromkeys(one_float, FIXED32),
        many=dict.fromkeys(many, BYTES)
        | dict.fromkeys(many_ints, VARINT)
        | dict.fromkeys(many_floats, FIXED32)
        | dict.fromkeys(many_doubles, FIXED64),
    )


MODEL: Final = _shape("ModelProto", one=(2, 3, 4, 6, 7), one_int=(1, 5), many=(8, 14, 20, 25, 26))
TRAINING: Final = _shape("TrainingInfoProto", one=(1, 2), many=(3, 4))
GRAPH: Final = _shape("GraphProto", one=(2, 10), many=(1, 5, 11, 12, 13, 14, 15, 16))
FUNCTION: Final = _shape("FunctionProto", one=(1, 8, 10, 13), many=(4, 5, 6, 7, 9, 11, 12, 14))
NODE: Final = _shape("NodeProto", one=(3, 4, 6, 7, 8), many=(1, 2, 5, 9, 10))
ATTRIBUTE: Final = _shape(
    "AttributeProto",
    one=(1, 4, 5, 6, 13, 14, 21, 22),
    one_int=(3, 20),
    one_float=(2,),
    many=(9, 10, 11, 15, 23),
    many_ints=(8,),
    many_floats=(7,),
)
TENSOR: Final = _shape(
    "TensorProto",
    one=(3, 8, 9, 12),
    one_int=(2, 14),
    many=(6, 13, 16),
    many_ints=(1, 5, 7, 11),
    many_floats=(4,),
    many_doubles=(10,),
)
SPARSE_TENSOR: Final = _shape("SparseTensorProto", one=(1, 2), many_ints=(3,))
VALUE_INFO: Final = _shape("ValueInfoProto", one=(1, 2, 3), many=(4,))
OPERATOR_SET: Final = _shape("OperatorSetIdProto", one=(1,), one_int=(2,))
PAIR: Final = _shape("StringStringEntryProto", one=(1, 2))

ALL: Final = (
    MODEL,
    TRAINING,
    GRAPH,
    FUNCTION,
    NODE,
    ATTRIBUTE,
    TENSOR,
    SPARSE_TENSOR,
    VALUE_INFO,
    OPERATOR_SET,
    PAIR,
)
