"""Weights of a `.safetensors` file as float32 arrays.

Source: the format's own description (eight bytes of length, a JSON header, the data). The `safetensors`
package does not read it here, since it cannot hand bfloat16 to numpy.
"""

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Final

import numpy as np
from numpy.typing import NDArray

from appliance.errors import ModelError

MAX_HEADER_BYTES: Final = 16 * 2**20
_TYPES: Final[dict[str, np.dtype[Any]]] = {
    "F64": np.dtype("<f8"),
    "F32": np.dtype("<f4"),
    "F16": np.dtype("<f2"),
    "BF16": np.dtype("<u2"),
}


def read_safetensors(path: Path, max_bytes: int) -> dict[str, NDArray[np.float32]]:
    """Read every array of floating point numbers; arrays of other types are left out.

    Args:
        path: The file.
        max_bytes: How large it may be.

    Raises:
        ModelError: It cannot be read, is too large, or is not such a file.
    """
    try:
        size = path.stat().st_size
        if size > max_bytes:
            raise ModelError(f"{path} has {size} bytes; at most {max_bytes} are read")
        with path.open("rb") as file:
            return dict(_arrays(file, size))
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ModelError(f"{path} is not a safetensors file: {error}") from error


def _arrays(file: IO[bytes], size: int) -> Iterator[tuple[str, NDArray[np.float32]]]:
    length = int.from_bytes(file.read(8), "little")
    if not 2 <= length <= min(MAX_HEADER_BYTES, size - 8):
        raise ValueError(f"its header has {length} bytes")
    header: dict[str, Any] = json.loads(file.read(length))
    if not isinstance(header, dict):
        raise TypeError("its header is not an object")
    begin = 8 + length
    for name, entry in header.items():
        if name == "__metadata__" or entry["dtype"] not in _TYPES:
            continue
        kind, shape = _TYPES[entry["dtype"]], [int(number) for number in entry["shape"]]
        start, end = (int(place) for place in entry["data_offsets"])
        if any(number < 0 for number in shape) or end - start != math.prod(shape) * kind.itemsize:
            raise ValueError(f"{name[:80]} has another size than its shape")
        if not 0 <= start <= end <= size - begin:
            raise ValueError(f"{name[:80]} lies outside of the file")
        file.seek(begin + start)
        values = np.frombuffer(file.read(end - start), kind).reshape(shape)
        if entry["dtype"] == "BF16":  # the upper half of a float32
            values = (values.astype(np.uint32) << 16).view(np.float32)
        yield name, values.astype(np.float32)
