"""Audio of any supported kind to samples at the rate of the model: as a stream, or as a whole file.

WAV is read by `wav`, everything else by libsndfile, to which `webm` shows WebM as Ogg; rates are changed by
libsoxr. A file is read piece by piece: its header, then its samples. Neither is ever held as a whole.
"""

import io
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from appliance.speech.audio.errors import CONVERT, AudioError, AudioTooLong
from appliance.speech.audio.matroska import MARK
from appliance.speech.audio.source import InMemory, Source, read_at
from appliance.speech.audio.wav import PcmFormat, Samples, WavReader, checked, mixed
from appliance.speech.audio.webm import OggPages, WebmOpus

TICKS_PER_SECOND: Final = 10_000_000
"""Ticks of 100 ns, the unit of times on the wire."""

_BLOCK_SECONDS: Final = 10
_HEAD_BYTES: Final = 16
_HEADER_PIECE: Final = 1 << 16
_WAV_PIECE: Final = 1 << 16
_KINDS: Final = {
    b"fLaC": "FLAC",
    b"OggS": "Ogg",
    b"RIFX": "RIFX",
    b"FORM": "AIFF",
    b"caff": "CAF",
    b".snd": "AU",
    b"riff": "W64",
    b"ID3": "MP3",
}
_FORMATS: Final = frozenset({"FLAC", "OGG", "WAV", "WAVEX", "AIFF", "CAF", "AU", "W64", "MP3"})
"""What libsndfile may take a file for: it knows many more."""
_GO_ON_SECONDS: Final = 0.05
"""How long a file is walked through before others get their turn."""


class Resampler:
    """Changes the rate of a stream; equal rates pass untouched."""

    def __init__(self, rate: int, target: int) -> None:
        self._stream = None if rate == target else soxr.ResampleStream(rate, target, 1, dtype="float32")

    def feed(self, samples: Samples, *, last: bool = False) -> Samples:
        """Return what is ready; with `last`, everything that is left."""
        if self._stream is None:
            return samples
        found: Samples = self._stream.resample_chunk(samples, last=last)
        return found


