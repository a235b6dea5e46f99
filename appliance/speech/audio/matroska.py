"""Matroska and WebM: the Opus track of a file, and its packets one after another (RFC 8794, RFC 9559).

Elements are walked in the order of the file. Segment, Cluster and BlockGroup are entered, whatever size
they state, so that a live recording, which knows no sizes, reads like any other. All else is stepped over.
"""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from appliance.speech.audio.errors import CONVERT, AudioError
from appliance.speech.audio.source import Source, read_at

MARK: Final = b"\x1a\x45\xdf\xa3"
"""How such a file begins."""
MAX_TRACKS_BYTES: Final = 1 << 18
MAX_BLOCK_BYTES: Final = 1 << 20
"""One block of the Opus track, with all packets in it."""
MAX_HEADER_ELEMENTS: Final = 1_000
"""Elements before the list of tracks, and in each list."""
MAX_OTHER_ELEMENTS: Final = 4_000_000
"""Elements that are no audio, such as the pictures of a film of many hours."""
REST: Final = 2_000
"""Elements of no audio after which a reader may do something else."""

_PIECE: Final = 1 << 16
_HEAD_BYTES: Final = 12
_MAX_EBML_BYTES: Final = 4_096  # of the EBML header
_EBML, _SEGMENT, _CLUSTER, _TRACKS = 0x1A45DFA3, 0x18538067, 0x1F43B675, 0x1654AE6B
_GROUP, _BLOCK, _SIMPLE, _DISCARD = 0xA0, 0xA1, 0xA3, 0x75A2
_ENTERED: Final = frozenset({_SEGMENT, _CLUSTER, _GROUP})
_DOC_TYPE, _ENTRY, _NUMBER, _TYPE = 0x4282, 0xAE, 0xD7, 0x83
_CODEC, _PRIVATE, _DELAY, _ENCODINGS = 0x86, 0x63A2, 0x56AA, 0x6D80
_AUDIO: Final = 2
_UNKNOWN: Final = -1
_CUT: Final = "the WebM file is cut short"
_BROKEN: Final = "the WebM file is broken inside"
_SEVERAL: Final = "the WebM file holds more than one recording; send them one by one"


class Element(NamedTuple):
    """The head of an element.

    Attributes:
        id: What it is, with the marker bits.
        begin: Where its content begins.
        size: Bytes of its content; -1 where it does not say.
    """

    id: int
    begin: int
    size: int


class Block(NamedTuple):
    """What a step forward gave.

    Attributes:
        packets: Packets of the track, in order.
        discard: Nanoseconds at the end of the packets before that are no audio.
    """

    packets: tuple[bytes, ...] = ()
    discard: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """The first track with Opus.

    Attributes:
        number: Its number, as blocks name it.
        head: Its `OpusHead`, as in Ogg.
        delay: Nanoseconds at its beginning that are no audio; 0 where only the head says.
        begin: Where in the file the elements after the list of tracks begin.
        end: Where the segment ends; -1 where it does not say.
    """

    number: int
    head: bytes
    delay: int
    begin: int
    end: int


class _Window:
    """A file read forwards, piece by piece.

    Args:
        file: The file.
        at: Where to begin.
    """

    def __init__(self, file: Source, at: int) -> None:
        self._file = file
        self._data = b""
        self._from = at
        self._at = 0

    @property
    def at(self) -> int:
        """The position."""
        return self._from + self._at

    def peek(self, size: int) -> bytes:
        """Return so many bytes from the position; fewer at the end of the file."""
        if len(self._data) - self._at < size:
            data = self._data[self._at :]
            self._from, self._at = self.at, 0
            while len(data) < size and (more := read_at(self._file, self._from + len(data), _PIECE)):
                data += more
            self._data = data
        return self._data[self._at : self._at + size]

    def take(self, size: int) -> bytes:
        """Return so many bytes, and go behind them.

        Raises:
            AudioError: The file has fewer.
        """
        found = self.peek(size)
        if len(found) < size:
            raise AudioError(_CUT)
        self._at += size
        return found

    def skip(self, size: int) -> None:
        """Step over so many bytes of the file.

        Raises:
            AudioError: The file has fewer.
        """
        if size <= len(self._data) - self._at:
            self._at += size
            return
        last = self.at + size - 1
        if last >= self._file.seek(0, io.SEEK_END):  # a disk refuses positions that no file can have
            raise AudioError(_CUT)
        self._from, self._at, self._data = last, 0, b""
        self.take(1)

    def element(self) -> Element | None:
        """Read the head of the next element; None at the end of the file.

        Raises:
            AudioError: It is none, or cut short.
        """
        head = self.peek(_HEAD_BYTES)
        if not head:
            return None
        id_bytes = 9 - head[0].bit_length()
        if id_bytes > 4:
            raise AudioError(_BROKEN)
        size, size_bytes = _number(head, id_bytes)
        self._at += id_bytes + size_bytes
        return Element(int.from_bytes(head[:id_bytes], "big"), self.at, size)


