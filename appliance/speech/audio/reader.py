"""Audio of any supported kind to samples at the rate of the model: as a stream, or as a file held in memory.

WAV is read by `pcm`, everything compressed by libsndfile, rates are changed by libsoxr.
"""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import soundfile
import soxr

from appliance.speech.audio.errors import AudioError, AudioTooLong
from appliance.speech.audio.wav import PcmFormat, Samples, WavReader, checked, mixed

TICKS_PER_SECOND: Final = 10_000_000
"""Ticks of 100 ns, the unit of times on the wire."""

_BLOCK_SECONDS: Final = 10
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
_OTHERS: Final = {b"\x1a\x45\xdf\xa3": "WebM or Matroska", b"ftyp": "MP4"}


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
    """A file in memory, whose header was read.

    Attributes:
        data: The bytes.
        channels: Number of its channels.
        rate: Its own rate.
        wav: Whether it is a WAV file, read by `pcm`; by libsndfile otherwise.
    """

    data: bytes
    channels: int
    rate: int
    wav: bool

    @classmethod
    def open(cls, data: bytes) -> "Sound":
        """Read the header of WAV, RF64, RIFX, W64, AIFF, AU, CAF, FLAC, Ogg (Opus, Vorbis) or MP3.

        Raises:
            AudioError: It is none of them, or broken.
        """
        if data[:4] in (b"RIFF", b"RF64"):
            reader = WavReader()
            for at in range(0, len(data), 1 << 16):
                reader.feed(data[at : at + (1 << 16)])
                if reader.stated[0]:
                    break
            if reader.format is None:
                raise AudioError("the WAV file ends before its data begins")
            return cls(
                data=data[: _end(data, *reader.stated)],
                channels=reader.format.channels,
                rate=reader.format.rate,
                wav=True,
            )
        kind = _kind(data)
        try:
            with soundfile.SoundFile(io.BytesIO(data)) as file:
                if file.format not in _FORMATS:
                    raise AudioError(f"the {kind} file cannot be read")
                found = checked(PcmFormat(channels=file.channels, rate=file.samplerate))
        except (soundfile.SoundFileError, RuntimeError, ValueError) as error:
            raise AudioError(f"the {kind} file cannot be read") from error
        return cls(data=data, channels=found.channels, rate=found.rate, wav=False)

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
        for block in self._wav_blocks() if self.wav else self._compressed_blocks():
            read += len(block)
            if read > max_seconds * self.rate:
                raise AudioTooLong(f"the audio is longer than {max_seconds:g} seconds")
            chosen = mixed(block) if channel is None else block[:, channel]
            yield resampler.feed(np.ascontiguousarray(chosen))
        yield resampler.feed(np.empty(0, np.float32), last=True)

    def _wav_blocks(self) -> Iterator[Samples]:
        reader = WavReader()
        for at in range(0, len(self.data), 1 << 20):
            yield reader.feed_channels(self.data[at : at + (1 << 20)])

    def _compressed_blocks(self) -> Iterator[Samples]:
        try:
            with soundfile.SoundFile(io.BytesIO(self.data)) as file:
                yield from file.blocks(self.rate * _BLOCK_SECONDS, dtype="float32", always_2d=True)
        except (soundfile.SoundFileError, RuntimeError, ValueError) as error:
            raise AudioError("the audio file is broken inside") from error


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
    for mark, kind in _OTHERS.items():
        if mark in data[:8]:
            raise AudioError(f"{kind} is not read; send Ogg with Opus, or WAV")
    raise AudioError("the audio is none of WAV, FLAC, Ogg, MP3, AIFF, CAF, AU and W64")


def _end(data: bytes, start: int, size: int) -> int:
    """Where the samples of a WAV file end: where its header says, if another chunk does begin there."""
    end = start + size + size % 2
    name = data[end : end + 4]
    if not size or len(data) < end + 8 or not (name.isascii() and name.decode("ascii").isprintable()):
        return len(data)
    return start + size
