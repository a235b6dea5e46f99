"""Opus packets in Ogg pages: what libsndfile wrote is made again, and heard as the original is."""

import io

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.speech.audio.errors import AudioError
from appliance.speech.audio.ogg_opus import MAX_PACKET_BYTES, PageWriter, checksum, samples_of, skip_of
from tests.support.tones import RATE, speak
from tests.support.webm import HEAD, ogg_packets, opus

OGG = opus(speak("turn left"), RATE)


def pages_of(data: bytes) -> list[bytes]:
    """An Ogg file, page by page."""
    pages, at = [], 0
    while at < len(data):
        sizes = data[at + 27 : at + 27 + data[at + 26]]
        end = at + 27 + len(sizes) + sum(sizes)
        pages.append(data[at:end])
        at = end
    return pages


def slow_checksum(data: bytes) -> int:
    """As the specification words it, bit by bit."""
    found = 0
    for byte in data:
        found ^= byte << 24
        for _ in range(8):
            found = (found << 1 ^ (0x04C11DB7 if found & 1 << 31 else 0)) & 0xFFFFFFFF
    return found


def test_checksums_are_those_of_libsndfile() -> None:
    for page in pages_of(OGG):
        bare = page[:22] + bytes(4) + page[26:]
        assert checksum(bare) == slow_checksum(bare) == int.from_bytes(page[22:26], "little")


@settings(max_examples=30)
@given(st.binary(max_size=300))
def test_checksums_are_those_of_the_specification(data: bytes) -> None:
    assert checksum(data) == slow_checksum(data)


def test_what_is_written_is_heard_as_the_original() -> None:
    head, _, *packets = ogg_packets(OGG)
    writer = PageWriter(head)
    data = writer.header + b"".join(writer.put(packet) for packet in packets)
    original = int.from_bytes(pages_of(OGG)[-1][6:14], "little")
    data += writer.end(writer.samples - original)
    expected, rate = soundfile.read(io.BytesIO(OGG))
    found, same = soundfile.read(io.BytesIO(data))
    assert rate == same
    assert np.array_equal(found, expected)
    assert ogg_packets(data)[2:] == packets


@settings(max_examples=30)
@given(st.lists(st.integers(1, MAX_PACKET_BYTES), min_size=1, max_size=40))
def test_packets_of_any_size_are_put_into_pages(sizes: list[int]) -> None:
    packets = [b"\xf8" + bytes(size - 1) for size in sizes]
    writer = PageWriter(HEAD)
    data = writer.header + b"".join(writer.put(packet) for packet in packets) + writer.end(0)
    assert ogg_packets(data)[2:] == packets
    found = pages_of(data)
    assert [page[5] for page in found] == [2, *[0] * (len(found) - 2), 4]
    assert [int.from_bytes(page[18:22], "little") for page in found] == list(range(len(found)))
    assert int.from_bytes(found[-1][6:14], "little") == 960 * len(packets)


def test_no_more_is_cut_off_than_the_last_page_has() -> None:
    writer = PageWriter(HEAD)
    full = [writer.put(b"\xf8") for _ in range(51)]
    assert [bool(page) for page in full].count(True) == 1
    assert int.from_bytes(writer.end(1 << 40)[6:14], "little") == 50 * 960
    writer.put(b"\xf8")
    assert int.from_bytes(writer.end(-7)[6:14], "little") == 52 * 960


@pytest.mark.parametrize(
    ("packet", "samples"),
    [
        (b"\x00", 480),
        (b"\x18", 2_880),
        (b"\x58", 2_880),
        (b"\x60", 480),
        (b"\x78", 960),
        (b"\x80", 120),
        (b"\xf8", 960),
        (b"\xfd", 1_920),
        (b"\xfa", 1_920),
        (b"\xfb\x06", 5_760),
        (b"\x83\x30", 5_760),
    ],
)
def test_the_length_of_a_packet_is_told_by_its_first_bytes(packet: bytes, samples: int) -> None:
    assert samples_of(packet) == samples


@pytest.mark.parametrize(
    "packet", [b"", b"\xfb", b"\xfb\0", b"\xfb\x07", b"\x1b\x3f", bytes(MAX_PACKET_BYTES + 1)]
)
def test_a_packet_that_is_none_is_refused(packet: bytes) -> None:
    with pytest.raises(AudioError, match="packet"):
        samples_of(packet)


def test_the_samples_to_skip_stand_in_the_head() -> None:
    assert skip_of(HEAD) == 312
    for wrong in (b"", HEAD[:-1], b"OpusTags" + HEAD[8:], HEAD[:8] + b"\x10" + HEAD[9:], HEAD + bytes(300)):
        with pytest.raises(AudioError, match="OpusHead"):
            skip_of(wrong)
