"""The binary format of CTranslate2, version 6: named arrays one behind the other.

Little endian. A text is a uint16 length, the final NUL included, and its bytes.

    uint32 version; text name of the specification; uint32 its revision
    uint32 number of arrays; for each: text name, uint8 rank, rank x uint32 sizes, uint8 type, uint32 bytes,
        data
    aliases: names that mean arrays above; Whisper needs none of them
"""

import struct
from math import prod
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

VERSION: Final = 6
SPECIFICATION: Final = "WhisperSpec"
SCALE: Final = "_scale"
"""Ends the name of what the rows of an array in 8 bits were multiplied by."""
_TYPES: Final = {0: np.float32, 1: np.int8, 2: np.int16, 3: np.int32, 4: np.float16}


class Ct2Error(ValueError):
    """The bytes are no Whisper model of CTranslate2, or end too soon."""


class _Reader:
    """Numbers, texts and arrays in their order."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def number(self, kind: str) -> int:
        """Read an unsigned integer: B, H or I as `struct` calls them."""
        (value,) = struct.unpack("<" + kind, self.bytes(struct.calcsize("<" + kind)))
        return int(value)

    def text(self) -> str:
        """Read a text."""
        found = self.bytes(self.number("H"))
        return found[:-1].decode("utf-8", errors="replace")

    def bytes(self, size: int) -> bytes:
        """Read so many bytes."""
        end = self._at + size
        if end > len(self._data):
            raise Ct2Error(f"the model ends at byte {len(self._data)}, in the middle of something")
        found = self._data[self._at : end]
        self._at = end
        return found

    def array(self, name: str) -> Array:
        """Read what follows the name of an array."""
        shape = [self.number("I") for _ in range(self.number("B"))]
        kind = self.number("B")
        if kind not in _TYPES:
            raise Ct2Error(f"{name} is of type {kind}, which is not read")
        size = self.number("I")
        found = np.frombuffer(self.bytes(size), np.dtype(_TYPES[kind]).newbyteorder("<"))
        if found.size != prod(shape):
            raise Ct2Error(f"{name} has {found.size} numbers, and its shape {shape} wants {prod(shape)}")
        return found.reshape(shape)


def read_arrays(data: bytes) -> dict[str, Array]:
    """Return the arrays of a Whisper model by name; those in 8 bits as float32, with their factors applied.

    Raises:
        Ct2Error: The bytes are something else.
    """
    reader = _Reader(data)
    version = reader.number("I")
    if version != VERSION:
        raise Ct2Error(f"the model is of binary version {version}; version {VERSION} is read")
    specification = reader.text()
    if specification != SPECIFICATION:
        raise Ct2Error(f"the model is a {specification[:40]!r}; {SPECIFICATION} is read")
    reader.number("I")
    found: dict[str, Array] = {}
    for _ in range(reader.number("I")):
        name = reader.text()
        found[name] = reader.array(name)
    for name in [name for name in found if name.endswith("weight" + SCALE)]:
        weight, scale = name.removesuffix(SCALE), found.pop(name).astype(np.float32)
        found[weight] = found[weight].astype(np.float32) / scale.reshape(-1, *[1] * (found[weight].ndim - 1))
    return found
