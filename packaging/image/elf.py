"""Cut what no loader reads off a shared library: debugging symbols, 34 MB in those of the image.

A loader maps the segments that the program headers name. Sections are for linkers and debuggers; those that
are in no segment stand at the end of the file. `strip` of binutils, which a base image need not have, would
take them out as well, and breaks libraries that patchelf has changed, as most in wheels are.
"""

import struct
from pathlib import Path

_MAGIC = b"\x7fELF\x02\x01\x01"  # 64 bits, little-endian, version 1
_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_SEGMENT = struct.Struct("<IIQQQQQQ")


def cut(path: Path) -> int:
    """Shorten a shared library and return how many bytes it lost; any other file is left alone."""
    data = path.read_bytes()
    if not data.startswith(_MAGIC) or len(data) < _HEADER.size:
        return 0
    fields = list(_HEADER.unpack_from(data))
    first, size, count = fields[5], fields[9], fields[10]
    end = first + size * count
    for number in range(count):
        segment = _SEGMENT.unpack_from(data, first + size * number)
        end = max(end, segment[2] + segment[5])
    if end >= len(data):
        return 0
    fields[6] = fields[11] = fields[12] = fields[13] = 0  # no section headers
    path.write_bytes(_HEADER.pack(*fields) + data[_HEADER.size : end])
    return len(data) - end
