"""Audio in: equal to libsndfile in every format, in pieces of any size, and never beyond its bounds."""

import io
import tracemalloc
from pathlib import Path

import kaldi_native_fbank
import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from appliance.speech.acoustic.fbank import fbank
from appliance.speech.audio.errors import AudioError, AudioTooLong
from appliance.speech.audio.reader import AudioStream, Sound
from appliance.speech.audio.voice_activity import EnergyActivity
from appliance.speech.audio.wav import MAX_HEADER_BYTES, MAX_SKIPPED_BYTES, WavReader
from appliance.speech.decoding.segment import Heard
from appliance.speech.recognition.stream import Listener, Manner, Phrase, Status
from tests.support.tones import RATE, speak
from tests.support.usp import header

KINDS = ("PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ALAW", "ULAW")


def packed(subtype: str, kind: str = "WAV", rate: int = 44_100) -> bytes:
    samples = np.stack([speak("abc", rate=rate), 0.5 * speak("xyz", rate=rate)], axis=1)
    data = io.BytesIO()
    soundfile.write(data, samples, rate, format=kind, subtype=subtype)
    return data.getvalue()


@pytest.mark.parametrize("kind", ["WAV", "WAVEX"])
@pytest.mark.parametrize("subtype", KINDS)
def test_samples_are_those_of_libsndfile(kind: str, subtype: str) -> None:
    data = packed(subtype, kind)
    expected, rate = soundfile.read(io.BytesIO(data), dtype="float32")
    reader = WavReader()
    found = np.concatenate([reader.feed_channels(data[at : at + 777]) for at in range(0, len(data), 777)][1:])
    assert reader.format is not None
    assert reader.format.rate == rate
    count = min(len(found), len(expected))
    assert count >= len(expected) - 400
    assert np.array_equal(found[-count:], expected[-count:])


@pytest.mark.parametrize("tag", [6, 7])
def test_a_law_and_mu_law_have_eight_bits_whatever_the_header_says(tag: int) -> None:
    """The SDK's description of a stream says 16 unless a program changes that."""
    samples = bytes(range(256)) * 40
    right, wrong = (WavReader().feed(header(8_000, 1, bits, tag) + samples) for bits in (8, 16))
    assert len(right) > 9_000
    assert np.array_equal(right, wrong)


@settings(max_examples=30)
@given(st.lists(st.integers(1, 3_000), min_size=1, max_size=20), st.sampled_from([8_000, 16_000, 44_100]))
def test_a_stream_may_come_in_any_pieces(sizes: list[int], rate: int) -> None:
    pcm = (speak("stream", rate=rate) * 32_767).astype("<i2").tobytes()
    data = header(rate) + pcm
    whole, parts = AudioStream(RATE), AudioStream(RATE)
    expected = np.concatenate((whole.feed(data), whole.end()))
    pieces, at = [], 0
    for size in sizes:
        pieces.append(parts.feed(data[at : at + size]))
        at += size
    pieces += [parts.feed(data[at:]), parts.end()]
    found = np.concatenate(pieces)
    assert len(found) == len(expected)
    assert np.allclose(found, expected, atol=1e-5)
    assert parts.ticks == whole.ticks == len(pcm) // 2 * 10_000_000 // rate
    assert abs(len(found) / RATE - len(pcm) / 2 / rate) < 0.002


@settings(max_examples=200)
@given(st.binary(max_size=300), st.booleans())
def test_no_bytes_are_a_surprise(data: bytes, begins_well: bool) -> None:
    stream = AudioStream(RATE)
    try:
        stream.feed((header() if begins_well else b"RIFF") + data)
        stream.end()
    except AudioError:
        pass
    try:
        for _ in Sound.open(data).blocks(RATE, max_seconds=1):
            pass
    except (AudioError, AudioTooLong):
        pass


@pytest.mark.parametrize(
    ("kind", "subtype"), [("WAV", "PCM_24"), ("RF64", "PCM_16"), ("FLAC", "PCM_16"), ("OGG", "VORBIS")]
)
def test_a_file_on_disk_is_heard_as_the_same_bytes_in_memory(tmp_path: Path, kind: str, subtype: str) -> None:
    data = packed(subtype, kind)
    (tmp_path / "a").write_bytes(data)
    with (tmp_path / "a").open("rb") as file:
        on_disk, in_memory = Sound.open(file), Sound.open(bytearray(data))
        assert (on_disk.channels, on_disk.rate, on_disk.end) == (2, 44_100, in_memory.end)
        for channel in (None, 1, 0):
            blocks = (sound.blocks(RATE, channel=channel, max_seconds=9) for sound in (on_disk, in_memory))
            one, two = (np.concatenate(list(found)) for found in blocks)
            assert len(one) > RATE // 8
            assert np.array_equal(one, two)


def test_what_follows_the_samples_of_a_wav_file_is_not_heard() -> None:
    data = packed("PCM_16")
    more = data + b"LIST" + (4_000).to_bytes(4, "little") + b"\x11" * 4_000
    plain, longer = (
        np.concatenate(list(Sound.open(one).blocks(RATE, max_seconds=9))) for one in (data, more)
    )
    assert np.array_equal(plain, longer)


