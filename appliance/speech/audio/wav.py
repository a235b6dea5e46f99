"""Uncompressed audio: what a WAV header says, and bytes to samples.

Headers are read as they arrive, in pieces of any size; the sizes they state are not believed, since a live
stream cannot know them. Formats: PCM of 8, 16, 24 and 32 bits, IEEE float of 32 and 64, A-law and mu-law
(ITU-T G.711); plain and WAVEFORMATEXTENSIBLE. Microsoft, "Multiple Channel Audio Data and WAVE Files", 2001.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from appliance.speech.audio.errors import AudioError

Samples = NDArray[np.float32]
"""Samples of one channel, -1…1."""

MAX_CHANNELS: Final = 8
MIN_RATE: Final = 4_000
MAX_RATE: Final = 192_000
MAX_HEADER_BYTES: Final = 65_536

MAX_SKIPPED_BYTES: Final = 16 * 1024 * 1024
"""Chunks before the samples, such as pictures and edit lists, in all."""
MAX_CHUNKS: Final = 200

_CANCELLED: Final = 0.05  # share of the loudest channel's power that is left of it in the mean
_PCM, _FLOAT, _ALAW, _MULAW, _EXTENSIBLE = 1, 3, 6, 7, 0xFFFE


@dataclass(frozen=True, slots=True, kw_only=True)
class PcmFormat:
    """How samples are stored.

    Attributes:
        tag: 1 PCM, 3 float, 6 A-law, 7 mu-law.
        channels: Channels, interleaved.
        rate: Samples a second of one channel.
        bits: Bits of one sample of one channel.
    """

    tag: int = _PCM
    channels: int = 1
    rate: int = 16_000
    bits: int = 16

    @property
    def frame_bytes(self) -> int:
        """Bytes of one sample of all channels."""
        return self.channels * self.bits // 8

    def channels_of(self, data: bytes) -> NDArray[np.float32]:
        """Samples [frames, channels] of whole frames."""
        return _READERS[self.tag, self.bits](data).reshape(-1, self.channels)


def mixed(wide: NDArray[np.float32]) -> Samples:
    """Samples [frames, channels] to one channel: their mean, or the loudest where they cancel out."""
    if wide.shape[1] == 1 or not len(wide):
        return wide[:, 0]
    mean: Samples = wide.mean(axis=1, dtype=np.float32)
    power = np.square(wide).mean(axis=0)
    loudest = int(power.argmax())
    return wide[:, loudest] if float(np.square(mean).mean()) < _CANCELLED * power[loudest] else mean


class WavReader:
    """Takes a WAV stream in pieces and gives its samples.

    A rest of less than one frame is kept until the next piece. Chunks other than `fmt ` and `data` are
    stepped over.
    """

    def __init__(self) -> None:
        self.format: PcmFormat | None = None
        self.stated = (0, 0)  # where the samples begin, and how many bytes the header says they are
        self._head = bytearray()
        self._passed = 0  # bytes before `_head` that are done with
        self._skip = 0  # bytes of a chunk that are still to be stepped over
        self._chunks = 0
        self._at = 12  # the next chunk; what lies before it is not looked at again
        self._rest = b""
        self._in_data = False

    def feed(self, data: bytes) -> Samples:
        """Return the samples that are complete now, all channels mixed to one; raises as `feed_channels`."""
        return mixed(self.feed_channels(data))

    def feed_channels(self, data: bytes) -> NDArray[np.float32]:
        """Return the samples [frames, channels] that are complete now; none while the header is not.

        Raises:
            AudioError: It is no WAV stream, or its format is not supported.
        """
        if not self._in_data:
            stepped = min(self._skip, len(data))
            self._skip, self._passed = self._skip - stepped, self._passed + stepped
            self._head += data[stepped:]
            body = self._parse()
            if body is None:
                if len(self._head) > MAX_HEADER_BYTES:
                    raise AudioError(f"the WAV header is longer than {MAX_HEADER_BYTES} bytes")
                return np.empty((0, 1), np.float32)
            data, self._in_data = body, True
        if self.format is None:
            raise AudioError("the WAV stream has no format chunk before its data")
        data = self._rest + data
        whole = len(data) - len(data) % self.format.frame_bytes
        self._rest = data[whole:]
        return self.format.channels_of(data[:whole])

    def _parse(self) -> bytes | None:
        """Read chunks; return what follows the header of `data`, or None while that has not come."""
        head = self._head
        if not self._passed and not (
            head[:4] in (b"RIFF"[: len(head)], b"RF64"[: len(head)]) and b"WAVE".startswith(head[8:12])
        ):
            raise AudioError("the audio does not begin with a RIFF/WAVE header")
        while len(head) >= self._at + 8:
            at = self._at
            name, size = bytes(head[at : at + 4]), struct.unpack_from("<I", head, at + 4)[0]
            if name == b"data":
                self.stated = (self._passed + at + 8, size)
                rest = bytes(head[at + 8 :])
                head.clear()
                return rest
            if size > (MAX_HEADER_BYTES if name == b"fmt " else MAX_SKIPPED_BYTES - self._passed):
                raise AudioError("a chunk of the WAV header states an impossible size")
            end = at + 8 + size + size % 2
            if name != b"fmt ":
                self._step_over(end)
                continue
            if len(head) < end:
                return None
            self.format = parse_format(bytes(head[at + 8 : at + 8 + size]))
            self._at = end
        return None

    def _step_over(self, end: int) -> None:
        """Forget what lies before `end` of the head, also what of it has not come yet."""
        self._chunks += 1
        if self._chunks > MAX_CHUNKS:
            raise AudioError(f"the WAV header has more than {MAX_CHUNKS} chunks")
        come = min(end, len(self._head))
        del self._head[:come]
        self._passed += come
        self._skip, self._at = end - come, 0


def parse_format(chunk: bytes) -> PcmFormat:
    """Read the content of a `fmt ` chunk.

    Raises:
        AudioError: It is too short, or says something that is not supported.
    """
    if len(chunk) < 16:
        raise AudioError("the format chunk of the WAV header is too short")
    tag, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", chunk)
    if tag == _EXTENSIBLE:
        if len(chunk) < 26:
            raise AudioError("the extensible format chunk of the WAV header is too short")
        tag = struct.unpack_from("<H", chunk, 24)[0]
    if tag in (_ALAW, _MULAW):
        bits = 8  # by definition; clients that leave the SDK's default write 16
    if (tag, bits) not in _READERS:
        raise AudioError(f"WAV format {tag} with {bits} bits is not supported")
    return checked(PcmFormat(tag=tag, channels=channels, rate=rate, bits=bits))


def checked(found: PcmFormat) -> PcmFormat:
    """Return the format if its rate and channels are usable.

    Raises:
        AudioError: They are not.
    """
    if not 1 <= found.channels <= MAX_CHANNELS:
        raise AudioError(f"audio of {found.channels} channels is not supported; 1 to {MAX_CHANNELS} are")
    if not MIN_RATE <= found.rate <= MAX_RATE:
        raise AudioError(
            f"a rate of {found.rate} samples a second is not supported; {MIN_RATE} to {MAX_RATE} are"
        )
    return found


def _eight(data: bytes) -> Samples:
    return (np.frombuffer(data, np.uint8).astype(np.float32) - 128.0) / 128.0


def _sixteen(data: bytes) -> Samples:
    return np.frombuffer(data, "<i2").astype(np.float32) / 32_768.0


def _twenty_four(data: bytes) -> Samples:
    wide = np.zeros((len(data) // 3, 4), np.uint8)
    wide[:, 1:] = np.frombuffer(data, np.uint8).reshape(-1, 3)
    return wide.view("<i4").ravel().astype(np.float32) / np.float32(2_147_483_648.0)


def _thirty_two(data: bytes) -> Samples:
    return np.frombuffer(data, "<i4").astype(np.float32) / np.float32(2_147_483_648.0)


def _float(kind: str) -> Callable[[bytes], Samples]:
    def read(data: bytes) -> Samples:
        values = np.nan_to_num(np.frombuffer(data, kind), nan=0.0, posinf=1.0, neginf=-1.0)
        found: Samples = np.clip(values, -1.0, 1.0).astype(np.float32)
        return found

    return read


def _a_law_table() -> Samples:
    codes = np.arange(256) ^ 0x55
    exponent, mantissa = (codes >> 4) & 7, codes & 15
    size = np.where(
        exponent == 0, (mantissa << 4) + 8, ((mantissa << 4) + 0x108) << np.maximum(exponent - 1, 0)
    )
    return (np.where(codes & 0x80, size, -size) / 32_768.0).astype(np.float32)


def _mu_law_table() -> Samples:
    codes = ~np.arange(256) & 0xFF
    exponent, mantissa = (codes >> 4) & 7, codes & 15
    size = (((mantissa << 3) + 0x84) << exponent) - 0x84
    return (np.where(codes & 0x80, -size, size) / 32_768.0).astype(np.float32)


_A_LAW: Final = _a_law_table()
_MU_LAW: Final = _mu_law_table()

_READERS: Final[dict[tuple[int, int], Callable[[bytes], Samples]]] = {
    (_PCM, 8): _eight,
    (_PCM, 16): _sixteen,
    (_PCM, 24): _twenty_four,
    (_PCM, 32): _thirty_two,
    (_FLOAT, 32): _float("<f4"),
    (_FLOAT, 64): _float("<f8"),
    (_ALAW, 8): lambda data: _A_LAW[np.frombuffer(data, np.uint8)],
    (_MULAW, 8): lambda data: _MU_LAW[np.frombuffer(data, np.uint8)],
}
