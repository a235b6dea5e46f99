"""Recordings with transcripts, decoded to 16 kHz, and the split of the training parts."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

Wave = NDArray[np.float32]

RATE = 16_000
CORPORA = ("digits-fsdd", "commands-an4", "orders-barista", "letters-moonshine")
TUNE_SPEAKERS = {
    "commands-an4": ("fash", "ftal", "mcel", "mjjs2", "msrb", "mwhw"),
    "orders-barista": ("g05", "g15", "g33"),
}
"""Speakers of the training parts kept out of training, for choices."""
TUNE_EVERY = 50
"""One in so many digit recordings is kept out as well: four speakers are too few to spare one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """A recording: float32 [samples] at `RATE`, its words in lower case, its corpus and speaker."""

    wave: Wave
    text: str
    corpus: str
    speaker: str


def decoded(path: Path) -> Wave:
    """Return the first channel of an audio file as float32 [samples] at `RATE`, full scale 1."""
    wave, rate = soundfile.read(path, dtype="float32", always_2d=True)
    mono = np.ascontiguousarray(wave[:, 0])
    return np.asarray(soxr.resample(mono, rate, RATE) if rate != RATE else mono, dtype=np.float32)


def read_part(data: Path, corpus: str, part: str) -> list[Clip]:
    """Read the recordings that `<corpus>/<part>.jsonl` lists, in its order."""
    lines = (data / corpus / f"{part}.jsonl").read_text(encoding="utf-8").splitlines()
    return [
        Clip(wave=decoded(data / row["path"]), text=row["text"], corpus=corpus, speaker=row["speaker"])
        for row in map(json.loads, lines)
    ]


def read_texts(data: Path, corpus: str, part: str) -> list[str]:
    """Read the transcripts alone of a part."""
    lines = (data / corpus / f"{part}.jsonl").read_text(encoding="utf-8").splitlines()
    return [str(json.loads(line)["text"]) for line in lines]


def split(clips: Iterable[Clip]) -> tuple[list[Clip], list[Clip]]:
    """Part training recordings into those to train on and those to choose by."""
    train: list[Clip] = []
    tune: list[Clip] = []
    digits = 0
    for clip in clips:
        kept = clip.speaker in TUNE_SPEAKERS.get(clip.corpus, ())
        if clip.corpus == "digits-fsdd":
            digits += 1
            kept = digits % TUNE_EVERY == 0
        (tune if kept else train).append(clip)
    return train, tune


def read_training(data: Path) -> tuple[list[Clip], list[Clip]]:
    """Read the three training parts: (to train on, to choose by)."""
    return split(clip for corpus in CORPORA[:3] for clip in read_part(data, corpus, "train"))


def by_speaker(clips: Sequence[Clip]) -> dict[str, list[Clip]]:
    """Group recordings by speaker."""
    found: dict[str, list[Clip]] = {}
    for clip in clips:
        found.setdefault(clip.speaker, []).append(clip)
    return found
