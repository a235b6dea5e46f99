"""WebM or Matroska with Opus, as browsers record it, shown to libsndfile as an Ogg file.

The Ogg file is never there as a whole: its pages are made as they are read. Its length and its last pages,
which libsndfile reads first, come from one walk through the file before.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from appliance.speech.audio.errors import AudioError, AudioTooLong
from appliance.speech.audio.matroska import Track, blocks, read_track
from appliance.speech.audio.ogg_opus import RATE, PageWriter, skip_of
from appliance.speech.audio.source import Positioned, Source

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_TAIL_BYTES: Final = 1 << 18
"""More than libsndfile ever looks back from the end for the last page."""
_SILENT: Final = b"\xf8"  # a packet of one frame that is not there
_MAX_SKIP: Final = 0xFFFF
_BILLION: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class WebmOpus:
    """The Opus track of a file.

    Attributes:
        file: The file.
        track: Where it is.
        head: Its `OpusHead`.
    """

    file: Source
    track: Track
    head: bytes

    @classmethod
    def open(cls, file: Source) -> "WebmOpus":
        """Read the beginning of a file.

        Raises:
            AudioError: It is broken, or holds no Opus.
        """
        track = read_track(file)
        head = track.head
        if not skip_of(head):  # some writers state the delay in the container alone
            delay = min(track.delay * RATE // _BILLION, _MAX_SKIP)
            head = head[:10] + struct.pack("<H", delay) + head[12:]
        return cls(file, track, head)

    def beginning(self) -> bytes:
        """An Ogg file of this head and one silent packet: enough to learn channels and rate."""
        pages = PageWriter(self.head)
        return pages.header + pages.put(_SILENT) + pages.end(0)

    def pages(self) -> Iterator[bytes]:
        """Yield the pages of the Ogg file; nothing now and then, where audio is long in coming.

        Raises:
            AudioError: The file is cut short, or broken.
        """
        writer = PageWriter(self.head)
        discard = 0
        yield writer.header
        for packets, found in blocks(self.file, self.track):
            if packets:
                discard = 0
            for packet in packets:
                if page := writer.put(packet):
                    yield page
            if not packets:
                discard = found or discard
                yield b""
        if writer.samples <= skip_of(self.head):
            raise AudioError("the WebM file holds no audio")
        yield writer.end(discard * RATE // _BILLION)


class OggPages(Positioned):
    """The Ogg file of an Opus track, to be read once `measure` has walked through it.

    Attributes:
        fault: What went wrong while it was read, if anything did. Who reads it is called back by a library
            that knows no exceptions, so nothing is raised there.
    """

    def __init__(self, webm: WebmOpus) -> None:
        super().__init__()
        self._webm = webm
        self._tail = b""
        self._pages: Iterator[bytes] = iter(())
        self._page = b""
        self._page_at = 0  # where it begins
        self.fault: AudioError | None = None

    def measure(self, max_seconds: float) -> Iterator[None]:
        """Walk through all pages; yields now and then, so that others get their turn.

        Raises:
            AudioError: The file is cut short, or broken.
            AudioTooLong: It is longer than that.
        """
        most = max_seconds * RATE + skip_of(self._webm.head)
        tail: list[bytes] = []
        kept = 0
        for page in self._webm.pages():
            self.length += len(page)
            tail.append(page)
            kept += len(page)
            while kept - len(tail[0]) >= _TAIL_BYTES:
                kept -= len(tail.pop(0))
            if page and struct.unpack_from("<q", page, 6)[0] > most:
                raise AudioTooLong(f"the audio is longer than {max_seconds:g} seconds")
            yield
        self._tail = b"".join(tail)

    def readinto(self, buffer: "WriteableBuffer") -> int:
        """Fill a buffer as far as there are bytes; return how many."""
        into = memoryview(buffer).cast("B")
        done = 0
        try:
            while done < len(into) and (part := self._some()):
                part = part[: len(into) - done]
                into[done : done + len(part)] = part
                done += len(part)
                self._at += len(part)
        except AudioError as error:
            self.fault = self.fault or error
        return done

    def _some(self) -> memoryview:
        """Bytes from the position: a rest of its page, or of the tail."""
        tail_at = self.length - len(self._tail)
        if self._at >= tail_at:
            return memoryview(self._tail)[self._at - tail_at :]
        if self._at < self._page_at or not self._page:
            self._pages, self._page, self._page_at = self._webm.pages(), b"", 0
        while self._at >= self._page_at + len(self._page):
            self._page_at += len(self._page)
            page = next(self._pages, None)
            if page is None:
                raise AudioError("the file was changed while it was read")
            self._page = page
        return memoryview(self._page)[self._at - self._page_at :]
