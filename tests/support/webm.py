"""WebM files as tests want them: any way of writing blocks, known and unknown sizes, and broken ones."""

import io
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Final

import numpy as np
import soundfile
from numpy.typing import NDArray

from appliance.speech.audio.ogg_opus import RATE, samples_of

UNKNOWN: Final = b"\x01" + b"\xff" * 7
EBML, SEGMENT, CLUSTER, TRACKS = (
    b"\x1a\x45\xdf\xa3",
    b"\x18\x53\x80\x67",
    b"\x1f\x43\xb6\x75",
    b"\x16\x54\xae\x6b",
)
GROUP, BLOCK, SIMPLE, DISCARD, VOID = b"\xa0", b"\xa1", b"\xa3", b"\x75\xa2", b"\xec"
ENTRY, NUMBER, TYPE, CODEC = b"\xae", b"\xd7", b"\x83", b"\x86"
PRIVATE, DELAY, ENCODINGS, DOC_TYPE = b"\x63\xa2", b"\x56\xaa", b"\x6d\x80", b"\x42\x82"
HEAD: Final = b"OpusHead\x01\x01" + struct.pack("<HIhB", 312, 48_000, 0, 0)


def number(value: int, length: int = 0) -> bytes:
    """A number of variable length, the shortest that can hold it if not told."""
    length = length or next(size for size in range(1, 9) if value < (1 << 7 * size) - 1)
    return (value | 1 << 7 * length).to_bytes(length, "big")


def element(name: bytes, content: bytes, *, known: bool = True) -> bytes:
    """An element; if its size is not known, whoever reads it finds its end."""
    return name + (number(len(content)) if known else UNKNOWN) + content


def signed(value: int) -> bytes:
    """A whole number in eight bytes."""
    return value.to_bytes(8, "big", signed=True)


def header(kind: bytes = b"webm") -> bytes:
    """The EBML header."""
    return element(EBML, element(DOC_TYPE, kind))


def track(
    *, number: int = 1, kind: int = 2, codec: bytes = b"A_OPUS", private: bytes = HEAD, more: bytes = b""
) -> bytes:
    """An entry of the list of tracks."""
    fields = ((NUMBER, bytes((number,))), (TYPE, bytes((kind,))), (CODEC, codec), (PRIVATE, private))
    return element(ENTRY, b"".join(element(name, content) for name, content in fields) + more)


def block(packets: Sequence[bytes], *, lacing: str = "", track: int = 1) -> bytes:
    """The content of a block of one packet, or of several laced as Xiph, EBML or with one size."""
    kinds = {"": 0, "xiph": 1, "fixed": 2, "ebml": 3}
    head = number(track) + b"\0\0" + bytes((kinds[lacing] << 1,))
    if lacing:
        head += bytes((len(packets) - 1,))
    sizes = [len(packet) for packet in packets[:-1]]
    if lacing == "xiph":
        head += b"".join(b"\xff" * (size // 255) + bytes((size % 255,)) for size in sizes)
    if lacing == "ebml" and sizes:
        head += number(sizes[0])
        for before, size in pairwise(sizes):
            head += number(size - before + (1 << 20) - 1, 3)
    return head + b"".join(packets)


@dataclass(frozen=True, kw_only=True)
class Written:
    """How a file is written.

    Attributes:
        known: Whether Segment and Cluster state their sizes.
        grouped: Whether blocks stand in groups.
        lacing: How the packets of a block are joined.
        together: Packets of a block.
        blocks: Blocks of a cluster.
        discard: Nanoseconds at the end that are no audio.
        tracks: The entries of the list of tracks.
        beside: What stands before each block.
    """

    known: bool = True
    grouped: bool = False
    lacing: str = ""
    together: int = 1
    blocks: int = 20
    discard: int = 0
    tracks: Sequence[bytes] = field(default_factory=lambda: (track(),))
    beside: bytes = b""


def webm(packets: Sequence[bytes], how: Written = Written()) -> bytes:
    """A whole file."""
    written = []
    for at in range(0, len(packets), how.together):
        content = block(packets[at : at + how.together], lacing=how.lacing)
        last = at + how.together >= len(packets) and how.discard
        more = element(DISCARD, signed(how.discard)) if last else b""
        grouped = how.grouped or last
        one = element(GROUP, element(BLOCK, content) + more) if grouped else element(SIMPLE, content)
        written.append(how.beside + one)
    clusters = [
        element(CLUSTER, b"\xe7\x81\0" + b"".join(written[at : at + how.blocks]), known=how.known)
        for at in range(0, len(written), how.blocks)
    ]
    inside = element(VOID, bytes(20)) + element(TRACKS, b"".join(how.tracks)) + b"".join(clusters)
    return header() + element(SEGMENT, inside, known=how.known)


def ogg_packets(data: bytes) -> list[bytes]:
    """The packets of an Ogg file of one stream, its two headers among them."""
    packets, open_one, at = [], b"", 0
    while at < len(data):
        assert data[at : at + 4] == b"OggS"
        sizes = data[at + 27 : at + 27 + data[at + 26]]
        at += 27 + len(sizes)
        for size in sizes:
            open_one += data[at : at + size]
            at += size
            if size < 255:
                packets.append(open_one)
                open_one = b""
    return packets


def opus(samples: NDArray[np.float32], rate: int) -> bytes:
    """An Ogg file with Opus."""
    data = io.BytesIO()
    soundfile.write(data, samples, rate, "OPUS", format="OGG")
    return data.getvalue()


def as_webm(ogg: bytes, how: Written = Written()) -> bytes:
    """The packets of an Ogg file with Opus, as WebM; its track and its end are those of that file."""
    head, _, *packets = ogg_packets(ogg)
    (end,) = struct.unpack_from("<q", ogg, ogg.rindex(b"OggS") + 6)
    discard = (sum(map(samples_of, packets)) - end) * 1_000_000_000 // RATE
    return webm(packets, replace(how, tracks=(track(private=head),), discard=discard))