def read_track(file: Source) -> Track:
    """Find the first track with Opus; reads the beginning of the file alone.

    Raises:
        AudioError: It is no Matroska or WebM, broken, or holds no Opus.
    """
    window = _Window(file, 0)
    first = window.element()
    if first is None or first.id != _EBML or not 0 <= first.size <= _MAX_EBML_BYTES:
        raise AudioError(_BROKEN)
    kinds = [data for name, data in _children(window.take(first.size)) if name == _DOC_TYPE]
    if kinds and kinds[0].rstrip(b"\0") not in (b"webm", b"matroska"):
        raise AudioError("the file is EBML, but neither WebM nor Matroska")
    end = _UNKNOWN
    for _ in range(MAX_HEADER_ELEMENTS):
        found = window.element()
        if found is None:
            raise AudioError("the WebM file ends before its tracks are listed")
        if found.id == _SEGMENT:
            end = found.begin + found.size if found.size != _UNKNOWN else _UNKNOWN
        elif found.id == _TRACKS:
            if not 0 <= found.size <= MAX_TRACKS_BYTES:
                raise AudioError("the list of tracks of the WebM file states an impossible size")
            return _chosen(window.take(found.size), begin=window.at, end=end)
        elif found.id == _CLUSTER or found.size == _UNKNOWN:
            raise AudioError("the WebM file lists no tracks before its audio")
        else:
            window.skip(found.size)
    raise AudioError(f"the WebM file has more than {MAX_HEADER_ELEMENTS} elements before its tracks")


def blocks(file: Source, track: Track) -> Iterator[Block]:
    """Yield the packets of a track, block by block, and an empty block where audio is long in coming.

    Raises:
        AudioError: The file is cut short, or broken.
    """
    window = _Window(file, track.begin)
    furthest = track.end
    own = False
    others = 0
    while track.end == _UNKNOWN or window.at < track.end:
        found = window.element()
        if found is None:
            break
        if found.id in (_SIMPLE, _BLOCK):
            packets = _block(window, found, track.number)
            own = packets is not None
            if packets is not None:
                yield Block(packets)
                continue
        elif found.id in _ENTERED:
            furthest = max(furthest, found.begin + found.size)
        elif (discard := _other(window, found)) and own:
            yield Block(discard=discard)
        others += 1
        if others > MAX_OTHER_ELEMENTS:
            raise AudioError(f"the WebM file has more than {MAX_OTHER_ELEMENTS} elements beside its audio")
        if others % REST == 0:
            yield Block()
    _require_end(window, furthest)


def _require_end(window: _Window, furthest: int) -> None:
    """Refuse a file that ends before its elements do, or goes on with another recording."""
    if window.at < furthest:
        raise AudioError(_CUT)
    if window.peek(len(MARK)) == MARK:
        raise AudioError(_SEVERAL)


def _number(data: bytes, at: int) -> tuple[int, int]:
    """Read a number of variable length: it, -1 where all its bits are set, and how many bytes it takes.

    Raises:
        AudioError: It is none, or cut short.
    """
    if at >= len(data):
        raise AudioError(_CUT)
    length = 9 - data[at].bit_length()
    if length > 8:
        raise AudioError(_BROKEN)
    raw = data[at : at + length]
    if len(raw) < length:
        raise AudioError(_CUT)
    most = (1 << 7 * length) - 1
    value = int.from_bytes(raw, "big") & most
    return (_UNKNOWN if value == most else value), length


