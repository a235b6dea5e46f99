"""Packets out of Matroska: the same from every way of writing them, and a clear refusal of all else."""

import io
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.speech.audio.errors import AudioError
from appliance.speech.audio.matroska import (
    MAX_BLOCK_BYTES,
    MAX_HEADER_ELEMENTS,
    MAX_TRACKS_BYTES,
    REST,
    Track,
    blocks,
    read_track,
)
from tests.support import webm as made
from tests.support.webm import Written, element, header, track, webm

PACKETS = [b"\xf8" + bytes((at,)) * (at * 37 % 700) for at in range(90)]


def read(data: bytes) -> tuple[Track, list[bytes], list[int]]:
    file = io.BytesIO(data)
    found = read_track(file)
    steps = list(blocks(file, found))
    packets = [packet for step in steps for packet in step.packets]
    return found, packets, [step.discard for step in steps if step.discard]


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("grouped", [True, False])
@pytest.mark.parametrize(
    ("lacing", "together"), [("", 1), ("xiph", 5), ("ebml", 5), ("xiph", 1), ("ebml", 1)]
)
def test_packets_are_those_that_were_written(known: bool, grouped: bool, lacing: str, together: int) -> None:
    how = Written(known=known, grouped=grouped, lacing=lacing, together=together)
    assert read(webm(PACKETS, how))[1] == PACKETS


def test_packets_of_one_size_are_laced_without_sizes() -> None:
    packets = [bytes((at,)) * 40 for at in range(12)]
    assert read(webm(packets, Written(lacing="fixed", together=4)))[1] == packets


@settings(max_examples=60)
@given(
    st.lists(st.binary(min_size=1, max_size=600), min_size=1, max_size=30),
    st.sampled_from(["xiph", "ebml"]),
    st.integers(1, 256),
)
def test_any_packets_may_be_laced(packets: Sequence[bytes], lacing: str, together: int) -> None:
    assert read(webm(packets, Written(lacing=lacing, together=together)))[1] == packets


def test_the_head_and_what_is_no_audio_are_told() -> None:
    entry = track(private=b"the head", more=element(made.DELAY, (6_500_000).to_bytes(4, "big")))
    found, packets, discards = read(webm(PACKETS, Written(discard=13_500_000, tracks=(entry,))))
    assert (found.head, found.delay, packets, discards) == (b"the head", 6_500_000, PACKETS, [13_500_000])


def test_the_first_opus_track_is_heard_among_others() -> None:
    picture = track(number=1, kind=1, codec=b"V_VP8", private=bytes(300))
    others = (picture, track(number=2, codec=b"A_VORBIS"), track(number=3), track(number=4))
    noise = element(made.SIMPLE, made.block([b"picture"], track=1)) + element(
        made.GROUP,
        element(made.BLOCK, made.block([b"late"], track=4)) + element(made.DISCARD, made.signed(5)),
    )
    own = b"".join(noise + element(made.SIMPLE, made.block([packet], track=3)) for packet in PACKETS)
    inside = element(made.TRACKS, b"".join(others)) + element(made.CLUSTER, own + noise, known=False)
    found, packets, discards = read(header() + element(made.SEGMENT, inside, known=False))
    assert (found.number, packets, discards) == (3, PACKETS, [])


def test_what_follows_a_segment_of_known_size_is_not_read() -> None:
    assert read(webm(PACKETS) + b"\0 and more")[1] == PACKETS


@pytest.mark.parametrize("known", [True, False])
def test_a_file_cut_anywhere_is_refused_unless_it_could_have_ended_there(known: bool) -> None:
    data = webm(PACKETS[:12], Written(known=known, blocks=4))
    whole = 0
    for end in range(len(data)):
        try:
            packets = read(data[:end])[1]
        except AudioError:
            continue
        whole += 1
        assert packets == PACKETS[: len(packets)]
    # A live recording can have ended after its tracks, after a head of a cluster, its time, and each block.
    assert whole == (0 if known else 1 + 3 + 3 + 12 - 1)