class AudioStream:
    """A WAV stream in pieces of any size, to samples at the rate of the model.

    Args:
        rate: Samples a second that the model wants.
    """

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._reader = WavReader()
        self._resampler: Resampler | None = None
        self.frames = 0

    @property
    def format(self) -> PcmFormat | None:
        """What the header says; None while it has not come."""
        return self._reader.format

    @property
    def ticks(self) -> int:
        """Length of the audio so far, by its own rate."""
        found = self.format
        return 0 if found is None else self.frames * TICKS_PER_SECOND // found.rate

    def feed(self, data: bytes) -> Samples:
        """Return the samples that are ready now.

        Raises:
            AudioError: The stream is no WAV, or of a kind that is not supported.
        """
        samples = self._reader.feed(data)
        self.frames += len(samples)
        return self._resampled(samples, last=False)

    def end(self) -> Samples:
        """Return what the change of rate held back."""
        return self._resampled(np.empty(0, np.float32), last=True)

    def _resampled(self, samples: Samples, *, last: bool) -> Samples:
        found = self.format
        if found is None:
            return samples
        if self._resampler is None:
            self._resampler = Resampler(found.rate, self._rate)
        return self._resampler.feed(samples, last=last)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sound:
    """A file whose header was read.

    Attributes:
        file: Its bytes.
        channels: Number of its channels.
        rate: Its own rate.
        end: Where the samples end, if it is a WAV file, which is read by `wav`; None: libsndfile reads it.
        webm: Its Opus track, if it is a WebM file.
    """

    file: Source
    channels: int
    rate: int
    end: int | None
    webm: WebmOpus | None = None

    @classmethod
    def open(cls, source: bytes | bytearray | BinaryIO) -> "Sound":
        """Read the header of a file: WAV, FLAC, Ogg, WebM, MP3, AIFF, CAF, AU or W64.

        Args:
            source: The bytes, or a file that stays open for as long as this is used.

        Raises:
            AudioError: It is none of them, or broken.
        """
        file: Source = InMemory(source) if isinstance(source, (bytes, bytearray)) else source
        head = read_at(file, 0, _HEAD_BYTES)
        if head[:4] in (b"RIFF", b"RF64"):
            return cls._open_wav(file)
        if head[:4] == MARK:
            webm = WebmOpus.open(file)
            found = _opened(InMemory(webm.beginning()), "WebM")
            return cls(file=file, channels=found.channels, rate=found.rate, end=None, webm=webm)
        kind = _kind(head)
        file.seek(0)
        found = _opened(file, kind)
        return cls(file=file, channels=found.channels, rate=found.rate, end=None)

    @classmethod
    def _open_wav(cls, file: Source) -> "Sound":
        reader = WavReader()
        at = 0
        while not reader.stated[0] and (data := read_at(file, at, _HEADER_PIECE)):
            reader.feed(data)
            at += len(data)
        if reader.format is None:
            raise AudioError("the WAV file ends before its data begins")
        return cls(
            file=file,
            channels=reader.format.channels,
            rate=reader.format.rate,
            end=_end(file, *reader.stated),
        )

    def blocks(self, rate: int, *, channel: int | None = None, max_seconds: float) -> Iterator[Samples]:
        """Yield the samples at a rate, block by block, so that a long file never lies unpacked in memory.

        Args:
            rate: Samples a second.
            channel: Only this one; None mixes all.
            max_seconds: Longer audio is refused, by what was really read.

        Raises:
            AudioError: The file breaks off or is broken inside.
            AudioTooLong: It is longer.
        """
        resampler = Resampler(self.rate, rate)
        read = 0
        for block in self._own_blocks(max_seconds):
            read += len(block)
            if read > max_seconds * self.rate:
                raise AudioTooLong(f"the audio is longer than {max_seconds:g} seconds")
            chosen = mixed(block) if channel is None else block[:, channel]
            yield resampler.feed(np.ascontiguousarray(chosen))
        yield resampler.feed(np.empty(0, np.float32), last=True)

    def _own_blocks(self, max_seconds: float) -> Iterator[NDArray[np.float32]]:
        """The samples [frames, channels] at the rate of the file; none at all now and then."""
        if self.webm is not None:
            return self._webm_blocks(self.webm, max_seconds)
        return self._compressed_blocks(self.file) if self.end is None else self._wav_blocks(self.end)

    def _wav_blocks(self, end: int) -> Iterator[NDArray[np.float32]]:
        reader = WavReader()
        at = 0
        while data := read_at(self.file, at, min(_WAV_PIECE, end - at)):
            at += len(data)
            yield reader.feed_channels(data)

    def _compressed_blocks(self, source: Source) -> Iterator[NDArray[np.float32]]:
        source.seek(0)
        try:
            with soundfile.SoundFile(source) as file:
                yield from file.blocks(self.rate * _BLOCK_SECONDS, dtype="float32", always_2d=True)
        except (soundfile.SoundFileError, RuntimeError, ValueError) as error:
            raise AudioError("the audio file is broken inside") from error

    def _webm_blocks(self, webm: WebmOpus, max_seconds: float) -> Iterator[NDArray[np.float32]]:
        pages = OggPages(webm)
        until = time.monotonic() + _GO_ON_SECONDS
        for _ in pages.measure(max_seconds):
            if time.monotonic() > until:
                yield np.empty((0, self.channels), np.float32)
                until = time.monotonic() + _GO_ON_SECONDS
        yield from self._compressed_blocks(pages)
        if pages.fault is not None:
            raise pages.fault


def _opened(file: Source, kind: str) -> PcmFormat:
    """Have libsndfile read the header of a file: its channels and rate.

    Raises:
        AudioError: It cannot, or they are not supported.
    """
    try:
        with soundfile.SoundFile(file) as opened:
            if opened.format not in _FORMATS:
                raise AudioError(f"the {kind} file cannot be read")
            return checked(PcmFormat(channels=opened.channels, rate=opened.samplerate))
    except (soundfile.SoundFileError, RuntimeError, ValueError) as error:
        raise AudioError(f"the {kind} file cannot be read") from error


def _kind(data: bytes) -> str:
    """Name of a kind of file that libsndfile is to read.

    Raises:
        AudioError: It is none of them.
    """
    for begin, kind in _KINDS.items():
        if data.startswith(begin):
            return kind
    if len(data) > 1 and data[0] == 0xFF and data[1] & 0xE0 == 0xE0:  # a frame without tags before it
        return "MP3"
    if data[4:8] == b"ftyp":
        raise AudioError("MP4 is not read", hint=CONVERT)
    raise AudioError("the audio is none of WAV, FLAC, Ogg, WebM, MP3, AIFF, CAF, AU and W64")


def _end(file: Source, start: int, size: int) -> int:
    """Where the samples of a WAV file end: where its header says, if another chunk does begin there."""
    length = file.seek(0, io.SEEK_END)
    end = start + size + size % 2
    if not size or length < end + 8:
        return length
    name = read_at(file, end, 4)
    return start + size if name.isascii() and name.decode("ascii").isprintable() else length