def test_a_file_that_cannot_be_read_any_more_is_an_error_of_the_audio(tmp_path: Path) -> None:
    class Failing(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            raise OSError(5, "Input/output error")

    with pytest.raises(AudioError, match="Input/output error"):
        Sound.open(Failing(packed("PCM_16")))


def test_a_header_has_an_end() -> None:
    reader = WavReader()
    reader.feed(b"RIFF\0\0\0\0WAVE")
    with pytest.raises(AudioError, match="more than 200 chunks"):
        for _ in range(MAX_HEADER_BYTES // 99):
            reader.feed(b"junk\x5c\0\0\0" + bytes(92))


def test_what_a_header_may_hold_before_the_samples_has_an_end() -> None:
    reader = WavReader()
    reader.feed(b"RIFF\0\0\0\0WAVE")
    with pytest.raises(AudioError, match="impossible size"):
        for _ in range(MAX_SKIPPED_BYTES // 900_000 + 2):
            reader.feed(b"junk" + (900_000).to_bytes(4, "little") + bytes(900_000))


@pytest.mark.parametrize("piece", [1, 7, 4_096, 1 << 20])
def test_large_chunks_are_stepped_over_in_pieces_of_any_size(piece: int) -> None:
    samples = np.arange(-500, 500, dtype="<i2").tobytes()
    head = header()
    data = (
        head[:12]
        + b"LIST"
        + (70_001).to_bytes(4, "little")
        + b"data" * 17_500
        + bytes(2)
        + head[12:]
        + samples
    )
    reader = WavReader()
    found = [reader.feed(data[at : at + piece]) for at in range(0, len(data), piece)]
    assert np.array_equal(np.concatenate(found) * 32_768, np.arange(-500, 500))


def reference(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Features as the reference computes them, with the options of sherpa-onnx."""
    options = kaldi_native_fbank.FbankOptions()
    options.frame_opts.dither = 0
    options.frame_opts.snip_edges = False
    options.mel_opts.num_bins = 80
    options.mel_opts.high_freq = -400
    computed = kaldi_native_fbank.OnlineFbank(options)
    computed.accept_waveform(RATE, samples.tolist())
    computed.input_finished()
    return np.stack([computed.get_frame(number) for number in range(computed.num_frames_ready)])


@pytest.mark.parametrize("seconds", [0.01, 0.03, 1.0, 2.345])
def test_features_are_those_of_kaldi(seconds: float) -> None:
    samples = np.random.default_rng(7).normal(0, 0.1, int(seconds * RATE)).astype(np.float32)
    expected = reference(samples)
    found = fbank(samples)
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() < 1e-4


def test_features_of_coloured_noise_and_silence_are_those_of_kaldi() -> None:
    white = np.random.default_rng(8).normal(0, 0.05, RATE)
    coloured = np.convolve(white, 0.9 ** np.arange(20))[:RATE] * np.linspace(0, 1, RATE)
    samples = np.concatenate((coloured, np.zeros(RATE // 2))).astype(np.float32)
    assert np.abs(fbank(samples) - reference(samples)).max() < 1e-4


class Deaf:
    """A segment that never hears a word, and keeps nothing."""

    def feed(self, samples: NDArray[np.float32]) -> None:
        pass

    def guess(self) -> str:
        return ""

    def quiet(self) -> int:
        return 0

    def finish(self, count: int = 1) -> list[Heard]:
        return [Heard(text="", words=(), confidence=0.0)]


def listen(minutes: int, samples: NDArray[np.float32]) -> tuple[list[Phrase], int]:
    """Give a second again and again; what was told, and the bytes that were kept."""
    listener = Listener(
        rate=RATE, activity=EnergyActivity(RATE), begin=Deaf, manner=Manner(single=False, initial_silence=15)
    )
    told: list[Phrase] = []
    tracemalloc.start()
    for _ in range(minutes * 60):
        told += [event for event in listener.feed(samples) if isinstance(event, Phrase)]
    kept = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return told, kept


class Ears(Deaf):
    """Keeps what it is fed."""

    def __init__(self) -> None:
        self.fed: list[NDArray[np.float32]] = []

    def feed(self, samples: NDArray[np.float32]) -> None:
        self.fed.append(samples)


@pytest.mark.parametrize("quiet_seconds", [0.0, 0.1, 2.0])
def test_a_model_hears_silence_before_the_first_sound_even_where_the_recording_has_none(
    quiet_seconds: float,
) -> None:
    ears = Ears()
    listener = Listener(
        rate=RATE, activity=EnergyActivity(RATE), begin=lambda: ears, manner=Manner(single=True)
    )
    sound = np.random.default_rng(3).normal(scale=0.2, size=RATE).astype(np.float32)
    listener.feed(np.concatenate((np.zeros(int(quiet_seconds * RATE), np.float32), sound)))
    fed = np.concatenate(ears.fed)
    assert np.flatnonzero(fed)[0] >= 0.3 * RATE


@pytest.mark.parametrize("loudness", [0.0, 0.1])
def test_an_hour_without_words_keeps_nothing_and_is_told_in_time(loudness: float) -> None:
    noise = np.random.default_rng(3).normal(0, 1, RATE).astype(np.float32) * np.float32(loudness)
    told, kept = listen(4, noise)
    assert kept < 1_000_000
    assert told[0].status in (Status.INITIAL_SILENCE, Status.NO_MATCH)
    assert all(phrase.length <= 30 * RATE for phrase in told)
    assert sum(phrase.length for phrase in told) >= (4 * 60 - 30) * RATE


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_ten_hours_of_silence_keep_nothing() -> None:
    told, kept = listen(600, np.zeros(RATE, np.float32))
    assert kept < 4_000_000  # the list of what was told
    assert len(told) == 600 * 4