def refusals() -> dict[str, tuple[bytes, str]]:
    """Files by what is wrong with them, and what is said."""

    def segment(inside: bytes) -> bytes:
        return header() + element(made.SEGMENT, inside, known=False)

    tracks = element(made.TRACKS, track())
    simple = made.SIMPLE + b"\x86\x81\0\0"
    return {
        "mark alone": (made.EBML, "cut short"),
        "zeros": (made.EBML + bytes(500), "broken inside"),
        "of a huge head": (made.EBML + made.number(1 << 40) + bytes(99), "broken inside"),
        "another kind": (header(b"matryoshka"), "neither WebM nor Matroska"),
        "no segment": (header(), "before its tracks are listed"),
        "no tracks": (segment(element(made.CLUSTER, b"")), "lists no tracks"),
        "no audio": (segment(element(made.TRACKS, track(kind=1))), "holds no audio"),
        "empty tracks": (segment(element(made.TRACKS, b"")), "holds no audio"),
        "Vorbis": (segment(element(made.TRACKS, track(codec=b"A_VORBIS"))), "WebM with Vorbis is not read"),
        "AAC": (segment(element(made.TRACKS, track(codec=b"A_AAC/MPEG4/LC"))), "WebM with AAC is not read"),
        "some codec": (segment(element(made.TRACKS, track(codec=b"\xff\n"))), "with this codec is not read"),
        "encrypted": (
            segment(element(made.TRACKS, track(more=element(made.ENCODINGS, b"")))),
            "compressed or encrypted",
        ),
        "huge tracks": (segment(made.TRACKS + made.number(MAX_TRACKS_BYTES + 1)), "impossible size"),
        "tracks of no size": (segment(made.TRACKS + made.UNKNOWN), "impossible size"),
        "tracks of many": (segment(element(made.TRACKS, b"\xec\x80" * 1_001)), "more than 1000 elements"),
        "an entry too long": (segment(element(made.TRACKS, made.ENTRY + b"\x99")), "broken inside"),
        "many elements": (segment(b"\xec\x80" * MAX_HEADER_ELEMENTS), "more than 1000 elements"),
        "a huge block": (
            segment(tracks + made.SIMPLE + made.number(MAX_BLOCK_BYTES + 1) + b"\x81" + bytes(99)),
            "impossible size",
        ),
        "a block of no size": (segment(tracks + made.SIMPLE + made.UNKNOWN + b"\x81"), "broken inside"),
        "a void of no size": (segment(tracks + made.VOID + made.UNKNOWN), "broken inside"),
        "a void too long": (segment(tracks + made.VOID + made.number(1 << 50) + bytes(9)), "cut short"),
        "an empty block": (segment(tracks + made.SIMPLE + b"\x80"), "broken inside"),
        "a short block": (segment(tracks + made.SIMPLE + b"\x82\x81\0"), "broken inside"),
        "lacing of nothing": (segment(tracks + made.SIMPLE + b"\x84\x81\0\0\x02"), "broken inside"),
        "Xiph sizes too long": (segment(tracks + simple + b"\x02\x01\xff"), "broken inside"),
        "Xiph packets too long": (segment(tracks + simple + b"\x02\x01\x09"), "broken inside"),
        "EBML sizes missing": (segment(tracks + simple + b"\x06\x03\x80"), "broken inside"),
        "EBML sizes below nothing": (
            segment(tracks + made.SIMPLE + b"\x87\x81\0\0\x06\x02\x80\x80"),
            "broken",
        ),
        "unequal packets of one size": (segment(tracks + simple + b"\x04\x01\x09"), "broken"),
        "two recordings": (segment(tracks) + webm(PACKETS), "more than one recording"),
        "two recordings of known size": (webm(PACKETS) * 2, "more than one recording"),
    }


@pytest.mark.parametrize("name", refusals())
def test_what_cannot_be_read_is_refused_with_its_reason(name: str) -> None:
    data, said = refusals()[name]
    with pytest.raises(AudioError, match=said):
        read(data)


@pytest.mark.parametrize("size", [1 << 45, (1 << 56) - 2])
def test_a_size_that_no_disk_can_hold_is_no_fault_of_the_disk(tmp_path: Path, size: int) -> None:
    path = tmp_path / "cut.webm"
    path.write_bytes(webm(PACKETS, Written(known=False)) + made.VOID + made.number(size, 8))
    with path.open("rb") as file, pytest.raises(AudioError, match="cut short"):
        list(blocks(file, read_track(file)))


def test_elements_of_no_audio_give_others_their_turn_and_have_an_end() -> None:
    data = header() + element(
        made.SEGMENT, element(made.TRACKS, track()) + b"\xec\x80" * (3 * REST), known=False
    )
    file = io.BytesIO(data)
    assert len(list(blocks(file, read_track(file)))) == 3


@pytest.mark.slow
def test_there_are_only_so_many_elements_of_no_audio() -> None:
    data = header() + element(
        made.SEGMENT, element(made.TRACKS, track()) + b"\xec\x80" * 4_000_001, known=False
    )
    with pytest.raises(AudioError, match="4000000 elements"):
        read(data)