def _children(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the elements inside one that is there as a whole: what each is, and its content."""
    at = count = 0
    while at < len(data):
        count += 1
        if count > MAX_HEADER_ELEMENTS:
            raise AudioError(f"a list in the WebM file has more than {MAX_HEADER_ELEMENTS} elements")
        id_bytes = 9 - data[at].bit_length()
        if id_bytes > 4:
            raise AudioError(_BROKEN)
        size, size_bytes = _number(data, at + id_bytes)
        begin = at + id_bytes + size_bytes
        if not 0 <= size <= len(data) - begin:
            raise AudioError(_BROKEN)
        yield int.from_bytes(data[at : at + id_bytes], "big"), data[begin : begin + size]
        at = begin + size


def _chosen(tracks: bytes, *, begin: int, end: int) -> Track:
    """The first track with Opus of a list of tracks."""
    others = []
    for name, entry in _children(tracks):
        if name != _ENTRY:
            continue
        said = dict(_children(entry))
        if int.from_bytes(said.get(_TYPE, b""), "big") != _AUDIO:
            continue
        codec = said.get(_CODEC, b"").rstrip(b"\0")
        if codec != b"A_OPUS":
            others.append(codec)
            continue
        if _ENCODINGS in said:
            raise AudioError("the Opus track of the WebM file is compressed or encrypted; send it without")
        return Track(
            number=int.from_bytes(said.get(_NUMBER, b""), "big"),
            head=said.get(_PRIVATE, b""),
            delay=int.from_bytes(said.get(_DELAY, b""), "big"),
            begin=begin,
            end=end,
        )
    if not others:
        raise AudioError("the WebM file holds no audio")
    raise AudioError(f"WebM with {_name_of(others[0])} is not read", hint=CONVERT)


def _name_of(codec: bytes) -> str:
    """What people call a codec, as far as they would meet it in such a file."""
    known = {
        b"A_VORBIS": "Vorbis",
        b"A_AAC": "AAC",
        b"A_FLAC": "FLAC",
        b"A_PCM": "PCM",
        b"A_MPEG": "MPEG audio",
    }
    return next((name for begin, name in known.items() if codec.startswith(begin)), "this codec")


def _block(window: _Window, found: Element, track: int) -> tuple[bytes, ...] | None:
    """Read a block: its packets, or None if it is of another track."""
    if found.size == _UNKNOWN:
        raise AudioError(_BROKEN)
    if not found.size:
        raise AudioError(_BROKEN)
    if _number(window.peek(min(8, found.size)), 0)[0] != track:
        window.skip(found.size)
        return None
    if found.size > MAX_BLOCK_BYTES:
        raise AudioError("a block of the WebM file states an impossible size")
    return _packets(window.take(found.size))


def _other(window: _Window, found: Element) -> int:
    """Step over what is no block; returns nanoseconds at the end of the block before that are no audio."""
    if found.size == _UNKNOWN:
        raise AudioError(_BROKEN)
    if found.id == _EBML:
        raise AudioError(_SEVERAL)
    if found.id == _DISCARD and found.size <= 8:
        return int.from_bytes(window.take(found.size), "big", signed=True)
    window.skip(found.size)
    return 0


def _packets(block: bytes) -> tuple[bytes, ...]:
    """The packets of a block: one, or several that are laced."""
    at = _number(block, 0)[1] + 3  # two bytes of time, one of flags
    if len(block) < at:
        raise AudioError(_BROKEN)
    lacing = block[at - 1] >> 1 & 3
    if not lacing:
        return (block[at:],)
    if len(block) == at:
        raise AudioError(_BROKEN)
    more, at = block[at], at + 1  # the packets beside the last
    if lacing == 2:
        sizes = [(len(block) - at) // (more + 1)] * more
    else:
        sizes, at = (_xiph_sizes if lacing == 1 else _ebml_sizes)(block, at, more)
    last = len(block) - at - sum(sizes)
    if last < 0 or min(sizes, default=0) < 0 or (lacing == 2 and more and last != sizes[0]):
        raise AudioError(_BROKEN)
    found = []
    for size in (*sizes, last):
        found.append(block[at : at + size])
        at += size
    return tuple(found)


def _xiph_sizes(block: bytes, at: int, count: int) -> tuple[list[int], int]:
    """Sizes as runs of 255 and a rest; and where the packets begin."""
    sizes = []
    for _ in range(count):
        size = 0
        while block[at : at + 1] == b"\xff":
            size, at = size + 255, at + 1
        if at >= len(block):
            raise AudioError(_BROKEN)
        sizes.append(size + block[at])
        at += 1
    return sizes, at


def _ebml_sizes(block: bytes, at: int, count: int) -> tuple[list[int], int]:
    """Sizes as a number and differences to the one before; and where the packets begin."""
    sizes: list[int] = []
    for _ in range(count):
        if at >= len(block):
            raise AudioError(_BROKEN)
        value, length = _number(block, at)
        if sizes:
            most = (1 << 7 * length) - 1
            value = sizes[-1] + (most if value == _UNKNOWN else value) - (most >> 1)
        sizes.append(value)
        at += length
    return sizes, at
