"""Opus packets to the pages of an Ogg file (RFC 3533, RFC 6716, RFC 7845)."""

import struct
import zlib
from collections.abc import Iterable
from typing import Final

from appliance.speech.audio.errors import AudioError

RATE: Final = 48_000
"""Samples a second that Opus counts, whatever was recorded."""
MAX_PACKET_BYTES: Final = 61_440
"""What a decoder must take (RFC 7845, section 6); it fits into one page."""
MAX_PACKET_SAMPLES: Final = 5_760
HEAD_BYTES: Final = 19
MAX_HEAD_BYTES: Final = HEAD_BYTES + 2 + 255

_SERIAL: Final = 1
_FIRST, _LAST = 2, 4
_MAX_SEGMENTS: Final = 255
_PAGE_SAMPLES: Final = RATE
_REVERSED: Final = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
_TAGS: Final = b"OpusTags" + struct.pack("<II", 0, 0)
_FRAME_SAMPLES: Final = (  # by the five upper bits of a packet
    *(480, 960, 1_920, 2_880) * 3,
    *(480, 960) * 2,
    *(120, 240, 480, 960) * 4,
)


def checksum(page: bytes) -> int:
    """CRC of a page whose field for it is zero.

    Ogg has the polynomial of zlib, but takes the highest bit first; so the bits of each byte, and those of
    the result, are turned round.
    """
    found = zlib.crc32(page.translate(_REVERSED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int.from_bytes(found.to_bytes(4, "little").translate(_REVERSED), "big")


def samples_of(packet: bytes) -> int:
    """Samples of a packet, at 48 kHz.

    Raises:
        AudioError: It is no Opus packet.
    """
    if not packet or len(packet) > MAX_PACKET_BYTES:
        raise AudioError("the Opus track has a packet of an impossible size")
    code = packet[0] & 3
    if code == 3 and len(packet) < 2:
        raise AudioError("the Opus track has a broken packet")
    frames = (1, 2, 2, packet[1] & 63 if code == 3 else 0)[code]
    found = frames * _FRAME_SAMPLES[packet[0] >> 3]
    if not 0 < found <= MAX_PACKET_SAMPLES:
        raise AudioError("the Opus track has a broken packet")
    return found


def skip_of(head: bytes) -> int:
    """Samples at the beginning that are no audio, as an `OpusHead` says.

    Raises:
        AudioError: It is none.
    """
    if not HEAD_BYTES <= len(head) <= MAX_HEAD_BYTES or head[:8] != b"OpusHead" or head[8] >> 4:
        raise AudioError("the Opus track has no OpusHead, or a broken one")
    return int(struct.unpack_from("<H", head, 10)[0])


class PageWriter:
    """Puts packets into pages.

    Args:
        head: The `OpusHead`.
    """

    def __init__(self, head: bytes) -> None:
        self.samples = 0
        self._number = 0
        self._packets: list[bytes] = []
        self._segments = 0
        self._waiting = 0  # samples of the packets that wait
        self.header = self._page([head], 0, _FIRST) + self._page([_TAGS], 0, 0)

    def put(self, packet: bytes) -> bytes:
        """Add a packet; return the page that is full before it, or nothing.

        Raises:
            AudioError: It is no Opus packet.
        """
        samples = samples_of(packet)
        segments = len(packet) // 255 + 1
        full = self._segments + segments > _MAX_SEGMENTS or self._waiting + samples > _PAGE_SAMPLES
        page = self._flushed(0, 0) if full and self._packets else b""
        self._packets.append(packet)
        self._segments += segments
        self._waiting += samples
        self.samples += samples
        return page

    def end(self, discard: int) -> bytes:
        """Return the last page.

        Args:
            discard: Samples at the end that are no audio; no more than the page has count.
        """
        return self._flushed(_LAST, max(0, min(discard, self._waiting)))

    def _flushed(self, flags: int, discard: int) -> bytes:
        page = self._page(self._packets, self.samples - discard, flags)
        self._packets, self._segments, self._waiting = [], 0, 0
        return page

    def _page(self, packets: Iterable[bytes], granule: int, flags: int) -> bytes:
        lacing = bytearray()
        for packet in packets:
            lacing += b"\xff" * (len(packet) // 255) + bytes((len(packet) % 255,))
        fields = (0, flags, granule, _SERIAL, self._number, 0, len(lacing))
        page = b"".join((b"OggS", struct.pack("<BBqIIIB", *fields), lacing, *packets))
        self._number += 1
        return page[:22] + struct.pack("<I", checksum(page)) + page[26:]
