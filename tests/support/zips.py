"""Zip archives that no tool writes: many files over the same packed bytes, false lengths, endless lists."""

import struct
import zlib
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """A file as it lies in an archive: its packed bytes, and what the archive says of it."""

    name: str
    data: bytes
    size: int
    crc: int
    method: int = 8

    @classmethod
    def of(cls, name: str, data: bytes) -> "Packed":
        """Pack a file by deflate."""
        packer = zlib.compressobj(9, zlib.DEFLATED, -15)
        return cls(
            name=name, data=packer.compress(data) + packer.flush(), size=len(data), crc=zlib.crc32(data)
        )


def archive_of(files: Iterable[Packed]) -> bytes:
    """An archive with one copy of each packed content, however many names show it."""
    body, listed, places = bytearray(), bytearray(), dict[bytes, int]()
    count = 0
    for file in files:
        name = file.name.encode()
        facts = struct.pack(
            "<HHHHHIIIHH", 20, 0, file.method, 0, 33, file.crc, len(file.data), file.size, len(name), 0
        )
        at = places.get(file.data)
        if at is None:
            at = places[file.data] = len(body)
            body += b"PK\x03\x04" + facts + name + file.data
        listed += b"PK\x01\x02" + struct.pack("<H", 20) + facts + struct.pack("<HHHII", 0, 0, 0, 0, at) + name
        count += 1
    end = struct.pack("<HHHHIIH", 0, 0, count & 0xFFFF, count & 0xFFFF, len(listed), len(body), 0)
    return bytes(body + listed) + b"PK\x05\x06" + end
