"""WebM with Opus is heard as the same packets in Ogg are, in bounded memory, whoever wrote it."""

import io
import struct
import tracemalloc
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from appliance.speech.audio.errors import AudioError, AudioTooLong
from appliance.speech.audio.reader import Sound
from appliance.speech.audio.webm import OggPages, WebmOpus
from tests.support.dictation import amiable
from tests.support.paths import ROOT, VECTORS
from tests.support.tones import RATE, speak
from tests.support.webm import (
    DELAY,
    HEAD,
    UNKNOWN,
    Written,
    as_webm,
    element,
    ogg_packets,
    opus,
    track,
    webm,
)

OGG = opus(speak("turn left now"), RATE)
HEAD_OF_OGG, _, *PACKETS = ogg_packets(OGG)
START = (ROOT / "tests/unit/speech/recordings/start.opus").read_bytes()
SILENT = b"\xf8\xff\xfe"


def heard(data: bytes, seconds: float = 60) -> NDArray[np.float32]:
    return np.concatenate(list(Sound.open(data).blocks(RATE, max_seconds=seconds)))


def written(**how: object) -> Written:
    return Written(tracks=(track(private=HEAD_OF_OGG),), **how)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["ffmpeg.webm", "ffmpeg-live.webm"])
def test_what_ffmpeg_copied_is_heard_sample_by_sample(name: str) -> None:
    data = (VECTORS / "webm" / name).read_bytes()
    assert (UNKNOWN in data) == ("live" in name)
    assert np.array_equal(heard(data), heard(START))


@pytest.mark.parametrize("browser", ["chromium", "firefox"])
def test_what_a_browser_recorded_is_heard(browser: str) -> None:
    found, expected = heard((VECTORS / "webm" / f"{browser}.webm").read_bytes()), amiable()
    assert abs(len(found) - len(expected)) < RATE // 10
    like = np.correlate(found[8_000:40_000], expected[8_000:36_000], "valid")
    shift = int(like.argmax())
    parts = (found[8_000 + shift : 36_000 + shift], expected[8_000:36_000])
    assert np.corrcoef(*parts)[0, 1] > 0.9
    assert shift < RATE // 10


def test_webm_with_another_codec_is_refused_by_its_name() -> None:
    with pytest.raises(AudioError, match=r"WebM with Vorbis is not read$") as refused:
        Sound.open((VECTORS / "webm" / "ffmpeg-vorbis.webm").read_bytes())
    assert refused.value.hint.startswith("convert it to WAV, FLAC, MP3")


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize(("lacing", "together"), [("", 1), ("xiph", 3), ("ebml", 4)])
def test_every_way_of_writing_is_heard_alike(known: bool, lacing: str, together: int) -> None:
    found = heard(as_webm(OGG, Written(known=known, lacing=lacing, together=together)))
    assert np.array_equal(found, heard(OGG))


def test_what_is_no_audio_at_the_end_is_not_heard() -> None:
    whole = heard(webm(PACKETS, written()))
    short = heard(webm(PACKETS, written(discard=10_000_000)))
    assert len(whole) - len(short) == RATE // 100


def test_what_is_no_audio_at_the_beginning_is_not_heard_wherever_it_is_stated() -> None:
    bare = HEAD_OF_OGG[:10] + b"\0\0" + HEAD_OF_OGG[12:]
    skipped = struct.unpack_from("<H", HEAD_OF_OGG, 10)[0]
    delay = element(DELAY, (skipped * 1_000_000_000 // 48_000 + 1).to_bytes(4, "big"))
    found = heard(webm(PACKETS, Written(tracks=(track(private=bare, more=delay),))))
    assert np.array_equal(found, heard(webm(PACKETS, written())))
    assert len(heard(webm(PACKETS, Written(tracks=(track(private=bare),))))) > len(found)


@settings(max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 400_000), st.integers(0, 70_000)), max_size=12))
def test_the_ogg_file_may_be_read_in_any_order(reads: Sequence[tuple[int, int]]) -> None:
    packets = [b"\xf8" + bytes((at % 251,)) * 1_200 for at in range(300)]
    made = WebmOpus.open(io.BytesIO(webm(packets, written())))
    whole = b"".join(made.pages())
    assert len(whole) > 1 << 18, "more than is kept of its end"
    pages = OggPages(made)
    list(pages.measure(60))
    assert pages.seek(0, io.SEEK_END) == len(whole)
    for at, size in reads:
        pages.seek(at)
        assert pages.read(size) == whole[at : at + size]
        assert pages.tell() == max(at, min(at + size, max(at, len(whole))))


def test_it_is_refused_as_soon_as_it_is_too_long() -> None:
    data = webm([SILENT] * 60 * 50, written())
    assert len(heard(data, 60)) / RATE == pytest.approx(60, abs=0.01)
    with pytest.raises(AudioTooLong, match="longer than 59 seconds"):
        heard(data, 59)


@pytest.mark.parametrize(
    ("packets", "said"),
    [
        ([], "holds no audio"),
        ([b"\x80"], "holds no audio"),
        ([SILENT, b""], "impossible size"),
        ([SILENT, b"\xfb\x3f"], "broken packet"),
    ],
)
def test_a_track_without_opus_in_it_is_refused(packets: list[bytes], said: str) -> None:
    with pytest.raises(AudioError, match=said):
        heard(webm(packets, written()))


@pytest.mark.parametrize("head", [b"", HEAD[:12], b"OpusHead" + bytes(11), HEAD[:9] + b"\x09" + HEAD[10:]])
def test_a_head_that_is_none_is_refused(head: bytes) -> None:
    with pytest.raises(AudioError):
        Sound.open(webm(PACKETS, Written(tracks=(track(private=head),))))


def test_a_file_that_changes_under_the_reader_is_an_error_of_the_audio(
    capfd: pytest.CaptureFixture[str],
) -> None:
    file = io.BytesIO(webm([b"\xf8" + bytes(1_000)] * 3_000, written()))
    blocks = Sound.open(file).blocks(RATE, max_seconds=120)
    next(block for block in blocks if len(block))
    file.truncate(1_000_000)
    with pytest.raises(AudioError, match=r"cut short|broken inside|was changed"):
        list(blocks)
    assert capfd.readouterr().err == ""


@pytest.mark.slow
def test_a_long_file_takes_bounded_memory_and_gives_others_their_turn() -> None:
    data = webm([SILENT] * 50 * 60 * 20, written())
    sound = Sound.open(data)
    tracemalloc.start()
    try:
        sizes = [len(block) for block in sound.blocks(RATE, max_seconds=7_200)]
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert sum(sizes) / RATE == pytest.approx(1_200, abs=0.01)
    assert sizes[0] == 0, "the walk through it is not one piece"
    assert peak < 16 << 20
